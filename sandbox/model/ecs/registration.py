"""Where a service's tasks are registered, and how far one task is with that.

Rules: developer guide "Amazon ECS task lifecycle" (ACTIVATING and DEACTIVATING), "Use load balancing to distribute
Amazon ECS service traffic" and "Use service discovery to connect Amazon ECS services with DNS names"; What's New of 13
February 2023, "Amazon ECS improves accuracy of service load balancing": a task is deregistered before it is stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sandbox.model.elb.target import Target, TargetHealth

if TYPE_CHECKING:
    from sandbox.model.ecs.task import Task

INITIAL = TargetHealth("initial", "Elb.RegistrationInProgress", "Target registration is in progress")

# AWS_INIT_HEALTH_STATUS of Cloud Map's RegisterInstance, where a container health check has yet to pass.
INIT_HEALTH = "AWS_INIT_HEALTH_STATUS"


@dataclass(frozen=True)
class GroupUse:
    """One of a service's ``loadBalancers``: a port of a container that is a target of a group."""

    group_arn: str
    container: str
    port: int

    def describe(self) -> dict[str, Any]:
        """As DescribeServices shows it."""
        return {"targetGroupArn": self.group_arn, "containerName": self.container, "containerPort": self.port}


@dataclass(frozen=True)
class RegistryUse:
    """A service's ``serviceRegistries``, of which there is one at most; ``raw`` is what DescribeServices shows."""

    arn: str
    container: str
    container_port: int | None
    port: int | None
    raw: Mapping[str, Any]


@dataclass(frozen=True)
class Registrations:
    """Where each task of a deployment is registered."""

    groups: tuple[GroupUse, ...] = ()
    registry: RegistryUse | None = None

    @property
    def before_running(self) -> bool:
        """Whether a task is ACTIVATING while it is registered, and DEACTIVATING has an event.

        So it is with several target groups or Cloud Map; with a single group a task is RUNNING first, and no event
        tells of DEACTIVATING (seen: containers-roadmap #1039).
        """
        return self.registry is not None or len(self.groups) > 1

    def describe(self) -> dict[str, Any]:
        """``loadBalancers`` and ``serviceRegistries`` as DescribeServices shows them."""
        return {
            "loadBalancers": [use.describe() for use in self.groups],
            "serviceRegistries": [dict(self.registry.raw)] if self.registry else [],
        }


@dataclass(frozen=True)
class Instance:
    """An instance of a service of Cloud Map."""

    registry_arn: str
    id: str
    attributes: Mapping[str, str]


Targets = tuple[tuple[str, Target], ...]  # (ARN of the group, target)


# -- what happens to a task ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Registered:
    """All that a `RegisterTask` named is registered."""


@dataclass(frozen=True)
class RegistrationFailed:
    """Something of it could not be registered. ``where`` is the ARN of a target group or of a Cloud Map service."""

    where: str
    error: str


@dataclass(frozen=True)
class Deregistered:
    """What a `DeregisterTask` named gets no new requests any more: its targets drain, its instance is gone."""


@dataclass(frozen=True)
class DrainOver:
    """The deregistration delays of a task's target groups are over."""


@dataclass(frozen=True)
class TargetHealthChanged:
    """What the load balancer says of a target of the task has changed."""

    group_arn: str
    target: Target
    health: TargetHealth


RegistrationEvent = Registered | RegistrationFailed | Deregistered | DrainOver | TargetHealthChanged


# -- what has to be done ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RegisterTask:
    """Register these targets with their groups, and the instance with Cloud Map."""

    task_arn: str
    targets: Targets
    instance: Instance | None


@dataclass(frozen=True)
class DeregisterTask:
    """Deregister what a `RegisterTask` named."""

    task_arn: str
    targets: Targets
    instance: Instance | None


@dataclass(frozen=True)
class SetInstanceHealth:
    """Tell Cloud Map whether an instance is healthy."""

    task_arn: str
    instance: Instance
    healthy: bool


RegistrationCommand = RegisterTask | DeregisterTask | SetInstanceHealth


def _no_delay(group_arn: str) -> int:
    return 0


