"""What the replayer reads and writes as JSON: the state to start from, a recording with its plan (docs/formats.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sandbox.model.ecs.messages import Interface
from sandbox.model.replay.plan import Delivery, Happened, Plan, Recording
from sandbox.model.replay.world import (
    AddressShown,
    Change,
    Fact,
    InterfaceGone,
    InterfaceShown,
    ServiceShown,
    TaskShown,
)
from sandbox.model.route53 import HostedZone, RecordSet

T = TypeVar("T")

VERSION = 1


class FormatError(ValueError):
    """The content is not what it should be; the message says where and why."""


@dataclass(frozen=True)
class Before:
    """AWS's state before the first event: hosted zones, and what else is there already."""

    zones: tuple[HostedZone, ...] = ()
    changes: tuple[Change, ...] = ()

    def public_ips(self) -> dict[str, str]:
        """Public addresses by interface id."""
        return {change.interface_id: change.public_ip for change in self.changes if isinstance(change, AddressShown)}

    def then(self, recording: Recording) -> Recording:
        """The recording as it goes on from this state. What this state knows of an interface counts."""
        known = {change.interface.id for change in self.changes if isinstance(change, InterfaceShown)}
        facts = [
            fact
            for fact in recording.facts
            if not (isinstance(fact.change, InterfaceShown) and fact.change.interface.id in known)
            and not (isinstance(fact.change, AddressShown) and fact.change.interface_id in known)
        ]
        return replace(recording, facts=(*(Fact(0.0, change) for change in self.changes), *facts))


def read_state(content: Any) -> Before:
    """A state in the words of AWS's answers: HostedZones, NetworkInterfaces, tasks, services; each may be left out.

    Raises:
        FormatError: A member is missing or of another kind.
    """
    if not isinstance(content, dict):
        raise FormatError("it is not an object with HostedZones, NetworkInterfaces, tasks or services")
    unknown = sorted(content.keys() - {"HostedZones", "NetworkInterfaces", "tasks", "services"})
    if unknown:
        raise FormatError(f"{unknown[0]}: known are HostedZones, NetworkInterfaces, tasks and services")
    changes: list[Change] = []
    for place, item in _items(content, "NetworkInterfaces"):
        changes += _read(place, item, _interface)
    for place, item in _items(content, "tasks"):
        changes += _read(place, item, lambda task: [TaskShown(_with_times(task, "taskArn"))])
    for place, item in _items(content, "services"):
        changes += _read(place, item, lambda service: [ServiceShown(_with_times(service, "serviceArn"))])
    zones = tuple(_read(place, item, _zone) for place, item in _items(content, "HostedZones"))
    return Before(zones, tuple(changes))


def write_recording(recording: Recording, plan: Plan | None = None, zones: Sequence[HostedZone] = ()) -> dict[str, Any]:
    """A recording, how it is to be told, and the zones before it, as JSON values."""
    return {
        "version": VERSION,
        "events": [{"at": one.at, "event": one.event} for one in recording.events],
        "facts": [{"at": fact.at, **_change_as_json(fact.change)} for fact in recording.facts],
        "deliveries": None if plan is None else [asdict(one) for one in plan],
        "HostedZones": [_zone_as_json(zone) for zone in zones],
    }


def is_recording(content: Any) -> bool:
    """Whether it is what `write_recording` gives, rather than an event."""
    return isinstance(content, dict) and "facts" in content and "events" in content


def read_recording(content: Mapping[str, Any]) -> tuple[Recording, Plan | None, tuple[HostedZone, ...]]:
    """What `write_recording` was given.

    Raises:
        FormatError: It is of another version, or damaged.
    """
    if content.get("version") != VERSION:
        raise FormatError(f"it is of version {content.get('version')}; known is {VERSION}")
    try:
        events = tuple(Happened(float(item["at"]), _event(item["event"])) for item in content["events"])
        facts = tuple(Fact(float(item["at"]), _change(item)) for item in content["facts"])
        listed = content.get("deliveries")
        plan = None if listed is None else tuple(_delivery(item) for item in listed)
    except (ArithmeticError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"it is damaged: {type(error).__name__}: {error}") from error
    if plan is not None and any(not 0 <= one.event < len(events) for one in plan):
        raise FormatError("a delivery is of an event that is not in it")
    zones = tuple(_read(place, item, _zone) for place, item in _items(content, "HostedZones"))
    return Recording(events, facts), plan, zones


def _event(item: Any) -> Mapping[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("detail"), dict):
        raise TypeError("an event has no detail")
    return item


