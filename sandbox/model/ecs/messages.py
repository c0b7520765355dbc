"""What happens to a task, and what has to be done for it: the events that come into a task's state machine and the
commands that it gives out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs.health import Health
from sandbox.model.ecs.registration import DrainOver, RegistrationCommand, RegistrationEvent


@dataclass(frozen=True)
class Network:
    """A task's ``awsvpcConfiguration``."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    assign_public_ip: bool

    @staticmethod
    def of(vpc: Mapping[str, Any]) -> Network:
        """The network that an ``awsvpcConfiguration`` of the API stands for."""
        return Network(
            tuple(vpc["subnets"]),
            tuple(vpc.get("securityGroups") or ()),
            vpc.get("assignPublicIp", "DISABLED") == "ENABLED",
        )

    def describe(self) -> dict[str, Any]:
        """The ``networkConfiguration`` of the API that it stands for."""
        return {
            "awsvpcConfiguration": {
                "subnets": list(self.subnets),
                "securityGroups": list(self.security_groups),
                "assignPublicIp": "ENABLED" if self.assign_public_ip else "DISABLED",
            }
        }


@dataclass(frozen=True)
class Interface:
    """The elastic network interface of a task, as EC2 shows it."""

    id: str
    subnet_id: str
    mac_address: str
    private_dns_name: str
    private_ip: str
    availability_zone: str


@dataclass(frozen=True)
class Host:
    """The container instance that a task of launch type EC2 is on."""

    container_instance_arn: str
    ec2_instance_id: str
    subnet_id: str
    availability_zone: str
    private_ip: str


# -- what happens to a task ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EniAttached:
    """The network interface is there."""

    interface: Interface


@dataclass(frozen=True)
class EniFailed:
    """No network interface could be had; nothing of one is left."""

    reason: str


@dataclass(frozen=True)
class EniDetached:
    """The network interface is gone."""


@dataclass(frozen=True)
class InstanceEntered:
    """The container instance has taken on a task that has no network interface of its own."""


@dataclass(frozen=True)
class InstanceLeft:
    """Nothing is left of such a task on its container instance."""


@dataclass(frozen=True)
class HostLost:
    """The task's container instance is gone, and its containers with it."""

    reason: str
    stop_code: str


@dataclass(frozen=True)
class ResourcesReady:
    """What a `PrepareResources` asked for is there."""


@dataclass(frozen=True)
class ResourcesFailed:
    """Something of it cannot be had. ``reason`` is in ECS's words ("ResourceInitializationError: ...")."""

    reason: str


@dataclass(frozen=True)
class ImagePulled:
    """The image of a container is on the host."""

    container: str
    digest: str


@dataclass(frozen=True)
class ContainerStarted:
    """A container runs. ``address`` is its own on its instance's bridge ("": it has none of its own)."""

    container: str
    runtime_id: str
    address: str = ""


@dataclass(frozen=True)
class ContainerFailed:
    """A container could not be started. ``reason`` is in ECS's words ("CannotPullContainerError: ...")."""

    container: str
    reason: str


@dataclass(frozen=True)
class ContainerExited:
    """A container's process ended."""

    container: str
    exit_code: int
    reason: str = ""


@dataclass(frozen=True)
class HealthChanged:
    """What a container's health check says of it has changed."""

    container: str
    health: Health


@dataclass(frozen=True)
class StartTimedOut:
    """A container's startTimeout is over."""

    container: str


@dataclass(frozen=True)
class MayRestart:
    """A container has run for as long as its restart policy wants, if it still runs as started at ``since``."""

    container: str
    since: float


@dataclass(frozen=True)
class StopRequested:
    """StopTask, or the scheduler, wants it stopped."""

    reason: str
    stop_code: str


TaskEvent = (
    EniAttached
    | EniFailed
    | EniDetached
    | InstanceEntered
    | InstanceLeft
    | HostLost
    | ResourcesReady
    | ResourcesFailed
    | ImagePulled
    | ContainerStarted
    | ContainerFailed
    | ContainerExited
    | HealthChanged
    | StartTimedOut
    | MayRestart
    | StopRequested
    | RegistrationEvent
)


# -- what has to be done ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AttachEni:
    """Make a network interface in one of the subnets and give it a public address where it is wanted."""

    task_arn: str
    network: Network


@dataclass(frozen=True)
class DetachEni:
    """Remove the task's network interface."""

    task_arn: str


@dataclass(frozen=True)
class EnterInstance:
    """Have the container instance take on a task that has no network interface of its own."""

    task_arn: str


@dataclass(frozen=True)
class LeaveInstance:
    """Remove what such a task has on its container instance."""

    task_arn: str


@dataclass(frozen=True)
class PrepareResources:
    """Look up the secrets and environment files of the task's containers, and make their log streams."""

    task_arn: str


@dataclass(frozen=True)
class StartContainer:
    """Get the image, create the container, start it."""

    task_arn: str
    container: str


@dataclass(frozen=True)
class RestartContainer:
    """Start a container again that has ended."""

    task_arn: str
    container: str


@dataclass(frozen=True)
class Remind:
    """Report ``event`` in ``delay`` seconds."""

    task_arn: str
    event: StartTimedOut | MayRestart | DrainOver
    delay: int


@dataclass(frozen=True)
class StopContainer:
    """Send the stop signal, and SIGKILL after ``timeout`` seconds. Also sent for one that is only being started."""

    task_arn: str
    container: str
    timeout: int


@dataclass(frozen=True)
class PublishTask:
    """Publish an "ECS Task State Change": the task as it is at this moment (see `sandbox.model.ecs.events`)."""

    task_arn: str
    task: Mapping[str, Any]


TaskCommand = (
    AttachEni
    | DetachEni
    | EnterInstance
    | LeaveInstance
    | PrepareResources
    | StartContainer
    | RestartContainer
    | Remind
    | StopContainer
    | PublishTask
    | RegistrationCommand
)