@dataclass
class Registration:
    """How far one task is with its registrations.

    Attributes:
        wanted: Where it is to be registered.
        delay_of: The deregistration delay of a target group, in seconds.
        state: none (nothing asked for yet), asked, registered (what of it could be), leaving (its deregistration is
            asked for), left.
        until: What containers wait for before they get their stop signal: that the targets have drained, that they
            have been deregistered, or nothing.
        healths: What the load balancer says of each target, and said last before the task left.
        drained: The targets are gone, or their deregistration delay is over.
        told: What Cloud Map knows of the instance's health.
    """

    wanted: Registrations = field(default_factory=Registrations)
    delay_of: Callable[[str], int] = _no_delay
    state: Literal["none", "asked", "registered", "leaving", "left"] = "none"
    until: Literal["drained", "deregistered", "nothing"] = "drained"
    healths: dict[tuple[str, Target], TargetHealth] = field(default_factory=dict)
    instance: Instance | None = None
    draining: set[tuple[str, Target]] = field(default_factory=set)
    drained: bool = False
    told: bool = True

    @property
    def targets(self) -> Targets:
        """Its targets, in the order of the service's ``loadBalancers``."""
        return tuple(self.healths)

    # -- coming --

    def ask(self, task: Task) -> list[RegisterTask]:
        """What has to be registered now that the task has its address."""
        if not (self.wanted.groups or self.wanted.registry):
            return []
        self.state = "asked"
        self.healths = {(use.group_arn, _target(task, use)): INITIAL for use in self.wanted.groups}
        if self.wanted.registry is not None:
            self.instance = _instance(task, self.wanted.registry)
            self.told = self.instance.attributes.get(INIT_HEALTH) != "UNHEALTHY"
        return [RegisterTask(task.arn, self.targets, self.instance)]

    def has_registered(self) -> bool:
        """Everything is registered, or what could be; whether that was awaited."""
        awaited = self.state == "asked"
        if awaited:
            self.state = "registered"
        return awaited

    def sync_health(self, task: Task) -> list[SetInstanceHealth]:
        """Tell Cloud Map where the task's container health checks have come to another verdict."""
        healthy = task.health_status == "HEALTHY"
        if self.state != "registered" or self.instance is None or task.health_status == "UNKNOWN":
            return []
        if healthy == self.told:
            return []
        self.told = healthy
        return [SetInstanceHealth(task.arn, self.instance, healthy)]

    # -- health --

    def health_changed(self, event: TargetHealthChanged) -> None:
        """The load balancer says something else of a target."""
        target = (event.group_arn, event.target)
        if self.state in {"asked", "registered"}:
            if target in self.healths:
                self.healths[target] = event.health
        elif event.health.state == "unused":
            self.draining.discard(target)
            self.drained = self.drained or not self.draining

    @property
    def healthy(self) -> bool:
        """Whether every target is healthy; so it is where there is none."""
        return all(health.state == "healthy" for health in self.healths.values())

    @property
    def failing(self) -> tuple[str, Target, TargetHealth] | None:
        """A target that fails, for its health checks or because its load balancer cannot use it."""
        for (group_arn, target), health in self.healths.items():
            unusable = health.state == "unused" and health.reason != "Target.NotRegistered"
            if health.state == "unhealthy" or unusable:
                return group_arn, target, health
        return None

    # -- leaving --

    def leave(self, stop_code: str) -> bool:
        """The task is to stop for this reason; whether it is registered, or about to be.

        Containers get their stop signal when the targets have drained; with a Spot interruption as soon as they are
        deregistered (What's New of 13 February 2023). Where a container has ended, the others are stopped at once, as
        the ECS agent does.
        """
        if self.state == "none":
            self.state = "left"
        if stop_code in {"EssentialContainerExited", "TaskFailedToStart"}:
            self.until = "nothing"
        elif stop_code == "SpotInterruption":
            self.until = "deregistered"
        return self.state != "left"

    def deregister(self, task_arn: str) -> DeregisterTask | None:
        """What has to be deregistered now; None while the registration is under way, and where there is nothing."""
        if self.state != "registered":
            return None
        self.state = "leaving"
        self.draining = set(self.targets)
        self.drained = not any(self.delay_of(group_arn) for group_arn, _ in self.targets)
        return DeregisterTask(task_arn, self.targets, self.instance)

    @property
    def delay(self) -> int:
        """How long its targets may drain."""
        return max((self.delay_of(group_arn) for group_arn, _ in self.targets), default=0)

    @property
    def unfinished(self) -> bool:
        """Whether it is registered still, so that the task keeps its address."""
        return self.state not in {"none", "left"}

    @property
    def holds_containers(self) -> bool:
        """Whether the containers of the stopping task run on for now."""
        if self.until == "nothing":
            return False
        return self.unfinished or (self.until == "drained" and bool(self.draining) and not self.drained)


def _target(task: Task, use: GroupUse) -> Target:
    if task.interface is not None:
        return Target(task.interface.private_ip, use.port)
    assert task.host is not None
    return Target(task.host.ec2_instance_id, _host_port(task, use.container, use.port))


def _host_port(task: Task, container: str, port: int) -> int:
    """The port of the host that leads to a container's; in host mode it is the same."""
    return next(one.host_port for one in task.bindings[container] if one.container_port == port)


def _instance(task: Task, use: RegistryUse) -> Instance:
    """The instance that stands for a task: developer guide, instance attributes of service discovery."""
    own = task.interface is not None
    port = use.port
    if use.container_port is not None:
        port = use.container_port if own else _host_port(task, use.container, use.container_port)
    attributes = {
        "AWS_INSTANCE_IPV4": task.interface.private_ip if task.interface else task.host.private_ip if task.host else "",
        "AWS_INSTANCE_PORT": "" if port is None else str(port),
        "AVAILABILITY_ZONE": task.availability_zone,
        "REGION": task.arn.split(":")[3],
        "ECS_SERVICE_NAME": task.service_name,
        "ECS_CLUSTER_NAME": task.cluster_arn.rsplit("/", 1)[-1],
        "ECS_TASK_DEFINITION_FAMILY": task.definition.family,
        "EC2_INSTANCE_ID": task.host.ec2_instance_id if task.host else "",
        INIT_HEALTH: "UNHEALTHY" if task.health_checked and task.health_status != "HEALTHY" else "",
    }
    return Instance(use.arn, task.id, {name: value for name, value in attributes.items() if value})


def targets_by_group(targets: Targets) -> dict[str, int]:
    """How many of the targets are in each group."""
    counts: dict[str, int] = {}
    for group_arn, _ in targets:
        counts[group_arn] = counts.get(group_arn, 0) + 1
    return counts


def holder(tasks: Sequence[Task], group_arn: str, target: Target) -> Task | None:
    """The task that a target stands for: an address may be another task's again once it has drained."""
    mine = [task for task in tasks if (group_arn, target) in task.registration.healths]
    return next((task for task in reversed(mine) if task.last_status != "STOPPED"), None)
