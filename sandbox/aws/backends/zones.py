"""The hosted zones that moto's Route 53 holds, as our model's."""

from __future__ import annotations

from typing import Any

from sandbox.aws.protocol import ACCOUNT_ID
from sandbox.model.route53 import HostedZone, RecordSet


def hosted_zones(account_id: str = ACCOUNT_ID) -> list[HostedZone]:
    """Every hosted zone of the account, in order of creation, with every record set in it.

    Imports moto's Route 53 at the first call. Zones that another thread is just creating may or may not be there.
    """
    from moto.route53.models import route53_backends

    zones = list(route53_backends[account_id]["aws"].zones.values())
    return [
        HostedZone(
            id=zone.resource_id,
            name=zone.name,
            private=bool(zone.private_zone),
            record_sets=tuple(map(read_record_set, list(zone.rrsets))),
        )
        for zone in zones
    ]


def read_record_set(record_set: Any) -> RecordSet:
    """One of moto's record sets as our model's."""
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
    )
