"""What Cloud Map keeps, and the DNS records that it makes of an instance.

AWS Cloud Map API Reference, "DnsRecord", "RegisterInstance" and "DnsConfig"; Developer Guide, "AWS Cloud Map service
DNS configuration". A namespace that DNS knows is a hosted zone of Route 53; each instance has one record set of each
type of its service, told apart by the instance's id, so that Route 53's own multivalue or weighted routing answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from sandbox.model.route53 import RecordSet, canonical

DEFAULT_SOA_TTL = 15
"""Seconds, as users see it in the zones of namespaces; so much shorter than Route 53's own is negative caching."""

WEIGHT = 1
"""Of every record under weighted routing: all the same, and not to be changed."""

_ATTRIBUTE_OF = {"A": "AWS_INSTANCE_IPV4", "AAAA": "AWS_INSTANCE_IPV6", "CNAME": "AWS_INSTANCE_CNAME"}

NamespaceType = Literal["HTTP", "DNS_PUBLIC", "DNS_PRIVATE"]
Health = Literal["HEALTHY", "UNHEALTHY", "UNKNOWN"]


class CloudMapError(Exception):
    """What Cloud Map answers with; ``members`` are further ones of the error's shape."""

    def __init__(self, code: str, message: str, **members: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.members = members


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One of a service's records: type and seconds to live."""

    type: str
    ttl: int


@dataclass(frozen=True, slots=True)
class HealthCheckConfig:
    """The settings of a service for Route 53's health checks of its instances; None: not given, Route 53's default."""

    type: str
    path: str | None = None
    threshold: int | None = None


@dataclass(slots=True)
class Namespace:
    """A namespace.

    Attributes:
        http_name: What DiscoverInstances calls it: its name, with a hash where that is taken.
        zone_id: The hosted zone's ("" for HTTP).
        vpc: Whose DNS knows a private one.
        soa_ttl: Bounds, in seconds, how long "no such name" is kept.
    """

    id: str
    arn: str
    name: str
    type: NamespaceType
    http_name: str
    created: float
    description: str | None = None
    creator_request_id: str = ""
    zone_id: str = ""
    vpc: str = ""
    soa_ttl: int = DEFAULT_SOA_TTL
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Instance:
    """A registered instance.

    Attributes:
        healthy: What the health check says; True without one, and before there is anything to say.
        due: The report of another health that is going to count (None: none).
        health_check_id: That of its health check in Route 53 ("": it has none).
        checked: Whether Route 53's health check has come to say something.
    """

    id: str
    attributes: dict[str, str]
    creator_request_id: str = ""
    healthy: bool = True
    due: object | None = None
    health_check_id: str = ""
    checked: bool = False


@dataclass(slots=True)
class Service:
    """A service.

    Attributes:
        records: Empty where instances are found by DiscoverInstances alone.
        routing_policy: MULTIVALUE or WEIGHTED.
        custom_health: Whether it has a HealthCheckCustomConfig.
        health_check: Its HealthCheckConfig.
        revision: Grows with each instance that comes or goes.
        attributes: Those of the service itself.
    """

    id: str
    arn: str
    name: str
    namespace: Namespace
    created: float
    description: str | None = None
    creator_request_id: str = ""
    records: tuple[DnsRecord, ...] = ()
    routing_policy: str = "MULTIVALUE"
    custom_health: bool = False
    health_check: HealthCheckConfig | None = None
    instances: dict[str, Instance] = field(default_factory=dict)
    revision: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def record_types(self) -> tuple[str, ...]:
        """The types of its records: what ECS compares with a task's network mode."""
        return tuple(record.type for record in self.records)

    @property
    def dns_name(self) -> str:
        """The name that its records have."""
        return f"{self.name}.{self.namespace.name}"

    def health_of(self, instance: Instance) -> Health:
        """As DiscoverInstances and GetInstancesHealthStatus show it."""
        if not (self.custom_health or instance.checked):
            return "UNKNOWN"
        return "HEALTHY" if instance.healthy else "UNHEALTHY"


def record_sets(service: Service) -> Iterator[RecordSet]:
    """The records of all instances of a service."""
    for instance in service.instances.values():
        for record in service.records:
            yield from _record_sets(service, instance, record)


def _record_sets(service: Service, instance: Instance, record: DnsRecord) -> Iterator[RecordSet]:
    attributes = instance.attributes
    weighted = service.routing_policy == "WEIGHTED"
    values: tuple[str, ...] = ()
    alias = attributes.get("AWS_ALIAS_DNS_NAME")
    if alias is None:
        values = (_value(service, instance, record.type),)
    yield RecordSet(
        canonical(service.dns_name) + ".",
        record.type,
        ttl=None if alias else record.ttl,
        values=values,
        set_identifier=instance.id,
        weight=WEIGHT if weighted else None,
        multivalue=not weighted,
        alias_target=alias,
        health_check_id=instance.health_check_id or None,
        healthy=instance.healthy,
    )
    if record.type == "SRV":
        host = canonical(_host(service, instance)) + "."
        for type_ in ("A", "AAAA"):
            if _ATTRIBUTE_OF[type_] in attributes:
                yield RecordSet(host, type_, record.ttl, (attributes[_ATTRIBUTE_OF[type_]],))


def _value(service: Service, instance: Instance, type_: str) -> str:
    if type_ == "SRV":
        # "DnsRecord": priority and weight are both 1 and cannot be changed.
        return f"1 1 {instance.attributes['AWS_INSTANCE_PORT']} {_host(service, instance)}"
    return instance.attributes[_ATTRIBUTE_OF[type_]]


def _host(service: Service, instance: Instance) -> str:
    return f"{instance.id}.{service.dns_name}"
