"""Security groups as rulesets of nftables."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.engine.containers import Spec
from sandbox.model.security_groups import CLOSE, EVERYTHING, Group, Member, Records, Rule, Surroundings, ruleset
from tests.conftest import examples

AROUND = Surroundings("10.0.0.2", ("10.0.0.2", 4566))
OWN = ("10.0.0.4", "198.51.100.16")
NOTHING = Group(egress=())


def lines(*groups, members=None):
    """What each direction of an interface with these groups lets through, beside what all let through."""
    records = Records({f"sg-{n}": group for n, group in enumerate(groups)}, members or {})
    text = ruleset(list(records.groups), OWN, records, AROUND)
    _, ingress, egress = text.split("  chain ")
    always = 9
    return [[line.strip() for line in part.splitlines()[always:] if line.strip() != "}"] for part in (ingress, egress)]


def test_groups_that_open_everything_need_no_rules():
    open_group = Group(ingress=(EVERYTHING,))
    assert ruleset(["sg-1"], OWN, Records({"sg-1": open_group}), AROUND) == ""
    half_open = Records({"sg-1": NOTHING, "sg-2": open_group})
    assert ruleset(["sg-1", "sg-2"], OWN, half_open, AROUND) == ""  # the rules of all groups count together


def test_what_is_never_filtered():
    text = ruleset(["sg-0"], OWN, Records({"sg-0": NOTHING}), AROUND)
    assert text.splitlines() == [
        "table inet sg",
        "delete table inet sg",
        "table inet sg {",
        "  chain ingress {",
        "    type filter hook prerouting priority -150; policy drop;",
        '    iif "lo" accept',
        "    ip daddr != { 10.0.0.4, 198.51.100.16 } accept",
        "    fib daddr . iif type != local accept",
        "    ct mark 0x1 accept",
        "    ct state related accept",
        "    ip saddr { 169.254.169.123, 169.254.169.253, 169.254.169.254, 169.254.170.2, 169.254.170.23 } accept",
        "    ip saddr 10.0.0.2 meta l4proto { tcp, udp } th sport 53 accept",
        "  }",
        "  chain egress {",
        "    type filter hook postrouting priority 150; policy drop;",
        '    oif "lo" accept',
        "    ip saddr != { 10.0.0.4, 198.51.100.16 } accept",
        "    fib saddr . oif type != local accept",
        "    ct mark 0x1 accept",
        "    ct state related accept",
        "    ip daddr { 169.254.169.123, 169.254.169.253, 169.254.169.254, 169.254.170.2, 169.254.170.23 } accept",
        "    ip daddr 10.0.0.2 meta l4proto { tcp, udp } th dport 53 accept",
        "  }",
        "}",
    ]


def test_a_group_that_there_is_not_lets_nothing_through():
    assert ruleset(["sg-gone"], OWN, Records(), AROUND) == ruleset(["sg-0"], OWN, Records({"sg-0": NOTHING}), AROUND)


def test_a_narrow_rule_is_tracked():
    ingress, egress = lines(Group((Rule("tcp", 22, 22, cidr="203.0.113.7/32"),)))
    assert ingress == ["ip saddr 203.0.113.7/32 tcp dport 22 ct direction original ct mark set 0x1 accept"]
    assert egress == [
        "meta nfproto ipv4 ct direction original ct mark set 0x1 accept",
        "meta nfproto ipv4 accept",  # answers of flows that are not tracked
    ]


def test_a_port_for_all_is_not_tracked_where_all_may_leave():
    """User Guide's example: port 22 of one address is tracked, port 80 of all is not, ICMP always is."""
    ingress, _ = lines(
        Group(
            (
                Rule("tcp", 22, 22, cidr="203.0.113.1/32"),
                Rule("tcp", 80, 80, cidr="0.0.0.0/0"),
                Rule("icmp", -1, -1, cidr="0.0.0.0/0"),
            )
        )
    )
    assert ingress == [
        "ip saddr 203.0.113.1/32 tcp dport 22 ct direction original ct mark set 0x1 accept",
        "meta nfproto ipv4 tcp dport 80 accept",
        "meta nfproto ipv4 meta l4proto icmp ct direction original ct mark set 0x1 accept",
    ]


def test_a_port_for_all_is_tracked_where_not_all_may_leave():
    ingress, _ = lines(Group((Rule("tcp", 80, 80, cidr="0.0.0.0/0"),), egress=(Rule("udp", 0, 65535, "0.0.0.0/0"),)))
    assert ingress == ["meta nfproto ipv4 tcp dport 80 ct direction original ct mark set 0x1 accept"]


def test_all_protocols_are_not_tracked_as_far_as_answers_may_come():
    all_tcp = Rule("tcp", 0, 65535, cidr="0.0.0.0/0")
    _, egress = lines(Group((all_tcp,)))
    assert egress == [
        "meta nfproto ipv4 meta l4proto { tcp } accept",
        "meta nfproto ipv4 ct direction original ct mark set 0x1 accept",
        "meta nfproto ipv4 accept",
    ]


