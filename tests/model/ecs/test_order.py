"""What must hold of any dependsOn, however its containers fare: order of starts and stops, and an end of every task."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.model.ecs import taskdef
from sandbox.model.ecs.container import Container
from sandbox.model.ecs.messages import (
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    EniAttached,
    EniDetached,
    HealthChanged,
    Interface,
    Network,
    Remind,
    StartContainer,
    StopContainer,
    StopRequested,
)
from sandbox.model.ecs.task import Task
from tests.conftest import examples

INTERFACE = Interface("eni-1", "subnet-a", "02:00:00:00:00:01", "ip-10-0-0-9.ec2.internal", "10.0.0.9", "us-east-1a")
NAMES = ("a", "b", "c", "d")
CONDITIONS = ("START", "COMPLETE", "SUCCESS", "HEALTHY")


@st.composite
def tasks(draw: Any) -> Task:
    """A task of four containers; each may depend on those before it, in a way that ECS takes."""
    definitions: list[dict[str, Any]] = []
    essential = {name: name == "d" or draw(st.booleans()) for name in NAMES}
    for index, name in enumerate(NAMES):
        depends_on = []
        for other in NAMES[:index]:
            if draw(st.booleans()):
                condition = draw(st.sampled_from(("START", "HEALTHY") if essential[other] else CONDITIONS))
                depends_on.append({"containerName": other, "condition": condition})
        definitions.append(
            {
                "name": name,
                "image": "i",
                "essential": essential[name],
                "dependsOn": depends_on,
                "healthCheck": {"command": ["CMD", "true"]},
                **draw(st.sampled_from([{}, {"startTimeout": 10}])),
            }
        )
    request = {
        "family": "f",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": draw(st.permutations(definitions)),
    }
    definition = taskdef.register(request, arn_prefix="arn:aws:ecs:r:a", revision=1, now=0.0)
    containers = {c.name: Container(c.name, c.name, c.image) for c in definition.containers}
    return Task(
        "arn:aws:ecs:r:a:task/c/1",
        "c",
        definition,
        Network(("s",), (), False),
        "x",
        "g",
        "FARGATE",
        None,
        "",
        0.0,
        containers,
    )


class Engine:
    """Carries commands out in any order and with any outcome, and checks them against what it has done."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.starting: list[str] = []
        self.up: list[str] = []
        self.stopping: list[str] = []
        self.exits: dict[str, int] = {}
        self.healthy: set[str] = set()
        self.reminders: list[Any] = []
        self.detached = False
        self.now = 0.0

    def tell(self, event: Any) -> None:
        self.now += 1.0
        commands = self.task.handle(event, self.now)
        for container in self.task.containers.values():
            if container.status == "STOPPED" and container.name not in (*self.starting, *self.up):
                # Never to be started: for START and COMPLETE of others that counts as having ended.
                self.exits.setdefault(container.name, 143)
        for command in commands:
            match command:
                case StartContainer(_, name):
                    self._may_start(name)
                    self.starting.append(name)
                case StopContainer(_, name):
                    self._may_stop(name)
                    self.stopping.append(name)
                case Remind(_, reminder, _):
                    self.reminders.append(reminder)
                case _ if type(command).__name__ == "DetachEni":
                    self.detached = True

    def _may_start(self, name: str) -> None:
        assert self.task.desired_status == "RUNNING"
        assert name not in (*self.starting, *self.up, *self.exits)
        for dependency in self.task.definition.container(name).depends_on:
            on = dependency.container
            met = {
                "START": on in self.up or on in self.exits,
                "COMPLETE": on in self.exits,
                "SUCCESS": self.exits.get(on) == 0,
                "HEALTHY": on in self.up and on in self.healthy,
            }[dependency.condition]
            assert met, f"{name} was started before {on} was in {dependency.condition}"

    def _may_stop(self, name: str) -> None:
        assert name in (*self.starting, *self.up)
        for other in self.task.definition.containers:
            if name in {dependency.container for dependency in other.depends_on}:
                assert other.name not in (*self.starting, *self.up), f"{name} was stopped before {other.name}"

    def started(self, name: str, *, well: bool) -> None:
        self.starting.remove(name)
        if well:
            self.up.append(name)
            self.tell(ContainerStarted(name, name))
        else:
            self.exits[name] = -1
            self.tell(ContainerFailed(name, "CannotPullContainerError"))

    def exited(self, name: str, code: int) -> None:
        self.up.remove(name)
        self.exits[name] = code
        self.tell(ContainerExited(name, code))

    def step(self, draw: Any) -> None:
        moves = [("started", n) for n in self.starting] + [("exited", n) for n in self.up]
        moves += [("health", n) for n in self.up] + [("reminder", r) for r in self.reminders]
        if not moves:
            return
        move, what = draw(st.sampled_from(moves))
        if move == "started":
            self.started(what, well=draw(st.integers(0, 5)) > 0)
        elif move == "exited":
            self.exited(what, draw(st.sampled_from([0, 0, 1])))
        elif move == "health":
            health = draw(st.sampled_from(["HEALTHY", "UNHEALTHY"]))
            self.healthy = self.healthy | {what} if health == "HEALTHY" else self.healthy - {what}
            self.tell(HealthChanged(what, health))
        else:
            self.reminders.remove(what)
            self.tell(what)

    def end(self) -> None:
        """Stop the task and answer everything."""
        self.tell(StopRequested("enough", "UserInitiated"))
        while self.starting or self.stopping:
            while self.starting:
                self.started(self.starting[0], well=True)
            name = self.stopping.pop(0)
            if name in self.up:
                self.exited(name, 143)


@settings(max_examples=examples(150))
@given(st.data(), tasks(), st.integers(0, 20))
def test_order(data: st.DataObject, task: Task, steps: int) -> None:
    engine = Engine(task)
    task.start()
    engine.tell(EniAttached(INTERFACE))
    for _ in range(steps):
        engine.step(data.draw)
    engine.end()
    assert engine.detached
    assert not engine.up
    engine.tell(EniDetached())
    assert task.last_status == "STOPPED"
    assert all(container.status == "STOPPED" for container in task.containers.values())
