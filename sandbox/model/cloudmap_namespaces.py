"""Cloud Map's namespaces, and the operations that AWS tells of what was asked.

AWS Cloud Map API Reference. What an action changes counts at once; the operation that AWS tells of it goes through its
statuses afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.model import cloudmap_checks as checks
from sandbox.model.cloudmap_messages import Command, MakeZone, Operation, PutRecords, RemoveZone
from sandbox.model.cloudmap_records import CloudMapError, Namespace, NamespaceType, Service
from sandbox.model.route53 import canonical


class Namespaces:
    """What one account has of Cloud Map in one region, and what can be done to its namespaces.

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

    def create_namespace(self, type_: NamespaceType, request: Mapping[str, Any], now: float) -> Operation:
        """CreateHttpNamespace, CreatePrivateDnsNamespace, CreatePublicDnsNamespace.

        Raises:
            CloudMapError: NamespaceAlreadyExists; ResourceLimitExceeded; InvalidInput: the name is none that DNS can
                have.
        """
        repeated = self._repeated("CREATE_NAMESPACE", request)
        made = self.namespaces.get(repeated.targets["NAMESPACE"]) if repeated else None
        if repeated is not None and made is not None and made.type == type_:
            return repeated
        name, vpc = request["Name"], request.get("Vpc", "")
        if type_ != "HTTP" and not _is_domain(name):
            raise CloudMapError("InvalidInput", f"Namespace name is not a valid domain name: {name}")
        for other in self.namespaces.values():
            if (other.type, other.vpc) == (type_, vpc) and same_name(type_, other.name, name):
                raise CloudMapError(
                    "NamespaceAlreadyExists",
                    "Namespace already exists.",
                    CreatorRequestId=other.creator_request_id,
                    NamespaceId=other.id,
                )
        checks.check_quota(len(self.namespaces), checks.MAX_NAMESPACES, "Namespaces per Region")
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


def same_name(type_: NamespaceType, one: str, other: str) -> bool:
    """DNS does not tell names apart that differ only by case ("CreateService": Name)."""
    return one == other if type_ == "HTTP" else canonical(one) == canonical(other)


def _soa_ttl(request: Mapping[str, Any], otherwise: int) -> int:
    soa = request.get("Properties", {}).get("DnsProperties", {}).get("SOA", {})
    return int(soa.get("TTL", otherwise))
