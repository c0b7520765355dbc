"""One task: its life cycle as a state machine.

Events come in (`EniAttached`, `ContainerStarted`, ...), commands go out (`AttachEni`, `StartContainer`, ...), and the
task's own fields always say what DescribeTasks would. Life cycle: developer guide "Amazon ECS task lifecycle":
PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED. ACTIVATING and
DEACTIVATING belong to target groups and service discovery (see `sandbox.model.ecs.registration`); a task that has
neither passes by them. STOPPING shows in DescribeTasks and makes no event: the events of a Fargate task that is told to
stop are RUNNING with desiredStatus STOPPED (version 4), DEPROVISIONING (5) and STOPPED (6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs import dependencies, health, restart, shown, stopping
from sandbox.model.ecs.container import Container
from sandbox.model.ecs.dependencies import Unresolvable
from sandbox.model.ecs.health import Health
from sandbox.model.ecs.messages import (
    AttachEni,
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    EniAttached,
    EniDetached,
    EniFailed,
    EnterInstance,
    HealthChanged,
    Host,
    HostLost,
    ImagePulled,
    InstanceEntered,
    InstanceLeft,
    Interface,
    MayRestart,
    Network,
    PrepareResources,
    PublishTask,
    Remind,
    ResourcesFailed,
    ResourcesReady,
    StartContainer,
    StartTimedOut,
    StopRequested,
    TaskCommand,
    TaskEvent,
)
from sandbox.model.ecs.ports import Binding
from sandbox.model.ecs.registration import (
    Deregistered,
    DrainOver,
    Registered,
    Registration,
    RegistrationEvent,
    RegistrationFailed,
    TargetHealthChanged,
)
from sandbox.model.ecs.taskdef import TaskDefinition

SERVICE_GROUP = "service:"  # begins the group of a service's tasks; no other may begin so

STATUSES = (
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
)
ON_THE_WAY = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})  # to RUNNING


def is_meant(arn: str, wanted: str) -> bool:
    """Whether a person means the task ``arn`` by ``wanted``: its ARN, its id, or the beginning of that."""
    return bool(wanted) and (arn == wanted or arn.rpartition("/")[2].startswith(wanted))


@dataclass
class Task:
    """A task and everything ECS knows of it. Times are seconds since the epoch.

    ``definition`` has ``overrides`` applied (see `sandbox.model.ecs.overrides`). ``network`` is None unless it is in
    awsvpc mode. ``host``, ``bindings`` (by container) and ``draining`` (its instance is) are for launch type EC2.

    Make one with `start`; afterwards only `handle` changes it, itself or by `stopping` and `restart`.
    """

    arn: str
    cluster_arn: str
    definition: TaskDefinition
    network: Network | None
    attachment_id: str
    group: str
    launch_type: str
    capacity_provider: str | None
    started_by: str
    created_at: float
    containers: dict[str, Container]
    tags: tuple[Mapping[str, str], ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    execute_command: bool = False
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    version: int = 1
    attachment_status: str = "PRECREATED"
    interface: Interface | None = None
    stop_code: str = ""
    stopped_reason: str = ""
    times: dict[str, float] = field(default_factory=dict)
    registration: Registration = field(default_factory=Registration)
    host: Host | None = None
    bindings: Mapping[str, tuple[Binding, ...]] = field(default_factory=dict)
    draining: bool = False

    @property
    def id(self) -> str:
        """The last part of the ARN, 32 hexadecimal digits."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def service_name(self) -> str:
        """The service that has started it, whose group it is in ("": none has)."""
        return self.group.removeprefix(SERVICE_GROUP) if self.group.startswith(SERVICE_GROUP) else ""

    @property
    def health_status(self) -> Health:
        """HEALTHY, UNHEALTHY or UNKNOWN, from the essential containers that have a health check."""
        return health.of_task(
            self.containers[definition.name].health
            for definition in self.definition.containers
            if definition.essential and definition.health_check
        )

    @property
    def health_checked(self) -> bool:
        """Whether an essential container has a health check."""
        return any(container.essential and container.health_check for container in self.definition.containers)

    @property
    def all_stopped(self) -> bool:
        """Whether no container runs or is to run."""
        return all(container.status == "STOPPED" for container in self.containers.values())

    @property
    def availability_zone(self) -> str:
        """Where it runs ("" while that is not known)."""
        if self.host is not None:
            return self.host.availability_zone
        return self.interface.availability_zone if self.interface else ""

    def start(self) -> list[TaskCommand]:
        """The first commands of a new task. One without an interface of its own has nothing to be provisioned."""
        if self.network is None:
            self.last_status = "PENDING"
            return [self._publish(), EnterInstance(self.arn)]
        return [self._publish(), AttachEni(self.arn, self.network)]

    def handle(self, event: TaskEvent, now: float) -> list[TaskCommand]:
        """Take one event and say what has to be done.

        Events that come late or twice (a container that started after the task was given up) change nothing that is
        final.
        """
        commands: list[TaskCommand] = []
        match event:
            case EniAttached(interface) if self.last_status == "PROVISIONING":
                commands = self._attached(interface, now)
            case EniFailed(reason) if self.last_status == "PROVISIONING":
                commands = stopping.attach_failed(self, reason, now)
            case EniDetached() if self.last_status == "DEPROVISIONING":
                commands = stopping.stopped(self, now)
            case InstanceEntered() if self.last_status == "PENDING" and "connectivityAt" not in self.times:
                commands = self._entered(now)
            case InstanceLeft() if self.last_status == "STOPPING":
                commands = stopping.stopped(self, now)
            case HostLost(reason, stop_code):
                commands = stopping.host_lost(self, stop_code, reason, now)
            case ResourcesReady():
                commands = self._resources_ready(now)
            case ResourcesFailed(reason) if "pullStartedAt" not in self.times:
                commands = stopping.stop(self, "TaskFailedToStart", reason, now)
            case StopRequested(reason, stop_code):
                commands = stopping.stop(self, stop_code, reason, now)
            case Registered() | RegistrationFailed() | Deregistered() | DrainOver() | TargetHealthChanged():
                commands = self._registration_event(event, now)
            case _:
                commands = self._container_event(event, now)
        return commands

    def _registration_event(self, event: RegistrationEvent, now: float) -> list[TaskCommand]:
        commands: list[TaskCommand] = []
        match event:
            case Registered() | RegistrationFailed() if self.registration.has_registered():
                commands = self._registered(event, now)
            case Deregistered() if self.registration.state == "leaving":
                self.registration.state = "left"
                commands = stopping.further(self, now)
            case DrainOver():
                self.registration.drained = True
                commands = stopping.further(self, now)
            case TargetHealthChanged():
                self.registration.health_changed(event)
                commands = stopping.further(self, now)
        return commands

    def _registered(self, event: Registered | RegistrationFailed, now: float) -> list[TaskCommand]:
        if isinstance(event, RegistrationFailed):
            self.registration.until = "deregistered"  # nothing was sent there that could drain
        if self.desired_status == "STOPPED":
            return stopping.deregister(self)
        commands: list[TaskCommand] = []
        if self.last_status == "ACTIVATING":
            if isinstance(event, RegistrationFailed):
                reason = f"Unable to register with {event.where}: {event.error}"
                return stopping.stop(self, "TaskFailedToStart", reason, now)
            commands = [self._run(now)]
        return commands + list(self.registration.sync_health(self))

    def _container_event(self, event: TaskEvent, now: float) -> list[TaskCommand]:
        commands: list[TaskCommand] = []
        match event:
            case ImagePulled(name, digest):
                self._pulled(name, digest, now)
            case ContainerStarted(name, runtime_id, address):
                self.containers[name].address = address
                commands = self._container_started(name, runtime_id, now)
            case ContainerFailed(name, reason):
                commands = stopping.container_failed(self, name, reason, now)
            case ContainerExited(name, exit_code, reason):
                commands = self._container_exited(name, exit_code, reason, now)
            case HealthChanged(name, status):
                commands = self._health_changed(name, status, now)
            case StartTimedOut(name):
                commands = self._start_timed_out(name, now)
            case MayRestart(name, since):
                restart.may_restart(self, name, since)
        return commands

    # -- starting --

    def _attached(self, interface: Interface, now: float) -> list[TaskCommand]:
        self.interface = interface
        self.attachment_status = "ATTACHED"
        self.times["connectivityAt"] = now
        if self.desired_status == "STOPPED":
            return stopping.attached_too_late(self, now)
        if self._needs_resources():
            return [self.move("PENDING"), PrepareResources(self.arn)]
        self.times["pullStartedAt"] = now
        return [self.move("PENDING"), *self._start_ready(now)]

    def _entered(self, now: float) -> list[TaskCommand]:
        self.times["connectivityAt"] = now
        return [PrepareResources(self.arn)] if self._needs_resources() else self._resources_ready(now)

    def _needs_resources(self) -> bool:
        return any(container.needs_resources for container in self.definition.containers)

    def _resources_ready(self, now: float) -> list[TaskCommand]:
        if self.last_status != "PENDING" or "pullStartedAt" in self.times:
            return []
        self.times["pullStartedAt"] = now
        return self._start_ready(now)

    def _pulled(self, name: str, digest: str, now: float) -> None:
        container = self.containers[name]
        container.pulled, container.digest = True, digest
        if all(other.pulled for other in self.containers.values()):
            self.times.setdefault("pullStoppedAt", now)

    def _container_started(self, name: str, runtime_id: str, now: float) -> list[TaskCommand]:
        container = self.containers[name]
        container.runtime_id = runtime_id
        container.started_at = container.started_at or now
        if container.status != "PENDING":  # a restart, or it has exited before its start was reported
            return restart.allow(self, container)
        container.status = "RUNNING"
        further = [*self._start_ready(now), *self._watch_start(name)]
        return [*self._running_if_complete(now), *further, *restart.allow(self, container)]

    def _running_if_complete(self, now: float) -> list[TaskCommand]:
        complete = all(container.status != "PENDING" for container in self.containers.values())
        if self.last_status == "PENDING" and self.desired_status == "RUNNING" and complete:
            asked = self.registration.ask(self)
            first = self.move("ACTIVATING") if self.registration.wanted.before_running else self._run(now)
            return [first, *asked]
        return []

    def _run(self, now: float) -> PublishTask:
        self.times["startedAt"] = now
        return self.move("RUNNING")

    def _start_ready(self, now: float) -> list[TaskCommand]:
        """Start what waits for nothing any more, unless something that it would run with can never start."""
        ready: list[Container] = []
        for container in self._waiting():
            try:
                if self._is_ready(container):
                    ready.append(container)
            except Unresolvable as error:
                return self._never_starts(container, str(error), now)
        for container in ready:
            container.asked, container.created_at = True, now
        return [StartContainer(self.arn, container.name) for container in ready]

    def _is_ready(self, container: Container) -> bool:
        waits_for = self.definition.container(container.name).waits_for
        # Each is asked, whatever the others say: it may be one that can never be met.
        met = [dependencies.met(one, self.containers[one.container], container.name) for one in waits_for]
        return all(met)

    def _waiting(self) -> list[Container]:
        if self.desired_status == "STOPPED":
            return []
        return [c for c in self.containers.values() if c.status == "PENDING" and not c.asked]

    def _never_starts(self, container: Container, why: str, now: float) -> list[TaskCommand]:
        # 143 is the ECS agent's exit code for a container that its dependencies keep from starting.
        container.status, container.exit_code = "STOPPED", 143
        container.reason = f"CannotStartContainerError: {why}"
        if self.definition.container(container.name).essential or self.all_stopped:
            return stopping.stop(self, "TaskFailedToStart", container.reason, now)
        return [self.changed(), *self._start_ready(now), *self._running_if_complete(now)]

    def _watch_start(self, name: str) -> list[TaskCommand]:
        timeout = self.definition.container(name).start_timeout
        if timeout is None or not dependencies.timed_dependants(name, self.definition.containers):
            return []
        return [Remind(self.arn, StartTimedOut(name), timeout)]

    def _start_timed_out(self, name: str, now: float) -> list[TaskCommand]:
        if self.containers[name].status == "STOPPED":  # "cannot time out": what it has come to decides
            return []
        late = dependencies.timed_dependants(name, self.definition.containers)
        commands: list[TaskCommand] = []
        # An essential one ends the task: first, so that nothing is started that only waited for the others.
        waiting = sorted(self._waiting(), key=lambda one: not self.definition.container(one.name).essential)
        for container in waiting:
            if container.name in late and container.status == "PENDING" and self.desired_status == "RUNNING":
                commands += self._never_starts(container, dependencies.timed_out(name, container.name), now)
        return commands

    # -- running --

    def _health_changed(self, name: str, status: Health, now: float) -> list[TaskCommand]:
        container = self.containers[name]
        if container.status == "STOPPED":
            return []
        container.health = status  # without an event: healthStatus is not in events
        return [*self._start_ready(now), *self.registration.sync_health(self)]

    def _container_exited(self, name: str, exit_code: int, reason: str, now: float) -> list[TaskCommand]:
        container = self.containers[name]
        if container.status == "STOPPED":
            return []
        if self.desired_status == "RUNNING" and (again := restart.restart(self, container, exit_code, now)):
            return again
        # What has exited has run, also where its start is reported after its end: "the task already moved to the
        # RUNNING state" ("Service throttle logic").
        container.status = "RUNNING"
        commands = self._running_if_complete(now)
        container.status, container.exit_code, container.reason = "STOPPED", exit_code, reason
        container.started_at, container.finished_at = container.started_at or now, now
        if self.desired_status == "STOPPED":
            if self.definition.container(name).essential:
                self.registration.until = "nothing"  # the ECS agent stops the others at once
            return stopping.further(self, now)
        if self.definition.container(name).essential or self.all_stopped:
            return commands + stopping.stop(self, "EssentialContainerExited", "Essential container in task exited", now)
        # "A container in the task changes state" is an event of its own.
        return [*commands, self.changed(), *self._start_ready(now)]

    # -- showing --

    def move(self, status: str) -> PublishTask:
        """Come to another lastStatus, with an event."""
        self.last_status = status
        return self.changed()

    def changed(self) -> PublishTask:
        """Its next version, to be published."""
        self.version += 1
        return self._publish()

    def _publish(self) -> PublishTask:
        return PublishTask(self.arn, shown.published(self))

    def describe(self) -> dict[str, Any]:
        """The task as DescribeTasks shows it (API reference "Task"); times are seconds since the epoch."""
        return shown.describe(self)
