"""What the tests of the ECS model share: a task definition, a network interface, and commands spelled as words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import pytest

from sandbox.model.ecs import services, taskdef
from sandbox.model.ecs.container import Container
from sandbox.model.ecs.container_instance import DropInstance, PublishInstance
from sandbox.model.ecs.control import Command, Ecs
from sandbox.model.ecs.messages import (
    AttachEni,
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    DetachEni,
    EniAttached,
    EniDetached,
    EnterInstance,
    InstanceEntered,
    InstanceLeft,
    Interface,
    LeaveInstance,
    Network,
    PrepareResources,
    PublishTask,
    Remind,
    RestartContainer,
    StartContainer,
    StopContainer,
    TaskEvent,
)
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.registration import (
    Deregistered,
    DeregisterTask,
    DrainOver,
    Registered,
    RegisterTask,
    Registration,
    Registrations,
    SetInstanceHealth,
)
from sandbox.model.ecs.registration_requests import Lookups
from sandbox.model.ecs.service import Service, Wake
from sandbox.model.ecs.service_events import PublishService, ServiceSaid
from sandbox.model.ecs.task import Task
from sandbox.model.elb.config import TargetGroup
from sandbox.model.elb.target import TargetHealth
from tests.model.ecs.fleet import Fleet

ARN_PREFIX = "arn:aws:ecs:us-east-1:123456789012"
TASK_ARN = f"{ARN_PREFIX}:task/blog/0123456789abcdef0123456789abcdef"
GROUPS = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup"
REGISTRY = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"
NETWORK = Network(("subnet-a", "subnet-b"), ("sg-1",), assign_public_ip=True)


ALONE = {
    AttachEni: "attach",
    DetachEni: "detach",
    EnterInstance: "enter",
    LeaveInstance: "leave",
    PrepareResources: "prepare",
}


def _container(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": f"{name}:1", **more}


@pytest.fixture
def container() -> Callable[..., dict[str, Any]]:
    """A container definition: ``container("web", essential=False)``."""
    return _container


@pytest.fixture
def request_for() -> Callable[..., dict[str, Any]]:
    """A good RegisterTaskDefinition request for Fargate, with changes; a change to None leaves the parameter out."""

    def make(*containers: dict[str, Any], **changes: Any) -> dict[str, Any]:
        request = {
            "family": "blog",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": list(containers) or [_container("web")],
            **changes,
        }
        return {name: value for name, value in request.items() if value is not None}

    return make


@pytest.fixture
def register(request_for: Callable[..., dict[str, Any]]) -> Callable[..., taskdef.TaskDefinition]:
    """Register what `request_for` makes."""

    def make(*containers: dict[str, Any], **changes: Any) -> taskdef.TaskDefinition:
        return taskdef.register(request_for(*containers, **changes), arn_prefix=ARN_PREFIX, revision=1, now=1.0)

    return make


@pytest.fixture
def interface() -> Interface:
    """The network interface that every task gets."""
    return Interface("eni-1", "subnet-a", "02:00:00:00:00:01", "ip-10-0-0-9.ec2.internal", "10.0.0.9", "us-east-1a")


@pytest.fixture
def words() -> Callable[[Iterable[Command]], list[str]]:
    """Commands as a transcript: ``event RUNNING>STOPPED v4`` is lastStatus, desiredStatus and detail.version."""

    def spell(command: Command) -> str:
        match command:
            case PublishTask(_, task):
                desired = ">STOPPED" if task["desiredStatus"] == "STOPPED" else ""
                word = f"event {task['lastStatus']}{desired} v{task['version']}"
            case AttachEni() | DetachEni() | EnterInstance() | LeaveInstance() | PrepareResources():
                word = ALONE[type(command)]
            case PublishInstance(_, _, instance):
                word = f"instance {instance['status']} v{instance['version']}"
            case DropInstance(ec2_instance_id):
                word = f"drop {ec2_instance_id}"
            case StartContainer(_, name):
                word = f"start {name}"
            case StopContainer(_, name, timeout):
                word = f"stop {name} {timeout}s"
            case RestartContainer(_, name):
                word = f"restart {name}"
            case Remind(_, event, delay):
                drain = isinstance(event, DrainOver)
                word = f"drain {delay}s" if drain else f"remind {type(event).__name__} {event.container} {delay}s"
            case RegisterTask() | DeregisterTask():
                word = " ".join(["register" if isinstance(command, RegisterTask) else "deregister", *_where(command)])
            case SetInstanceHealth(_, _, healthy):
                word = "tell healthy" if healthy else "tell unhealthy"
            case Wake(_, delay):
                word = f"wake in {delay:g}s"
            case PublishService(_, _, detail):
                word = str(detail["eventName"])
        return word

    return lambda commands: [spell(command) for command in commands if not isinstance(command, ServiceSaid)]


def _where(command: RegisterTask | DeregisterTask) -> list[str]:
    """``blue=10.0.0.9:80 srv-1``: a target in the group blue, and an instance in a registry."""
    targets = [f"{group_arn.split('/')[1]}={target}" for group_arn, target in command.targets]
    return [*targets, *([command.instance.registry_arn.rsplit("/", 1)[-1]] if command.instance else [])]


class Play:
    """A task and the clock: each `on` says what one event must lead to; time goes on by a second an event."""

    def __init__(self, task: Task, interface: Interface, words: Callable[..., list[str]]) -> None:
        self.task = task
        self.attached = EniAttached(interface)
        self._words = words
        self._seconds = count(101)

    def start(self) -> Play:
        assert self._words(self.task.start()) == ["event PROVISIONING v1", "attach"]
        return self

    def on(self, event: TaskEvent, *expected: str) -> Play:
        assert self._words(self.task.handle(event, float(next(self._seconds)))) == list(expected)
        return self

    def pending(self) -> Play:
        names = [f"start {name}" for name in self.task.containers]
        return self.start().on(self.attached, "event PENDING v2", *names)

    def running(self) -> Play:
        self.pending()
        *first, last = self.task.containers
        for name in first:
            self.on(ContainerStarted(name, f"id-{name}"))
        return self.on(ContainerStarted(last, f"id-{last}"), "event RUNNING v3")

    def shows(self, **expected: Any) -> Play:
        shown = self.task.describe()
        assert {name: shown.get(name) for name in expected} == expected
        return self


@pytest.fixture
def play(register: Callable[..., Any], interface: Interface, words: Callable[..., list[str]]) -> Callable[..., Play]:
    """A task of these containers; ``registrations`` say where it is registered, and targets drain for 300 s."""

    def make(*containers: dict[str, Any], registrations: Registrations | None = None, **changes: Any) -> Play:
        definition = register(*containers, **changes)
        task = Task(
            TASK_ARN,
            "arn:aws:ecs:us-east-1:123456789012:cluster/blog",
            definition,
            NETWORK,
            "attachment-1",
            "family:blog",
            "FARGATE",
            None,
            "",
            100.0,
            {c.name: Container(c.name, f"container/{c.name}", c.image) for c in definition.containers},
            registration=Registration(registrations or Registrations(), lambda arn: 300),
        )
        return Play(task, interface, words)

    return make


VPC = {"awsvpcConfiguration": {"subnets": ["subnet-a"], "assignPublicIp": "ENABLED"}}
NO_IMAGE = "CannotPullContainerError: pull access denied"


DONE: dict[type, TaskEvent] = {
    DetachEni: EniDetached(),
    EnterInstance: InstanceEntered(),
    LeaveInstance: InstanceLeft(),
}


class Account:
    """ECS with one cluster and service, and an adapter that does at once what it is asked.

    Attributes:
        broken: Images that cannot be pulled.
        crashing: Images whose containers end as soon as they run.
        slow_stop: Containers go on running when they are told to stop; `end_leaving` ends them.
        groups: Target groups by ARN; those in ``unused`` no load balancer names.
        registry_types: The record types of Cloud Map services by ARN.
        first_health: What the load balancer says of a target as soon as it is registered (None: nothing).
    """

    def __init__(
        self,
        interface: Interface,
        request_for: Callable[..., dict[str, Any]],
        words: Callable[..., list[str]],
    ) -> None:
        ids = iter(range(1, 10**6))
        self.groups: dict[str, TargetGroup] = {}
        self.unused: set[str] = set()
        self.registry_types: dict[str, frozenset[str]] = {}
        self.first_health: TargetHealth | None = TargetHealth("healthy")
        lookups = Lookups(
            self.groups.get,
            lambda arn: arn in self.groups and arn not in self.unused,
            self.registry_types.get,
        )
        self.ecs = Ecs("123456789012", "us-east-1", lambda: f"{next(ids):032x}", lookups=lookups)
        self.ecs.create_cluster({"clusterName": "blog"})
        self._request_for = request_for
        self.register("web:1")
        self.words = words
        self.interface = interface
        self._addresses = count(9)
        self.now = 1000.0
        self.broken: set[str] = set()
        self.crashing: set[str] = set()
        self.slow_stop = False
        self.wakes: list[tuple[float, Wake | Remind]] = []
        self.published: list[PublishService] = []
        self.told: list[Command] = []
        self.deployment_ids: list[str] = []

    def register(self, image: str, **more: Any) -> None:
        """Another revision of the task definition "blog", of one container from this image."""
        self.ecs.register_task_definition(self._request_for(_container("web", image=image, **more)), 0.0)

    def group(self, name: str = "blue", *, delay: int = 300, target_type: str = "ip", used: bool = True) -> str:
        """The ARN of a new target group."""
        arn = f"{GROUPS}/{name}/0123456789abcdef"
        self.groups[arn] = TargetGroup(arn, name, "HTTP", 80, target_type, "vpc-1", deregistration_delay=delay)
        self.unused -= {arn}
        self.unused |= set() if used else {arn}
        return arn

    def checked(self, task: Task, state: str, description: str = "", reason: str = "") -> list[Command]:
        """The load balancers say this of a task's targets."""
        self.now += 1.0
        commands: list[Command] = []
        health = TargetHealth(state, reason, description)
        for group_arn, target in task.registration.targets:
            commands += self.ecs.target_health_changed(group_arn, target, health, self.now)
        self._note_deployments()
        return commands

    @property
    def service(self) -> Service:
        return self.ecs.services["arn:aws:ecs:us-east-1:123456789012:service/blog/web"]

    @property
    def tasks(self) -> list[Task]:
        return self.ecs.tasks_of(self.service)

    def running(self) -> list[Task]:
        return [task for task in self.tasks if task.last_status == "RUNNING"]

    def create(self, count: int, **more: Any) -> list[Command]:
        request = {
            "cluster": "blog",
            "serviceName": "web",
            "taskDefinition": "blog",
            "desiredCount": count,
            "launchType": "FARGATE",
            "networkConfiguration": VPC,
            **more,
        }
        commands = services.create(self.ecs, request, self.now)[1]
        self._note_deployments()
        return commands

    def update(self, **changes: Any) -> list[Command]:
        commands = services.update(self.ecs, {"cluster": "blog", "service": "web", **changes}, self.now)[1]
        self._note_deployments()
        return commands

    def scale(self, count: int) -> list[Command]:
        return self.update(desiredCount=count)

    def delete(self, **more: Any) -> list[Command]:
        return services.delete(self.ecs, {"cluster": "blog", "service": "web", **more}, self.now)[1]

    def event(self, task: Task, event: TaskEvent) -> list[Command]:
        self.now += 1.0
        commands = self.ecs.task_event(task.arn, event, self.now)
        self._note_deployments()
        return commands

    def work(self, commands: Iterable[Command]) -> None:
        """Carry out commands until none is left; what comes later is kept in `wakes`."""
        todo = list(commands)
        while todo:
            command = todo.pop(0)
            if isinstance(command, Wake) or (isinstance(command, Remind) and isinstance(command.event, DrainOver)):
                self.wakes.append((self.now + command.delay, command))
            elif isinstance(command, PublishService):
                self.published.append(command)
            elif isinstance(command, ServiceSaid | PublishInstance | DropInstance | Unplaced):
                self.told.append(command)
            elif (answer := self._answer(command)) is not None:
                task = self.ecs.tasks[command.task_arn]
                todo += self.event(task, answer)
                if isinstance(answer, ContainerStarted) and task.containers["web"].image in self.crashing:
                    todo += self.event(task, ContainerExited("web", 1))
                if isinstance(answer, Registered) and self.first_health and task.registration.targets:
                    todo += self.checked(task, self.first_health.state, self.first_health.description)

    def _answer(self, command: Command) -> TaskEvent | None:
        answer: TaskEvent | None = None
        match command:
            case AttachEni():
                answer = EniAttached(dataclasses.replace(self.interface, private_ip=f"10.0.0.{next(self._addresses)}"))
            case DetachEni() | EnterInstance() | LeaveInstance():
                answer = DONE[type(command)]
            case StartContainer(arn, name) if self.ecs.tasks[arn].containers[name].image in self.broken:
                answer = ContainerFailed(name, NO_IMAGE)
            case StartContainer(_, name):
                answer = ContainerStarted(name, "id")
            case StopContainer(_, name) if not self.slow_stop:
                answer = ContainerExited(name, 143)
            case RegisterTask():
                answer = Registered()
            case DeregisterTask():
                answer = Deregistered()
        return answer

    def end_leaving(self) -> None:
        """The containers that were told to stop end."""
        for task in self.tasks:
            if task.desired_status == "STOPPED" and task.containers["web"].status == "RUNNING":
                self.work(self.event(task, ContainerExited("web", 143)))

    def next_wake(self) -> float:
        """Go to the earliest of `wakes`; how many seconds that took."""
        due, wake = self.wakes.pop(self.wakes.index(min(self.wakes, key=lambda item: item[0])))
        passed, self.now = due - self.now, max(due, self.now)
        if isinstance(wake, Remind):
            commands = self.ecs.task_event(wake.task_arn, wake.event, self.now)
        else:
            commands = self.ecs.wake(wake, self.now)
        self._note_deployments()
        self.work(commands)
        return passed

    def later(self, seconds: float) -> None:
        """Let time pass, with all that falls due in it. What is carried out on the way takes its own seconds more."""
        end = self.now + seconds
        while self.wakes and min(due for due, _ in self.wakes) <= end:
            self.next_wake()
        self.now = max(self.now, end)

    def _note_deployments(self) -> None:
        for deployment in self.service.deployments if self.ecs.services else ():
            if deployment.id not in self.deployment_ids:
                self.deployment_ids.append(deployment.id)

    def messages(self) -> list[str]:
        """The service's events, oldest first, with short names: T1 for its first task, D1 for its first deployment."""
        names = {task.id: f"T{number}" for number, task in enumerate(self.tasks, 1)}
        names |= {deployment: f"D{number}" for number, deployment in enumerate(self.deployment_ids, 1)}
        said = [event["message"] for event in reversed(self.service.events.shown)]
        for long, short in names.items():
            said = [message.replace(long, short) for message in said]
        return said

    def shown(self) -> dict[str, Any]:
        return self.service.describe(self.tasks)

    def rollout(self) -> list[str]:
        """The deployments in a line each: ``PRIMARY D2 2/4 IN_PROGRESS`` is two tasks RUNNING of four wanted."""
        return [
            f"{shown['status']} D{self.deployment_ids.index(shown['id']) + 1} "
            f"{shown['runningCount']}/{shown['desiredCount']} {shown['rolloutState']}"
            for shown in self.shown()["deployments"]
        ]


@pytest.fixture
def account(
    interface: Interface, request_for: Callable[..., dict[str, Any]], words: Callable[..., list[str]]
) -> Account:
    return Account(interface, request_for, words)


@pytest.fixture
def fleet(account: Account) -> Fleet:
    return Fleet(account)
