"""The task metadata endpoint, version 4: what a container is told of itself and of its task.

Fields: developer guide "Amazon ECS task metadata endpoint version 4 for tasks on Fargate" (and its "response" page).
"""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs.container import Container
from sandbox.model.ecs.events import iso
from sandbox.model.ecs.messages import Interface
from sandbox.model.ecs.task import Task

# What ECS does around a task, and the agent beside it, whose word the endpoint gives, does not see (seen:
# containers-roadmap #2012).
_UNSEEN = frozenset({"ACTIVATING", "DEACTIVATING"})

_LABEL = "com.amazonaws.ecs."


@dataclass(frozen=True)
class Subnet:
    """What is told of the subnet that a task is in. ``cidr`` is such as 10.0.0.0/20."""

    cidr: str
    gateway: str
    resolver: str


def container_id(task_id: str, name: str) -> str:
    """The last part of a container's ECS_CONTAINER_METADATA_URI_V4: the task's id and a number of the container."""
    return f"{task_id}-{zlib.crc32(name.encode()):010d}"


def credentials_id(task_arn: str) -> str:
    """The last part of the URI of a task's credentials, a UUID."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, task_arn))


def of_task(task: Task, subnet: Subnet | None) -> dict[str, Any]:
    """The answer of ``/task``; ``subnet`` is that of the task's network interface, where it has one of its own."""
    raw = task.definition.raw
    told: dict[str, Any] = {
        "Cluster": task.cluster_arn,
        "TaskARN": task.arn,
        "Family": task.definition.family,
        "Revision": str(task.definition.revision),
        "ServiceName": task.service_name or None,
        "DesiredStatus": _desired(task),
        "KnownStatus": "RUNNING" if task.last_status in _UNSEEN else task.last_status,
        "Limits": {"CPU": int(raw["cpu"]) / 1024, "Memory": int(raw["memory"])} if "cpu" in raw else None,
        "PullStartedAt": _time(task.times.get("pullStartedAt")),
        "PullStoppedAt": _time(task.times.get("pullStoppedAt")),
        "ExecutionStoppedAt": _time(task.times.get("executionStoppedAt")),
        "AvailabilityZone": task.availability_zone or None,
        "LaunchType": task.launch_type,
        "Containers": [of_container(task, name, subnet) for name in task.containers],
    }
    return _known(told)


def of_container(task: Task, name: str, subnet: Subnet | None) -> dict[str, Any]:
    """The answer for the container itself."""
    container, definition = task.containers[name], task.definition.container(name)
    told: dict[str, Any] = {
        "DockerId": container.runtime_id,
        "Name": name,
        "DockerName": name,
        "Image": container.image,
        "ImageID": container.digest,
        "Labels": {
            **definition.raw.get("dockerLabels", {}),
            f"{_LABEL}cluster": task.cluster_arn,
            f"{_LABEL}container-name": name,
            f"{_LABEL}task-arn": task.arn,
            f"{_LABEL}task-definition-family": task.definition.family,
            f"{_LABEL}task-definition-version": str(task.definition.revision),
        },
        "DesiredStatus": _desired(task),
        "KnownStatus": container.status,
        "ExitCode": container.exit_code,
        "Limits": _known({"CPU": definition.raw["cpu"] or 2, "Memory": definition.raw.get("memory")}),
        "CreatedAt": _time(container.created_at),
        "StartedAt": _time(container.started_at),
        "FinishedAt": _time(container.finished_at),
        "Type": "NORMAL",
        "RestartCount": container.restarts if definition.restart else None,
        "Health": {"status": container.health} if definition.health_check else None,
        "ContainerARN": container.arn,
        "Ports": _ports(task, name),
        "Networks": _networks(task, container, subnet),
        **_log(task, container),
    }
    return _known(told)


def _desired(task: Task) -> str:
    return "RUNNING" if task.last_status == "DEACTIVATING" else task.desired_status


def _ports(task: Task, name: str) -> list[dict[str, Any]] | None:
    return [
        {"ContainerPort": one.container_port, "Protocol": one.protocol, "HostPort": one.host_port}
        for one in task.bindings.get(name, ())
    ] or None


def _networks(task: Task, container: Container, subnet: Subnet | None) -> list[dict[str, Any]]:
    interface = task.interface
    if interface is not None and subnet is not None:
        return [_network(interface, subnet)]
    if task.host is None:
        return []
    addresses = [container.address] if container.address else []
    return [{"NetworkMode": task.definition.network_mode, "IPv4Addresses": addresses}]


def _network(interface: Interface, subnet: Subnet) -> dict[str, Any]:
    return {
        "NetworkMode": "awsvpc",
        "IPv4Addresses": [interface.private_ip],
        "AttachmentIndex": 0,
        "MACAddress": interface.mac_address,
        "IPv4SubnetCIDRBlock": subnet.cidr,
        "DomainNameServers": [subnet.resolver],
        "DomainNameSearchList": [interface.private_dns_name.partition(".")[2]],
        "PrivateDNSName": interface.private_dns_name,
        "SubnetGatewayIpv4Address": f"{subnet.gateway}/{subnet.cidr.partition('/')[2]}",
    }


def _log(task: Task, container: Container) -> dict[str, Any]:
    target = task.definition.container(container.name).log
    if target is None:
        return {}
    stream = target.stream(container.name, task.id)
    options = {"awslogs-group": target.group, "awslogs-region": target.region, "awslogs-stream": stream}
    if target.create_group:
        options["awslogs-create-group"] = "true"
    return {"LogDriver": "awslogs", "LogOptions": options}


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else iso(seconds)


def _known(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}
