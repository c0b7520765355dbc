"""What Route 53 answers: hosted zones, record sets, wildcards, aliases and routing policies.

`answer` is a pure function of the zones, the question and a source of chance. It speaks as a VPC's resolver does that
knows nothing but the sandbox's hosted zones:

- private zones come before public ones; within each, the longest matching zone answers, and only that one
  (Developer Guide, "Considerations when working with a private hosted zone": overlapping namespaces);
- a CNAME is followed through every zone of the sandbox;
- a name outside every zone is NXDOMAIN without authority. A real resolver would recurse; the sandbox is offline, so
  nothing of a real internet is reached and ``*.amazonaws.com`` never resolves.

Two differences from a resolver in a VPC: answers are authoritative, and as nothing is cached their TTL never counts
down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from random import Random
from typing import NamedTuple

MAX_MULTIVALUE_ANSWERS = 8
"""Developer Guide, "Multivalue answer routing": up to eight healthy records."""

DEFAULT_TTL_SOA = 900
DEFAULT_SOA = "ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
"""What Route 53 puts into a new zone; its last number is the minimum, which bounds negative answers."""

_PLAIN = re.compile(r"[a-z0-9_*-]+(?:\.[a-z0-9_*-]+)*")
_ESCAPE_OR_SPECIAL = re.compile(r"\\([0-3][0-7]{2})|[^!-~]|\\")


class Rcode(StrEnum):
    """The response codes that an answer can have; FORMERR and the like are the server's business."""

    NOERROR = "NOERROR"
    SERVFAIL = "SERVFAIL"
    NXDOMAIN = "NXDOMAIN"


class Record(NamedTuple):
    """One resource record. ``value`` is in Route 53's notation, ``ttl`` in seconds, ``name`` is `canonical`."""

    name: str
    type: str
    ttl: int
    value: str


class Answer(NamedTuple):
    """What is answered to one question: hashable, so that a server can keep its encoded form."""

    rcode: Rcode
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    authoritative: bool = False


@dataclass(frozen=True, slots=True)
class RecordSet:
    r"""Route 53's ResourceRecordSet.

    Attributes:
        name: With or without a trailing dot, in any case, with Route 53's octal escapes (``\052`` is ``*``).
        type: "A", "CNAME", ...
        ttl: Seconds; None for an alias, which has its target's.
        values: In Route 53's notation, for example ``10 mail.example.com`` for MX.
        set_identifier: Tells apart the record sets of one name and type under a routing policy.
        weight: 0 to 255, for weighted routing.
        multivalue: Multivalue answer routing.
        alias_target: The name of a record set of the same type in the same zone, or of a resource of AWS's.
        health_check_id: The health check that decides `healthy`.
        healthy: What that health check says; without one a record is always healthy.
    """

    name: str
    type: str
    ttl: int | None = None
    values: tuple[str, ...] = ()
    set_identifier: str | None = None
    weight: int | None = None
    multivalue: bool = False
    alias_target: str | None = None
    health_check_id: str | None = None
    healthy: bool = True


@dataclass(frozen=True, slots=True)
class HostedZone:
    """Route 53's hosted zone. One without a SOA record set has the default one."""

    id: str
    name: str
    private: bool = False
    record_sets: tuple[RecordSet, ...] = ()


@lru_cache(maxsize=16384)
def canonical(name: str) -> str:
    r"""A name in the one form in which names are compared: lower case, no trailing dot, escapes only where needed.

    Developer Guide, "DNS domain name format": ``\ooo`` is a character by its octal code; letters are lower case also
    when escaped; a dot in a label, ``\`` and what is not printable stay escaped. Characters beyond ASCII become the
    escapes of their UTF-8 bytes.
    """
    name = name.removesuffix(".").lower()
    return name if _PLAIN.fullmatch(name) else _ESCAPE_OR_SPECIAL.sub(_canonical_character, name)


def _canonical_character(match: re.Match[str]) -> str:
    code = match.group(1)
    octets = bytes([int(code, 8)]) if code else match.group().encode()
    return "".join(escaped(octet) for octet in octets)