def test_a_group_as_source_means_the_private_addresses_of_its_interfaces():
    members = {
        "eni-1": Member(("sg-balancer",), ("10.0.0.9",)),
        "eni-2": Member(("sg-other", "sg-balancer"), ("10.0.0.10", "10.0.0.4")),
        "eni-3": Member(("sg-other",), ("10.0.0.5",)),
    }
    ingress, egress = lines(
        Group((Rule("tcp", 5000, 5009, group="sg-balancer"), Rule("tcp", 1, 1, group="sg-empty")), ()), members=members
    )
    assert ingress == [
        "ip saddr { 10.0.0.4, 10.0.0.9, 10.0.0.10 } tcp dport 5000-5009 ct direction original ct mark set 0x1 accept"
    ]
    assert egress == []


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (Rule("icmp", 8, 0), "meta l4proto icmp icmp type 8 icmp code 0"),
        (Rule("icmp", 3, -1), "meta l4proto icmp icmp type 3"),
        (Rule("icmp", -1, -1), "meta l4proto icmp"),
        (Rule("udp", 53, 53), "udp dport 53"),
        (Rule("tcp", 0, 65535), "meta l4proto tcp"),
        (Rule("tcp", 8000, 8999), "tcp dport 8000-8999"),
        (Rule("50", -1, -1), "meta l4proto 50"),
        (Rule("icmpv6", -1, -1), "meta l4proto 58"),
    ],
)
def test_protocols_and_ports(rule, match):
    ingress, _ = lines(Group((Rule(rule.protocol, rule.from_port, rule.to_port, cidr="10.1.2.3/16"),), ()))
    assert ingress == [f"ip saddr 10.1.0.0/16 {match} ct direction original ct mark set 0x1 accept"]


def test_who_may_reach_aws_may_reach_the_endpoint():
    _, egress = lines(Group((), (Rule("tcp", 443, 443, cidr="0.0.0.0/0"),)))
    assert egress[1:] == ["ip daddr 10.0.0.2/32 tcp dport 4566 ct direction original ct mark set 0x1 accept"]
    for closed in [Rule("tcp", 443, 443, cidr="10.0.0.0/8"), Rule("tcp", 80, 80, cidr="0.0.0.0/0")]:
        assert len(lines(Group((), (closed,)))[1]) == 1


ports = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted)
peers = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(lambda pair: {"cidr": f"{pair[0]}/{pair[1]}"}),
    st.sampled_from(["sg-0", "sg-1", "sg-2", "sg-3"]).map(lambda group: {"group": group}),
    st.just({}),  # an IPv6 range
)
shapes = st.one_of(
    st.just(("-1", None, None)),
    st.tuples(st.sampled_from(["tcp", "udp"]), ports).map(lambda shape: (shape[0], *shape[1])),
    st.tuples(st.just("icmp"), st.integers(-1, 255), st.integers(-1, 255)),
    st.integers(2, 255).filter(lambda number: number not in {6, 17}).map(lambda number: (str(number), -1, -1)),
)
rules = st.lists(st.builds(lambda shape, peer: Rule(*shape, **peer), shapes, peers), max_size=5).map(tuple)
groups = st.lists(st.builds(Group, rules, rules), max_size=3)
interfaces = st.dictionaries(
    st.sampled_from(["eni-0", "eni-1"]),
    st.builds(
        Member,
        st.lists(st.sampled_from(["sg-0", "sg-1", "sg-2"]), unique=True).map(tuple),
        st.lists(st.ip_addresses(v=4).map(str), max_size=3, unique=True).map(tuple),
    ),
)


def made(some, members):
    return Records({f"sg-{number}": group for number, group in enumerate(some)}, members)


@given(groups, interfaces)
def test_only_what_a_rule_names_gets_a_line(some, members):
    records = made(some, members)
    text = ruleset(list(records.groups), OWN, records, AROUND)
    opens = all(EVERYTHING in [rule for group in some for rule in side(group)] for side in SIDES)
    assert (text == "") == opens
    if text:
        assert text.count("policy drop") == 2
        named = {rule.group for group in some for side in SIDES for rule in side(group)} - {None}
        silent = {address for member in members.values() for address in member.private_ips} - {
            address for name in named for address in records.addresses.get(name, ())
        }
        in_sets = {word for line in text.splitlines() for word in line.partition("{")[2].replace(",", "").split()}
        assert not silent & in_sets - set(OWN)


SIDES = (lambda group: group.ingress, lambda group: group.egress)


@given(groups, interfaces)
def test_the_order_of_groups_does_not_matter(some, members):
    records = made(some, members)
    names = list(records.groups)
    forwards, backwards = (ruleset(order, OWN, records, AROUND).splitlines() for order in (names, names[::-1]))
    assert sorted(forwards) == sorted(backwards)


