"""Security groups: what they let through, written as a ruleset of nftables for one network interface.

Amazon VPC User Guide, "Control traffic to your AWS resources using security groups" and "Security group rules": rules
only allow, those of all groups of an interface count together, and what no rule allows is dropped without an answer: a
client of a closed port waits until it gives up. A rule that names a group means the private addresses of the
interfaces with that group, never their public ones.

Amazon EC2 User Guide, "Amazon EC2 security group connection tracking": answers to what was let in or out pass whatever
the rules say, and a tracked connection outlives its rule. Not tracked is a TCP or UDP flow that a rule for 0.0.0.0/0
lets through while a rule of the other direction lets through all ports of 0.0.0.0/0: it is judged packet by packet, and
so ends with its rule. Here a tracked connection is one whose first packet was marked in the kernel's connection table,
which outlives the ruleset too. A flow that was not tracked, and that a changed rule would still let begin, goes on and
is tracked from then on; AWS's pages do not say.

The networks of the sandbox have IPv4 only, so rules for IPv6 ranges have nothing to let through.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

TABLE = "inet sg"
CLOSE = f"table {TABLE}\ndelete table {TABLE}\n"
"""Ends what an earlier ruleset filters; the first line lets it succeed where there is none."""

ANYWHERE = "0.0.0.0/0"
ALL_PROTOCOLS = "-1"

_MARK = "0x1"
_MAX_PORT = 65535
_HTTPS = 443
_CONNECTIONS = ("tcp", "udp")
_NUMBERS = {"icmpv6": "58"}

_NEVER_FILTERED = ("169.254.169.123", "169.254.169.253", "169.254.169.254", "169.254.170.2", "169.254.170.23")
"""Time Sync, DNS, instance metadata, and the metadata and credentials of ECS and of EKS.

