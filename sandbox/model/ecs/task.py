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

from sandbox.model.ecs import dependencies, health, shown
from sandbox.model.ecs.container import Container
from sandbox.model.ecs.dependencies import Unresolvable
from sandbox.model.ecs.health import Health
from sandbox.model.ecs.messages import (
    AttachEni,
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    DetachEni,
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
    LeaveInstance,
    MayRestart,
    Network,
    PrepareResources,
    PublishTask,
    Remind,
    ResourcesFailed,
    ResourcesReady,
    RestartContainer,
    StartContainer,
    StartTimedOut,
    StopContainer,
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


def is_meant(arn: str, wanted: str) -> bool:
    """Whether a person means the task ``arn`` by ``wanted``: its ARN, its id, or the beginning of that."""
    return bool(wanted) and (arn == wanted or arn.rpartition("/")[2].startswith(wanted))


@dataclass
class Task:
    """A task and everything ECS knows of it. Times are seconds since the epoch.

    ``definition`` has ``overrides`` applied (see `sandbox.model.ecs.overrides`). ``network`` is None unless it is in
    awsvpc mode. ``host``, ``bindings`` (by container) and ``draining`` (its instance is) are for launch type EC2.

    Make one with `start`; afterwards only `handle` changes it.
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
                commands = self._attach_failed(reason, now)
            case EniDetached() if self.last_status == "DEPROVISIONING":
                commands = self._stopped(now)
            case InstanceEntered() if self.last_status == "PENDING" and "connectivityAt" not in self.times:
                commands = self._entered(now)
            case InstanceLeft() if self.last_status == "STOPPING":
                commands = self._stopped(now)
            case HostLost(reason, stop_code):
                commands = self._host_lost(stop_code, reason, now)
            case ResourcesReady():
                commands = self._resources_ready(now)
            case ResourcesFailed(reason) if "pullStartedAt" not in self.times:
                commands = self._stop("TaskFailedToStart", reason, now)
            case StopRequested(reason, stop_code):
                commands = self._stop(stop_code, reason, now)
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
                commands = self._stop_further(now)
            case DrainOver():
                self.registration.drained = True
                commands = self._stop_further(now)
            case TargetHealthChanged():
                self.registration.health_changed(event)
                commands = self._stop_further(now)
        return commands

    def _registered(self, event: Registered | RegistrationFailed, now: float) -> list[TaskCommand]:
        if isinstance(event, RegistrationFailed):
            self.registration.until = "deregistered"  # nothing was sent there that could drain
        if self.desired_status == "STOPPED":
            return self._deregister()
        commands: list[TaskCommand] = []
        if self.last_status == "ACTIVATING":
            if isinstance(event, RegistrationFailed):
                return self._stop("TaskFailedToStart", f"Unable to register with {event.where}: {event.error}", now)
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
                commands = self._container_failed(name, reason, now)
            case ContainerExited(name, exit_code, reason):
                commands = self._container_exited(name, exit_code, reason, now)
            case HealthChanged(name, status):
                commands = self._health_changed(name, status, now)
            case StartTimedOut(name):
                commands = self._start_timed_out(name, now)
            case MayRestart(name, since):
                self._may_restart(name, since)
        return commands

    # -- starting --

    def _attached(self, interface: Interface, now: float) -> list[TaskCommand]:
        self.interface = interface
        self.attachment_status = "ATTACHED"
        self.times["connectivityAt"] = now
        if self.desired_status == "STOPPED":
            self._stop_containers_that_never_ran()
            return self._deprovision(now)
        if self._needs_resources():
            return [self._move("PENDING"), PrepareResources(self.arn)]
        self.times["pullStartedAt"] = now
        return [self._move("PENDING"), *self._start_ready(now)]

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

    def _attach_failed(self, reason: str, now: float) -> list[TaskCommand]:
        self._give_up("TaskFailedToStart", reason, now)
        self._stop_containers_that_never_ran()
        return self._stopped(now)

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
            return self._allow_restart(container)
        container.status = "RUNNING"
        further = [*self._start_ready(now), *self._watch_start(name)]
        return [*self._running_if_complete(now), *further, *self._allow_restart(container)]

    def _allow_restart(self, container: Container) -> list[TaskCommand]:
        policy = self.definition.container(container.name).restart
        if policy is None or container.status != "RUNNING" or container.started_at is None:
            return []
        return [Remind(self.arn, MayRestart(container.name, container.started_at), policy.period)]

    def _may_restart(self, name: str, since: float) -> None:
        container = self.containers[name]
        if container.status == "RUNNING" and container.started_at == since:
            container.may_restart = True

    def _restart(self, container: Container, exit_code: int, now: float) -> list[TaskCommand]:
        """Start it again, where its policy allows it; without an event, as its status stays RUNNING."""
        policy = self.definition.container(container.name).restart
        if policy is None or not container.may_restart or exit_code in policy.ignored:
            return []
        container.may_restart = False
        container.restarts += 1
        container.started_at, container.health = now, "UNKNOWN"
        return [RestartContainer(self.arn, container.name)]

    def _running_if_complete(self, now: float) -> list[TaskCommand]:
        complete = all(container.status != "PENDING" for container in self.containers.values())
        if self.last_status == "PENDING" and self.desired_status == "RUNNING" and complete:
            asked = self.registration.ask(self)
            first = self._move("ACTIVATING") if self.registration.wanted.before_running else self._run(now)
            return [first, *asked]
        return []

    def _run(self, now: float) -> PublishTask:
        self.times["startedAt"] = now
        return self._move("RUNNING")

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
        if self.definition.container(container.name).essential or self._all_stopped():
            return self._stop("TaskFailedToStart", container.reason, now)
        return [self._changed(), *self._start_ready(now), *self._running_if_complete(now)]

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

    def _health_changed(self, name: str, status: Health, now: float) -> list[TaskCommand]:
        container = self.containers[name]
        if container.status == "STOPPED":
            return []
        container.health = status  # without an event: healthStatus is not in events
        return [*self._start_ready(now), *self.registration.sync_health(self)]

    # -- stopping --

    def _container_failed(self, name: str, reason: str, now: float) -> list[TaskCommand]:
        container = self.containers[name]
        if container.status != "PENDING":
            return []
        container.status, container.reason = "STOPPED", reason
        # One container that cannot be started is the end of the task, essential or not.
        return self._stop("TaskFailedToStart", reason, now) or self._stop_further(now)

    def _container_exited(self, name: str, exit_code: int, reason: str, now: float) -> list[TaskCommand]:
        container = self.containers[name]
        if container.status == "STOPPED":
            return []
        if self.desired_status == "RUNNING" and (again := self._restart(container, exit_code, now)):
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
            return self._stop_further(now)
        if self.definition.container(name).essential or self._all_stopped():
            return commands + self._stop("EssentialContainerExited", "Essential container in task exited", now)
        # "A container in the task changes state" is an event of its own.
        return [*commands, self._changed(), *self._start_ready(now)]

    def _stop(self, code: str, reason: str, now: float) -> list[TaskCommand]:
        if self.desired_status == "STOPPED":
            return []
        self._give_up(code, reason, now)
        commands: list[TaskCommand] = [self._changed()]
        if self.last_status == "PROVISIONING":
            return commands  # the interface is on its way; it is taken down when it has come
        for container in self.containers.values():
            if not container.asked:
                container.status = "STOPPED"
        return [*commands, *self._leave(code), *self._stop_further(now)]

    def _leave(self, code: str) -> list[TaskCommand]:
        """Begin to deregister, where there is something to."""
        if not self.registration.leave(code):
            return []
        announced = [self._move("DEACTIVATING")] if self.registration.wanted.before_running else []
        self.last_status = "DEACTIVATING"
        return [*announced, *self._deregister()]

    def _deregister(self) -> list[TaskCommand]:
        command = self.registration.deregister(self.arn)
        if command is None:
            return []
        drain = () if self.registration.drained else (Remind(self.arn, DrainOver(), self.registration.delay),)
        return [command, *drain]

    def _stop_ready(self) -> list[TaskCommand]:
        """Stop what no live container depends on: the order of the start, reversed."""
        commands: list[TaskCommand] = []
        for container in self.containers.values():
            dependants = dependencies.dependants(container.name, self.definition.containers)
            if container.status == "STOPPED" or container.stopping:
                continue
            if all(self.containers[name].status == "STOPPED" for name in dependants):
                container.stopping = True
                timeout = self.definition.container(container.name).stop_timeout
                commands.append(StopContainer(self.arn, container.name, timeout))
        return commands

    def _give_up(self, code: str, reason: str, now: float) -> None:
        if self.desired_status == "RUNNING":
            self.desired_status = "STOPPED"
            self.stop_code, self.stopped_reason = code, reason
            self.times["stoppingAt"] = now

    def _stop_containers_that_never_ran(self) -> None:
        for container in self.containers.values():
            container.status = "STOPPED"

    def _all_stopped(self) -> bool:
        return all(container.status == "STOPPED" for container in self.containers.values())

    def _stop_further(self, now: float) -> list[TaskCommand]:
        """Go on with a stop: once its targets have drained, stop the containers; then take the interface down."""
        over = self.last_status == "STOPPED" or "executionStoppedAt" in self.times
        if over or self.desired_status == "RUNNING" or self.last_status == "PROVISIONING":
            return []
        if self._all_stopped():
            return [] if self.registration.unfinished else self._deprovision(now)
        if self.registration.holds_containers:
            return []
        self.last_status = "STOPPING"  # without an event, see above
        return self._stop_ready()

    def _host_lost(self, code: str, reason: str, now: float) -> list[TaskCommand]:
        leaving = self.last_status == "STOPPING" and self._all_stopped()
        if leaving or self.last_status in {"DEPROVISIONING", "STOPPED"}:
            return []
        self._give_up(code, reason, now)
        if self.last_status == "PROVISIONING":
            return [self._changed()]  # the interface is taken down when it has come
        for container in self.containers.values():
            container.status = "STOPPED"
        # Nothing is left that could drain.
        return [self._changed(), *self._leave("EssentialContainerExited"), *self._stop_further(now)]

    def _deprovision(self, now: float) -> list[TaskCommand]:
        self.times["executionStoppedAt"] = now
        if self.network is None:  # nothing to be deprovisioned
            self.last_status = "STOPPING"
            return [LeaveInstance(self.arn)]
        self.attachment_status = "DETACHING"
        return [self._move("DEPROVISIONING"), DetachEni(self.arn)]

    def _stopped(self, now: float) -> list[TaskCommand]:
        self.attachment_status = "DELETED"
        self.times["stoppedAt"] = now
        return [self._move("STOPPED")]

    # -- showing --

    def _move(self, status: str) -> PublishTask:
        self.last_status = status
        return self._changed()

    def _changed(self) -> PublishTask:
        self.version += 1
        return self._publish()

    def _publish(self) -> PublishTask:
        return PublishTask(self.arn, shown.published(self))

    def describe(self) -> dict[str, Any]:
        """The task as DescribeTasks shows it (API reference "Task"); times are seconds since the epoch."""
        return shown.describe(self)
