"""Route 53 meets the DNS server: the zones of the moment, what changed in them, and what was answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from sandbox.model.route53 import Answer, HostedZone, RecordSet, Zones, canonical
from sandbox.model.route53 import answer as answer_from_zones
from sandbox.timeline import Timeline

MAX_RECORDED_ANSWERS = 1024
"""Different answers recorded between two changes of the zones; a flood of questions must not fill the memory."""

# Seconds. Developer Guide, "Choosing between alias and non-alias records": CloudFront's names and aliases to them.
_RESOURCE_TTL = 60

_APEX = {"NS", "SOA"}  # what every zone has

_Key = tuple[str, str, str, str | None]
"""Zone name, record name, type, set identifier: what Route 53 tells record sets apart by."""


class DnsController:
    """Holds what the DNS server answers from.

    Observations:

    - ``dns.change`` (zone, name, type, set_identifier, old, new, ttl): one for each record set that `refresh` finds
      created, changed or deleted. ``old`` and ``new`` are lists of values ("ALIAS name" for an alias), None where
      there is no such record set; ``ttl`` is the new one, or the old one of a deleted record set. A new or deleted
      zone shows as its record sets.
    - ``dns.answer`` (name, type, rcode, values): the first time that an answer is given after a change of the zones;
      its repetitions, also in another order, are not recorded, nor are names outside every zone. So the timeline
      shows from when on a change was seen, and the hottest name costs one observation.

    Args:
        zones: Reads the zones that there are now.
        timeline: Where observations go.

    Attributes:
        hosted_zones: The zones as they were read last.
    """

    def __init__(self, zones: Callable[[], list[HostedZone]], timeline: Timeline) -> None:
        self._read_zones = zones
        self._timeline = timeline
        self._refreshing = threading.Lock()
        self._record_sets: dict[_Key, RecordSet] = {}
        self._zones = self._public = Zones(())
        self.hosted_zones: tuple[HostedZone, ...] = ()
        self._recorded: set[tuple[str, str, frozenset[object]]] = set()
        self._rng = Random()
        self._resources: dict[str, str] = {}
        self._held: dict[str, list[tuple[Zones, Zones]]] = {}  # all and public ones, of when a name began to be held

    def name_resource(self, name: str, address: str | None) -> None:
        """Give a resource of AWS's its name, such as "d111111abcdef8.cloudfront.net"; None takes it away."""
        with self._refreshing:
            if address is None:
                self._resources.pop(name, None)
            else:
                self._resources[name] = address
        self.refresh()

    def refresh(self) -> None:
        """Read the zones again and answer from them from now on; called after each change through the API."""
        with self._refreshing:
            hosted_zones = self._read_zones()
            resources = _resource_zones(self._resources)
            self._zones = Zones(hosted_zones, resources)
            self._public = Zones((zone for zone in hosted_zones if not zone.private), resources)
            self.hosted_zones = tuple(hosted_zones)
            before, self._record_sets = self._record_sets, _by_key(hosted_zones)
            changes = list(_changes(before, self._record_sets))
            if changes:
                self._recorded = set()
            for change in changes:
                self._timeline.record("dns.change", **change)

    def answer(self, name: str, type: str) -> Answer:
        """Answer one question as the VPC's resolver does: the DNS server's function. Thread-safe."""
        held = self._held.get(name)
        return self._answer(held[0][0] if held else self._zones, name, type)

    def answer_outside(self, name: str, type: str) -> Answer:
        """The same for who asks from the internet, where nothing knows private zones."""
        held = self._held.get(name)
        return self._answer(held[0][1] if held else self._public, name, type)

    def look(self, name: str, type: str, *, outside: bool = False) -> Answer:
        """What `answer`, or `answer_outside`, would answer now, asked by nobody: it is not recorded."""
        name = canonical(name)
        held = self._held.get(name)
        zones = held[0] if held else (self._zones, self._public)
        return answer_from_zones(zones[outside], name, type, self._rng)

    def hold(self, name: str) -> Callable[[], None]:
        """Go on answering for a name as now, whatever changes; the returned function ends that."""
        name = canonical(name)
        with self._refreshing:
            held = (self._zones, self._public)
            self._held[name] = [*self._held.get(name, ()), held]

        def end() -> None:
            with self._refreshing:
                self._held[name] = [one for one in self._held[name] if one is not held]
                self._recorded = set()  # what is answered from now on is news

        return end

    def names(self) -> list[str]:
        """The names that have records, those of zones alone excepted."""
        own = {canonical(one.name) for zone in self.hosted_zones for one in zone.record_sets if one.type not in _APEX}
        return sorted(own | {canonical(name) for name in self._resources})

    def _answer(self, zones: Zones, name: str, type: str) -> Answer:
        recorded = self._recorded  # of the zones before a refresh, if one happens now
        given = answer_from_zones(zones, name, type, self._rng)
        if given.authoritative and len(recorded) < MAX_RECORDED_ANSWERS:
            key = (name, type, frozenset(given.answers))
            if key not in recorded:
                recorded.add(key)
                values = [record.value for record in given.answers]
                self._timeline.record("dns.answer", name=name, type=type, rcode=str(given.rcode), values=values)
        return given


def _resource_zones(resources: Mapping[str, str]) -> list[HostedZone]:
    """Each resource's parent domain as a zone. Route 53 shows the name of a CloudFront distribution with 60 s."""
    zones: dict[str, list[RecordSet]] = {}
    for name, address in resources.items():
        zones.setdefault(name.partition(".")[2], []).append(RecordSet(name, "A", _RESOURCE_TTL, (address,)))
    return [HostedZone("aws", apex, record_sets=tuple(record_sets)) for apex, record_sets in zones.items()]


def _by_key(zones: Iterable[HostedZone]) -> dict[_Key, RecordSet]:
    return {
        (canonical(zone.name), canonical(record_set.name), record_set.type, record_set.set_identifier): record_set
        for zone in zones
        for record_set in zone.record_sets
    }


def _changes(before: Mapping[_Key, RecordSet], after: Mapping[_Key, RecordSet]) -> Iterable[dict[str, Any]]:
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        current = new or old
        assert current is not None
        zone, name, type_, set_identifier = key
        yield {
            "zone": zone,
            "name": name,
            "type": type_,
            "set_identifier": set_identifier,
            "old": _values(old),
            "new": _values(new),
            "ttl": current.ttl,
        }


def _values(record_set: RecordSet | None) -> list[str] | None:
    if record_set is None:
        return None
    return [f"ALIAS {record_set.alias_target}"] if record_set.alias_target else list(record_set.values)
