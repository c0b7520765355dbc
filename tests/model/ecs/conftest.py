"""What the tests of the ECS model share: a task definition, a network interface, and commands spelled as words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import pytest

from sandbox.model.ecs import taskdef
from sandbox.model.ecs.container import Container
from sandbox.model.ecs.control import Command
from sandbox.model.ecs.messages import (
    AttachEni,
    ContainerStarted,
    DetachEni,
    EniAttached,
    Interface,
    Network,
    PublishTask,
    StartContainer,
    StopContainer,
    TaskEvent,
    WatchStart,
)
from sandbox.model.ecs.service import Wake
from sandbox.model.ecs.task import Task

ARN_PREFIX = "arn:aws:ecs:us-east-1:123456789012"
TASK_ARN = f"{ARN_PREFIX}:task/blog/0123456789abcdef0123456789abcdef"
NETWORK = Network(("subnet-a", "subnet-b"), ("sg-1",), assign_public_ip=True)


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
            case AttachEni():
                word = "attach"
            case DetachEni():
                word = "detach"
            case StartContainer(_, name):
                word = f"start {name}"
            case StopContainer(_, name, timeout):
                word = f"stop {name} {timeout}s"
            case WatchStart(_, name, timeout):
                word = f"watch {name} {timeout}s"
            case Wake(_, delay):
                word = f"wake in {delay:g}s"
        return word

    return lambda commands: [spell(command) for command in commands]


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
    def make(*containers: dict[str, Any]) -> Play:
        definition = register(*containers)
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
        )
        return Play(task, interface, words)

    return make
