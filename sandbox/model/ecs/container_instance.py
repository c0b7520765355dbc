"""Container instances: what is registered of an EC2 instance, what of it tasks have, and how it is shown.

Rules: API reference "ContainerInstance" and "Resource"; developer guide "Amazon ECS container instance state change
events" and "Amazon ECS task placement constraints" (built-in attributes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from operator import is_
from typing import Any

from sandbox.model.ecs.instance_types import InstanceType
from sandbox.model.ecs.messages import Host
from sandbox.model.ecs.ports import EPHEMERAL, RESERVED
from sandbox.model.ecs.task import ON_THE_WAY, Task
from sandbox.model.ecs.taskdef import Port

AGENT_VERSION = "1.100.0"
DOCKER_VERSION = "25.0.8"

# What the agent of the ECS-optimized AMI registers, as far as task definitions here can want it.
CAPABILITIES = (
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.25",
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "com.amazonaws.ecs.capability.task-iam-role",
    "com.amazonaws.ecs.capability.task-iam-role-network-host",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.efs",
    "ecs.capability.env-files.s3",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.secrets.asm.environment-variables",
    "ecs.capability.secrets.ssm.environment-variables",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.task-eni",
)


@dataclass(frozen=True)
class Launched:
    """An EC2 instance whose agent registers, as EC2 shows it.

    Attributes:
        attributes: Custom ones of the agent's configuration.
        reserved_memory: MiB that the agent is told to keep back.
    """

    ec2_instance_id: str
    type: InstanceType
    image_id: str
    vpc_id: str
    subnet_id: str
    availability_zone: str
    private_ip: str
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    reserved_memory: int = 0


@dataclass(frozen=True)
class Usage:
    """What is left of an instance, and which ports are taken."""

    cpu: int
    memory: int
    interfaces: int
    ports: frozenset[Port]


@dataclass
class ContainerInstance:
    """A container instance.

    Attributes:
        launched: The EC2 instance.
        interfaces: How many tasks in awsvpc mode it takes.
        status: ACTIVE, DRAINING or INACTIVE.
        attributes: Built-in and custom ones by name; None: without a value.
        next_port: Where the search for the next ephemeral port begins.
        gone: The EC2 instance is stopped or terminated.
    """

    arn: str
    cluster_arn: str
    launched: Launched
    interfaces: int
    registered_at: float
    attributes: dict[str, str | None]
    status: str = "ACTIVE"
    agent_connected: bool = True
    version: int = 1
    next_port: int = EPHEMERAL.start
    tags: tuple[Mapping[str, str], ...] = ()
    gone: bool = False
    _occupancy: Occupancy | None = field(default=None, repr=False, compare=False)

    @property
    def id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def memory(self) -> int:
        """MiB that it has registered for tasks."""
        return self.launched.type.memory - self.launched.reserved_memory

    @property
    def host(self) -> Host:
        """As a task on it knows it."""
        launched = self.launched
        return Host(
            self.arn, launched.ec2_instance_id, launched.subnet_id, launched.availability_zone, launched.private_ip
        )

    def occupancy(self, tasks: Sequence[Task]) -> Occupancy:
        """It with its tasks; what they leave of it is worked out once for the same tasks."""
        known = self._occupancy
        if known is None or len(known.tasks) != len(tasks) or not all(map(is_, known.tasks, tasks)):
            known = self._occupancy = Occupancy(self, tuple(tasks))
        return known

    def usage(self, tasks: Sequence[Task]) -> Usage:
        """What is left beside ``tasks``, those on it that are not STOPPED."""
        definitions = [task.definition for task in tasks]
        ports = [("tcp", port) for port in RESERVED]
        for task in tasks:
            ports += [(one.protocol, one.host_port) for bound in task.bindings.values() for one in bound]
        return Usage(
            self.launched.type.cpu - sum(definition.cpu_units for definition in definitions),
            self.memory - sum(definition.memory_mib for definition in definitions),
            self.interfaces - sum(definition.network_mode == "awsvpc" for definition in definitions),
            frozenset(ports),
        )

    def describe(self, tasks: Sequence[Task]) -> dict[str, Any]:
        """As DescribeContainerInstances shows it; times are seconds since the epoch."""
        left = self.usage(tasks)
        static = [port for task in tasks for port in task.definition.static_ports]
        return {
            "containerInstanceArn": self.arn,
            "ec2InstanceId": self.launched.ec2_instance_id,
            "version": self.version,
            "versionInfo": {
                "agentHash": "sandbox",
                "agentVersion": AGENT_VERSION,
                "dockerVersion": f"DockerVersion: {DOCKER_VERSION}",
            },
            "remainingResources": _resources(left.cpu, left.memory, static),
            "registeredResources": _resources(self.launched.type.cpu, self.memory, ()),
            "status": self.status,
            "agentConnected": self.agent_connected,
            "runningTasksCount": sum(task.last_status == "RUNNING" for task in tasks),
            "pendingTasksCount": sum(task.last_status in ON_THE_WAY for task in tasks),
            "attributes": [
                {"name": name, **({} if value is None else {"value": value})} for name, value in self.attributes.items()
            ],
            "registeredAt": self.registered_at,
            "attachments": [],
            "tags": [dict(tag) for tag in self.tags],
        }


@dataclass(frozen=True)
class Occupancy:
    """A container instance with the tasks on it that are not STOPPED."""

    instance: ContainerInstance
    tasks: tuple[Task, ...]

    @cached_property
    def left(self) -> Usage:
        """What the tasks leave of it."""
        return self.instance.usage(self.tasks)

    def values(self, subject: str) -> list[str]:
        """What an expression of the cluster query language learns of it (see `cluster_query.Subject`)."""
        instance = self.instance
        if subject.startswith("attribute:"):
            name = subject.removeprefix("attribute:")
            return [instance.attributes[name] or ""] if name in instance.attributes else []
        if subject == "task:group":
            return sorted({task.group for task in self.tasks})
        return {
            "agentConnected": [str(instance.agent_connected).lower()],
            "agentVersion": [AGENT_VERSION],
            "ec2InstanceId": [instance.launched.ec2_instance_id],
            "registeredAt": [datetime.fromtimestamp(instance.registered_at, UTC).isoformat()],
            "runningTasksCount": [str(sum(task.last_status == "RUNNING" for task in self.tasks))],
        }[subject]


@dataclass(frozen=True)
class PublishInstance:
    """Publish an "ECS Container Instance State Change": the instance as it is at this moment."""

    instance_arn: str
    cluster_arn: str
    instance: Mapping[str, Any]


@dataclass(frozen=True)
class DropInstance:
    """Nothing runs on a lost EC2 instance any more: what it has on this machine can go."""

    ec2_instance_id: str


def built_in(launched: Launched, trunk: str) -> dict[str, str | None]:
    """The attributes that an instance registers with; ``trunk`` is the id of its trunk interface ("": none)."""
    return {
        **dict.fromkeys(CAPABILITIES),
        "ecs.ami-id": launched.image_id,
        "ecs.availability-zone": launched.availability_zone,
        "ecs.cpu-architecture": launched.type.architecture,
        "ecs.instance-type": launched.type.name,
        "ecs.os-family": "LINUX",
        "ecs.os-type": "linux",
        "ecs.subnet-id": launched.subnet_id,
        "ecs.vpc-id": launched.vpc_id,
        **({"ecs.awsvpc-trunk-id": trunk} if trunk else {}),
        **launched.attributes,
    }


def _resources(cpu: int, memory: int, ports: Sequence[Port]) -> list[dict[str, Any]]:
    tcp = [str(port) for port in RESERVED] + [str(port) for protocol, port in ports if protocol == "tcp"]
    udp = [str(port) for protocol, port in ports if protocol == "udp"]
    zero = {"doubleValue": 0.0, "longValue": 0}
    return [
        {"name": "CPU", "type": "INTEGER", **zero, "integerValue": cpu},
        {"name": "MEMORY", "type": "INTEGER", **zero, "integerValue": memory},
        {"name": "PORTS", "type": "STRINGSET", **zero, "integerValue": 0, "stringSetValue": tcp},
        {"name": "PORTS_UDP", "type": "STRINGSET", **zero, "integerValue": 0, "stringSetValue": udp},
    ]