def _delivery(item: Mapping[str, Any]) -> Delivery:
    made = Delivery(**item)
    if not isinstance(made.event, int):
        raise TypeError(f"a delivery is of event {made.event!r}, which is no number")
    return replace(made, delay=float(made.delay), lost=bool(made.lost))


def _texts(made: T, *values: object) -> T:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is no text")
    return made


def _items(content: Mapping[str, Any], member: str) -> Iterable[tuple[str, Any]]:
    listed = content.get(member, [])
    if not isinstance(listed, list):
        raise FormatError(f"{member} is not an array")
    return [(f"{member}[{number}]", item) for number, item in enumerate(listed)]


def _read(place: str, item: Any, reader: Callable[[Any], T]) -> T:
    try:
        return reader(item)
    except KeyError as error:
        raise FormatError(f"{place} has no {error.args[0]}") from error
    except (ArithmeticError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{place}: {error}") from error


def _zone(item: Mapping[str, Any]) -> HostedZone:
    record_sets = tuple(
        RecordSet(
            name=one["Name"],
            type=one["Type"],
            ttl=None if "AliasTarget" in one else int(one["TTL"]),
            values=tuple(record["Value"] for record in one.get("ResourceRecords", ())),
            set_identifier=one.get("SetIdentifier"),
            weight=one.get("Weight"),
            multivalue=bool(one.get("MultiValueAnswer", False)),
            alias_target=one["AliasTarget"]["DNSName"] if "AliasTarget" in one else None,
            health_check_id=one.get("HealthCheckId"),
        )
        for one in item.get("ResourceRecordSets", ())
    )
    private = bool(item.get("Config", {}).get("PrivateZone", False))
    return HostedZone(item["Id"].rpartition("/")[2], item["Name"], private, record_sets)


def _zone_as_json(zone: HostedZone) -> dict[str, Any]:
    return {
        "Id": f"/hostedzone/{zone.id}",
        "Name": zone.name,
        "Config": {"PrivateZone": zone.private},
        "ResourceRecordSets": [_record_set_as_json(one) for one in zone.record_sets],
    }


def _record_set_as_json(one: RecordSet) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Name": one.name,
        "Type": one.type,
        "TTL": one.ttl,
        "ResourceRecords": [{"Value": value} for value in one.values] or None,
        "SetIdentifier": one.set_identifier,
        "Weight": one.weight,
        "MultiValueAnswer": one.multivalue or None,
        "AliasTarget": {"DNSName": one.alias_target} if one.alias_target else None,
        "HealthCheckId": one.health_check_id,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _interface(item: Mapping[str, Any]) -> list[Change]:
    private_ip = item["PrivateIpAddress"]
    interface = Interface(
        item["NetworkInterfaceId"],
        item["SubnetId"],
        item.get("MacAddress", ""),
        item.get("PrivateDnsName", f"ip-{private_ip.replace('.', '-')}.ec2.internal"),
        private_ip,
        item.get("AvailabilityZone", "us-east-1a"),
    )
    shown: list[Change] = [InterfaceShown(interface, item.get("Description", ""))]
    if public_ip := item.get("Association", {}).get("PublicIp"):
        shown.append(_texts(AddressShown(interface.id, public_ip), public_ip))
    return _texts(shown, *asdict(interface).values())


def _with_times(item: Mapping[str, Any], key: str) -> dict[str, Any]:
    """AWS's command line writes times as text."""
    read = dict(item)
    read[key] = str(item[key])
    for name, value in item.items():
        if name.endswith("At") and isinstance(value, str):
            read[name] = datetime.fromisoformat(value).timestamp()
    return read


_CHANGES: Mapping[str, type[Change]] = {
    "interface": InterfaceShown,
    "address": AddressShown,
    "gone": InterfaceGone,
    "task": TaskShown,
    "service": ServiceShown,
}


_TEXTS = frozenset({"interface_id", "public_ip", "description"})


def _change_as_json(change: Change) -> dict[str, Any]:
    shows = next(name for name, kind in _CHANGES.items() if isinstance(change, kind))
    return {"shows": shows, **asdict(change)}


def _change(item: Mapping[str, Any]) -> Change:
    kind = _CHANGES[item["shows"]]
    fields = {name: value for name, value in item.items() if name not in {"at", "shows"}}
    if kind is InterfaceShown:
        fields["interface"] = Interface(**_texts(fields["interface"], *fields["interface"].values()))
    if not all(isinstance(fields[name], dict) for name in ("task", "service") if name in fields):
        raise TypeError(f"what a {item['shows']} shows is no object")
    return _texts(kind(**fields), *(value for name, value in fields.items() if name in _TEXTS))
