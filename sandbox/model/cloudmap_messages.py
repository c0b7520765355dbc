"""What Cloud Map's model wants done, and the operations that AWS tells of what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.cloudmap_records import HealthCheckConfig, Instance, Namespace, Service

HEALTH_DELAY = 30.0
"""Seconds from UpdateInstanceCustomHealthStatus until it counts ("HealthCheckCustomConfig")."""

SUBMITTED_FOR, PENDING_FOR = 0.1, 0.2
"""Seconds that an operation shows these statuses; on AWS up to a minute, which nothing here needs."""


@dataclass(frozen=True, slots=True)
class MakeZone:
    """A hosted zone for a namespace; where it cannot be had, `CloudMap.zone_refused` is to be told."""

    namespace: Namespace
    operation_id: str


@dataclass(frozen=True, slots=True)
class RemoveZone:
    """The hosted zone of a namespace goes away."""

    zone_id: str


@dataclass(frozen=True, slots=True)
class PutRecords:
    """The records of a namespace, beside its SOA and NS, are what `CloudMap.record_sets` says."""

    namespace: Namespace


@dataclass(frozen=True, slots=True)
class PutHealthCheck:
    """Route 53 has a health check of this id and with these settings, new or changed, for what answers as ``host``.

    What it finds is to be told to `CloudMap.checked`.
    """

    id: str
    config: HealthCheckConfig
    address: str
    port: int
    host: str


@dataclass(frozen=True, slots=True)
class RemoveHealthCheck:
    """A health check goes away, after the records that name it."""

    id: str


@dataclass(frozen=True, slots=True)
class Tell:
    """An instance of a service was "registered", "updated" or "deregistered", or its "health" has changed."""

    change: str
    service: Service
    instance: Instance


@dataclass(frozen=True, slots=True)
class Settle:
    """Call `CloudMap.settle_health` in 30 s."""

    service_id: str
    instance: Instance
    healthy: bool


Command = MakeZone | RemoveZone | PutRecords | PutHealthCheck | RemoveHealthCheck | Tell | Settle


@dataclass(slots=True)
class Operation:
    """What an action that AWS carries out later has come to. ``targets`` are ids, by NAMESPACE, SERVICE, INSTANCE."""

    id: str
    type: str
    targets: Mapping[str, str]
    submitted: float
    request: Mapping[str, Any] = field(default_factory=dict)
    error_code: str = ""
    error_message: str = ""

    def status(self, now: float) -> str:
        """SUBMITTED, PENDING, then SUCCESS or FAIL."""
        age = now - self.submitted
        if age < SUBMITTED_FOR + PENDING_FOR:
            return "SUBMITTED" if age < SUBMITTED_FOR else "PENDING"
        return "FAIL" if self.error_code else "SUCCESS"

    def updated(self, now: float) -> float:
        """When its status changed last."""
        since = {"SUBMITTED": 0.0, "PENDING": SUBMITTED_FOR}
        return self.submitted + since.get(self.status(now), SUBMITTED_FOR + PENDING_FOR)