def escaped(octet: int) -> str:
    """One octet of a label as it stands in a `canonical` name."""
    character = chr(octet).lower()
    return character if "!" <= character <= "~" and character not in ".\\" else f"\\{octet:03o}"


class Zones:
    """Hosted zones indexed for answering; immutable.

    Args:
        hosted_zones: The account's.
        aws: AWS's own, with the names of its resources ("cloudfront.net"): aliases may lead into them.

    Where two zones of the same visibility have the same name, the first answers: in production it would be the one
    that the registrar delegates to, which the sandbox cannot know.
    """

    def __init__(self, hosted_zones: Iterable[HostedZone], aws: Iterable[HostedZone] = ()) -> None:
        self._private: dict[str, _Zone] = {}
        self._public: dict[str, _Zone] = {canonical(zone.name): _Zone(zone, {}) for zone in aws}
        resources = dict(self._public)
        for hosted_zone in hosted_zones:
            same_visibility = self._private if hosted_zone.private else self._public
            same_visibility.setdefault(canonical(hosted_zone.name), _Zone(hosted_zone, resources))

    def zone_for(self, name: str) -> _Zone | None:
        """The zone that answers for a `canonical` name."""
        return _longest(self._private, name) or _longest(self._public, name)


def answer(zones: Zones, name: str, type: str, rng: Random) -> Answer:
    """Answer one question.

    Args:
        zones: What there is.
        name: The queried name, in any spelling that `canonical` takes.
        type: The queried record type ("A").
        rng: Orders several values and chooses under routing policies.
    """
    chain: tuple[Record, ...] = ()
    asked = canonical(name)
    visited: set[str] = set()
    while asked not in visited:
        visited.add(asked)
        zone = zones.zone_for(asked)
        if zone is None:
            return Answer(Rcode.NXDOMAIN, chain, (), authoritative=bool(chain))
        found = zone.answer(asked, type, rng)
        if not found.answers or type in {"CNAME", "ANY"} or found.answers[0].type != "CNAME":
            return found._replace(answers=chain + found.answers) if chain else found
        chain += found.answers
        asked = canonical(found.answers[0].value)
    return Answer(Rcode.SERVFAIL, chain)


def eligible(record_sets: Sequence[RecordSet]) -> Sequence[RecordSet]:
    """The record sets, of those with one name and type, that answers are made of: the healthy ones.

    Developer Guide, "How Amazon Route 53 chooses records when health checking is configured": all unhealthy counts as
    all healthy; a single one is answered whatever its health.
    """
    return [record_set for record_set in record_sets if record_set.healthy] or record_sets


def select(record_sets: Sequence[RecordSet], rng: Random) -> Sequence[RecordSet]:
    """The record sets, of the `eligible` ones with one name and type, that one answer is made of, in random order.

    Developer Guide: "Values specific for multivalue answer records" and "Weighted routing" (the zero-weighted are
    considered when no other is healthy; all of weight zero: equal probability). Routing policies that look at where the
    client is have no meaning here: one record set is chosen, each with equal probability.
    """
    if len(record_sets) == 1:
        return record_sets
    if record_sets[0].multivalue:
        return rng.sample(record_sets, min(len(record_sets), MAX_MULTIVALUE_ANSWERS))
    weights = [record_set.weight or 0 for record_set in record_sets]
    return rng.choices(record_sets, weights if any(weights) else None)


