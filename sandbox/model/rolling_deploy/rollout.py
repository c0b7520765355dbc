"""The deployment itself: the scheduler of ECS and the target group's health checks, driven in virtual time.

Nothing of a deployment is modelled anew here. `sandbox.model.ecs` decides which tasks start and stop,
`sandbox.model.elb.targets` who gets requests; this carries their commands out after the times that a `Fleet` states,
where the controllers of the sandbox ask Docker and HAProxy.

Launches on Fargate come from a bucket of 100 tokens that gets 20 more a second: developer guide "AWS Fargate throttling
quotas".
"""

from __future__ import annotations

import dataclasses
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Literal

from sandbox.clock import Timer, VirtualClock
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
    Remind,
    StartContainer,
    StopContainer,
    TaskEvent,
)
from sandbox.model.ecs.registration import Deregistered, DeregisterTask, Registered, RegisterTask, TargetHealthChanged
from sandbox.model.ecs.registration_requests import Lookups
from sandbox.model.ecs.service import Service, Wake
from sandbox.model.ecs.service_events import was_unhealthy
from sandbox.model.elb import messages as elb
from sandbox.model.elb.config import HealthCheck, TargetGroup
from sandbox.model.elb.target import Target
from sandbox.model.elb.targets import GroupTargets
from sandbox.model.rolling_deploy.fleet import Fleet

BURST, REFILL = 100, 20.0  # launches at once, and per second from then on

_GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"
_PORT = 80
_OLD, _NEW = 1, 2  # revisions
_WARM_UP = 60.0  # seconds of virtual time within which the old tasks are healthy: nothing of them takes time
_INTERFACE = Interface("eni-1", "subnet-a", "02:00:00:00:00:01", "", "10.0.0.1", "us-east-1a")

Ending = Literal["completed", "rolled-back", "stuck", "unfinished"]


@dataclass(frozen=True)
class Step:
    """Who gets requests from ``at`` on.

    Attributes:
        at: Seconds since the deployment began.
        rotation: The targets by their numbers, in the order of their turns. It is empty where none is registered.
        silent: Those of them that do not answer yet: where no target is healthy, all get requests (fail open).
    """

    at: float
    rotation: tuple[int, ...]
    silent: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Rollout:
    """What came of a deployment.

    Attributes:
        steps: Who gets requests, from time 0 on.
        is_new: Whether a target is of the new build, by its number.
        ending: completed: the last deployment is COMPLETED (after ``rollback_at`` that is the old task definition);
            rolled-back: the circuit breaker has failed the new one, and the old is complete again; stuck: the limits
            leave no room for any step; unfinished: it went on when the duration was over, or was FAILED.
        ended_at: When it came to that; None for an unfinished one.
        failed_tasks: How many tasks were given up before they were healthy.
        started: How many tasks were started.
    """

    steps: tuple[Step, ...]
    is_new: tuple[bool, ...]
    ending: Ending
    ended_at: float | None
    failed_tasks: int
    started: int

    def answering(self, step: Step) -> tuple[int, int]:
        """How many targets of the old build answer, and how many of the new one."""
        there = [target for target in step.rotation if target not in step.silent]
        new = sum(self.is_new[target] for target in there)
        return len(there) - new, new


def roll(fleet: Fleet) -> Rollout:
    """Deploy the new build at time 0, and the old one again at ``rollback_at``."""
    return _Deployment(fleet).run()


