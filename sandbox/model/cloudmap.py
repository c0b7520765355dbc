"""Cloud Map: namespaces, services, their instances and the instances' health.

AWS Cloud Map API Reference. Every method is one action; what has to be done for it outside (zones, records, a timer)
is in `CloudMap.commands`, for whoever carries it out. What an action changes counts at once; the operation that AWS
tells of it goes through its statuses afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from sandbox.model import cloudmap_checks as checks
from sandbox.model.cloudmap_discovery import discover
from sandbox.model.cloudmap_messages import (
    Operation,
    PutHealthCheck,
    PutRecords,
    RemoveHealthCheck,
    Settle,
    Tell,
)
from sandbox.model.cloudmap_namespaces import Namespaces, same_name
from sandbox.model.cloudmap_records import (
    CloudMapError,
    DnsRecord,
    Instance,
    Namespace,
    Service,
    record_sets,
)
from sandbox.model.route53 import RecordSet


class CloudMap(Namespaces):
    """One account's Cloud Map in one region. Not safe to use from several threads.

    Args:
        arn_prefix: "arn:aws:servicediscovery:REGION:ACCOUNT".
        new_id: Draws 32 lower-case hexadecimal digits.
        address_of: The private IPv4 address of an instance of EC2's, None where there is no such instance.

    Attributes:
        commands: What has to be done; whoever does it takes it from here.
    """

    def __init__(
        self,
        arn_prefix: str,
        new_id: Callable[[], str],
        address_of: Callable[[str], str | None] = lambda instance_id: None,
    ) -> None:
        super().__init__(arn_prefix, new_id)
        self._address_of = address_of

    # -- services --

    def create_service(self, request: Mapping[str, Any], now: float) -> Service:
        """CreateService.

        Raises:
            CloudMapError: NamespaceNotFound, ServiceAlreadyExists, or InvalidInput.
        """
        config = request.get("DnsConfig") or {}
        namespace_id = request.get("NamespaceId") or config.get("NamespaceId")
        if not namespace_id:
            raise CloudMapError("InvalidInput", "NamespaceId is required")
        namespace = self.namespace(namespace_id)
        records = _records(config)
        routing_policy = config.get("RoutingPolicy", "MULTIVALUE")
        only_http = namespace.type == "HTTP" or request.get("Type") == "HTTP"
        if only_http and config:
            raise CloudMapError("InvalidInput", "DnsConfig is not supported for services that only HTTP discovers")
        if not only_http:
            checks.check_records(records, routing_policy)
        health_check = checks.health_check(request, namespace.type, records)
        name = request["Name"]
        for other in self.services.values():
            if other.namespace is namespace and same_name(namespace.type, other.name, name):
                raise CloudMapError(
                    "ServiceAlreadyExists",
                    "Service already exists.",
                    CreatorRequestId=other.creator_request_id,
                    ServiceId=other.id,
                    ServiceArn=other.arn,
                )
        service_id = f"srv-{self._new_id()[:16]}"
        service = Service(
            service_id,
            f"{self._arn_prefix}:service/{service_id}",
            name,
            namespace,
            now,
            request.get("Description"),
            request.get("CreatorRequestId", ""),
            records,
            routing_policy,
            "HealthCheckCustomConfig" in request,
            health_check,
        )
        self.services[service.id] = service
        return service

    def update_service(self, request: Mapping[str, Any], now: float) -> Operation:
        """UpdateService: the description, the seconds to live of the records, and the health check of Route 53.

        A HealthCheckConfig that is left out goes away. A DnsConfig, or a description, that is left out stays; a record
        that is left out of a DnsConfig is InvalidInput ("DnsConfig": the types cannot be changed). In an HTTP namespace
        only the description can be changed.

        Raises:
            CloudMapError: ServiceNotFound, InvalidInput.
        """
        service = self.service(request["Id"])
        change = request["Service"]
        config = change.get("DnsConfig")
        records = service.records if config is None else _records(config)
        if sorted(record.type for record in records) != sorted(service.record_types):
            raise CloudMapError("InvalidInput", "The types of a service's DNS records cannot be changed")
        health_check = checks.health_check(change, service.namespace.type, records)
        if service.namespace.type == "HTTP":
            if health_check not in {None, service.health_check}:
                raise CloudMapError("InvalidInput", "The settings of a service in an HTTP namespace cannot be changed")
            health_check = service.health_check
        if health_check is not None and service.custom_health:
            raise CloudMapError("InvalidInput", "The service has a HealthCheckCustomConfig, which stays")
        if health_check and service.health_check and health_check.type != service.health_check.type:
            raise CloudMapError("InvalidInput", "The type of a health check cannot be changed")
        if health_check is not None:
            for instance in service.instances.values():
                checks.check_endpoint(instance.attributes)
        changed = (records, health_check) != (service.records, service.health_check)
        service.records, service.health_check = records, health_check
        service.description = change.get("Description", service.description)
        gone = [self._checked_anew(service, instance) for instance in service.instances.values()]
        if changed and service.records:
            self.commands.append(PutRecords(service.namespace))
        self.commands += [RemoveHealthCheck(id_) for id_ in gone if id_]
        return self._operation("UPDATE_SERVICE", {"SERVICE": service.id}, now, request)

    def update_attributes(self, service_id: str, attributes: Mapping[str, str]) -> None:
        """UpdateServiceAttributes: a known name gets the new value.

        Raises:
            CloudMapError: ServiceNotFound, ServiceAttributesLimitExceededException.
        """
        service = self.service(service_id)
        together = {**service.attributes, **attributes}
        if len(together) > checks.MAX_SERVICE_ATTRIBUTES:
            raise CloudMapError(
                "ServiceAttributesLimitExceededException",
                f"A service can have at most {checks.MAX_SERVICE_ATTRIBUTES} attributes",
            )
        service.attributes = together

    def delete_service(self, service_id: str) -> None:
        """DeleteService.

        Raises:
            CloudMapError: ServiceNotFound; ResourceInUse: it has instances.
        """
        service = self.service(service_id)
        if service.instances:
            raise CloudMapError(
                "ResourceInUse",
                "Service contains registered instances; delete the instances before deleting the service",
            )
        del self.services[service.id]

    def service(self, id_or_arn: str) -> Service:
        """A service by its id or ARN.

        Raises:
            CloudMapError: ServiceNotFound.
        """
        found = self.services.get(id_or_arn.rpartition("/")[2])
        if found is None:
            raise CloudMapError("ServiceNotFound", f"Service not found: {id_or_arn.rpartition('/')[2]}")
        return found

    # -- instances --

    def register(self, request: Mapping[str, Any], now: float) -> Operation:
        """RegisterInstance; a known instance id gets the new attributes, and its health begins anew.

        Raises:
            CloudMapError: ServiceNotFound, InvalidInput, ResourceLimitExceeded; DuplicateRequest: a registration of the
                instance is being carried out.
        """
        service = self.service(request["ServiceId"])
        attributes, instance_id = dict(request["Attributes"]), request["InstanceId"]
        checks.check_attributes(service, attributes)
        self._fill_address(attributes)
        targets = {"NAMESPACE": service.namespace.id, "SERVICE": service.id, "INSTANCE": instance_id}
        for before in self._registrations(targets):
            if before.status(now) in {"SUBMITTED", "PENDING"}:
                raise CloudMapError(
                    "DuplicateRequest", "The operation is already in progress.", DuplicateOperationId=before.id
                )
        known = service.instances.get(instance_id)
        repeated = self._repeated("REGISTER_INSTANCE", request)
        if repeated and known and known.creator_request_id == request["CreatorRequestId"]:
            return repeated
        if known is None:
            siblings = [one for one in self.services.values() if one.namespace is service.namespace]
            of_namespace = sum(len(one.instances) for one in siblings)
            checks.check_quota(len(service.instances), checks.MAX_INSTANCES_OF_SERVICE, "Instances per service")
            checks.check_quota(of_namespace, checks.MAX_INSTANCES_OF_NAMESPACE, "Instances per namespace")
        healthy = not service.custom_health or attributes.get("AWS_INIT_HEALTH_STATUS") != "UNHEALTHY"
        instance = Instance(instance_id, attributes, request.get("CreatorRequestId", ""), healthy)
        service.instances[instance_id] = instance
        service.revision += 1
        self._checked_anew(service, instance)
        self._instance_changed("registered" if known is None else "updated", service, instance)
        if known is not None and known.health_check_id:
            self.commands.append(RemoveHealthCheck(known.health_check_id))
        return self._operation("REGISTER_INSTANCE", targets, now, request)

    def _fill_address(self, attributes: dict[str, str]) -> None:
        """AWS_INSTANCE_IPV4 of an instance of EC2's ("RegisterInstance": AWS_EC2_INSTANCE_ID)."""
        ec2_instance = attributes.get("AWS_EC2_INSTANCE_ID")
        if ec2_instance is not None:
            address = self._address_of(ec2_instance)
            if address is None:
                raise CloudMapError("InvalidInput", f"There is no EC2 instance {ec2_instance}")
            attributes["AWS_INSTANCE_IPV4"] = address

    def _registrations(self, targets: Mapping[str, str]) -> Iterator[Operation]:
        """Of an instance, the last one first."""
        for one in reversed(self.operations.values()):
            if one.type == "REGISTER_INSTANCE" and one.targets == targets:
                yield one

    def deregister(self, service_id: str, instance_id: str, now: float) -> Operation:
        """DeregisterInstance.

        Raises:
            CloudMapError: ServiceNotFound, InstanceNotFound.
        """
        service = self.service(service_id)
        instance = self.instance(service, instance_id)
        del service.instances[instance_id]
        service.revision += 1
        self._instance_changed("deregistered", service, instance)
        if instance.health_check_id:
            self.commands.append(RemoveHealthCheck(instance.health_check_id))
        targets = {"NAMESPACE": service.namespace.id, "SERVICE": service.id, "INSTANCE": instance_id}
        return self._operation("DEREGISTER_INSTANCE", targets, now, {})

    def instance(self, service: Service, instance_id: str) -> Instance:
        """An instance of a service.

        Raises:
            CloudMapError: InstanceNotFound.
        """
        found = service.instances.get(instance_id)
        if found is None:
            raise CloudMapError("InstanceNotFound", f"Instance not found: {instance_id}")
        return found

    def report_health(self, service_id: str, instance_id: str, healthy: bool) -> None:
        """UpdateInstanceCustomHealthStatus: counts 30 s after the first report of a new health.

        Raises:
            CloudMapError: ServiceNotFound, InstanceNotFound; CustomHealthNotFound: the service has no
                HealthCheckCustomConfig.
        """
        service = self.service(service_id)
        instance = self.instance(service, instance_id)
        if not service.custom_health:
            raise CloudMapError(
                "CustomHealthNotFound", f"No custom health check is configured for the service {service.id}"
            )
        if healthy == instance.healthy:
            instance.due = None
        elif instance.due is None:
            instance.due = command = Settle(service.id, instance, healthy)
            self.commands.append(command)

    def settle_health(self, command: Settle) -> None:
        """30 s have gone by: a health that nothing has contradicted counts from now on."""
        service = self.services.get(command.service_id)
        instance = command.instance
        if service is None or service.instances.get(instance.id) is not instance or instance.due is not command:
            return
        instance.healthy, instance.due = command.healthy, None
        self._instance_changed("health", service, instance)

    def checked(self, health_check_id: str, healthy: bool) -> None:
        """Route 53's health check of an instance has come to say this; nothing where it is gone by now."""
        for service in self.services.values():
            for instance in service.instances.values():
                if instance.health_check_id == health_check_id and (healthy, True) != (
                    instance.healthy,
                    instance.checked,
                ):
                    instance.healthy, instance.checked = healthy, True
                    self._instance_changed("health", service, instance)

    def _checked_anew(self, service: Service, instance: Instance) -> str:
        """Let Route 53 check an instance as its service says; the id of a check that there is no longer to be, or "".

        An alias has none ("HealthCheckConfig": alias records).
        """
        before = instance.health_check_id
        if service.health_check is None or checks.is_alias(instance.attributes):
            if before:
                instance.health_check_id, instance.healthy, instance.checked = "", True, False
            return before
        if not before:
            drawn = self._new_id()
            instance.health_check_id = "-".join((drawn[:8], drawn[8:12], drawn[12:16], drawn[16:20], drawn[20:32]))
        address, port = checks.endpoint(instance.attributes)
        command = PutHealthCheck(instance.health_check_id, service.health_check, address, port, service.dns_name)
        self.commands.append(command)
        return ""

    def discover(self, request: Mapping[str, Any], rng: Random) -> tuple[Service, list[Instance]]:
        """DiscoverInstances.

        Raises:
            CloudMapError: NamespaceNotFound, ServiceNotFound.
        """
        service = self.service_named(request["NamespaceName"], request["ServiceName"])
        return service, discover(service, request, rng)

    def service_named(self, namespace_name: str, service_name: str) -> Service:
        """A service by its namespace's HttpName and its own name.

        Raises:
            CloudMapError: NamespaceNotFound, ServiceNotFound.
        """
        namespace = next((one for one in self.namespaces.values() if one.http_name == namespace_name), None)
        if namespace is None:
            raise CloudMapError("NamespaceNotFound", f"No namespace found with name: {namespace_name}")
        for service in self.services.values():
            if service.namespace is namespace and service.name == service_name:
                return service
        raise CloudMapError("ServiceNotFound", f"No service found with name: {service_name}")

    def record_sets(self, namespace: Namespace) -> Iterator[RecordSet]:
        """The records of a namespace's hosted zone, beside its SOA and NS."""
        for service in self.services.values():
            if service.namespace is namespace:
                yield from record_sets(service)

    def _instance_changed(self, change: str, service: Service, instance: Instance) -> None:
        if service.records:
            self.commands.append(PutRecords(service.namespace))
        self.commands.append(Tell(change, service, replace(instance, attributes=dict(instance.attributes))))


def _records(config: Mapping[str, Any]) -> tuple[DnsRecord, ...]:
    return tuple(DnsRecord(record["Type"], record["TTL"]) for record in config.get("DnsRecords", ()))
