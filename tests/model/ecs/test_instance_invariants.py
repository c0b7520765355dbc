"""What must hold of tasks on container instances, whatever happens to instances, tasks and services."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sandbox.model.ecs import instances, placement, services, starts
from sandbox.model.ecs.container_instance import DropInstance, Launched, PublishInstance
from sandbox.model.ecs.control import Command, Ecs
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.instance_types import InstanceType
from sandbox.model.ecs.messages import (
    AttachEni,
    ContainerExited,
    ContainerStarted,
    DetachEni,
    EniAttached,
    EniDetached,
    EnterInstance,
    InstanceEntered,
    InstanceLeft,
    Interface,
    LeaveInstance,
    PublishTask,
    Remind,
    StartContainer,
    StopContainer,
    StopRequested,
)
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.registration import (
    Deregistered,
    DeregisterTask,
    DrainOver,
    Registered,
    RegisterTask,
)
from sandbox.model.ecs.registration_requests import Lookups
from sandbox.model.ecs.service import Wake
from sandbox.model.elb.config import TargetGroup
from sandbox.model.elb.target import TargetHealth
from tests.conftest import examples

SMALL = InstanceType("t3.small", 2048, 1996, 3)
INTERFACE = Interface("eni-1", "subnet-a", "02:00:00:00:00:01", "ip-10-0-0-9.ec2.internal", "10.0.0.9", "us-east-1a")
VPC = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}}}
PORTS = {"eni": 80, "dynamic": 81, "static": 80, "host": 8081}  # a container port of each family
FAMILIES = st.sampled_from(list(PORTS))
GROUPS = {
    arn: TargetGroup(arn, arn, "HTTP", 80, kind, "vpc-1", deregistration_delay=300)
    for arn, kind in (("arn:targetgroup/ip", "ip"), ("arn:targetgroup/instance", "instance"))
}
NAMES = st.sampled_from(["one", "two"])
PICK = st.integers(0, 10**6)
LIMITS = st.sampled_from([(100, 200), (0, 100), (50, 100), (100, 150)])
PENDING = (
    AttachEni
    | DetachEni
    | EnterInstance
    | LeaveInstance
    | StartContainer
    | StopContainer
    | RegisterTask
    | DeregisterTask
)


@contextmanager
def refused_or_not() -> Iterator[None]:
    """The call may be refused for its parameters."""
    try:
        yield
    except EcsError as error:
        if error.code not in {"InvalidParameterException", "ServiceNotActiveException", "ServiceNotFoundException"}:
            raise


class InstanceMachine(RuleBasedStateMachine):
    """Random calls and losses, and an adapter that answers its commands in any order."""

    def __init__(self) -> None:
        super().__init__()
        ids = count(1)
        lookups = Lookups(GROUPS.get, lambda arn: True)
        self.ecs = Ecs("123456789012", "us-east-1", lambda: f"{next(ids):032x}", lookups=lookups)
        self.now = 0.0
        self.todo: list[PENDING] = []
        self.wakes: list[Wake] = []
        self.drains: list[Remind] = []
        self.members: set[str] = set()  # tasks that are registered, or may be
        self.up: set[tuple[str, str]] = set()
        self.ended: set[str] = set()
        self.versions: dict[str, int] = defaultdict(int)
        self.dropped: Counter[str] = Counter()
        self.launched: list[str] = []
        self.running: set[str] = set()

    @initialize()
    def account(self) -> None:
        self.ecs.create_cluster({})
        for family, mode, ports in (
            ("eni", "awsvpc", [{"containerPort": 80}]),
            ("dynamic", "bridge", [{"containerPort": 80}, {"containerPort": 81}]),
            ("static", "bridge", [{"containerPort": 80, "hostPort": 8080}]),
            ("host", "host", [{"containerPort": 8081}]),
        ):
            container = {"name": "web", "image": "web:1", "cpu": 300, "memory": 300, "portMappings": ports}
            self.ecs.register_task_definition(
                {
                    "family": family,
                    "networkMode": mode,
                    "requiresCompatibilities": ["EC2"],
                    "containerDefinitions": [container],
                },
                0.0,
            )

    # -- what comes out --

    def take(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case PublishTask(arn, task):
                    assert task["version"] > self.versions[arn]
                    self.versions[arn] = task["version"]
                    assert arn not in self.ended, "STOPPED is the last event"
                    if task["lastStatus"] == "STOPPED":
                        self.ended.add(arn)
                case PublishInstance(arn, _, instance):
                    assert instance["version"] > self.versions[arn]
                    self.versions[arn] = instance["version"]
                case DropInstance(ec2_instance_id):
                    assert ec2_instance_id not in self.running, "only what is lost is dropped"
                    self.dropped[ec2_instance_id] += 1
                case Wake():
                    self.wakes.append(command)
                case Unplaced():
                    assert command.describe()
                case Remind(_, DrainOver()):
                    self.drains.append(command)
                case RegisterTask(arn):
                    self.members.add(arn)
                    self.todo.append(command)
                case DetachEni(arn) | LeaveInstance(arn):
                    assert arn not in self.members, "nothing stays registered"
                    self.todo.append(command)
                case AttachEni() | EnterInstance() | StartContainer() | StopContainer() | DeregisterTask():
                    self.todo.append(command)

    def happens(self, arn: str, event: Any) -> None:
        self.now += 1.0
        self.take(self.ecs.task_event(arn, event, self.now))

    # -- what happens --

    @precondition(lambda self: self.todo)
    @rule(pick=PICK)
    def answer(self, pick: int) -> None:
        command = self.todo.pop(pick % len(self.todo))
        arn = command.task_arn
        match command:
            case AttachEni():
                self.happens(arn, EniAttached(INTERFACE))
            case DetachEni():
                self.up.discard((arn, "web"))
                self.happens(arn, EniDetached())
            case EnterInstance():
                self.happens(arn, InstanceEntered())
            case LeaveInstance():
                self.up.discard((arn, "web"))
                self.happens(arn, InstanceLeft())
            case StartContainer(_, name):
                self.up.add((arn, name))
                self.happens(arn, ContainerStarted(name, "id"))
            case StopContainer(_, name):
                self.up.discard((arn, name))
                self.happens(arn, ContainerExited(name, 143))
            case RegisterTask():
                self.happens(arn, Registered())
            case DeregisterTask():
                self.members.remove(arn)
                self.happens(arn, Deregistered())

    @precondition(lambda self: self.drains)
    @rule(pick=PICK)
    def a_drain_is_over(self, pick: int) -> None:
        drain = self.drains.pop(pick % len(self.drains))
        self.happens(drain.task_arn, drain.event)

    @precondition(lambda self: self.members)
    @rule(pick=PICK, state=st.sampled_from(["healthy", "healthy", "unhealthy"]))
    def targets_are_checked(self, pick: int, state: str) -> None:
        task = self.ecs.tasks[sorted(self.members)[pick % len(self.members)]]
        for group_arn, target in task.registration.targets:
            self.take(self.ecs.target_health_changed(group_arn, target, TargetHealth(state, "", "because"), self.now))

    @precondition(lambda self: self.up)
    @rule(pick=PICK)
    def a_container_ends(self, pick: int) -> None:
        arn, name = sorted(self.up)[pick % len(self.up)]
        self.up.discard((arn, name))
        self.happens(arn, ContainerExited(name, 1))

    @precondition(lambda self: self.wakes)
    @rule(pick=PICK)
    def wake(self, pick: int) -> None:
        wake = self.wakes.pop(pick % len(self.wakes))
        self.now += wake.delay
        self.take(self.ecs.wake(wake, self.now))

    @precondition(lambda self: len(self.launched) < 6)
    @rule(zone=st.sampled_from(["subnet-a", "subnet-b"]))
    def launch(self, zone: str) -> None:
        name = f"i-{len(self.launched)}"
        self.launched.append(name)
        self.start(name, zone)

    def start(self, name: str, zone: str) -> None:
        self.running.add(name)
        launched = Launched(name, SMALL, "ami-1", "vpc-1", zone, "us-east-1a", "10.0.0.1")
        self.take(instances.register(self.ecs, self.ecs.find_cluster("default"), launched, self.now))

    @precondition(lambda self: self.running)
    @rule(pick=PICK, what=st.sampled_from(["stopped", "terminated"]))
    def lose(self, pick: int, what: str) -> None:
        name = sorted(self.running)[pick % len(self.running)]
        self.running.discard(name)
        self.take(instances.lost(self.ecs, name, what, self.now))

    @precondition(lambda self: self.ecs.instances)
    @rule(pick=PICK)
    def start_again(self, pick: int) -> None:
        found = list(self.ecs.instances.values())[pick % len(self.ecs.instances)]
        if found.gone and found.status != "INACTIVE":
            self.start(found.launched.ec2_instance_id, found.launched.subnet_id)

    @precondition(lambda self: self.ecs.instances)
    @rule(pick=PICK, status=st.sampled_from(["ACTIVE", "DRAINING"]))
    def set_state(self, pick: int, status: str) -> None:
        arn = list(self.ecs.instances)[pick % len(self.ecs.instances)]
        self.take(instances.update_state(self.ecs, {"containerInstances": [arn], "status": status}, self.now)[2])

    @precondition(lambda self: self.ecs.instances)
    @rule(pick=PICK, force=st.booleans())
    def deregister(self, pick: int, force: bool) -> None:
        arn = list(self.ecs.instances)[pick % len(self.ecs.instances)]
        with refused_or_not():
            request = {"containerInstance": arn, "force": force}
            self.take(instances.deregister(self.ecs, request, self.now)[1])

    # -- what is asked --

    @rule(family=FAMILIES, number=st.integers(1, 4))
    def run_task(self, family: str, number: int) -> None:
        network = VPC if family == "eni" else {}
        with refused_or_not():
            self.take(starts.run_task(self.ecs, {"taskDefinition": family, "count": number, **network}, self.now)[1])

    @rule(
        name=NAMES,
        family=FAMILIES,
        number=st.integers(0, 5),
        limits=LIMITS,
        daemon=st.booleans(),
        balanced=st.booleans(),
    )
    def create_service(
        self, name: str, family: str, number: int, limits: tuple[int, int], daemon: bool, balanced: bool
    ) -> None:
        arn = f"arn:targetgroup/{'ip' if family == 'eni' else 'instance'}"
        use = {"targetGroupArn": arn, "containerName": "web", "containerPort": PORTS[family]}
        request: dict[str, Any] = {
            "serviceName": name,
            "taskDefinition": family,
            "desiredCount": number,
            "deploymentConfiguration": {"minimumHealthyPercent": limits[0], "maximumPercent": limits[1]},
            **(VPC if family == "eni" else {}),
            "loadBalancers": [use] if balanced else [],
        }
        if daemon:
            request |= {"schedulingStrategy": "DAEMON", "deploymentConfiguration": {}}
            del request["desiredCount"]
        with refused_or_not():
            self.take(services.create(self.ecs, request, self.now)[1])

    @rule(name=NAMES, number=st.integers(0, 5), anew=st.booleans())
    def update_service(self, name: str, number: int, anew: bool) -> None:
        with refused_or_not():
            request = {"service": name, "forceNewDeployment": anew}
            service = self.ecs.find_service(self.ecs.find_cluster("default"), name)
            if not service.is_daemon:
                request["desiredCount"] = number
            self.take(services.update(self.ecs, request, self.now)[1])

    @rule(name=NAMES)
    def delete_service(self, name: str) -> None:
        with refused_or_not():
            self.take(services.delete(self.ecs, {"service": name, "force": True}, self.now)[1])

    @precondition(lambda self: self.ecs.tasks)
    @rule(pick=PICK)
    def stop_task(self, pick: int) -> None:
        self.happens(list(self.ecs.tasks)[pick % len(self.ecs.tasks)], StopRequested("", "UserInitiated"))

    # -- what must hold --

    @invariant()
    def no_instance_has_more_than_it_has(self) -> None:
        for instance in self.ecs.instances.values():
            tasks = instances.tasks_on(self.ecs, instance)
            left = instance.usage(tasks)
            assert min(left.cpu, left.memory, left.interfaces) >= 0
            ports = [(b.protocol, b.host_port) for task in tasks for bound in task.bindings.values() for b in bound]
            assert len(ports) == len(set(ports))

    @invariant()
    def every_task_has_an_instance_and_ends_with_it(self) -> None:
        for task in self.ecs.tasks.values():
            assert task.host is not None
            instance = self.ecs.instances[task.host.container_instance_arn]
            if instance.status == "INACTIVE" or not instance.agent_connected:
                assert task.desired_status == "STOPPED"

    @invariant()
    def a_daemon_has_one_task_on_an_instance(self) -> None:
        for service in self.ecs.services.values():
            if service.is_daemon:
                there = [task for task in self.ecs.tasks_of(service) if task.last_status != "STOPPED"]
                hosts = [task.host for task in there]
                assert len(hosts) == len(set(hosts))

    @invariant()
    def when_all_is_quiet_whatever_fits_is_placed(self) -> None:
        if self.todo or self.drains:
            return
        for instance in self.ecs.instances.values():
            if instance.gone:
                assert not instances.tasks_on(self.ecs, instance)
                assert self.dropped[instance.launched.ec2_instance_id] > 0
        for service in self.ecs.services.values():
            tasks = [task for task in self.ecs.tasks_of(service) if task.desired_status == "RUNNING"]
            own = [task for task in tasks if task.started_by == service.primary.id and not task.draining]
            waits = service.status != "ACTIVE" or service.primary.throttled or len(tasks) >= self.most(service)
            if waits or len(own) >= service.desired_count:
                continue
            found = placement.place(
                service.primary.definition,
                service.primary.how.rules,
                f"service:{service.name}",
                instances.occupancies(self.ecs, service.cluster_arn),
                lambda below: 0,
            )
            assert isinstance(found, Unplaced), f"{service.name} could have placed a task"

    @staticmethod
    def most(service: Any) -> int:
        return int(service.desired_count * service.configuration.maximum_percent // 100)


TestInstances = InstanceMachine.TestCase
TestInstances.settings = settings(max_examples=examples(100), stateful_step_count=50, deadline=None)
