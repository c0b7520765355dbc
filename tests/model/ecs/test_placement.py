"""Placement: what fits, what is said where nothing does, and each strategy against a brute force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.ecs import placement, taskdef
from sandbox.model.ecs.container_instance import ContainerInstance, Launched, Occupancy, built_in
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.instance_types import InstanceType
from sandbox.model.ecs.placement import Unplaced, place
from sandbox.model.ecs.ports import EPHEMERAL, bind
from sandbox.model.ecs.task import Task

T3_SMALL = InstanceType("t3.small", 2048, 1996, 3)
CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/c"


def definition(
    cpu: int = 0, memory: int = 100, mode: str = "bridge", ports: tuple[int, ...] = (), **more: Any
) -> taskdef.TaskDefinition:
    container = {"name": "web", "image": "web:1", "cpu": cpu, "memory": memory}
    container["portMappings"] = [{"containerPort": number, "hostPort": port} for number, port in enumerate(ports, 80)]
    request = {
        "family": "web",
        "networkMode": mode,
        "requiresCompatibilities": ["EC2"],
        "containerDefinitions": [container],
        **more,
    }
    return taskdef.register(request, arn_prefix="arn:aws:ecs:us-east-1:123456789012", revision=1, now=0.0)


@dataclass
class Cluster:
    """Instances, and tasks placed on them by `run`."""

    occupancies: list[Occupancy] = field(default_factory=list)
    ids: Any = field(default_factory=lambda: count(1))

    def add(self, kind: InstanceType = T3_SMALL, zone: str = "us-east-1a", **attributes: str) -> ContainerInstance:
        number = len(self.occupancies) + 1
        launched = Launched(f"i-{number}", kind, "ami-1", "vpc-1", f"subnet-{zone}", zone, f"10.0.0.{number}")
        instance = ContainerInstance(
            f"{CLUSTER}/instance/{number}",
            CLUSTER,
            launched,
            kind.task_interfaces,
            float(number),
            {**built_in(launched, ""), **attributes},
        )
        self.occupancies.append(Occupancy(instance, ()))
        return instance

    def put(self, what: taskdef.TaskDefinition, index: int, group: str = "family:web") -> Task:
        occupancy = self.occupancies[index]
        instance = occupancy.instance
        bindings = bind(what, instance.usage(occupancy.tasks).ports, instance.next_port)
        task = Task(f"arn:task/{next(self.ids)}", CLUSTER, what, None, "", group, "EC2", None, "", 0.0, {})
        task.host, task.bindings = instance.host, bindings
        self.occupancies[index] = Occupancy(instance, (*occupancy.tasks, task))
        return task

    def stop(self, index: int) -> None:
        occupancy = self.occupancies[index]
        self.occupancies[index] = Occupancy(occupancy.instance, occupancy.tasks[1:])

    def run(
        self,
        what: taskdef.TaskDefinition,
        group: str = "family:web",
        draw: Callable[[int], int] = lambda n: 0,
        **how: Any,
    ) -> int | Unplaced:
        """Place a task; the index of its instance."""
        found = place(what, placement.rules(how, what), group, self.occupancies, draw)
        if isinstance(found, Unplaced):
            return found
        index = [occupancy.instance for occupancy in self.occupancies].index(found)
        self.put(what, index, group)
        return index


def reasons(found: int | Unplaced) -> list[str]:
    assert isinstance(found, Unplaced)
    return [reason for _, reason in found.failures]


# -- what fits --


def test_a_t3_small_has_two_interfaces_for_tasks() -> None:
    cluster = Cluster()
    cluster.add()
    awsvpc = definition(mode="awsvpc")
    assert [cluster.run(awsvpc), cluster.run(awsvpc)] == [0, 0]
    assert reasons(cluster.run(awsvpc)) == ["RESOURCE:ENI"]
    assert cluster.run(definition()) == 0  # bridge mode takes none
    cluster.stop(0)
    assert cluster.run(awsvpc) == 0


@pytest.mark.parametrize(
    ("name", "alone", "trunked"),
    [
        ("c5.large", 2, 10),
        ("m5.xlarge", 3, 20),
        ("r5.2xlarge", 3, 40),
        ("m6i.8xlarge", 7, 90),
        ("m5.8xlarge", 7, 60),
        ("m6g.medium", 1, 4),
        ("c5.18xlarge", 14, 120),
        ("t3.small", 2, None),
        ("r5.8xlarge", 7, None),
        ("c5a.8xlarge", 7, None),
        ("c5n.large", 2, None),
    ],
)
def test_task_limits_of_the_developer_guide(name: str, alone: int, trunked: int | None) -> None:
    kind = InstanceType(name, 2048, 4000, alone + 1)
    assert (kind.task_interfaces, kind.trunked_task_interfaces) == (alone, trunked)


def test_a_type_is_what_ec2_describes() -> None:
    described = {
        "InstanceType": "m4.large",
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "VCpuInfo": {"DefaultVCpus": 2},
        "MemoryInfo": {"SizeInMiB": 8192},
        "NetworkInfo": {"MaximumNetworkInterfaces": 2},
    }
    assert InstanceType.of(described) == InstanceType("m4.large", 2048, 7985, 2)


def test_cpu_and_memory_are_of_the_task_or_of_its_containers() -> None:
    cluster = Cluster()
    cluster.add()
    assert cluster.run(definition(cpu=2000)) == 0
    assert reasons(cluster.run(definition(cpu=49))) == ["RESOURCE:CPU"]
    assert reasons(cluster.run(definition(memory=1897))) == ["RESOURCE:MEMORY"]
    reserved = {"name": "web", "image": "web:1", "memory": 4000, "memoryReservation": 1896}
    assert cluster.run(definition(containerDefinitions=[reserved])) == 0  # the reservation counts, not the limit


def test_a_port_is_had_once_by_each_protocol() -> None:
    cluster = Cluster()
    cluster.add()
    assert cluster.run(definition(ports=(8080,))) == 0
    assert reasons(cluster.run(definition(ports=(8080,)))) == ["RESOURCE:PORTS"]
    udp = [{"containerPort": 80, "hostPort": 8080, "protocol": "udp"}]
    container = {"name": "web", "image": "web:1", "memory": 1, "portMappings": udp}
    assert cluster.run(definition(containerDefinitions=[container])) == 0
    assert reasons(cluster.run(definition(ports=(22,)))) == ["RESOURCE:PORTS"]  # of the instance itself
    assert reasons(cluster.run(definition(ports=(9000, 9000)))) == ["RESOURCE:PORTS"]
    many = tuple(range(10000, 10094))
    assert reasons(cluster.run(definition(ports=many))) == ["RESOURCE:PORTS"]  # 100 at most, with the reserved ones
    assert cluster.run(definition(ports=many[:92])) == 0


def test_dynamic_ports_come_one_after_another() -> None:
    cluster = Cluster()
    cluster.add()
    first, second = cluster.put(definition(ports=(0, 0)), 0), cluster.put(definition(ports=(0,)), 0)
    assert [one.host_port for one in first.bindings["web"]] == [32768, 32769]
    assert [one.host_port for one in second.bindings["web"]] == [32770]
    (last,) = bind(definition(ports=(0,)), {("tcp", 60999), ("tcp", 32768)}, 60999)["web"]
    assert last.host_port == 32769


# -- where --


def test_constraints_and_what_is_said_of_them() -> None:
    cluster = Cluster()
    cluster.add(stack="prod")
    cluster.add(zone="us-east-1b", stack="test")
    prod = [{"type": "memberOf", "expression": "attribute:stack == prod"}]
    distinct = [{"type": "distinctInstance"}]
    assert [cluster.run(definition(), placementConstraints=prod) for _ in range(3)] == [0, 0, 0]
    nowhere = [{"type": "memberOf", "expression": "attribute:stack == none"}]
    assert reasons(cluster.run(definition(), placementConstraints=nowhere)) == [placement.MEMBER_OF] * 2
    assert cluster.run(definition(), placementConstraints=distinct) == 1
    assert reasons(cluster.run(definition(), placementConstraints=distinct)) == [placement.DISTINCT_INSTANCE] * 2
    assert cluster.run(definition(), "family:other", placementConstraints=distinct) == 0
    of_definition = definition(placementConstraints=[{"type": "memberOf", "expression": "task:group == family:other"}])
    assert cluster.run(of_definition) == 0


def test_the_instance_is_in_one_of_the_task_s_subnets() -> None:
    cluster = Cluster()
    cluster.add()
    awsvpc = definition(mode="awsvpc")
    for subnet, reason in (("subnet-us-east-1a", None), ("subnet-x", "ATTRIBUTE")):
        found = place(awsvpc, placement.rules({}, awsvpc, [subnet]), "g", cluster.occupancies, lambda n: 0)
        assert (found.reason if isinstance(found, Unplaced) else None) == reason


def test_a_disconnected_agent_takes_nothing() -> None:
    cluster = Cluster()
    cluster.add().agent_connected = False
    assert reasons(cluster.run(definition())) == ["AGENT"]
    assert placement.failure(definition(), cluster.occupancies[0]) == "AGENT"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (definition(mode="awsvpc"), 'encountered error "RESOURCE:ENI".'),
        (definition(cpu=9999), "has insufficient CPU units available."),
        (definition(memory=9999), "has insufficient memory available."),
        (definition(ports=(22,)), "is already using a port required by your task."),
    ],
)
def test_the_service_event(what: taskdef.TaskDefinition, said: str) -> None:
    cluster = Cluster()
    cluster.add(InstanceType("t3.nano", 2048, 500, 1))
    found = cluster.run(what)
    assert isinstance(found, Unplaced)
    assert found.message() == (
        "was unable to place a task because no container instance met all of its requirements. "
        f"The closest matching (container-instance 1) {said}"
    )


def test_the_closest_instance_fails_latest() -> None:
    cluster = Cluster()
    cluster.add().agent_connected = False
    cluster.add(InstanceType("t3.nano", 2048, 50, 2))
    cluster.add(InstanceType("big", 2048, 5000, 1))
    found = cluster.run(definition(mode="awsvpc"))
    assert reasons(found) == ["RESOURCE:ENI", "RESOURCE:MEMORY", "AGENT"]
    assert isinstance(found, Unplaced)
    assert [item["reason"] for item in found.describe()] == reasons(found)
    assert "No Container Instances were found in your cluster." in Unplaced(()).message()


@pytest.mark.parametrize(
    "wrong",
    [
        {"placementStrategy": [{"type": "spread"}]},
        {"placementStrategy": [{"type": "binpack", "field": "disk"}]},
        {"placementStrategy": [{"type": "random"}] * 6},
        {"placementConstraints": [{"type": "memberOf"}]},
        {"placementConstraints": [{"type": "memberOf", "expression": "nonsense"}]},
        {"placementConstraints": [{"type": "distinctInstance"}] * 11},
    ],
)
def test_rules_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(EcsError) as caught:
        placement.rules(wrong, definition())
    assert caught.value.code == "InvalidParameterException"


# -- strategies --


def test_the_default_is_zones_then_instances() -> None:
    cluster = Cluster()
    for zone in ("us-east-1a", "us-east-1a", "us-east-1b"):
        cluster.add(zone=zone)
    assert [cluster.run(definition()) for _ in range(4)] == [0, 2, 1, 2]
    assert cluster.run(definition(), "family:other") == 0  # other tasks do not count


def test_spread_binpack_and_random() -> None:
    cluster = Cluster()
    cluster.add(InstanceType("big", 4096, 8000, 3))
    cluster.add()
    pack = [{"type": "binpack", "field": "MEMORY"}]
    assert [cluster.run(definition(memory=900), placementStrategy=pack) for _ in range(3)] == [1, 1, 0]
    host = [{"type": "spread", "field": "host"}]
    assert cluster.run(definition(), placementStrategy=host) == 0
    chosen = cluster.run(definition(), draw=lambda below: below - 1, placementStrategy=[{"type": "random"}])
    assert chosen == 1


SIZES = st.tuples(st.integers(0, 1200), st.integers(1, 1200))
STRATEGIES = st.sampled_from(
    [
        [],
        [{"type": "binpack", "field": "cpu"}],
        [{"type": "binpack", "field": "memory"}],
        [{"type": "spread", "field": "instanceId"}],
        [{"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "binpack", "field": "memory"}],
    ]
)
ZONES = st.lists(st.sampled_from(["us-east-1a", "us-east-1b", "us-east-1c"]), min_size=1, max_size=4)


@given(ZONES, st.lists(SIZES, min_size=1, max_size=10), STRATEGIES)
def test_a_strategy_chooses_the_best_of_all_instances(
    zones: list[str], sizes: list[tuple[int, int]], strategy: list[dict[str, str]]
) -> None:
    cluster = Cluster()
    for zone in zones:
        cluster.add(zone=zone)
    for cpu, memory in sizes:
        what = definition(cpu=cpu, memory=memory)
        before = list(cluster.occupancies)

        def cost(index: int, before: list[Occupancy] = before) -> list[int]:
            """The brute force: what each strategy in turn wants the least of."""
            left = before[index].instance.usage(before[index].tasks)
            by_instance = [len(occupancy.tasks) for occupancy in before]
            by_zone = Counter[str]()
            for zone, tasks in zip(zones, by_instance, strict=True):
                by_zone[zone] += tasks
            costs = {"cpu": left.cpu, "memory": left.memory, "instanceId": by_instance[index]}
            named = [item["field"] for item in strategy] or ["attribute:ecs.availability-zone", "instanceId"]
            return [costs.get(name, by_zone[zones[index]]) for name in named]

        able = [
            index
            for index, occupancy in enumerate(before)
            if (left := occupancy.instance.usage(occupancy.tasks)).cpu >= cpu and left.memory >= memory
        ]
        found = cluster.run(what, placementStrategy=strategy)
        if isinstance(found, Unplaced):
            assert not able
        else:
            assert found in able
            assert cost(found) == min(map(cost, able))


STEP = st.one_of(
    st.tuples(
        st.just("run"),
        st.integers(0, 1500),
        st.integers(1, 1000),
        st.sampled_from(["awsvpc", "bridge", "host"]),
        st.lists(st.sampled_from([0, 8080, 8081, 40000]), max_size=2, unique=True),
    ),
    st.tuples(st.just("stop"), st.integers(0, 2)),
)


@given(st.lists(STEP, max_size=30))
def test_never_more_than_an_instance_has_and_all_of_it_comes_back(steps: list[Any]) -> None:
    cluster = Cluster()
    for zone in ("us-east-1a", "us-east-1b", "us-east-1b"):
        cluster.add(zone=zone)
    empty = [occupancy.instance.usage(()) for occupancy in cluster.occupancies]
    for step in steps:
        if step[0] == "stop":
            cluster.stop(step[1])
        else:
            _, cpu, memory, mode, ports = step
            mappings = [{"containerPort": 80 + n, "hostPort": port} for n, port in enumerate(ports)]
            if mode != "bridge":
                mappings = [{"containerPort": port} for port in ports if port]
            web = {"name": "web", "image": "web:1", "cpu": cpu, "memory": memory, "portMappings": mappings}
            cluster.run(definition(mode=mode, containerDefinitions=[web]))
        for occupancy in cluster.occupancies:
            left = occupancy.instance.usage(occupancy.tasks)
            assert min(left.cpu, left.memory, left.interfaces) >= 0
            bound = [
                (one.protocol, one.host_port)
                for task in occupancy.tasks
                for bindings in task.bindings.values()
                for one in bindings
            ]
            assert len(bound) == len(set(bound))
            assert all(port in EPHEMERAL or port in {8080, 8081} for _, port in bound)
    for index, occupancy in enumerate(cluster.occupancies):
        for _ in occupancy.tasks:
            cluster.stop(index)
    assert [occupancy.instance.usage(occupancy.tasks) for occupancy in cluster.occupancies] == empty
