"""What must hold of ECS whatever is asked of it and however late, doubled or failed the adapter's reports are."""

from __future__ import annotations

import copy
import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sandbox.model.ecs import services, starts
from sandbox.model.ecs.control import Command, Ecs
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.events import DOCUMENTED, SEEN_2024, task_state_change
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
    HealthChanged,
    ImagePulled,
    Interface,
    PublishTask,
    Remind,
    RestartContainer,
    StartContainer,
    StopContainer,
    TaskEvent,
)
from sandbox.model.ecs.registration import (
    Deregistered,
    DeregisterTask,
    DrainOver,
    Registered,
    RegisterTask,
    RegistrationFailed,
    SetInstanceHealth,
)
from sandbox.model.ecs.registration_requests import Lookups
from sandbox.model.ecs.rollout import Limits, Standing, standing_of
from sandbox.model.ecs.service import Wake
from sandbox.model.ecs.task import STATUSES, Task
from sandbox.model.elb.config import TargetGroup
from sandbox.model.elb.target import TargetHealth
from tests.conftest import examples

INTERFACE = Interface("eni-1", "subnet-a", "02:00:00:00:00:01", "ip-10-0-0-9.ec2.internal", "10.0.0.9", "us-east-1a")
WHERE = {
    "cluster": "default",
    "launchType": "FARGATE",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
}
GROUPS = {
    arn: TargetGroup(arn, arn, "HTTP", 80, "ip", "vpc-1", deregistration_delay=delay)
    for arn, delay in (("arn:targetgroup/blue", 300), ("arn:targetgroup/green", 0))
}
REGISTRY = "arn:service/srv-1"
NAMES = st.sampled_from(["one", "two"])
PICK = st.integers(0, 10**6)


@contextmanager
def refused_or_not(*codes: str) -> Iterator[None]:
    """The call may be refused, with one of these codes."""
    try:
        yield
    except EcsError as error:
        if error.code not in codes:
            raise


def behind(groups: int) -> dict[str, Any]:
    """As many target groups."""
    balancers = [{"targetGroupArn": arn, "containerName": "web", "containerPort": 80} for arn in list(GROUPS)[:groups]]
    return {"loadBalancers": balancers}


def _has_lost_a_container(task: Task) -> bool:
    """Whether a container ended by itself: then the others are stopped at once."""
    ended = any(container.exit_code is not None or container.reason for container in task.containers.values())
    return ended or task.stop_code in {"EssentialContainerExited", "TaskFailedToStart"}


