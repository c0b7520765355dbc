"""The hosted zones that moto's Route 53 holds, as our model's; and the other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sandbox.aws.account import ACCOUNT_ID
from sandbox.model.route53 import HostedZone, RecordSet, canonical

OURS = "sandbox_record_set"
"""What Cloud Map notes of a record of moto's: the record set that it was made of, with its health."""


def hosted_zones(
    account_id: str = ACCOUNT_ID, is_healthy: Callable[[str], bool] = lambda health_check_id: True
) -> list[HostedZone]:
    """Every hosted zone of the account, in order of creation, with every record set in it.

    Args:
        account_id: The account.
        is_healthy: What a health check says, by its id.

    Imports moto's Route 53 at the first call. Zones that another thread is just creating may or may not be there.
    """
    from moto.route53.models import route53_backends

    zones = list(route53_backends[account_id]["aws"].zones.values())
    return [
        HostedZone(
            id=zone.resource_id,
            name=zone.name,
            private=bool(zone.private_zone),
            record_sets=tuple(read_record_set(one, is_healthy) for one in list(zone.rrsets)),
        )
        for zone in zones
    ]


def put_hosted_zones(zones: Iterable[HostedZone], account_id: str = ACCOUNT_ID) -> None:
    """Let the account have exactly these hosted zones, with their own ids; a new zone's NS and SOA are added."""
    from moto.route53.models import RecordSet as MotoRecordSet
    from moto.route53.models import route53_backends

    backend: Any = route53_backends[account_id]["aws"]
    backend.reset()
    make: Any = MotoRecordSet
    for zone in zones:
        made = backend.create_hosted_zone(canonical(zone.name) + ".", private_zone=zone.private)
        del backend.zones[made.resource_id]
        made.resource_id = zone.id
        backend.zones[zone.id] = made
        given = {(canonical(one.name), one.type) for one in zone.record_sets}
        made.rrsets = [one for one in made.rrsets if (canonical(one.name), one.type) not in given]
        made.rrsets += [make(moto_fields(one)) for one in zone.record_sets]


def private_zones(backend: Any) -> list[tuple[str, str, list[str]]]:
    """Id, name and VPCs of each private zone in a backend of moto's Route 53."""
    return [
        (zone.resource_id, zone.name, [vpc.get("vpc_id") for vpc in zone.vpcs])
        for zone in list(backend.zones.values())
        if zone.private_zone
    ]


def moto_fields(one: RecordSet) -> dict[str, Any]:
    """A record set as moto's constructor wants it."""
    fields: dict[str, Any] = {
        "Name": canonical(one.name) + ".",
        "Type": one.type,
        "TTL": one.ttl,
        "ResourceRecords": list(one.values),
        "SetIdentifier": one.set_identifier,
        "Weight": one.weight,
        "MultiValueAnswer": one.multivalue or None,
        "HealthCheckId": one.health_check_id,
    }
    if one.alias_target:
        fields["AliasTarget"] = {"DNSName": one.alias_target}
    return {name: value for name, value in fields.items() if value is not None}


def read_record_set(record_set: Any, is_healthy: Callable[[str], bool] = lambda health_check_id: True) -> RecordSet:
    """One of moto's record sets as our model's."""
    ours: RecordSet | None = getattr(record_set, OURS, None)
    if ours is not None:
        return ours
    alias = record_set.alias_target or {}
    return RecordSet(
        name=record_set.name,
        type=record_set.type,
        ttl=None if alias else int(record_set.ttl or 0),  # moto keeps its own NS records' TTL as text
        # moto wraps each value of its own SOA records, which came by no request, once more
        values=tuple(value["Value"] if isinstance(value, dict) else value for value in record_set.records or ()),
        set_identifier=record_set.set_identifier,
        weight=None if record_set.weight is None else int(record_set.weight),
        multivalue=bool(record_set.multi_value_answer),
        alias_target=alias.get("DNSName"),
        health_check_id=record_set.health_check_id,
        healthy=not record_set.health_check_id or is_healthy(record_set.health_check_id),
    )
