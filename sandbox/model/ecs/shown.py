"""How DescribeTasks shows a task (API reference "Task", "Container", "Attachment"); events are made from the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.model.ecs import overrides
from sandbox.model.ecs.container import Container

if TYPE_CHECKING:
    from sandbox.model.ecs.task import Task

# How far the registration is -> the status of the attachment that stands for it.
_STATUS = {
    "none": "PRECREATED",
    "asked": "ATTACHING",
    "registered": "ATTACHED",
    "leaving": "DETACHING",
    "left": "DELETED",
}


def describe(task: Task) -> dict[str, Any]:
    """The task as DescribeTasks shows it (API reference "Task"); times are seconds since the epoch."""
    shown: dict[str, Any] = {
        "taskArn": task.arn,
        "clusterArn": task.cluster_arn,
        "taskDefinitionArn": task.definition.arn,
        "group": task.group,
        "startedBy": task.started_by or None,
        "availabilityZone": task.availability_zone or None,
        "cpu": task.definition.raw.get("cpu"),
        "memory": task.definition.raw.get("memory"),
        "launchType": task.launch_type,
        "capacityProviderName": task.capacity_provider,
        **_place(task),
        "lastStatus": task.last_status,
        "desiredStatus": task.desired_status,
        "connectivity": "CONNECTED" if "connectivityAt" in task.times else None,
        "createdAt": task.created_at,
        "version": task.version,
        "stopCode": task.stop_code or None,
        "stoppedReason": task.stopped_reason or None,
        **task.times,
        "overrides": overrides.shown(task.overrides, list(task.containers)),
        "tags": [dict(tag) for tag in task.tags],
        "attachments": [_attachment(task, task.network.subnets[0])] if task.network else [],
        "containers": [_container(task, container) for container in task.containers.values()],
        "healthStatus": task.health_status,
        "enableExecuteCommand": task.execute_command,
    }
    return {name: value for name, value in shown.items() if value is not None}


def published(task: Task) -> dict[str, Any]:
    """The task as an event is made of it: with target groups, an attachment of type "elb" comes before the interface.

    An event of November 2024 has it, without details; the API reference "Attachment" does not know the type.
    """
    described = describe(task)
    if task.registration.wanted.groups:
        # The id only has to be stable and unlike the interface's.
        elb = {
            "id": task.attachment_id[::-1],
            "type": "elb",
            "status": _STATUS[task.registration.state],
            "details": [],
        }
        described["attachments"].insert(0, elb)
    return described


def _place(task: Task) -> dict[str, Any]:
    """What Fargate has, or the container instance."""
    if task.host is not None:
        return {"containerInstanceArn": task.host.container_instance_arn}
    storage = task.definition.raw.get("ephemeralStorage", {"sizeInGiB": 20})
    return {"platformVersion": "1.4.0", "platformFamily": "Linux", "ephemeralStorage": storage}


def _attachment(task: Task, subnet_id: str) -> dict[str, Any]:
    details = [{"name": "subnetId", "value": subnet_id}]
    if task.interface is not None:
        details = [
            {"name": "subnetId", "value": task.interface.subnet_id},
            {"name": "networkInterfaceId", "value": task.interface.id},
            {"name": "macAddress", "value": task.interface.mac_address},
            {"name": "privateDnsName", "value": task.interface.private_dns_name},
            {"name": "privateIPv4Address", "value": task.interface.private_ip},
        ]
    return {
        "id": task.attachment_id,
        "type": "ElasticNetworkInterface",
        "status": task.attachment_status,
        "details": details,
    }


def _container(task: Task, container: Container) -> dict[str, Any]:
    definition = task.definition.container(container.name).raw
    interfaces = []
    if task.interface is not None:
        interfaces = [{"attachmentId": task.attachment_id, "privateIpv4Address": task.interface.private_ip}]
    shown = {
        "containerArn": container.arn,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "imageDigest": container.digest,
        "runtimeId": container.runtime_id,
        "lastStatus": container.status,
        "exitCode": container.exit_code,
        "reason": container.reason or None,
        "networkBindings": _bindings(task, container),
        "networkInterfaces": interfaces,
        "healthStatus": container.health,
        "managedAgents": [_agent(container)] if task.execute_command else None,
        "cpu": str(definition.get("cpu", 0)),
        "memory": None if definition.get("memory") is None else str(definition["memory"]),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _bindings(task: Task, container: Container) -> list[dict[str, Any]]:
    """They are known once the container runs."""
    return [one.describe() for one in task.bindings.get(container.name, ()) if container.status == "RUNNING"]


def _agent(container: Container) -> dict[str, Any]:
    """The agent of ECS Exec, which lives as long as its container (API reference "ManagedAgent")."""
    return {"name": "ExecuteCommandAgent", "lastStatus": container.status}
