"""Cloud Map at work: the model decides, zones and DNS follow before a call is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from sandbox.aws.protocol import AwsError
from sandbox.clock import Clock
from sandbox.model.cloudmap import CloudMap
from sandbox.model.cloudmap_messages import (
    HEALTH_DELAY,
    Command,
    MakeZone,
    PutHealthCheck,
    PutRecords,
    RemoveHealthCheck,
    RemoveZone,
    Settle,
    Tell,
)
from sandbox.model.cloudmap_records import CloudMapError, Namespace
from sandbox.model.route53 import RecordSet
from sandbox.timeline import Timeline

T = TypeVar("T")


class Zones(Protocol):
    """Where the hosted zones of namespaces are kept, and the health checks of instances."""

    def make(self, namespace: Namespace) -> str:
        """Make one; says why it cannot be had, or ""."""

    def remove(self, zone_id: str) -> None:
        """Remove one."""

    def put(self, namespace: Namespace, record_sets: Iterable[RecordSet]) -> None:
        """Let one have these record sets beside its SOA and NS."""

    def put_health_check(self, wanted: PutHealthCheck) -> None:
        """Make or change a health check."""

    def remove_health_check(self, health_check_id: str) -> None:
        """Remove one."""


class CloudMapController:
    """Owns the model of Cloud Map: one change at a time. Safe to use from several threads.

    Observations:

    - ``cloudmap.instance`` (service, namespace, instance, change, health, attributes): an instance was registered,
      updated or deregistered, or its health has changed; DNS answers accordingly by then.

    Args:
        cloudmap: The model.
        zones: Keeps the hosted zones and health checks.
        refresh_health: Lets the health checks of the moment be carried out.
        refresh_dns: Lets the DNS server answer from the zones of the moment.
        timeline: Gets the observations.
        clock: Gives the time, and the 30 s after which a reported health counts.
    """

    def __init__(
        self,
        cloudmap: CloudMap,
        zones: Zones,
        refresh_health: Callable[[], object],
        refresh_dns: Callable[[], object],
        timeline: Timeline,
        clock: Clock,
    ) -> None:
        self._cloudmap = cloudmap
        self._zones = zones
        self._refresh_health = refresh_health
        self._refresh_dns = refresh_dns
        self._timeline = timeline
        self._clock = clock
        self._lock = threading.RLock()

    def apply(self, action: Callable[[CloudMap, float], T]) -> T:
        """Let ``action`` read or change the model at the time that it is given, and carry out what follows.

        Raises:
            CloudMapError: As the action does.
        """
        with self._lock:
            result = action(self._cloudmap, self._clock.now())
            commands, self._cloudmap.commands = self._cloudmap.commands, []
            self._carry_out(commands)
        return result

    # -- for ECS --

    def register(self, service_arn: str, instance_id: str, attributes: Mapping[str, str]) -> None:
        """RegisterInstance.

        Raises:
            AwsError: ServiceNotFound, or InvalidInput: an attribute that the service's records need is missing.
        """
        request = {"ServiceId": service_arn, "InstanceId": instance_id, "Attributes": dict(attributes)}
        self._call(lambda cloudmap, now: cloudmap.register(request, now))

    def deregister(self, service_arn: str, instance_id: str) -> None:
        """DeregisterInstance.

        Raises:
            AwsError: ServiceNotFound, InstanceNotFound.
        """
        self._call(lambda cloudmap, now: cloudmap.deregister(service_arn, instance_id, now))

    def set_health(self, service_arn: str, instance_id: str, healthy: bool) -> None:
        """UpdateInstanceCustomHealthStatus: counts after 30 s.

        Raises:
            AwsError: ServiceNotFound, InstanceNotFound, CustomHealthNotFound.
        """
        self._call(lambda cloudmap, now: cloudmap.report_health(service_arn, instance_id, healthy))

    def record_types(self, service_arn: str) -> frozenset[str] | None:
        """The types of the DNS records of a service's DnsConfig; None where there is no such service."""
        try:
            return frozenset(self.apply(lambda cloudmap, now: cloudmap.service(service_arn)).record_types)
        except CloudMapError:
            return None

    def _call(self, action: Callable[[CloudMap, float], object]) -> None:
        try:
            self.apply(action)
        except CloudMapError as error:
            raise AwsError(error.code, error.message) from error

    def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            self._begin(command)
        if any(isinstance(command, PutHealthCheck | RemoveHealthCheck) for command in commands):
            self._refresh_health()
        if any(isinstance(command, MakeZone | RemoveZone | PutRecords) for command in commands):
            self._refresh_dns()
        for command in commands:
            if isinstance(command, Tell):
                self._tell(command)

    def _begin(self, command: Command) -> None:
        match command:
            case MakeZone(namespace):
                refused = self._zones.make(namespace)
                if refused:
                    self._cloudmap.zone_refused(command, refused)
            case RemoveZone(zone_id):
                self._zones.remove(zone_id)
            case PutRecords(namespace):
                self._zones.put(namespace, self._cloudmap.record_sets(namespace))
            case PutHealthCheck():
                self._zones.put_health_check(command)
            case RemoveHealthCheck(health_check_id):
                self._zones.remove_health_check(health_check_id)
            case Settle():
                self._clock.call_later(HEALTH_DELAY, lambda: self._settle(command))
            case Tell():
                pass

    def _settle(self, command: Settle) -> None:
        self.apply(lambda cloudmap, now: cloudmap.settle_health(command))

    def _tell(self, told: Tell) -> None:
        self._timeline.record(
            "cloudmap.instance",
            service=told.service.name,
            namespace=told.service.namespace.name,
            instance=told.instance.id,
            change=told.change,
            health=told.service.health_of(told.instance),
            attributes=told.instance.attributes,
        )
