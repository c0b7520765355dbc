"""What the tests of the ECS model share: a task definition, a network interface, and commands spelled as words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from sandbox.model.ecs import taskdef
from sandbox.model.ecs.control import Command
from sandbox.model.ecs.messages import AttachEni, DetachEni, Interface, PublishTask, StartContainer, StopContainer
from sandbox.model.ecs.service import Wake

ARN_PREFIX = "arn:aws:ecs:us-east-1:123456789012"


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
                return f"event {task['lastStatus']}{desired} v{task['version']}"
            case AttachEni():
                return "attach"
            case DetachEni():
                return "detach"
            case StartContainer(_, name):
                return f"start {name}"
            case StopContainer(_, name, timeout):
                return f"stop {name} {timeout}s"
            case Wake(_, delay):
                return f"wake in {delay:g}s"

    return lambda commands: [spell(command) for command in commands]