Amazon VPC User Guide, "Security group basics", lists what security groups do not filter.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with one peer.

    Attributes:
        protocol: "tcp", "udp", "icmp", "-1" for all, or a protocol's number.
        from_port: The first port, or the ICMP type (-1: all types).
        to_port: The last port, or the ICMP code (-1: all codes).
        cidr: The addresses of the peer; or
        group: a security group that the peer's interface has.
    """

    protocol: str
    from_port: int | None = None
    to_port: int | None = None
    cidr: str | None = None
    group: str | None = None

    def carries(self, protocol: str) -> bool:
        """Whether it lets every port of a protocol through to or from anywhere."""
        every_port = self.protocol == ALL_PROTOCOLS or (self.from_port in {0, -1} and self.to_port in {_MAX_PORT, -1})
        return self.is_for_all and every_port and self.protocol in {ALL_PROTOCOLS, protocol}

    @property
    def is_for_all(self) -> bool:
        """Whether the peer may be anyone."""
        return self.cidr is not None and ipaddress.IPv4Network(self.cidr, strict=False).prefixlen == 0


EVERYTHING = Rule(ALL_PROTOCOLS, cidr=ANYWHERE)


@dataclass(frozen=True, slots=True)
class Group:
    """A security group."""

    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = (EVERYTHING,)


@dataclass(frozen=True, slots=True)
class Member:
    """A network interface: the groups that it has, and its private addresses."""

    groups: tuple[str, ...]
    private_ips: tuple[str, ...]


@dataclass(frozen=True)
class Records:
    """What EC2 knows: groups and interfaces by their ids."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    interfaces: Mapping[str, Member] = field(default_factory=dict)

    @cached_property
    def addresses(self) -> Mapping[str, Collection[str]]:
        """The private addresses of the interfaces with each group."""
        found: dict[str, set[str]] = {}
        for member in self.interfaces.values():
            for group in member.groups:
                found.setdefault(group, set()).update(member.private_ips)
        return found


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every interface of the VPC has around it.

    Attributes:
        dns: The VPC's second address, where the Amazon DNS server is.
        endpoint: Address and port of the AWS endpoint. On AWS it is port 443 of public addresses, and who may connect
            to those may connect to this.
    """

    dns: str
    endpoint: tuple[str, int]


def ruleset(groups: Sequence[str], own: Sequence[str], records: Records, around: Surroundings) -> str:
    """What nftables is to be told for an interface; "" where its groups let everything through.

    It filters what is for or from the interface's own addresses, before the addresses of what comes in are translated
    and after those of what goes out are: so a host port that leads to a container on a container instance's bridge is
    judged as the port of the instance that it is, and what passes between that bridge and the instance is not judged.

    Args:
        groups: The interface's. One that there is not lets nothing through.
        own: The interface's addresses, public ones too.
        records: What EC2 knows.
        around: What every interface has around it.

    Returns:
        A text that replaces an earlier one in one transaction.
    """
    found = [records.groups[group] for group in groups if group in records.groups]
    ingress = [rule for group in found for rule in group.ingress]
    egress = [rule for group in found for rule in group.egress]
    if EVERYTHING in ingress and EVERYTHING in egress:
        return ""
    return CLOSE + "\n".join(
        [
            f"table {TABLE} {{",
            *_chain("ingress", "prerouting priority -150", "iif", "daddr", own),
            *_never_filtered("saddr", "sport", around.dns),
            *_lines(ingress, egress, "saddr", records.addresses),
            "  }",
            *_chain("egress", "postrouting priority 150", "oif", "saddr", own),
            *_never_filtered("daddr", "dport", around.dns),
            *_lines([*egress, *_to_endpoint(egress, around.endpoint)], ingress, "daddr", records.addresses),
            "  }",
            "}\n",
        ]
    )


def _chain(name: str, hook: str, interface: str, self_: str, own: Sequence[str]) -> Iterator[str]:
    yield f"  chain {name} {{"
    yield f"    type filter hook {hook}; policy drop;"
    yield f'    {interface} "lo" accept'
    yield f"    ip {self_} != {{ {', '.join(own)} }} accept"
    # Between a container instance and its own bridge, which no security group of AWS's sees.
    yield f"    fib {self_} . {interface} type != local accept"
    yield f"    ct mark {_MARK} accept"
    yield "    ct state related accept"


def _never_filtered(peer: str, port: str, dns: str) -> Iterator[str]:
    yield f"    ip {peer} {{ {', '.join(_NEVER_FILTERED)} }} accept"
    yield f"    ip {peer} {dns} meta l4proto {{ tcp, udp }} th {port} 53 accept"


def _lines(
    rules: Iterable[Rule], other_direction: Sequence[Rule], peer: str, addresses: Mapping[str, Collection[str]]
) -> Iterator[str]:
    for rule in dict.fromkeys(rules):
        whom = _peer(rule, peer, addresses)
        if not whom:
            continue
        match = f"    {whom}{_what(rule)}"
        possible = [protocol for protocol in _CONNECTIONS if rule.protocol in {ALL_PROTOCOLS, protocol}]
        untracked = [
            protocol
            for protocol in possible
            if rule.is_for_all and any(other.carries(protocol) for other in other_direction)
        ]
        if untracked:
            narrowed = f" meta l4proto {{ {', '.join(untracked)} }}" if rule.protocol == ALL_PROTOCOLS else ""
            yield f"{match}{narrowed} accept"
        if rule.protocol not in untracked:
            yield f"{match} ct direction original ct mark set {_MARK} accept"
            if any(rule.carries(protocol) for protocol in _CONNECTIONS):  # answers of flows that are not tracked
                yield f"{match} accept"


def _peer(rule: Rule, peer: str, addresses: Mapping[str, Collection[str]]) -> str:
    """Who it is about; "" for nobody."""
    if rule.group is not None:
        found = sorted(addresses.get(rule.group, ()), key=ipaddress.IPv4Address)
        return f"ip {peer} {{ {', '.join(found)} }}" if found else ""
    if rule.cidr is None:
        return ""
    if rule.is_for_all:
        return "meta nfproto ipv4"
    return f"ip {peer} {ipaddress.IPv4Network(rule.cidr, strict=False)}"


def _what(rule: Rule) -> str:
    first, last = rule.from_port, rule.to_port
    if rule.protocol == ALL_PROTOCOLS:
        return ""
    if rule.protocol == "icmp":
        kind = "" if first in {None, -1} else f" icmp type {first}"
        return " meta l4proto icmp" + kind + ("" if not kind or last in {None, -1} else f" icmp code {last}")
    if rule.protocol not in _CONNECTIONS:
        return f" meta l4proto {_NUMBERS.get(rule.protocol, rule.protocol)}"
    if first in {None, -1} or (first, last) == (0, _MAX_PORT):
        return f" meta l4proto {rule.protocol}"
    return f" {rule.protocol} dport {first}-{last}" if first != last else f" {rule.protocol} dport {first}"


def _to_endpoint(egress: Iterable[Rule], endpoint: tuple[str, int]) -> Iterator[Rule]:
    """A rule for the sandbox's own AWS endpoint, where AWS's own could be connected to."""
    address, port = endpoint
    if any(rule.is_for_all and rule.protocol == "tcp" and _has_port(rule, _HTTPS) for rule in egress):
        yield Rule("tcp", port, port, cidr=f"{address}/32")


def _has_port(rule: Rule, port: int) -> bool:
    return rule.from_port in {None, -1} or (rule.from_port or 0) <= port <= (rule.to_port or 0)
