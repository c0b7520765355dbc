"""Composes what happens to a service, in virtual time, on the same ECS model that runs tasks on Docker.

``Composer().start().replace().recording()`` has every event that ECS would publish, with its fields, states and
versions, and what ECS and EC2 show in between.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Self

from sandbox.clock import VirtualClock
from sandbox.model.ecs import services
from sandbox.model.ecs.control import Command, Ecs
from sandbox.model.ecs.events import DOCUMENTED, SEEN_2024, EventShape, service_event, task_state_change
from sandbox.model.ecs.messages import (
    AttachEni,
    ContainerExited,
    ContainerStarted,
    DetachEni,
    EniAttached,
    EniDetached,
    HealthChanged,
    ImagePulled,
    Interface,
    PrepareResources,
    PublishTask,
    Remind,
    ResourcesReady,
    StartContainer,
    StopContainer,
    TaskCommand,
    TaskEvent,
)
from sandbox.model.ecs.service import Wake
from sandbox.model.ecs.service_events import PublishService
from sandbox.model.ecs.task import Task
from sandbox.model.replay.plan import Happened, Recording
from sandbox.model.replay.world import (
    AddressShown,
    Change,
    Fact,
    InterfaceGone,
    InterfaceShown,
    ServiceShown,
    TaskShown,
    documentation_addresses,
    in_order,
)

ACCOUNT, REGION = "123456789012", "us-east-1"
BEGIN = 1767258000.0  # 2026-01-01T09:00:00Z
SUBNET = "subnet-0a1b2c3d4e5f60718"
FIRST_HOST = 4  # AWS keeps a subnet's first four addresses
KILLED = 137  # the exit code after SIGKILL
QUIET = 3600.0  # seconds within which whatever a step began has ended
BETWEEN = 60.0  # seconds from the end of a step to the next one


@dataclass(frozen=True)
class Durations:
    """Seconds that things take. AWS documents none but the stop time-out; these are of the size that Fargate's are.

    Attributes:
        attach: From PROVISIONING to the interface.
        association: From the interface to its public address in EC2; more than ``start``: after RUNNING.
        start: From PENDING to RUNNING.
        healthy: From a container's start to HEALTHY, where it has a health check.
        stop: From SIGTERM to the end of the containers; None: the whole stop time-out.
        detach: From DEPROVISIONING to STOPPED.
        activate: Of ACTIVATING and of DEACTIVATING.
    """

    attach: float = 8.0
    association: float = 0.0
    start: float = 12.0
    healthy: float = 5.0
    stop: float | None = None
    detach: float = 10.0
    activate: float = 2.0


class Composer:
    """Each step goes on until nothing more happens, and returns the composer.

    Args:
        service: The service's name.
        cluster: Its cluster's.
        count: Its desired count.
        task_definition: A RegisterTaskDefinition request; None: one container on Fargate.
        capacity_provider: "FARGATE" or "FARGATE_SPOT", which alone is interrupted.
        assign_public_ip: Whether its tasks have public addresses.
        shape: How the attachments of its events look; see `EventShape`.
        activating: Whether ACTIVATING and DEACTIVATING are told, as for services with target groups.
        service_events: Whether "ECS Service Action" and "ECS Deployment State Change" are told, too.
        durations: See `Durations`.
        seed: Of all ids.

    Raises:
        EcsError: ECS refuses the task definition or a step.
    """

    def __init__(
        self,
        *,
        service: str = "web",
        cluster: str = "production",
        count: int = 1,
        task_definition: Mapping[str, Any] | None = None,
        capacity_provider: str = "FARGATE_SPOT",
        assign_public_ip: bool = True,
        shape: EventShape = DOCUMENTED,
        activating: bool = False,
        service_events: bool = False,
        durations: Durations | None = None,
        seed: int = 0,
    ) -> None:
        self.cluster = cluster
        self.service = service
        self._count = count
        self._shape = shape
        self._activating = activating
        self._service_events = service_events
        self._durations = durations or Durations()
        self._random = Random(seed)
        self._clock = VirtualClock(BEGIN)
        self._ecs = Ecs(ACCOUNT, REGION, self._new_id)
        self._events: list[Happened] = []
        self._facts: list[Fact] = []
        self._interfaces = 0
        self._public_ips = documentation_addresses()
        self._extra: dict[str, int] = {}  # versions that the model does not count, by task
        self._request = dict(task_definition or _task_definition(service))
        self._capacity_provider = capacity_provider
        self._assign_public_ip = assign_public_ip
        self._ecs.create_cluster({"clusterName": cluster})
        self._register()

    # -- steps --

    def start(self) -> Self:
        """Create the service; its tasks come to run."""
        request = {
            "cluster": self.cluster,
            "serviceName": self.service,
            "taskDefinition": self._request["family"],
            "desiredCount": self._count,
            "capacityProviderStrategy": [{"capacityProvider": self._capacity_provider, "weight": 1}],
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": [SUBNET],
                    "assignPublicIp": "ENABLED" if self._assign_public_ip else "DISABLED",
                }
            },
        }
        return self._step(lambda now: services.create(self._ecs, request, now)[1])

    def stop(self) -> Self:
        """Scale the service to no task."""
        return self._update(desiredCount=0)

    def scale(self, count: int) -> Self:
        """Change the desired count."""
        return self._update(desiredCount=count)

    def replace(self) -> Self:
        """Stop the oldest task by StopTask; the service starts another at once."""
        request = {"cluster": self.cluster, "task": self._oldest().arn}
        return self._step(lambda now: self._ecs.stop_task(request, now)[1])

    def rolling_update(self) -> Self:
        """Deploy a new revision of the task definition."""
        self._register()
        return self._update(taskDefinition=self._request["family"])

    def interrupt_spot(self) -> Self:
        """Fargate takes the oldest task's capacity back."""
        task = self._oldest()
        return self._step(lambda now: self._ecs.interrupt_spot(task.arn, now))

    def wait(self, seconds: float) -> Self:
        """Let time pass before the next step."""
        self._clock.advance(seconds)
        return self

    def recording(self) -> Recording:
        """Everything up to now."""
        events = sorted(self._events, key=lambda one: one.at)
        return Recording(tuple(events), in_order(self._facts))

    # -- ECS --

    def _register(self) -> None:
        self._ecs.register_task_definition(self._request, self._clock.now())

    def _update(self, **changes: Any) -> Self:
        request = {"cluster": self.cluster, "service": self.service, **changes}
        return self._step(lambda now: services.update(self._ecs, request, now)[1])

    def _oldest(self) -> Task:
        cluster = self._ecs.find_cluster(self.cluster)
        service = self._ecs.find_service(cluster, self.service)
        return next(task for task in self._ecs.tasks_of(service) if task.desired_status == "RUNNING")

    def _step(self, change: Callable[[float], Iterable[Command]]) -> Self:
        self._apply(change)
        bound = self._clock.now() + QUIET
        while (due := self._clock.next_due()) is not None and due <= bound:
            self._clock.advance(due - self._clock.now())
        return self.wait(BETWEEN)

    def _apply(self, change: Callable[[float], Iterable[Command]], *, of: str = "") -> None:
        commands = list(change(self._clock.now()))
        for command in commands:
            self._carry_out(command)
        # Also a change without an event shows at once in DescribeTasks: STOPPING, healthStatus.
        changed = [of] if of else []
        changed += [one.task_arn for one in commands if isinstance(one, TaskCommand)]
        for arn in dict.fromkeys(changed):
            self._show(TaskShown(self._numbered(self._ecs.tasks[arn].describe())))
        for service in self._ecs.services.values():
            self._show(ServiceShown(service.describe(self._ecs.tasks_of(service))))

    def _happens(self, delay: float, task_arn: str, *events: TaskEvent) -> None:
        def happen() -> None:
            for event in events:
                self._apply(partial(self._ecs.task_event, task_arn, event), of=task_arn)

        self._clock.call_later(delay, happen)

    def _carry_out(self, command: Command) -> None:
        takes = self._durations
        match command:
            case PublishTask(_, task):
                self._publish(task)
            case AttachEni(arn, network):
                self._clock.call_later(takes.attach, lambda: self._attach(arn, assign=network.assign_public_ip))
            case StartContainer(arn, name):
                digest = f"sha256:{self._new_id()}{self._new_id()}"
                runtime_id = f"{arn.rsplit('/', 1)[-1]}-{self._random.getrandbits(31):010d}"
                self._happens(
                    takes.start + (takes.activate if self._activating else 0.0),
                    arn,
                    ImagePulled(name, digest),
                    ContainerStarted(name, runtime_id),
                )
                if self._ecs.tasks[arn].definition.container(name).health_check:
                    self._happens(takes.start + takes.healthy, arn, HealthChanged(name, "HEALTHY"))
            case PrepareResources(arn):
                self._happens(0.0, arn, ResourcesReady())
            case Remind(arn, reminder, delay):
                self._happens(delay, arn, reminder)
            case StopContainer(arn, name, timeout):
                in_time = takes.stop is not None and takes.stop < timeout
                seconds = takes.stop if in_time and takes.stop is not None else float(timeout)
                self._happens(seconds, arn, ContainerExited(name, 0 if in_time else KILLED))
            case DetachEni(arn):
                self._clock.call_later(takes.detach, lambda: self._detach(arn))
            case PublishService() if self._service_events:
                self._publish_about_service(command)
            case Wake():
                self._clock.call_later(command.delay, lambda: self._apply(partial(self._ecs.wake, command)))

    def _attach(self, arn: str, *, assign: bool) -> None:
        number = self._interfaces
        self._interfaces += 1
        private_ip = f"10.0.{number // 250}.{number % 250 + FIRST_HOST}"
        interface = Interface(
            f"eni-0{self._new_id()[:16]}",
            SUBNET,
            f"02:00:00:00:{number // 256:02x}:{number % 256:02x}",
            f"ip-{private_ip.replace('.', '-')}.ec2.internal",
            private_ip,
            f"{REGION}a",
        )
        self._show(InterfaceShown(interface, self._ecs.attachment_arn(self._ecs.tasks[arn])))
        if assign:
            address = AddressShown(interface.id, next(self._public_ips))
            self._facts.append(Fact(self._clock.now() + self._durations.association, address))
        self._apply(partial(self._ecs.task_event, arn, EniAttached(interface)))

    def _detach(self, arn: str) -> None:
        interface = self._ecs.tasks[arn].interface
        if interface is not None:
            self._show(InterfaceGone(interface.id))
        self._apply(partial(self._ecs.task_event, arn, EniDetached()))

    # -- what is told and shown --

    def _publish(self, task: Mapping[str, Any]) -> None:
        arn, told_to_stop = task["taskArn"], task["desiredStatus"] == "STOPPED"
        if self._activating and task["lastStatus"] == "RUNNING" and not told_to_stop and not self._extra.get(arn):
            self._tell_between(task, "ACTIVATING", self._clock.now() - self._durations.activate)
        self._tell(self._numbered(task), self._clock.now())
        if self._activating and task["lastStatus"] == "RUNNING" and told_to_stop and self._extra.get(arn) == 1:
            self._tell_between(task, "DEACTIVATING", self._clock.now())

    def _tell_between(self, task: Mapping[str, Any], status: str, at: float) -> None:
        """The model has no target groups: a state that comes with them, and makes a version of its own."""
        arn = task["taskArn"]
        shown = {**self._numbered(task), "lastStatus": status}
        if status == "ACTIVATING":
            del shown["startedAt"]
        else:
            shown["version"] += 1
        self._extra[arn] = self._extra.get(arn, 0) + 1
        self._facts.append(Fact(at, TaskShown(shown)))
        self._tell(shown, at)

    def _numbered(self, task: Mapping[str, Any]) -> dict[str, Any]:
        return {**task, "version": task["version"] + self._extra.get(task["taskArn"], 0)}

    def _tell(self, task: Mapping[str, Any], at: float) -> None:
        event = task_state_change(
            task,
            event_id=self._event_id(),
            now=at,
            account=ACCOUNT,
            region=REGION,
            shape=self._shape,
        )
        self._events.append(Happened(at, event))

    def _publish_about_service(self, command: PublishService) -> None:
        now = self._clock.now()
        event = service_event(
            command.service_arn,
            command.detail_type,
            command.detail,
            event_id=self._event_id(),
            now=now,
            account=ACCOUNT,
            region=REGION,
        )
        self._events.append(Happened(now, event))

    def _event_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _show(self, change: Change) -> None:
        self._facts.append(Fact(self._clock.now(), change))

    def _new_id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"


def _task_definition(family: str) -> dict[str, Any]:
    return {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": family, "image": f"{family}:1"}],
    }


SHAPES: Mapping[str, EventShape] = {
    "documented": DOCUMENTED,
    "elb-first": EventShape(elb_attachment_first=True),
    "field-inserted": EventShape(private_dns_name=True),
    "seen-2024": SEEN_2024,
}
"""How the command line calls the shapes of what it composes."""

NAMED: Mapping[str, Callable[[Composer], Composer]] = {
    "start": Composer.start,
    "stop": lambda composer: composer.start().stop(),
    "replace": lambda composer: composer.start().replace(),
    "rolling-update": lambda composer: composer.start().rolling_update(),
    "spot-interruption": lambda composer: composer.start().interrupt_spot(),
}
"""What the command line composes by name."""
