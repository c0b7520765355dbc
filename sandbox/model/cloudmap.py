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

from sandbox.model.cloudmap_messages import Command, MakeZone, Operation, PutRecords, RemoveZone, Settle, Tell
from sandbox.model.cloudmap_records import (
    CloudMapError,
    DnsRecord,
    Instance,
    Namespace,
    NamespaceType,
    Service,
    check_attributes,
    check_records,
    record_sets,
)
from sandbox.model.route53 import RecordSet, canonical

MAX_DISCOVERED = 100


class CloudMap:
    """One account's Cloud Map in one region. Not safe to use from several threads.

    Args:
        arn_prefix: "arn:aws:servicediscovery:REGION:ACCOUNT".
        new_id: Draws 32 lower-case hexadecimal digits.

    Attributes:
        commands: What has to be done; whoever does it takes it from here.
    """

    def __init__(self, arn_prefix: str, new_id: Callable[[], str]) -> None:
        self._arn_prefix = arn_prefix
        self._new_id = new_id
        self.namespaces: dict[str, Namespace] = {}
        self.services: dict[str, Service] = {}
        self.operations: dict[str, Operation] = {}
        self.commands: list[Command] = []

    # -- namespaces --

    def create_namespace(self, type_: NamespaceType, request: Mapping[str, Any], now: float) -> Operation:
        """CreateHttpNamespace, CreatePrivateDnsNamespace, CreatePublicDnsNamespace.

        Raises:
            CloudMapError: NamespaceAlreadyExists; InvalidInput: the name is none that DNS can have.
        """
        repeated = self._repeated("CREATE_NAMESPACE", request)
        made = self.namespaces.get(repeated.targets["NAMESPACE"]) if repeated else None
        if repeated is not None and made is not None and made.type == type_:
            return repeated
        name, vpc = request["Name"], request.get("Vpc", "")
        if type_ != "HTTP" and not _is_domain(name):
            raise CloudMapError("InvalidInput", f"Namespace name is not a valid domain name: {name}")
        for other in self.namespaces.values():
            if (other.type, other.vpc) == (type_, vpc) and _same_name(type_, other.name, name):
                raise CloudMapError(
                    "NamespaceAlreadyExists",
                    "Namespace already exists.",
                    CreatorRequestId=other.creator_request_id,
                    NamespaceId=other.id,
                )
        drawn = self._new_id()
        namespace_id = f"ns-{drawn[:16]}"
        taken = {other.http_name for other in self.namespaces.values()}
        namespace = Namespace(
            namespace_id,
            f"{self._arn_prefix}:namespace/{namespace_id}",
            name,
            type_,
            f"{name}-{drawn[16:24]}" if name in taken else name,
            now,
            request.get("Description"),
            request.get("CreatorRequestId", ""),
            vpc=vpc,
        )
        operation = self._operation("CREATE_NAMESPACE", {"NAMESPACE": namespace.id}, now, request)
        self.namespaces[namespace.id] = namespace
        if type_ != "HTTP":
            namespace.zone_id = "Z" + self._new_id()[:20].upper()
            namespace.soa_ttl = _soa_ttl(request, namespace.soa_ttl)
            self.commands.append(MakeZone(namespace, operation.id))
        return operation

    def zone_refused(self, command: MakeZone, message: str) -> None:
        """The hosted zone of a new namespace cannot be had: the namespace never was, and its operation fails."""
        self.namespaces.pop(command.namespace.id, None)
        operation = self.operations[command.operation_id]
        operation.error_code, operation.error_message = "CANNOT_CREATE_HOSTED_ZONE", message

    def update_namespace(self, type_: NamespaceType, request: Mapping[str, Any], now: float) -> Operation:
        """UpdateHttpNamespace, UpdatePrivateDnsNamespace, UpdatePublicDnsNamespace.

        Raises:
            CloudMapError: NamespaceNotFound.
        """
        namespace = self.namespace(request["Id"])
        if namespace.type != type_:
            raise CloudMapError("InvalidInput", f"Namespace {namespace.id} is of the type {namespace.type}.")
        change = request["Namespace"]
        namespace.description = change.get("Description", namespace.description)
        soa_ttl = _soa_ttl(change, namespace.soa_ttl)
        if soa_ttl != namespace.soa_ttl:
            namespace.soa_ttl = soa_ttl
            self.commands.append(PutRecords(namespace))
        return self._operation("UPDATE_NAMESPACE", {"NAMESPACE": namespace.id}, now, request)

    def delete_namespace(self, namespace_id: str, now: float) -> Operation:
        """DeleteNamespace.

        Raises:
            CloudMapError: NamespaceNotFound; ResourceInUse: it has services.
        """
        namespace = self.namespace(namespace_id)
        if any(service.namespace is namespace for service in self.services.values()):
            raise CloudMapError(
                "ResourceInUse", "Namespace has associated services; delete the services before deleting the namespace"
            )
        del self.namespaces[namespace.id]
        if namespace.zone_id:
            self.commands.append(RemoveZone(namespace.zone_id))
        return self._operation("DELETE_NAMESPACE", {"NAMESPACE": namespace.id}, now, {})

    def namespace(self, id_or_arn: str) -> Namespace:
        """A namespace by its id or ARN.

        Raises:
            CloudMapError: NamespaceNotFound.
        """
        found = self.namespaces.get(id_or_arn.rpartition("/")[2])
        if found is None:
            raise CloudMapError("NamespaceNotFound", f"No namespace found for ID: {id_or_arn.rpartition('/')[2]}")
        return found

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
        if "HealthCheckConfig" in request:
            raise CloudMapError("InvalidInput", "the sandbox does not carry out HealthCheckConfig")
        records = tuple(DnsRecord(record["Type"], record["TTL"]) for record in config.get("DnsRecords", ()))
        routing_policy = config.get("RoutingPolicy", "MULTIVALUE")
        only_http = namespace.type == "HTTP" or request.get("Type") == "HTTP"
        if only_http and config:
            raise CloudMapError("InvalidInput", "DnsConfig is not supported for services that only HTTP discovers")
        if not only_http:
            check_records(records, routing_policy)
        name = request["Name"]
        for other in self.services.values():
            if other.namespace is namespace and _same_name(namespace.type, other.name, name):
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
        )
        self.services[service.id] = service
        return service

    def update_service(self, request: Mapping[str, Any], now: float) -> Operation:
        """UpdateService: the description, and the seconds to live of the records. What is left out is kept or, for
        a record, InvalidInput ("DnsConfig": the types of a service's records cannot be changed).

        Raises:
            CloudMapError: ServiceNotFound, InvalidInput.
        """
        service = self.service(request["Id"])
        change = request["Service"]
        if "HealthCheckConfig" in change:
            raise CloudMapError("InvalidInput", "the sandbox does not carry out HealthCheckConfig")
        config = change.get("DnsConfig")
        if config is not None:
            records = tuple(DnsRecord(record["Type"], record["TTL"]) for record in config["DnsRecords"])
            if sorted(record.type for record in records) != sorted(service.record_types):
                raise CloudMapError("InvalidInput", "The types of a service's DNS records cannot be changed")
            service.records = records
            self.commands.append(PutRecords(service.namespace))
        service.description = change.get("Description", service.description)
        return self._operation("UPDATE_SERVICE", {"SERVICE": service.id}, now, request)

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
            CloudMapError: ServiceNotFound, InvalidInput; DuplicateRequest: the same request is being carried out.
        """
        service = self.service(request["ServiceId"])
        attributes, instance_id = dict(request["Attributes"]), request["InstanceId"]
        check_attributes(service, attributes)
        running = self._repeated("REGISTER_INSTANCE", request)
        if running is not None and running.status(now) in {"SUBMITTED", "PENDING"}:
            raise CloudMapError(
                "DuplicateRequest", "The operation is already in progress.", DuplicateOperationId=running.id
            )
        change = "updated" if instance_id in service.instances else "registered"
        healthy = not service.custom_health or attributes.get("AWS_INIT_HEALTH_STATUS") != "UNHEALTHY"
        instance = Instance(instance_id, attributes, request.get("CreatorRequestId", ""), healthy)
        service.instances[instance_id] = instance
        service.revision += 1
        self._instance_changed(change, service, instance)
        targets = {"NAMESPACE": service.namespace.id, "SERVICE": service.id, "INSTANCE": instance_id}
        return self._operation("REGISTER_INSTANCE", targets, now, request)

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

    def discover(self, request: Mapping[str, Any], rng: Random) -> tuple[Service, list[Instance]]:
        """DiscoverInstances: instances in random order, by default healthy ones (Developer Guide, "AWS Cloud Map
        service health check configuration").

        Raises:
            CloudMapError: NamespaceNotFound, ServiceNotFound.
        """
        service = self.service_named(request["NamespaceName"], request["ServiceName"])
        wanted = request.get("QueryParameters", {})
        found = [one for one in service.instances.values() if _matches(one, wanted)]
        optional = [one for one in found if _matches(one, request.get("OptionalParameters", {}))]
        found = _of_health(service, optional or found, request.get("HealthStatus", "HEALTHY"))
        return service, rng.sample(found, min(len(found), request.get("MaxResults", MAX_DISCOVERED)))

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

    # -- both --

    def _instance_changed(self, change: str, service: Service, instance: Instance) -> None:
        if service.records:
            self.commands.append(PutRecords(service.namespace))
        self.commands.append(Tell(change, service, replace(instance, attributes=dict(instance.attributes))))

    def _operation(self, type_: str, targets: Mapping[str, str], now: float, request: Mapping[str, Any]) -> Operation:
        made = Operation(self._new_id() + "-" + self._new_id()[:8], type_, targets, now, request)
        self.operations[made.id] = made
        return made

    def _repeated(self, type_: str, request: Mapping[str, Any]) -> Operation | None:
        """The operation of the same request with the same CreatorRequestId, if there was one."""
        if not request.get("CreatorRequestId"):
            return None
        of_type = (one for one in self.operations.values() if one.type == type_)
        return next((one for one in of_type if one.request == request and not one.error_code), None)


def _is_domain(name: str) -> bool:
    labels = canonical(name).split(".")
    return all(label and len(label) <= 63 for label in labels)


def _same_name(type_: NamespaceType, one: str, other: str) -> bool:
    """DNS does not tell names apart that differ only by case ("CreateService": Name)."""
    return one == other if type_ == "HTTP" else canonical(one) == canonical(other)


def _soa_ttl(request: Mapping[str, Any], otherwise: int) -> int:
    soa = request.get("Properties", {}).get("DnsProperties", {}).get("SOA", {})
    return int(soa.get("TTL", otherwise))


def _matches(instance: Instance, wanted: Mapping[str, str]) -> bool:
    return all(instance.attributes.get(name) == value for name, value in wanted.items())


def _of_health(service: Service, found: list[Instance], wanted: str) -> list[Instance]:
    """The health is ignored for services without a health check (API Reference, "DiscoverInstances")."""
    if wanted == "ALL" or not service.custom_health:
        return found
    healthy = [instance for instance in found if instance.healthy]
    if wanted == "UNHEALTHY":
        return [instance for instance in found if not instance.healthy]
    return healthy or (found if wanted == "HEALTHY_OR_ELSE_ALL" else [])
