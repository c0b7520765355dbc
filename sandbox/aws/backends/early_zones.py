"""Hosted zones and their record sets: moto's Route 53 has them, and before that is loaded they are here.

Loading it takes moto a fifth of a second of the processor's time, while the containers of a stack's first task start.
Until somebody asks for more than public zones and simple record sets, those are kept here; they are entered as soon as
moto's Route 53 is loaded.
"""

from __future__ import annotations

import re
import secrets
import string
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.backends.zones import moto_fields, private_zones, read_record_set
from sandbox.aws.protocol import AwsError
from sandbox.model.route53 import HostedZone, RecordSet
from sandbox.model.route53_changes import Change, ChangeRefused, Key, apply_changes, key_of, over_quota
from sandbox.model.route53_new_zones import NAME_SERVERS, NewZone, apex_record_sets, conflict

_ID_CHARACTERS = string.ascii_uppercase + string.digits
_SIMPLE = {"Name", "Type", "TTL", "ResourceRecords"}  # what a simple record set has, no less and no more
_ACTIONS = {"CREATE", "UPSERT", "DELETE"}
_SIMPLE_NAME = re.compile(r"[A-Za-z0-9_*-]+(\.[A-Za-z0-9_*-]+)*\.?")


@dataclass(frozen=True, slots=True)
class MadeZone:
    """A zone as Route 53 answers with it.

    Attributes:
        id: Without a path.
        zone: What was asked for.
        name_servers: Its own, or those of its delegation set.
    """

    id: str
    zone: NewZone
    name_servers: tuple[str, ...] = NAME_SERVERS


@dataclass
class _EarlyZone:
    made: MadeZone
    record_sets: dict[Key, RecordSet] = field(default_factory=dict)


class Zones:
    """Makes and changes hosted zones. Safe to use from several threads; as moto's state, it is the process's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._references: set[str] = set()
        self._early: dict[str, _EarlyZone] = {}
        self._backends: Any = None  # moto's, by account and partition

    def make(self, zone: NewZone) -> MadeZone:
        """Make a zone.

        Raises:
            AwsError: HostedZoneAlreadyExists: the caller's reference is a former one's. ConflictingDomainExists,
                NoSuchDelegationSet.
        """
        with self._lock:
            if zone.caller_reference in self._references:
                raise AwsError(
                    "HostedZoneAlreadyExists",
                    "A hosted zone has already been created with the specified caller reference.",
                )
            self._references.add(zone.caller_reference)
            made = MadeZone("Z" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(20)), zone)
            if self._backends is None and not zone.private and not zone.delegation_set:
                record_sets = {key_of(one): one for one in apex_record_sets(zone.name)}
                self._early[made.id] = _EarlyZone(made, record_sets)
                return made
        self._load()
        with self._lock:
            try:
                return self._entered(made)
            except BaseException:
                self._references.discard(zone.caller_reference)
                raise

    def change(self, zone_id: str, changes: Sequence[Mapping[str, Any]]) -> None:
        """Change record sets of a zone, all or none.

        Args:
            zone_id: Without a path.
            changes: As in the request: Action and ResourceRecordSet.

        Raises:
            AwsError: NoSuchHostedZone, InvalidChangeBatch or InvalidInput; AccessDenied where another service manages
                the zone.
        """
        sizes = ((one["Action"], len(one["ResourceRecordSet"].get("ResourceRecords") or ())) for one in changes)
        if told := over_quota(sizes):
            raise AwsError("InvalidChangeBatch", told)
        with self._lock:
            zone = self._early.get(zone_id)
            if zone is not None and all(map(_is_simple, changes)):
                requested = [Change(one["Action"], _record_set(one["ResourceRecordSet"])) for one in changes]
                try:
                    zone.record_sets = apply_changes(zone.made.zone.name, zone.record_sets, requested)
                except ChangeRefused as refused:
                    raise AwsError("InvalidChangeBatch", str(refused)) from refused
                return
        self._load()
        from moto.core.exceptions import ServiceException

        try:
            self._backends[ACCOUNT_ID]["aws"].change_resource_record_sets(zone_id, list(changes))
        except ServiceException as error:
            raise AwsError(str(error.code), str(error.message)) from error

    def early(self) -> list[HostedZone] | None:
        """All hosted zones that there are, while moto's Route 53 is not loaded; then None."""
        with self._lock:
            if self._backends is not None:
                return None
            return [
                HostedZone(id_, one.made.zone.name, False, tuple(one.record_sets.values()))
                for id_, one in self._early.items()
            ]

    def enter(self, backends: Any) -> None:
        """Enter what was made before moto's Route 53 was loaded.

        Args:
            backends: Those of moto, which has just been loaded, by account and partition.
        """
        with self._lock:
            self._backends = backends
            for zone in self._early.values():
                self._entered(zone.made)
                _fill(backends[ACCOUNT_ID]["aws"].zones[zone.made.id], zone)
            self._early.clear()

    def forget(self) -> None:
        """Forget everything that was created."""
        with self._lock:
            self._references.clear()
            self._early.clear()

    def _load(self) -> None:
        if self._backends is None:
            from sandbox.aws.backends.moto_app import load  # imports moto

            load("route53")

    def _entered(self, made: MadeZone) -> MadeZone:
        """Let moto have a zone, with its own id."""
        from moto.core.exceptions import ServiceException

        backend = self._backends[ACCOUNT_ID]["aws"]  # another one after each of moto's resets
        zone = made.zone
        if zone.vpc is not None and (told := conflict(zone.name, *zone.vpc, private_zones(backend))):
            raise AwsError("ConflictingDomainExists", told)
        if zone.delegation_set and zone.delegation_set not in backend.delegation_sets:  # moto would make one
            raise AwsError("NoSuchDelegationSet", f"The delegation set {zone.delegation_set} does not exist.")
        vpc, region = zone.vpc or (None, None)
        try:
            entered = backend.create_hosted_zone(
                zone.name,
                private_zone=zone.private,
                caller_reference=zone.caller_reference,
                vpcid=vpc,
                vpcregion=region,
                comment=zone.comment,
                delegation_set_id=zone.delegation_set or None,
            )
        except ServiceException as error:
            raise AwsError(str(error.code), str(error.message)) from error
        del backend.zones[entered.resource_id]
        entered.resource_id = made.id
        backend.zones[made.id] = entered
        return MadeZone(made.id, zone, tuple(entered.delegation_set.name_servers))


ZONES = Zones()


def _is_simple(change: Mapping[str, Any]) -> bool:
    record_set = change["ResourceRecordSet"]
    return (
        change["Action"] in _ACTIONS
        and record_set.keys() == _SIMPLE
        and bool(record_set["ResourceRecords"])
        and _SIMPLE_NAME.fullmatch(record_set["Name"]) is not None
    )


def _record_set(given: Mapping[str, Any]) -> RecordSet:
    name = given["Name"].removesuffix(".").lower() + "."
    return RecordSet(name, given["Type"], given["TTL"], tuple(one["Value"] for one in given["ResourceRecords"]))


def _fill(entered: Any, zone: _EarlyZone) -> None:
    """Let one of moto's zones, which has its own NS and SOA, have the record sets that a zone got here."""
    from moto.route53.models import RecordSet as MotoRecordSet

    make: Any = MotoRecordSet  # its CloudFormation half is abstract in moto, and unused
    own = {key_of(read_record_set(one)): one for one in entered.rrsets}
    at_first = {key_of(one): one for one in apex_record_sets(zone.made.zone.name)}
    entered.rrsets = [
        own[key] if at_first.get(key) == one else make(moto_fields(one)) for key, one in zone.record_sets.items()
    ]