@dataclass
class _Deployment:
    """Carries out commands in virtual time. ``epoch`` is the clock's time of the deployment's begin."""

    fleet: Fleet
    clock: VirtualClock = field(default_factory=VirtualClock)
    epoch: float = 0.0
    steps: list[Step] = field(default_factory=list)
    is_new: list[bool] = field(default_factory=list)
    tasks: dict[Target, str] = field(default_factory=dict)
    numbers: dict[Target, int] = field(default_factory=dict)
    rotation: list[int] = field(default_factory=list)
    booting: set[int] = field(default_factory=set)
    reminder: Timer | None = None
    tokens_due: float = 0.0
    started: int = 0
    running: int = 0
    given_up: int = 0
    bringing_up: bool = True

    def __post_init__(self) -> None:
        fleet = self.fleet
        ids = count(1)
        self.chance = random.Random(f"rollout {fleet.seed}")
        check = HealthCheck(
            interval=fleet.health_interval,
            timeout=min(5, fleet.health_interval - 1),
            healthy_threshold=fleet.healthy_threshold,
            unhealthy_threshold=fleet.unhealthy_threshold,
        )
        group = TargetGroup(
            _GROUP,
            "web",
            "HTTP",
            _PORT,
            "ip",
            "vpc-1",
            health_check=check,
            deregistration_delay=fleet.deregistration_delay,
        )
        self.targets = GroupTargets(group, used=True)
        lookups = Lookups({_GROUP: group}.get, lambda arn: True)
        self.ecs = Ecs("123456789012", "us-east-1", lambda: f"{next(ids):032x}", lookups=lookups)
        self.addresses = count(1)

    # -- the course of it --

    def run(self) -> Rollout:
        self._bring_up()
        fleet, self.bringing_up = self.fleet, False
        self.epoch = self.clock.now()
        self.started = self.running = 0
        self.steps = []
        self._step()
        self._deploy("web:2")
        if fleet.rollback_at is not None:
            self.clock.call_later(fleet.rollback_at, lambda: self._deploy("web:1"))
        while not self._ended():
            due = self.clock.next_due()
            if due is None or due - self.epoch > fleet.duration:
                return self._told("unfinished")
            self.clock.advance(due - self.clock.now())
        if self.service.primary.said_stuck:
            return self._told("stuck")
        went_back = fleet.rollback_at is None and self.service.primary.definition.revision == _OLD
        return self._told("rolled-back" if went_back else "completed")

    def _bring_up(self) -> None:
        """The old build, complete and healthy."""
        fleet = self.fleet
        self.ecs.create_cluster({})
        for image in ("web:old", "web:new"):
            self.ecs.register_task_definition(_definition(image), 0.0)
        request = {
            "serviceName": "web",
            "taskDefinition": "web:1",
            "desiredCount": fleet.tasks,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
            "loadBalancers": [{"targetGroupArn": _GROUP, "containerName": "web", "containerPort": _PORT}],
            "healthCheckGracePeriodSeconds": fleet.grace_period,
            "deploymentConfiguration": {
                "minimumHealthyPercent": fleet.minimum_healthy_percent,
                "maximumPercent": max(100, fleet.maximum_percent),
                "deploymentCircuitBreaker": {"enable": fleet.circuit_breaker, "rollback": fleet.circuit_breaker},
            },
        }
        self._take(services.create(self.ecs, request, 0.0)[1])
        self.clock.advance(_WARM_UP)

    def _deploy(self, definition: str) -> None:
        limits = {
            "minimumHealthyPercent": self.fleet.minimum_healthy_percent,
            "maximumPercent": self.fleet.maximum_percent,
        }
        request = {"service": "web", "taskDefinition": definition, "deploymentConfiguration": limits}
        self._take(services.update(self.ecs, request, self.clock.now())[1])

    @property
    def service(self) -> Service:
        (service,) = self.ecs.services.values()
        return service

    def _ended(self) -> bool:
        """Whether nothing of it is to come: then who gets requests changes no more."""
        rollback_at = self.fleet.rollback_at
        if rollback_at is not None and self._now() < rollback_at:
            return False
        return self.service.primary.said_stuck or self.service.primary.rollout_state == "COMPLETED"

    def _told(self, ending: Ending) -> Rollout:
        ended_at = None if ending == "unfinished" else self._now()
        return Rollout(tuple(self.steps), tuple(self.is_new), ending, ended_at, self.given_up, self.started)

    # -- carrying out --

    def _now(self) -> float:
        return self.clock.now() - self.epoch

    def _take(self, commands: Iterable[Command | elb.Command]) -> None:
        """In order of their coming; what they lead to comes after them."""
        todo = deque(commands)
        while todo:
            todo.extend(self._carry_out(todo.popleft()))

    def _carry_out(self, command: Command | elb.Command) -> Iterable[Command | elb.Command]:
        now = self.clock.now()
        match command:
            case AttachEni(arn):
                self.started += 1
                address = f"10.{(number := next(self.addresses)) >> 16}.{number >> 8 & 255}.{number & 255}"
                interface = dataclasses.replace(_INTERFACE, private_ip=address)
                self._later(self._launch_delay(), self._happen, arn, EniAttached(interface))
            case StartContainer(arn, name):
                started = (ImagePulled(name, "sha256:1"), ContainerStarted(name, "id"))
                self._later(self._takes(self.fleet.start_of(self.running)), self._happen, arn, *started)
                self.running += 1
            case StopContainer(arn, name):
                self._later(self.fleet.stop, self._happen, arn, ContainerExited(name, 0))
            case DetachEni(arn):
                return self.ecs.task_event(arn, EniDetached(), now)
            case RegisterTask(arn, targets):
                return [*self._register(arn, targets[0][1]), *self.ecs.task_event(arn, Registered(), now)]
            case DeregisterTask(arn, targets):
                gone = self.targets.handle(elb.Deregistered((targets[0][1],)), now)
                return [*gone, *self.ecs.task_event(arn, Deregistered(), now)]
            case Remind(arn, event, delay):
                self._later(delay, self._happen, arn, event)
            case PublishTask(arn, shown) if shown["lastStatus"] == "STOPPED":
                self.given_up += was_unhealthy(self.ecs.tasks[arn])
                self.ecs.forget_task(arn)  # the scheduler heeds it no more, and there may be thousands
            case Wake():
                self._later(command.delay, lambda: self._take(self.ecs.wake(command, self.clock.now())))
            case _:
                return self._balance(command, now)
        return ()

    def _balance(self, command: Command | elb.Command, now: float) -> Iterable[Command | elb.Command]:
        match command:
            case elb.Remind(at):
                if self.reminder is not None:
                    self.reminder.cancel()
                self.reminder = self.clock.call_later(at - now, self._elapsed)
            case elb.Check(target, number):
                failure = elb.FAILED if self.numbers[target] in self.booting else None
                return self.targets.handle(elb.Checked(target, number, failure), now)
            case elb.Route(weights):
                self._route(weights.keys())
            case elb.Show(target, health):
                event = TargetHealthChanged(_GROUP, target, health)
                return self.ecs.task_event(self.tasks[target], event, now)
        return ()

    def _register(self, arn: str, target: Target) -> Iterable[elb.Command]:
        now = self.clock.now()
        number = len(self.is_new)
        self.tasks[target], self.numbers[target] = arn, number
        self.is_new.append(self.ecs.tasks[arn].definition.revision == _NEW)
        if boot := self._takes(self.fleet.boot):
            self.booting.add(number)
            self._later(boot, self._booted, number)
        return self.targets.handle(elb.Registered((target,)), now)

    def _route(self, targets: Iterable[Target]) -> None:
        """Who gets requests from now on; where in the rotation a new target comes in, chance decides."""
        wanted = {self.numbers[target] for target in targets}
        self.rotation = [number for number in self.rotation if number in wanted]
        for number in sorted(wanted.difference(self.rotation)):
            self.rotation.insert(self.chance.randint(0, len(self.rotation)), number)
        self._step()

    def _step(self) -> None:
        silent = frozenset(self.booting.intersection(self.rotation))
        step = Step(self._now(), tuple(self.rotation), silent)
        if self.steps and self.steps[-1].at == step.at:
            self.steps.pop()
        self.steps.append(step)

    def _booted(self, number: int) -> None:
        self.booting.discard(number)
        if number in self.rotation:
            self._step()

    def _elapsed(self) -> None:
        self._take(self.targets.handle(elb.Elapsed(), self.clock.now()))

    def _later(self, delay: float, act: Callable[..., None], *arguments: Any) -> None:
        self.clock.call_later(delay, partial(act, *arguments))

    def _happen(self, arn: str, *events: TaskEvent) -> None:
        for event in events:
            self._take(self.ecs.task_event(arn, event, self.clock.now()))

    def _takes(self, seconds: float) -> float:
        """How long it lasts here, if it lasts ``seconds`` in the mean."""
        return 0.0 if self.bringing_up else seconds * (1 + self.fleet.spread * self.chance.uniform(-1, 1))

    def _launch_delay(self) -> float:
        """How long the launch of one more task waits for its token."""
        if self.bringing_up or not self.fleet.launch_quota:
            return 0.0
        now = self.clock.now()
        due = max(self.tokens_due, now)
        self.tokens_due = due + 1 / REFILL
        return max(0.0, due - now - (BURST - 1) / REFILL)


def _definition(image: str) -> dict[str, Any]:
    container = {"name": "web", "image": image, "portMappings": [{"containerPort": _PORT}], "stopTimeout": 120}
    return {
        "family": "web",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container],
    }