# What a new flow's first packet meets, as nftables would judge it. Few values, so that rules and packets often meet.

few = st.sampled_from([0, 1, 2, 65535])
few_kinds = st.sampled_from([-1, 0, 1, 2])
near = ["10.1.0.5", "10.1.0.6", "192.0.2.9"]
few_rules = st.lists(
    st.builds(
        lambda shape, peer: Rule(*shape, **peer),
        st.one_of(
            st.just(("-1", None, None)),
            st.tuples(st.sampled_from(["tcp", "udp"]), st.tuples(few, few).map(sorted)).map(
                lambda one: (one[0], *one[1])
            ),
            st.tuples(st.just("icmp"), few_kinds, few_kinds),
            st.just(("50", -1, -1)),
        ),
        st.one_of(
            st.sampled_from(["0.0.0.0/0", "10.1.0.0/16", "10.1.0.5/32"]).map(lambda cidr: {"cidr": cidr}),
            st.sampled_from(["sg-0", "sg-1"]).map(lambda group: {"group": group}),
        ),
    ),
    max_size=4,
).map(tuple)
few_members = st.dictionaries(
    st.sampled_from(["eni-0", "eni-1"]),
    st.builds(
        Member,
        st.sampled_from([("sg-0",), ("sg-1",), ("sg-0", "sg-1")]),
        st.lists(st.sampled_from(near), max_size=2, unique=True).map(tuple),
    ),
)
packets = st.one_of(
    st.tuples(st.sampled_from(["tcp", "udp"]), few, st.none()),
    st.tuples(st.just("icmp"), st.integers(0, 2), st.integers(0, 2)),
    st.just(("50", None, None)),
)


def passes(line, peer, packet):
    """Whether a line of a chain accepts a packet that begins a flow with a peer."""
    protocol, port, code = packet
    if re.match(r'[io]if "lo"|ct mark|ct state|ip .addr !=|fib ', line):
        return False
    named = re.search(r"ip [sd]addr (\{ .+? \}|\S+)", line)
    if named and not any(peer in IPv4Network(one) for one in re.findall(r"[\d./]+", named[1])):
        return False
    protocols = re.search(r"l4proto (\{ .+? \}|\S+)", line)
    if protocols and protocol not in re.findall(r"\w+", protocols[1]):
        return False
    ports = re.search(r"(tcp|udp|th) [sd]port (\d+)(?:-(\d+))?", line)
    if ports and ports[1] not in {"th", protocol}:
        return False
    if ports and not int(ports[2]) <= port <= int(ports[3] or ports[2]):
        return False
    kind, subkind = re.search(r"icmp type (\d+)", line), re.search(r"icmp code (\d+)", line)
    return (not kind or int(kind[1]) == port) and (not subkind or int(subkind[1]) == code)


def allows(rule, peer, packet, addresses):
    """The same by the rule itself."""
    protocol, port, code = packet
    if rule.group is not None:
        known = str(peer) in addresses.get(rule.group, ())
    else:
        known = rule.cidr is not None and peer in IPv4Network(rule.cidr, strict=False)
    if not known or rule.protocol not in {"-1", protocol}:
        return False
    if rule.protocol in {"tcp", "udp"}:
        return rule.from_port <= port <= rule.to_port
    if rule.protocol == "icmp":
        return rule.from_port in {-1, port} and (rule.from_port == -1 or rule.to_port in {-1, code})
    return True


@settings(max_examples=examples(250))
@given(
    st.lists(st.builds(Group, few_rules, few_rules), min_size=1, max_size=2),
    few_members,
    st.sampled_from(near).map(IPv4Address),
    packets,
)
def test_a_flow_may_begin_if_a_rule_allows_it(some, members, peer, packet):
    records = made(some, members)
    text = ruleset(list(records.groups), OWN, records, AROUND)
    if not text:
        return
    _, ingress, egress = text.split("  chain ")
    for chain, side in [(ingress, SIDES[0]), (egress, SIDES[1])]:
        accepted = any(passes(line.strip(), peer, packet) for line in chain.splitlines() if line.endswith("accept"))
        assert accepted == any(allows(rule, peer, packet, records.addresses) for group in some for rule in side(group))


@pytest.mark.docker
def test_nftables_takes_every_ruleset(containers, image):
    texts = []

    @settings(max_examples=200, database=None, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(groups, interfaces)
    def collect(some, members):
        records = made(some, members)
        texts.append(ruleset(list(records.groups), OWN, records, AROUND))

    collect()
    spec = Spec("nft", image("toolbox"), command=["sleep", "60"], cap_add=["NET_ADMIN"])
    container = containers.run_new(spec)
    for first in range(0, len(texts), 20):
        together = "".join(texts[first : first + 20])  # each replaces the one before
        assert containers.execute(container, ["nft", "-c", together or CLOSE]) == (0, "", ""), together