class _Zone:
    """One hosted zone, indexed by name and type; ``resources`` are the other zones that its aliases may lead into."""

    def __init__(self, zone: HostedZone, resources: Mapping[str, _Zone]) -> None:
        self._resources = resources
        self.apex = canonical(zone.name)
        self._sets: dict[str, dict[str, Sequence[RecordSet]]] = {}
        sets: dict[str, dict[str, list[RecordSet]]] = {}
        for record_set in zone.record_sets:
            sets.setdefault(canonical(record_set.name), {}).setdefault(record_set.type, []).append(record_set)
        for name, by_type in sets.items():
            self._sets[name] = {type_: eligible(record_sets) for type_, record_sets in by_type.items()}
        apex = self._sets.setdefault(self.apex, {})
        soa = apex.setdefault("SOA", [RecordSet(self.apex, "SOA", DEFAULT_TTL_SOA, (DEFAULT_SOA,))])[0]
        # Names that exist only because something exists below them (RFC 4592, "empty non-terminals").
        self._names = {self.apex, *(ancestor for name in self._sets for ancestor in self._up_to_apex(name))}
        self._cuts = {name for name, by_type in self._sets.items() if "NS" in by_type and name != self.apex}
        minimum = int(soa.values[0].split()[-1])
        # RFC 2308: a negative answer may be kept for the smaller of the SOA's TTL and its minimum.
        negative = Record(self.apex, "SOA", min(soa.ttl or 0, minimum), soa.values[0])
        self._no_data = Answer(Rcode.NOERROR, (), (negative,), authoritative=True)
        self._no_name = Answer(Rcode.NXDOMAIN, (), (negative,), authoritative=True)

    def answer(self, name: str, type: str, rng: Random, aliases: frozenset[str] = frozenset()) -> Answer:
        """Answer from this zone alone; a CNAME is returned, not followed. ``aliases`` are those being resolved."""
        if self._cuts and (referral := self._referral(name)):
            return referral
        by_type = self._sets.get(name)
        if by_type is None:
            if name in self._names:
                return self._no_data
            by_type = self._sets.get(f"*.{self._closest_encloser(name)}")
            if by_type is None:
                return self._no_name
        record_sets = by_type.get(type) or by_type.get("CNAME")
        if type == "ANY":  # RFC 8482, 4.1: one of the types that there are
            record_sets = next(iter(by_type.values()))
        if not record_sets:
            return self._no_data
        chosen = select(record_sets, rng)
        records: list[Record] = []
        for record_set in chosen:
            records.extend(self._records(name, record_set, rng, aliases))
        if len(records) > len(chosen):  # several values in one; the record sets themselves have no order
            rng.shuffle(records)
        return Answer(Rcode.NOERROR, tuple(records), authoritative=True) if records else self._no_data

    def _records(self, name: str, record_set: RecordSet, rng: Random, aliases: frozenset[str]) -> Iterable[Record]:
        """A record set under the name that was asked (a wildcard's or alias's own name does not appear)."""
        if record_set.alias_target is None:
            return [Record(name, record_set.type, record_set.ttl or 0, value) for value in record_set.values]
        target = canonical(record_set.alias_target)
        zone = self if _is_within(target, self.apex) else _longest(self._resources, target)
        if target in aliases or zone is None:
            return []
        found = zone.answer(target, record_set.type, rng, aliases | {target})
        return [record._replace(name=name) for record in found.answers if record.type == record_set.type]

    def _closest_encloser(self, name: str) -> str:
        """RFC 4592: the longest existing ancestor; only a wildcard right below it applies."""
        return next((ancestor for ancestor in self._up_to_apex(name) if ancestor in self._names), self.apex)

    def _referral(self, name: str) -> Answer | None:
        """Names at or below NS records that are not the apex's belong to other servers."""
        for ancestor in self._up_to_apex(name):
            if ancestor in self._cuts:
                (servers, *_) = self._sets[ancestor]["NS"]
                records = tuple(Record(ancestor, "NS", servers.ttl or 0, value) for value in servers.values)
                return Answer(Rcode.NOERROR, (), records)
        return None

    def _up_to_apex(self, name: str) -> Iterable[str]:
        """The name itself and its ancestors, without the apex."""
        while name != self.apex:
            yield name
            name = name.partition(".")[2] or self.apex


def _longest(zones: Mapping[str, _Zone], name: str) -> _Zone | None:
    while name and zones:
        if name in zones:
            return zones[name]
        name = name.partition(".")[2]
    return None


def _is_within(name: str, apex: str) -> bool:
    return name == apex or name.endswith("." + apex)
