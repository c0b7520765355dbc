"""The hosted zones of Cloud Map's namespaces, and the health checks of its instances, in moto's Route 53."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.backends.health_checks import put_health_check, remove_health_check
from sandbox.aws.backends.zone_changes import OWNER, changing
from sandbox.aws.backends.zones import OURS, moto_fields, private_zones
from sandbox.model.cloudmap_messages import PutHealthCheck
from sandbox.model.cloudmap_records import Namespace
from sandbox.model.route53 import RecordSet, canonical
from sandbox.model.route53_new_zones import conflict


class CloudMapZones:
    """Makes and changes zones that Route 53's own API shows and does not let anyone change.

    Args:
        account_id: Whose zones they are.
        region: Where their VPCs are.
    """

    def __init__(self, account_id: str = ACCOUNT_ID, region: str = "us-east-1") -> None:
        self._account_id = account_id
        self._region = region

    def make(self, namespace: Namespace) -> str:
        """The zone of a namespace, with its id; what Route 53 says where it cannot be had, else ""."""
        backend, name = self._backend(), canonical(namespace.name)
        private = namespace.type == "DNS_PRIVATE"
        if private and (told := conflict(name, namespace.vpc, self._region, private_zones(backend))):
            return f"{told} (ConflictingDomainExists)"
        made = backend.create_hosted_zone(
            name + ".",
            private_zone=private,
            vpcid=namespace.vpc or None,
            vpcregion=self._region if private else None,
            comment="Created by AWS Cloud Map",
        )
        setattr(made, OWNER, namespace.arn)
        del backend.zones[made.resource_id]
        made.resource_id = namespace.zone_id
        self._set_soa_ttl(made, namespace)
        backend.zones[made.resource_id] = made
        return ""

    def remove(self, zone_id: str) -> None:
        """The zone goes away with its records; one that is gone is fine."""
        self._backend().zones.pop(zone_id, None)

    def put(self, namespace: Namespace, record_sets: Iterable[RecordSet]) -> None:
        """Let a namespace's zone have these record sets beside its own SOA and NS."""
        from moto.route53.models import RecordSet as MotoRecordSet

        zone = self._backend().zones[namespace.zone_id]
        make: Any = MotoRecordSet  # its CloudFormation half is abstract in moto, and unused
        apex = canonical(namespace.name)
        # Of hundreds of instances one has changed: the records of the others stay.
        held = {getattr(one, OURS, None): one for one in zone.rrsets}
        put = []
        for record_set in record_sets:
            if record_set not in held:
                held[record_set] = make(moto_fields(record_set))
                setattr(held[record_set], OURS, record_set)
            put.append(held[record_set])
        with changing:
            self._set_soa_ttl(zone, namespace)
            own = [one for one in zone.rrsets if one.type in {"SOA", "NS"} and canonical(one.name) == apex]
            zone.rrsets = own + put

    def put_health_check(self, wanted: PutHealthCheck) -> None:
        """Let Route 53 have a health check."""
        put_health_check(wanted)

    def remove_health_check(self, health_check_id: str) -> None:
        """A health check goes away; one that is gone is fine."""
        remove_health_check(health_check_id)

    def _backend(self) -> Any:
        from sandbox.aws.backends.moto_app import load

        return load("route53")[self._account_id]["aws"]

    @staticmethod
    def _set_soa_ttl(zone: Any, namespace: Namespace) -> None:
        for record_set in zone.rrsets:
            if record_set.type == "SOA":
                record_set.ttl = namespace.soa_ttl
