"""The API of Cloud Map: every operation of the AWS Cloud Map API Reference."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Protocol, TypeVar

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services import servicediscovery_shown as shown
from sandbox.aws.services.servicediscovery_shown import Answer, Request
from sandbox.model.cloudmap import CloudMap
from sandbox.model.cloudmap_messages import Operation
from sandbox.model.cloudmap_records import CloudMapError, NamespaceType, Service

T = TypeVar("T")
MAX_TAGS = 50


class Controller(Protocol):
    """Carries out what Cloud Map decides."""

    def apply(self, action: Callable[[CloudMap, float], T]) -> T:
        """Let an action read or change Cloud Map now."""


class ServiceDiscoveryService:
    """Cloud Map for `sandbox.aws.gateway.Gateway`.

    Args:
        controller: Owns Cloud Map.
    """

    service_name = "servicediscovery"
    validation_error_code = "InvalidInput"
    serialization_error_code = "InvalidInput"

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._rng = Random()

    # -- namespaces --

    def create_http_namespace(self, request: Request, context: RequestContext) -> Answer:
        """CreateHttpNamespace."""
        return self._create_namespace("HTTP", request)

    def create_private_dns_namespace(self, request: Request, context: RequestContext) -> Answer:
        """CreatePrivateDnsNamespace."""
        return self._create_namespace("DNS_PRIVATE", request)

    def create_public_dns_namespace(self, request: Request, context: RequestContext) -> Answer:
        """CreatePublicDnsNamespace."""
        return self._create_namespace("DNS_PUBLIC", request)

    def _create_namespace(self, type_: NamespaceType, request: Request) -> Answer:
        tags = _tags(request)

        def create(cloudmap: CloudMap, now: float) -> Operation:
            operation = cloudmap.create_namespace(type_, request, now)
            cloudmap.namespaces[operation.targets["NAMESPACE"]].tags.update(tags)
            return operation

        return self._submit(create)

    def update_http_namespace(self, request: Request, context: RequestContext) -> Answer:
        """UpdateHttpNamespace."""
        return self._submit(lambda cloudmap, now: cloudmap.update_namespace("HTTP", request, now))

    def update_private_dns_namespace(self, request: Request, context: RequestContext) -> Answer:
        """UpdatePrivateDnsNamespace."""
        return self._submit(lambda cloudmap, now: cloudmap.update_namespace("DNS_PRIVATE", request, now))

    def update_public_dns_namespace(self, request: Request, context: RequestContext) -> Answer:
        """UpdatePublicDnsNamespace."""
        return self._submit(lambda cloudmap, now: cloudmap.update_namespace("DNS_PUBLIC", request, now))

    def delete_namespace(self, request: Request, context: RequestContext) -> Answer:
        """DeleteNamespace."""
        return self._submit(lambda cloudmap, now: cloudmap.delete_namespace(request["Id"], now))

    def get_namespace(self, request: Request, context: RequestContext) -> Answer:
        """GetNamespace."""

        def get(cloudmap: CloudMap, now: float) -> Answer:
            found = cloudmap.namespace(request["Id"])
            return shown.namespace(found, _count(cloudmap, found.id), context.account_id)

        return {"Namespace": self._do(get)}

    def list_namespaces(self, request: Request, context: RequestContext) -> Answer:
        """ListNamespaces."""
        filters = shown.filters(request)

        def find(cloudmap: CloudMap, now: float) -> list[Answer]:
            return [
                shown.summary(shown.namespace(one, _count(cloudmap, one.id), context.account_id))
                for one in cloudmap.namespaces.values()
                if shown.wanted({"TYPE": one.type, "NAME": one.name, "HTTP_NAME": one.http_name}, filters)
            ]

        return shown.paged(self._do(find), request, "Namespaces", _as_it_is)

    # -- services --

    def create_service(self, request: Request, context: RequestContext) -> Answer:
        """CreateService."""
        tags = _tags(request)

        def create(cloudmap: CloudMap, now: float) -> Answer:
            made = cloudmap.create_service(request, now)
            made.tags.update(tags)
            return shown.service(made, context.account_id)

        return {"Service": self._do(create)}

    def update_service(self, request: Request, context: RequestContext) -> Answer:
        """UpdateService."""
        return self._submit(lambda cloudmap, now: cloudmap.update_service(request, now))

    def delete_service(self, request: Request, context: RequestContext) -> Answer:
        """DeleteService."""
        self._do(lambda cloudmap, now: cloudmap.delete_service(request["Id"]))
        return {}

    def get_service(self, request: Request, context: RequestContext) -> Answer:
        """GetService."""
        found = self._do(lambda cloudmap, now: shown.service(cloudmap.service(request["Id"]), context.account_id))
        return {"Service": found}

    def list_services(self, request: Request, context: RequestContext) -> Answer:
        """ListServices."""
        filters = shown.filters(request)

        def find(cloudmap: CloudMap, now: float) -> list[Answer]:
            return [
                shown.summary(shown.service(one, context.account_id), "NamespaceId")
                for one in cloudmap.services.values()
                if shown.wanted({"NAMESPACE_ID": one.namespace.id}, filters)
            ]

        return shown.paged(self._do(find), request, "Services", _as_it_is)

    def get_service_attributes(self, request: Request, context: RequestContext) -> Answer:
        """GetServiceAttributes."""

        def get(cloudmap: CloudMap, now: float) -> Answer:
            found = cloudmap.service(request["ServiceId"])
            attributes = dict(found.attributes)
            return {"ServiceArn": found.arn, "ResourceOwner": context.account_id, "Attributes": attributes}

        return {"ServiceAttributes": self._do(get)}

    def update_service_attributes(self, request: Request, context: RequestContext) -> Answer:
        """UpdateServiceAttributes."""
        service, attributes = request["ServiceId"], request["Attributes"]
        self._do(lambda cloudmap, now: cloudmap.update_attributes(service, attributes))
        return {}

    def delete_service_attributes(self, request: Request, context: RequestContext) -> Answer:
        """DeleteServiceAttributes; a name that there is not is fine."""

        def delete(cloudmap: CloudMap, now: float) -> None:
            held = cloudmap.service(request["ServiceId"]).attributes
            for name in request["Attributes"]:
                held.pop(name, None)

        self._do(delete)
        return {}

    # -- instances --

    def register_instance(self, request: Request, context: RequestContext) -> Answer:
        """RegisterInstance."""
        return self._submit(lambda cloudmap, now: cloudmap.register(request, now))

    def deregister_instance(self, request: Request, context: RequestContext) -> Answer:
        """DeregisterInstance."""
        service, instance = request["ServiceId"], request["InstanceId"]
        return self._submit(lambda cloudmap, now: cloudmap.deregister(service, instance, now))

    def get_instance(self, request: Request, context: RequestContext) -> Answer:
        """GetInstance."""

        def get(cloudmap: CloudMap, now: float) -> Answer:
            found = cloudmap.instance(cloudmap.service(request["ServiceId"]), request["InstanceId"])
            return {
                "Id": found.id,
                "CreatorRequestId": found.creator_request_id or None,
                "Attributes": dict(found.attributes),
                "CreatedByAccount": context.account_id,
            }

        return {"ResourceOwner": context.account_id, "Instance": self._do(get)}

    def list_instances(self, request: Request, context: RequestContext) -> Answer:
        """ListInstances."""

        def find(cloudmap: CloudMap, now: float) -> list[Answer]:
            return [
                {"Id": one.id, "Attributes": dict(one.attributes), "CreatedByAccount": context.account_id}
                for one in cloudmap.service(request["ServiceId"]).instances.values()
            ]

        return {
            "ResourceOwner": context.account_id,
            **shown.paged(self._do(find), request, "Instances", _as_it_is),
        }

    def update_instance_custom_health_status(self, request: Request, context: RequestContext) -> Answer:
        """UpdateInstanceCustomHealthStatus."""
        service, instance, healthy = request["ServiceId"], request["InstanceId"], request["Status"] == "HEALTHY"
        self._do(lambda cloudmap, now: cloudmap.report_health(service, instance, healthy))
        return {}

    def get_instances_health_status(self, request: Request, context: RequestContext) -> Answer:
        """GetInstancesHealthStatus."""

        def find(cloudmap: CloudMap, now: float) -> list[tuple[str, str]]:
            service = cloudmap.service(request["ServiceId"])
            wanted = request.get("Instances") or list(service.instances)
            return [(name, service.health_of(cloudmap.instance(service, name))) for name in wanted]

        answer = shown.paged(self._do(find), request, "Status", _as_it_is)
        return {**answer, "Status": dict(answer["Status"])}

    def discover_instances(self, request: Request, context: RequestContext) -> Answer:
        """DiscoverInstances."""
        _check_owner(request, context)

        def find(cloudmap: CloudMap, now: float) -> Answer:
            service, found = cloudmap.discover(request, self._rng)
            instances = [
                {
                    "InstanceId": one.id,
                    "NamespaceName": service.namespace.http_name,
                    "ServiceName": service.name,
                    "HealthStatus": service.health_of(one),
                    "Attributes": dict(one.attributes),
                }
                for one in found
            ]
            return {"Instances": instances, "InstancesRevision": service.revision}

        return self._do(find)

    def discover_instances_revision(self, request: Request, context: RequestContext) -> Answer:
        """DiscoverInstancesRevision."""
        _check_owner(request, context)
        namespace, name = request["NamespaceName"], request["ServiceName"]
        return {"InstancesRevision": self._do(lambda cloudmap, now: cloudmap.service_named(namespace, name).revision)}

    # -- operations and tags --

    def get_operation(self, request: Request, context: RequestContext) -> Answer:
        """GetOperation."""

        def get(cloudmap: CloudMap, now: float) -> Answer:
            found = cloudmap.operations.get(request["OperationId"])
            if found is None:
                raise CloudMapError("OperationNotFound", f"Operation not found: {request['OperationId']}")
            return shown.operation(found, now, context.account_id)

        return {"Operation": self._do(get)}

    def list_operations(self, request: Request, context: RequestContext) -> Answer:
        """ListOperations, the newest first."""
        filters = shown.filters(request)

        def find(cloudmap: CloudMap, now: float) -> list[Answer]:
            found = [shown.operation(one, now, context.account_id) for one in reversed(cloudmap.operations.values())]
            return [one for one in found if shown.wanted(_filtered_by(one), filters)]

        return shown.paged(
            self._do(find), request, "Operations", lambda one: {"Id": one["Id"], "Status": one["Status"]}
        )

    def tag_resource(self, request: Request, context: RequestContext) -> Answer:
        """TagResource; a known key gets the new value."""
        tags = _tags(request)

        def tag(cloudmap: CloudMap, now: float) -> None:
            held = _tagged(cloudmap, request["ResourceARN"])
            if len({*held, *tags}) > MAX_TAGS:
                raise _too_many(request["ResourceARN"])
            held.update(tags)

        self._do(tag)
        return {}

    def untag_resource(self, request: Request, context: RequestContext) -> Answer:
        """UntagResource."""

        def untag(cloudmap: CloudMap, now: float) -> None:
            held = _tagged(cloudmap, request["ResourceARN"])
            for key in request["TagKeys"]:
                held.pop(key, None)

        self._do(untag)
        return {}

    def list_tags_for_resource(self, request: Request, context: RequestContext) -> Answer:
        """ListTagsForResource."""
        held = self._do(lambda cloudmap, now: dict(_tagged(cloudmap, request["ResourceARN"])))
        return {"Tags": [{"Key": key, "Value": value} for key, value in held.items()]}

    def _submit(self, action: Callable[[CloudMap, float], Operation]) -> Answer:
        return {"OperationId": self._do(action).id}

    def _do(self, action: Callable[[CloudMap, float], T]) -> T:
        try:
            return self._controller.apply(action)
        except CloudMapError as error:
            members = {name: value for name, value in error.members.items() if value}
            raise AwsError(error.code, error.message, members=members) from error


def _as_it_is(item: Any) -> Any:
    return item


def _count(cloudmap: CloudMap, namespace_id: str) -> int:
    return sum(service.namespace.id == namespace_id for service in cloudmap.services.values())


def _filtered_by(operation: Answer) -> dict[str, Any]:
    targets = operation["Targets"]
    return {
        "NAMESPACE_ID": targets.get("NAMESPACE"),
        "SERVICE_ID": targets.get("SERVICE"),
        "STATUS": operation["Status"],
        "TYPE": operation["Type"],
        "UPDATE_DATE": operation["UpdateDate"],
    }


def _check_owner(request: Request, context: RequestContext) -> None:
    if request.get("OwnerAccount", context.account_id) != context.account_id:
        raise AwsError("NamespaceNotFound", f"No namespace found with name: {request['NamespaceName']}")


def _tags(request: Request) -> dict[str, str]:
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}
    if len(tags) > MAX_TAGS:
        raise _too_many("")
    return tags


def _too_many(arn: str) -> AwsError:
    members = {"ResourceName": arn} if arn else {}
    return AwsError("TooManyTagsException", f"A resource has at most {MAX_TAGS} tags.", members=members)


def _tagged(cloudmap: CloudMap, arn: str) -> dict[str, str]:
    held: list[Service | Any] = [*cloudmap.namespaces.values(), *cloudmap.services.values()]
    found = next((one for one in held if one.arn == arn), None)
    if found is None:
        raise CloudMapError("ResourceNotFoundException", f"Resource not found: {arn}")
    tags: dict[str, str] = found.tags
    return tags
