"""The ECS scheduler alone, in virtual time: 1,000 services of 10 tasks each go through a rolling update.

Run: ``python benchmarks/scheduler.py``. An adapter answers each command after a fixed time, as Fargate might; what is
measured is the model: every state of every task, every event, every decision. Exit code 1 above 10 s of one core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from functools import partial
from itertools import count

from sandbox.clock import VirtualClock
from sandbox.model.ecs import services
from sandbox.model.ecs.control import Command, Ecs
from sandbox.model.ecs.messages import (
    AttachEni,
    ContainerExited,
    ContainerStarted,
    DetachEni,
    EniAttached,
    EniDetached,
    ImagePulled,
    Interface,
    PublishTask,
    StartContainer,
    StopContainer,
    TaskEvent,
)
from sandbox.model.ecs.service import Wake

SERVICES, TASKS = 1_000, 10
GOAL = 10.0  # seconds on one core

INTERFACE = Interface("eni-1", "subnet-a", "02:00:00:00:00:01", "ip-10-0-0-9.ec2.internal", "10.0.0.9", "us-east-1a")
DEFINITION = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "web", "image": "web:1"}],
}


class Fargate:
    """Carries out commands in virtual time; ``published`` counts the events of tasks."""

    def __init__(self) -> None:
        ids = count(1)
        self.ecs = Ecs("123456789012", "us-east-1", lambda: f"{next(ids):032x}")
        self.clock = VirtualClock()
        self.published = 0

    def take(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case PublishTask():
                    self.published += 1
                case AttachEni(arn):
                    self._later(8, arn, EniAttached(INTERFACE))
                case StartContainer(arn, name):
                    self._later(12, arn, ImagePulled(name, "sha256:1"), ContainerStarted(name, "id"))
                case StopContainer(arn, name):
                    self._later(5, arn, ContainerExited(name, 0))
                case DetachEni(arn):
                    self._later(10, arn, EniDetached())
                case Wake():
                    self.clock.call_later(command.delay, partial(self._wake, command))

    def _later(self, delay: float, arn: str, *events: TaskEvent) -> None:
        def happen() -> None:
            for event in events:
                self.take(self.ecs.task_event(arn, event, self.clock.now()))

        self.clock.call_later(delay, happen)

    def _wake(self, wake: Wake) -> None:
        self.take(self.ecs.wake(wake, self.clock.now()))


def main() -> int:
    fargate = Fargate()
    ecs = fargate.ecs
    ecs.create_cluster({})
    for _ in range(2):
        ecs.register_task_definition(DEFINITION, 0.0)
    for number in range(SERVICES):
        request = {
            "serviceName": f"web-{number}",
            "taskDefinition": "web:1",
            "desiredCount": TASKS,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
            "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 150},
        }
        fargate.take(services.create(ecs, request, fargate.clock.now())[1])
    fargate.clock.advance(600)
    assert all(service.steady for service in ecs.services.values())

    before, begun, cpu = fargate.published, fargate.clock.now(), time.process_time()
    for number in range(SERVICES):
        request = {"service": f"web-{number}", "taskDefinition": "web:2"}
        fargate.take(services.update(ecs, request, fargate.clock.now())[1])
    while not all(service.primary.rollout_state == "COMPLETED" for service in ecs.services.values()):
        fargate.clock.advance(10)
        assert fargate.clock.now() - begun < 3600, "the rolling update does not end"
    virtual = fargate.clock.now() - begun
    fargate.clock.advance(60)  # the last old tasks go from DEPROVISIONING to STOPPED
    spent = time.process_time() - cpu
    states = fargate.published - before
    assert states == SERVICES * TASKS * 6, "three states up, three states down, none lost"
    print(f"{SERVICES} services, {SERVICES * TASKS} tasks replaced in {virtual:.0f} s of virtual time")
    print(f"{states} task events in {spent:.2f} s of one core: {states / spent:,.0f}/s")
    print(f"{spent / GOAL:.2f} times the {GOAL:.0f} s that are allowed")
    return 0 if spent <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
