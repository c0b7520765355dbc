"""ChangeResourceRecordSets: which changes Route 53 takes, all of a batch or none.

Route 53 API reference, "ChangeResourceRecordSets"; Developer Guide, "Supported DNS record types". The messages are
those that people report from the real service.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from sandbox.model.route53 import RecordSet, canonical

Action = Literal["CREATE", "UPSERT", "DELETE"]

Key = tuple[str, str, str | None]
"""Canonical name, type, set identifier: there is one record set of each."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a batch."""

    action: Action
    record_set: RecordSet


_MAX_RECORDS = 1000  # of a batch
_SOA = re.compile(r"\S+ +\S+( +[0-9]+){5}")
_AT_THE_APEX = {
    "SOA": "exactly one SOA record.",
    "NS": "at least one NS record for the zone itself.",
}


class ChangeRefused(Exception):
    """InvalidChangeBatch, with one message for each change that is not possible."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(f"[{', '.join(messages)}]")
        self.messages = messages


def key_of(record_set: RecordSet) -> Key:
    """What makes it that record set and no other."""
    return canonical(record_set.name), record_set.type, record_set.set_identifier


def over_quota(changes: Iterable[tuple[str, int]]) -> str:
    """Why a batch is too large; "" where it is not. Developer Guide, "Quotas on ChangeResourceRecordSets API requests".

    Args:
        changes: The action of each, and how many records it has: those of an UPSERT count twice.
    """
    records = sum(count * (2 if action == "UPSERT" else 1) for action, count in changes)
    return f"Number of records limit of {_MAX_RECORDS} exceeded." if records > _MAX_RECORDS else ""


def apply_changes(zone_name: str, current: Mapping[Key, RecordSet], changes: list[Change]) -> dict[Key, RecordSet]:
    """The record sets of a zone after a batch of changes, which are made one after the other.

    Raises:
        ChangeRefused: With the messages of all that is wrong; nothing is changed then.
    """
    changed = dict(current)
    messages: list[str] = []
    for change in changes:
        problems = list(_problems(canonical(zone_name), changed, change))
        messages += problems
        if problems:
            continue
        if change.action == "DELETE":
            del changed[key_of(change.record_set)]
        else:
            changed[key_of(change.record_set)] = change.record_set
    if messages:
        raise ChangeRefused(messages)
    return changed


def _problems(zone: str, existing: Mapping[Key, RecordSet], change: Change) -> Iterator[str]:
    record_set, key = change.record_set, key_of(change.record_set)
    name, type_, set_identifier = key
    shown = f"[name='{name}.', type='{type_}'" + (f", set identifier='{set_identifier}']" if set_identifier else "]")
    if name != zone and not name.endswith("." + zone):
        yield f"RRSet with DNS name {name}. is not permitted in zone {zone}."
    elif change.action == "DELETE":
        if key not in existing:
            yield f"Tried to delete resource record set {shown} but it was not found"
        elif name == zone and type_ in {"SOA", "NS"}:
            yield f"A HostedZone must contain {_AT_THE_APEX[type_]}"
        elif _comparable(existing[key]) != _comparable(record_set):
            yield f"Tried to delete resource record set {shown} but the values provided do not match the current values"
    elif change.action == "CREATE" and key in existing:
        yield f"Tried to create resource record set {shown} but it already exists"
    else:
        yield from _conflicts(zone, existing, name, type_)
        yield from (problem for value in record_set.values if (problem := _invalid(type_, value)))


def _conflicts(zone: str, existing: Mapping[Key, RecordSet], name: str, type_: str) -> Iterator[str]:
    """A CNAME is alone at its name, and never at the apex."""
    if type_ == "CNAME" and name == zone:
        yield f"RRSet of type CNAME with DNS name {name}. is not permitted at apex in zone {zone}."
        return
    others = {other for (existing_name, other, _) in existing if existing_name == name} - {type_}
    if type_ == "CNAME" and others:
        yield (
            f"RRSet of type CNAME with DNS name {name}. is not permitted as it conflicts with other records with the "
            f"same DNS name in zone {zone}."
        )
    elif "CNAME" in others:
        yield (
            f"RRSet of type {type_} with DNS name {name}. is not permitted because a conflicting RRSet of type CNAME "
            f"with the same DNS name already exists in zone {zone}."
        )


def _invalid(type_: str, value: str) -> str:
    """What is wrong with an address or a SOA, which every answer needs; other types' values are taken as they come."""
    if type_ == "SOA" and not _SOA.fullmatch(value):
        return f"Invalid Resource Record: '{value}' is not a SOA record"
    if type_ not in {"A", "AAAA"}:
        return ""
    version = 4 if type_ == "A" else 6
    if " " in value.strip():
        problem = f"{type_}RRDATANotSingleField (Value contains spaces)"
    elif not _is_address(value, version):
        problem = f"{type_}RRDATAIllegalIPv{version}Address (Value is not a valid IPv{version} address)"
    else:
        return ""
    return f"Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"


def _is_address(value: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(value).version == version
    except ValueError:
        return False


def _comparable(record_set: RecordSet) -> RecordSet:
    """A DELETE must name all that the record set has; how names are spelt and values ordered does not matter."""
    alias = record_set.alias_target
    return replace(
        record_set,
        name=canonical(record_set.name),
        values=tuple(sorted(record_set.values)),
        alias_target=None if alias is None else canonical(alias),
    )
