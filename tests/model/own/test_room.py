"""Whether services fit on instances: which resource runs out, what would take them, and whether they can be updated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.ecs.instance_types import InstanceType
from sandbox.model.own import room
from sandbox.model.own.errors import OwnError
from sandbox.model.own.room import Fit, Fleet

T3_SMALL = InstanceType("t3.small", 2048, 1996, 3)
T3_LARGE = InstanceType("t3.large", 2048, 7985, 3)
T3_XLARGE = InstanceType("t3.xlarge", 4096, 15970, 4)
C5_LARGE = InstanceType("c5.large", 2048, 3992, 3)
M6G_MEDIUM = InstanceType("m6g.medium", 1024, 3992, 2, "arm64")
TYPES = [C5_LARGE, M6G_MEDIUM, T3_LARGE, T3_SMALL, T3_XLARGE]
# minimumHealthyPercent 0: an old task may make room for a new one.
MAKES_ROOM = {"deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}


def definition(mode="awsvpc", **container):
    wanted = {"name": "web", "image": "web:1", "memory": 100, **container}
    return {
        "family": "app",
        "networkMode": mode,
        "requiresCompatibilities": ["EC2"],
        "containerDefinitions": [wanted],
    }


def service(count, mode="awsvpc", **more):
    network = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}} if mode == "awsvpc" else {}
    return {
        "serviceName": "app",
        "taskDefinition": "app",
        "desiredCount": count,
        "launchType": "EC2",
        **network,
        **MAKES_ROOM,
        **more,
    }


def test_network_interfaces_run_out_first():
    found = room.place([definition()], [service(5)], Fleet(T3_SMALL))
    assert found.fits == (Fit("app", 5, 2, "RESOURCE:ENI"),)
    assert found.left == ("default-1: 2 tasks; left: 0 of 2 task network interfaces, 2048 CPU units, 1796 MiB",)
    others = room.would_fit([definition()], [service(5)], Fleet(T3_SMALL), TYPES)
    assert [str(one) for one in others] == [
        "3 × t3.small (2 awsvpc tasks each)",
        "1 × c5.large with awsvpcTrunking (10 awsvpc tasks each)",
    ]
    for other in others:
        assert room.place([definition()], [service(5)], other).holds


def test_a_larger_type_of_the_family_is_named_where_its_interfaces_are_enough():
    others = room.would_fit([definition()], [service(3)], Fleet(T3_SMALL), TYPES)
    assert [str(one) for one in others][1] == "1 × t3.xlarge (3 awsvpc tasks each)"


def test_trunking_and_bridge_mode_hold():
    assert room.place([definition()], [service(5)], Fleet(C5_LARGE, trunking=True)).holds
    assert not room.place([definition()], [service(5)], Fleet(C5_LARGE)).holds
    assert room.place([definition("bridge")], [service(5, "bridge")], Fleet(T3_SMALL)).holds


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"cpu": 1500}, "RESOURCE:CPU"),
        ({"memory": 1500}, "RESOURCE:MEMORY"),
        ({"portMappings": [{"containerPort": 80, "hostPort": 80}]}, "RESOURCE:PORTS"),
    ],
)
def test_other_resources_are_named_as_ecs_names_them(container, reason):
    found = room.place([definition("bridge", **container)], [service(2, "bridge")], Fleet(T3_SMALL))
    assert found.fits == (Fit("app", 2, 1, reason),)


def test_as_many_instances_as_tasks_want_the_same_port_are_named():
    hungry = definition("bridge", portMappings=[{"containerPort": 80, "hostPort": 80}])
    (more,) = room.would_fit([hungry], [service(50, "bridge")], Fleet(T3_SMALL), TYPES)
    assert more == Fleet(T3_SMALL, 50)


@given(st.integers(1, 30), st.sampled_from(["awsvpc", "bridge"]), st.integers(0, 900), st.integers(6, 900))
def test_what_is_named_takes_all_and_one_instance_less_does_not(count, mode, cpu, memory):
    wanted = [service(count, mode)]
    definitions = [definition(mode, cpu=cpu, memory=memory)]
    if room.place(definitions, wanted, Fleet(T3_SMALL)).holds:
        return
    found = room.would_fit(definitions, wanted, Fleet(T3_SMALL), TYPES)
    assert all(room.place(definitions, wanted, one).holds for one in found)
    more = next(one for one in found if one.type == T3_SMALL)
    assert not room.place(definitions, wanted, Fleet(T3_SMALL, more.count - 1)).holds


def test_services_share_the_instances_of_their_cluster():
    other = service(1) | {"serviceName": "other"}
    together = room.place([definition()], [service(2), other], Fleet(T3_SMALL))
    assert together.fits == (Fit("app", 2, 2), Fit("other", 1, 0, "RESOURCE:ENI"))
    apart = room.place([definition()], [service(2), other | {"cluster": "second"}], Fleet(T3_SMALL))
    assert apart.holds


def test_a_deployment_needs_room_for_one_more_where_no_task_may_stop_first():
    default = service(2) | {"deploymentConfiguration": {}}
    found = room.place([definition()], [default], Fleet(T3_SMALL))
    assert found.fits == (Fit("app", 2, 2, stuck="RESOURCE:ENI"),)
    assert room.place([definition()], [default], Fleet(T3_SMALL, 2)).holds
    assert room.place([definition()], [default], Fleet(T3_SMALL), deploy=False).holds
    none = service(1) | {"deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100}}
    (fit,) = room.place([definition()], [none], Fleet(T3_SMALL)).fits
    assert "maximumPercent" in fit.stuck


def test_a_daemon_has_a_task_on_each_instance():
    daemon = {key: value for key, value in service(1).items() if key != "desiredCount"}
    found = room.place([definition()], [daemon | {"schedulingStrategy": "DAEMON"}], Fleet(T3_SMALL, 3))
    assert found.fits == (Fit("app", 3, 3),)


def test_what_cannot_be_placed_is_named():
    with pytest.raises(OwnError, match="no service of the stack runs on EC2 instances"):
        room.place([definition()], [service(1) | {"launchType": "FARGATE"}], Fleet(T3_SMALL))
    with pytest.raises(OwnError, match="service app: "):
        room.place([definition()], [service(1) | {"taskDefinition": "none"}], Fleet(T3_SMALL))
    with pytest.raises(OwnError, match="task definition app: "):
        room.place([definition() | {"networkMode": "x"}], [service(1)], Fleet(T3_SMALL))


def test_nothing_is_named_where_nothing_would_do():
    hungry = definition("bridge", memory=100_000)
    assert room.would_fit([hungry], [service(1, "bridge")], Fleet(T3_SMALL), TYPES) == ()


@given(st.integers(1, 12), st.integers(1, 5), st.sampled_from([T3_SMALL, T3_XLARGE, C5_LARGE]), st.booleans())
def test_no_instance_ever_has_more_tasks_than_interfaces(count, machines, kind, trunking):
    fleet = Fleet(kind, machines, trunking)
    found = room.place([definition(memory=16)], [service(count)], fleet)
    assert found.fits[0].placed == min(count, machines * fleet.task_interfaces)
    assert found.holds == (count <= machines * fleet.task_interfaces)