class EcsMachine(RuleBasedStateMachine):
    """Random calls, and an adapter with any order and outcome; it answers each command in the end."""

    def __init__(self) -> None:
        super().__init__()
        ids = count(1)
        lookups = Lookups(GROUPS.get, lambda arn: True, lambda arn: frozenset({"A"}))
        self.ecs = Ecs("123456789012", "us-east-1", lambda: f"{next(ids):032x}", lookups=lookups)
        self.now = 0.0
        self.addresses = count(1)
        self.todo: list[AttachEni | DetachEni | StartContainer | StopContainer | RegisterTask | DeregisterTask] = []
        self.wakes: list[Wake] = []
        self.watched: list[Remind] = []
        self.reported: list[tuple[str, TaskEvent]] = []
        self.started: dict[tuple[str, str], str] = {}  # container: "starting", "up" or "ended", as the engine sees it
        self.stops: set[tuple[str, str]] = set()
        self.ended: set[str] = set()
        self.versions: dict[str, int] = defaultdict(int)
        self.statuses: dict[str, int] = defaultdict(int)
        self.attached: dict[str, int] = defaultdict(int)
        self.detached: dict[str, int] = defaultdict(int)
        self.there: dict[str, int] = defaultdict(int)
        self.asked: set[str] = set()  # tasks whose registration has been asked for
        self.members: dict[str, RegisterTask] = {}  # tasks that are registered, or may be
        self.healthy: dict[str, set[str]] = {}

    @initialize(
        sidecar_essential=st.booleans(), condition=st.sampled_from(["", "START", "COMPLETE", "SUCCESS", "HEALTHY"])
    )
    def account(self, sidecar_essential: bool, condition: str) -> None:
        sidecar_essential = sidecar_essential and condition not in {"COMPLETE", "SUCCESS"}
        check = {"command": ["CMD", "true"]}
        depends_on = [{"containerName": "sidecar", "condition": condition}] if condition else []
        self.ecs.create_cluster({})
        self.ecs.register_task_definition(
            {
                "family": "blog",
                "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"],
                "cpu": "256",
                "memory": "512",
                "containerDefinitions": [
                    {
                        "name": "web",
                        "image": "web:1",
                        "dependsOn": depends_on,
                        "portMappings": [{"containerPort": 80}],
                    },
                    {
                        "name": "sidecar",
                        "image": "sidecar:1",
                        "essential": sidecar_essential,
                        "healthCheck": check,
                        "startTimeout": 20,
                        "restartPolicy": {"enabled": True, "ignoredExitCodes": [143]},
                    },
                ],
            },
            self.now,
        )

    # -- what comes out --

    def take(self, commands: Iterable[Command]) -> None:
        self._the_minimum_stays_healthy()
        for command in commands:
            self._take_registration(command)
            match command:
                case PublishTask(arn, task):
                    assert task["version"] > self.versions[arn], "the version grows with each event"
                    self.versions[arn] = task["version"]
                    assert arn not in self.ended, "STOPPED is the last event"
                    if task["lastStatus"] == "STOPPED":
                        self.ended.add(arn)
                    for shape in (DOCUMENTED, SEEN_2024):
                        event = task_state_change(
                            task, event_id="id", now=self.now, account="1", region="r", shape=shape
                        )
                        assert event["detail"]["lastStatus"] == task["lastStatus"]
                case Wake():
                    self.wakes.append(command)
                case Remind():
                    self.watched.append(command)
                case StartContainer(arn, name):
                    assert self.ecs.tasks[arn].desired_status == "RUNNING", "nothing starts in a task that stops"
                    assert (arn, name) not in self.started, "each container starts once"
                    self.started[arn, name] = "starting"
                    self.todo.append(command)
                case RestartContainer(arn, name):
                    assert self.started[arn, name] == "ended", "only what has ended is started again"
                    assert self.ecs.tasks[arn].desired_status == "RUNNING", "nothing starts in a task that stops"
                    self.started[arn, name] = "up"
                case StopContainer(arn, name):
                    assert (arn, name) in self.started, "what was never started is not stopped"
                    assert (arn, name) not in self.stops, "each container is stopped once"
                    self.stops.add((arn, name))
                    assert self.ecs.tasks[arn].containers[name].status != "STOPPED", "what has stopped is left alone"
                    if not _has_lost_a_container(self.ecs.tasks[arn]):
                        assert arn not in self.members, "a task is deregistered before its containers are stopped"
                    self.todo.append(command)
                case AttachEni(arn) | DetachEni(arn):
                    self.todo.append(command)

    def _take_registration(self, command: Command) -> None:
        match command:
            case RegisterTask(arn, targets, instance):
                assert arn not in self.asked, "each task is registered once"
                assert targets or instance
                self.asked.add(arn)
                self.todo.append(command)
            case DeregisterTask(arn, targets, instance):
                member = self.members[arn]
                assert (member.targets, member.instance) == (targets, instance), "all that is registered goes"
                self.todo.append(command)
            case SetInstanceHealth(arn):
                assert arn in self.members, "Cloud Map is told of instances that it has"
            case DetachEni(arn):
                assert arn not in self.members, "nothing stays registered"

    def _the_minimum_stays_healthy(self) -> None:
        """Of the healthy tasks the scheduler lets go only those beyond the minimum."""
        healthy: dict[str, set[str]] = {}
        for service in self.ecs.services.values():
            healthy[service.arn] = {
                task.arn
                for task in self.ecs.tasks_of(service)
                if standing_of(task, lasted=task.arn in service.lasted, in_grace=task.arn in service.in_grace)
                is Standing.HEALTHY
            }
            lost = self.healthy.get(service.arn, set()) - healthy[service.arn]
            if any(self.ecs.tasks[arn].stopped_reason.startswith("Scaling activity") for arn in lost):
                configuration = service.configuration
                minimum = Limits.of(service.desired_count, configuration.minimum_percent, 200).minimum
                assert len(healthy[service.arn]) >= minimum, "no fewer than the minimum are left"
        self.healthy = healthy

    def report(self, arn: str, event: TaskEvent) -> None:
        self.now += 1.0
        self.reported.append((arn, event))
        self.take(self.ecs.task_event(arn, event, self.now))

    # -- API calls --

    @rule(number=st.integers(1, 3))
    def run_task(self, number: int) -> None:
        self.take(starts.run_task(self.ecs, {**WHERE, "taskDefinition": "blog", "count": number}, self.now)[1])

    @precondition(lambda self: self.ecs.tasks)
    @rule(pick=PICK)
    def stop_task(self, pick: int) -> None:
        arn = list(self.ecs.tasks)[pick % len(self.ecs.tasks)]
        self.take(self.ecs.stop_task({"cluster": "default", "task": arn}, self.now)[1])

    @rule(
        name=NAMES,
        number=st.integers(0, 4),
        minimum=st.sampled_from([0, 50, 100]),
        breaker=st.booleans(),
        groups=st.integers(0, 2),
        registry=st.booleans(),
        grace=st.sampled_from([0, 60]),
    )
    def create_service(
        self, name: str, number: int, minimum: int, breaker: bool, groups: int, registry: bool, grace: int
    ) -> None:
        limits = {
            "minimumHealthyPercent": minimum,
            "maximumPercent": 100 if minimum == 0 else 200,
            "deploymentCircuitBreaker": {"enable": breaker, "rollback": True},
        }
        request = {
            **WHERE,
            "serviceName": name,
            "taskDefinition": "blog",
            "desiredCount": number,
            "deploymentConfiguration": limits,
            **behind(groups),
            "serviceRegistries": [{"registryArn": REGISTRY}] if registry else [],
            **({"healthCheckGracePeriodSeconds": grace} if groups else {}),
        }
        with refused_or_not("InvalidParameterException"):  # it is there already, or drains
            self.take(services.create(self.ecs, request, self.now)[1])

    @rule(name=NAMES, number=st.integers(0, 4))
    def update_service(self, name: str, number: int) -> None:
        with refused_or_not("ServiceNotFoundException", "ServiceNotActiveException"):
            self.take(services.update(self.ecs, {"service": name, "desiredCount": number}, self.now)[1])

    @rule(name=NAMES)
    def deploy(self, name: str) -> None:
        with refused_or_not("ServiceNotFoundException", "ServiceNotActiveException"):
            self.take(services.update(self.ecs, {"service": name, "forceNewDeployment": True}, self.now)[1])

    @rule(name=NAMES, groups=st.integers(0, 2))
    def change_load_balancers(self, name: str, groups: int) -> None:
        with refused_or_not("ServiceNotFoundException", "ServiceNotActiveException"):
            self.take(services.update(self.ecs, {"service": name, **behind(groups)}, self.now)[1])

    @rule(name=NAMES)
    def delete_service(self, name: str) -> None:
        with refused_or_not("ServiceNotFoundException"):
            self.take(services.delete(self.ecs, {"service": name, "force": True}, self.now)[1])

    # -- the adapter --

    @precondition(lambda self: self.todo)
    @rule(pick=PICK, well=st.booleans(), early_exit=st.booleans())
    def carry_out(self, pick: int, well: bool, early_exit: bool) -> None:
        command = self.todo.pop(pick % len(self.todo))
        arn = command.task_arn
        match command:
            case AttachEni() if well:
                self.attached[arn] += 1
                address = f"10.0.0.{next(self.addresses)}"
                self.report(arn, EniAttached(dataclasses.replace(INTERFACE, private_ip=address)))
            case AttachEni():
                self.report(arn, EniFailed("no address"))
            case DetachEni():
                self.detached[arn] += 1
                self.report(arn, EniDetached())
            case RegisterTask():
                self.members[arn] = command
                self.report(arn, Registered() if well else RegistrationFailed("arn", "gone"))
            case DeregisterTask():
                del self.members[arn]
                self.report(arn, Deregistered())
            case StartContainer(_, name) if self.started[arn, name] == "starting":
                self._start(arn, name, well=well, early_exit=early_exit)
            case StopContainer(_, name):
                if self.started[arn, name] == "starting":  # a stop waits for the start that is under way
                    self._start(arn, name, well=well, early_exit=early_exit)
                if self.started[arn, name] == "up":
                    self._exit(arn, name, 143)

    def _start(self, arn: str, name: str, *, well: bool, early_exit: bool) -> None:
        if not well:
            self.started[arn, name] = "ended"
            self.report(arn, ContainerFailed(name, "CannotPullContainerError: pull access denied"))
            return
        self.started[arn, name] = "up"
        self.report(arn, ImagePulled(name, "sha256:1"))
        if early_exit:
            self._exit(arn, name, 1)
        self.report(arn, ContainerStarted(name, "id"))

    def _exit(self, arn: str, name: str, code: int) -> None:
        self.started[arn, name] = "ended"
        self.report(arn, ContainerExited(name, code))

    @precondition(lambda self: self.todo)
    @rule(healthy=st.booleans())
    def all_is_carried_out(self, healthy: bool) -> None:
        """The way to what happens later in a task's life."""
        while self.todo or (healthy and (self._blocked() or self._undecided() or self._unbalanced())):
            self._go_on()

    @precondition(lambda self: "up" in self.started.values())
    @rule(pick=PICK)
    def a_container_ends(self, pick: int) -> None:
        up = [key for key, state in self.started.items() if state == "up"]
        arn, name = up[pick % len(up)]
        self._exit(arn, name, 0)

    @precondition(lambda self: self.watched)
    @rule(pick=PICK)
    def a_start_times_out(self, pick: int) -> None:
        watch = self.watched.pop(pick % len(self.watched))
        self.report(watch.task_arn, watch.event)

    @precondition(lambda self: "up" in self.started.values())
    @rule(pick=PICK, health=st.sampled_from(["HEALTHY", "UNHEALTHY"]))
    def a_check_says(self, pick: int, health: Any) -> None:
        up = [key for key, state in self.started.items() if state == "up"]
        arn, name = up[pick % len(up)]
        self.report(arn, HealthChanged(name, health))

    @precondition(lambda self: self._targets())
    @rule(pick=PICK, state=st.sampled_from(["initial", "healthy", "unhealthy", "draining", "unused"]))
    def a_target_changes(self, pick: int, state: str) -> None:
        targets = self._targets()
        group_arn, target = targets[pick % len(targets)]
        self.take(self.ecs.target_health_changed(group_arn, target, TargetHealth(state, "", "because"), self.now))

    @precondition(lambda self: self._checked())
    @rule(pick=PICK, health=st.sampled_from(["HEALTHY", "UNHEALTHY"]))
    def health_changes(self, pick: int, health: Health) -> None:
        checked = self._checked()
        self.report(checked[pick % len(checked)], HealthChanged("sidecar", health))

    @precondition(lambda self: self.reported)
    @rule(pick=PICK)
    def a_report_comes_again(self, pick: int) -> None:
        arn, event = self.reported[pick % len(self.reported)]
        self.take(self.ecs.task_event(arn, event, self.now))

    @precondition(lambda self: self.wakes)
    @rule(pick=PICK)
    def wake(self, pick: int) -> None:
        wake = self.wakes.pop(pick % len(self.wakes))
        self.now += wake.delay
        self.take(self.ecs.wake(wake, self.now))

    # -- what holds --

    @invariant()
    def life_goes_forward(self) -> None:
        for arn, task in self.ecs.tasks.items():
            status = STATUSES.index(task.last_status)
            assert status >= self.statuses[arn], "lastStatus only moves forward"
            self.statuses[arn] = status
            assert task.describe()["version"] == self.versions[arn], "what is shown has been published"

    @invariant()
    def interfaces_are_given_back(self) -> None:
        for arn, task in self.ecs.tasks.items():
            assert self.detached[arn] <= self.attached[arn] <= 1
            if task.last_status == "STOPPED":
                assert self.detached[arn] == self.attached[arn], "no interface outlives its task"
                assert all(container.status == "STOPPED" for container in task.containers.values())

    @invariant()
    def services_keep_their_limits(self) -> None:
        for service in self.ecs.services.values():
            tasks = self.ecs.tasks_of(service)
            standings = [standing_of(task, lasted=True) for task in tasks]
            there = sum(worth is not Standing.GONE for worth in standings)
            maximum = service.desired_count * service.configuration.maximum_percent // 100
            assert there <= max(maximum, self.there[service.arn]), "no more than the maximum is started"
            self.there[service.arn] = there
            known = {deployment.id for deployment in service.deployments}
            for task, worth in zip(tasks, standings, strict=True):
                assert task.started_by in known or worth is Standing.GONE, "every task belongs to a deployment"
            shown = service.describe(tasks)
            assert shown["runningCount"] + shown["pendingCount"] <= len(tasks)

    @invariant()
    def a_settled_service_has_nothing_to_decide(self) -> None:
        for service in self.ecs.services.values():
            if service.settled:
                tasks = self.ecs.tasks_of(service)
                assert copy.deepcopy(service).decide(tasks, self.now) == []

    @invariant()
    def nothing_stays_registered(self) -> None:
        for arn in self.members:
            assert self.ecs.tasks[arn].last_status not in {"DEPROVISIONING", "STOPPED"}

    def _targets(self) -> list[Any]:
        return [target for arn in self.asked for target in self.ecs.tasks[arn].registration.targets]

    def _unbalanced(self) -> list[str]:
        """Tasks that are to run, and have a target that is not healthy."""
        return [
            arn
            for arn in self.asked
            if self.ecs.tasks[arn].last_status == self.ecs.tasks[arn].desired_status == "RUNNING"
            and self.ecs.tasks[arn].registration.state == "registered"
            and not self.ecs.tasks[arn].registration.healthy
        ]

    def _balance(self, arn: str) -> None:
        for group_arn, target in self.ecs.tasks[arn].registration.targets:
            self.take(self.ecs.target_health_changed(group_arn, target, TargetHealth("healthy"), self.now))

    def _drains(self) -> list[Remind]:
        return [watch for watch in self.watched if isinstance(watch.event, DrainOver)]

    def _blocked(self) -> list[tuple[str, str]]:
        """Containers that run while another waits for them to be healthy or done."""
        return [
            (arn, "sidecar")
            for arn, task in self.ecs.tasks.items()
            if task.desired_status == "RUNNING"
            and self.started.get((arn, "sidecar")) == "up"
            and task.last_status == "PENDING"
        ]

    def _checked(self) -> list[str]:
        """Tasks whose container with a health check runs."""
        return [arn for arn in self.ecs.tasks if self.started.get((arn, "sidecar")) == "up"]

    def _undecided(self) -> list[str]:
        """Those of them that are to run and are not healthy."""
        tasks = self.ecs.tasks
        return [
            arn
            for arn in self._checked()
            if tasks[arn].last_status == tasks[arn].desired_status == "RUNNING"
            and tasks[arn].containers["sidecar"].health != "HEALTHY"
        ]

    def _unblock(self, arn: str, name: str) -> None:
        (dependency,) = self.ecs.tasks[arn].definition.container("web").depends_on
        if dependency.condition == "HEALTHY":
            self.report(arn, HealthChanged(name, "HEALTHY"))
        else:
            self._exit(arn, name, 0)

    def _go_on(self) -> None:
        """One thing more is answered, and well."""
        if self.todo:
            self.carry_out(pick=0, well=True, early_exit=False)
        elif unbalanced := self._unbalanced():
            self._balance(unbalanced[0])
        elif blocked := self._blocked():
            self._unblock(*blocked[0])
        elif undecided := self._undecided():
            self.report(undecided[0], HealthChanged("sidecar", "HEALTHY"))

    def teardown(self) -> None:
        """Everything is answered, and well: what should stop has stopped, what should run runs."""
        while self.todo or self.wakes or self._drains() or self._blocked() or self._undecided() or self._unbalanced():
            if self.todo or self._unbalanced() or self._blocked() or self._undecided():
                self._go_on()
            elif drains := self._drains():
                self.watched.remove(drains[0])
                self.report(drains[0].task_arn, drains[0].event)
            else:
                self.wake(pick=0)
            self.life_goes_forward()
        for task in self.ecs.tasks.values():
            assert task.last_status == ("STOPPED" if task.desired_status == "STOPPED" else "RUNNING")
        for service in self.ecs.services.values():
            running = [task for task in self.ecs.tasks_of(service) if task.last_status == "RUNNING"]
            if service.primary.rollout_state == "FAILED" and service.status == "ACTIVE":
                assert service.completed is None, "it could not be rolled back"
                continue
            assert [task.started_by for task in running] == [service.primary.id] * service.desired_count
            assert service.steady if service.status == "ACTIVE" else service.status == "INACTIVE"
            assert service.primary.rollout_state == "COMPLETED" or service.status == "INACTIVE"
        self.interfaces_are_given_back()
        self.nothing_stays_registered()


EcsMachine.TestCase.settings = settings(max_examples=examples(50), stateful_step_count=40, deadline=None)
TestEcs = pytest.mark.filterwarnings("error")(EcsMachine.TestCase)
