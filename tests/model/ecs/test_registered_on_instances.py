"""Services on container instances whose tasks are registered: drains, daemons, lost hosts, and ports of the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.model.ecs import instances, services
from sandbox.model.ecs.container_instance import DropInstance
from sandbox.model.ecs.messages import (
    ContainerExited,
    ContainerStarted,
    InstanceEntered,
    InstanceLeft,
    PublishTask,
    StopRequested,
)
from sandbox.model.ecs.registration import Deregistered, DrainOver, Registered, RegisterTask
from sandbox.model.elb.target import Target, TargetHealth

if TYPE_CHECKING:
    from tests.model.ecs.fleet import Fleet

Words = Callable[..., list[str]]

PORT = [{"containerPort": 80}]
REGISTRY = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"
INITIAL = TargetHealth("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DAEMON = {"schedulingStrategy": "DAEMON"}


def behind(*arns: str) -> dict[str, Any]:
    return {"loadBalancers": [{"targetGroupArn": arn, "containerName": "web", "containerPort": 80} for arn in arns]}


def statuses(fleet: Fleet) -> list[str]:
    return [task.last_status for task in fleet.account.tasks]


@pytest.fixture
def blue(fleet: Fleet) -> str:
    """A target group of instances, whose targets drain for 300 s; the definition has a port of the host's choice."""
    fleet.define(portMappings=PORT)
    return str(fleet.account.group("blue", target_type="instance"))


# -- a lost instance -------------------------------------------------------------------------------------------------


def test_the_targets_of_a_lost_instance_are_deregistered_and_its_tasks_replaced(fleet: Fleet, blue: str) -> None:
    fleet.launch(), fleet.launch()
    fleet.serve(2, **behind(blue))
    assert fleet.account.rollout() == ["PRIMARY D1 2/2 COMPLETED"]
    fleet.lose(1)
    assert sorted(statuses(fleet)) == ["RUNNING", "RUNNING", "STOPPED"]
    assert fleet.account.tasks[0].stopped_reason == "Host EC2 (instance i-1) terminated."
    assert [task.registration.targets for task in fleet.account.running()] == [
        ((blue, Target("i-2", 32768)),),
        ((blue, Target("i-2", 32769)),),
    ]
    assert fleet.dropped() == ["i-1"]
    assert fleet.account.messages()[-5:] == [
        f"(service web) deregistered 1 targets in (target-group {blue})",
        "(service web, taskSet D1) has begun draining connections on 1 tasks.",
        "(service web) has started 1 tasks: (task T3).",
        f"(service web) registered 1 targets in (target-group {blue})",
        "(service web) has reached a steady state.",
    ]
    fleet.account.later(301)
    assert len(fleet.account.running()) == 2


def test_a_lost_instance_is_dropped_once_its_targets_are_deregistered(fleet: Fleet, blue: str, words: Words) -> None:
    instance = fleet.launch()
    fleet.serve(1, **behind(blue))
    (task,) = fleet.account.tasks
    lost = words(instances.lost(fleet.ecs, "i-1", "stopped", fleet.account.now))
    assert lost[:4] == ["instance ACTIVE v3", "event RUNNING>STOPPED v3", "deregister blue=i-1:32768", "drain 300s"]
    assert "drop i-1" not in lost
    again = instances.lost(fleet.ecs, "i-1", "terminated", fleet.account.now)
    assert words(again)[0] == "instance INACTIVE v4"
    assert not any(isinstance(command, PublishTask | DropInstance) for command in again)
    assert words(fleet.ecs.task_event(task.arn, Deregistered(), fleet.account.now)) == ["leave"]
    left = words(fleet.ecs.task_event(task.arn, InstanceLeft(), fleet.account.now))
    assert left[:3] == ["event STOPPED>STOPPED v4", "instance INACTIVE v5", "drop i-1"]
    assert instances.tasks_on(fleet.ecs, instance) == []


def test_an_instance_that_is_lost_while_its_targets_drain_ends_the_drain(fleet: Fleet, blue: str) -> None:
    fleet.launch()
    fleet.serve(1, **behind(blue))
    fleet.work(fleet.account.scale(0))
    assert statuses(fleet) == ["DEACTIVATING"]
    fleet.lose(1)
    assert statuses(fleet) == ["STOPPED"]
    assert fleet.account.tasks[0].stop_code == "ServiceSchedulerInitiated"
    assert fleet.dropped() == ["i-1"]


# -- a draining instance ---------------------------------------------------------------------------------------------


def test_a_draining_instance_keeps_its_tasks_until_their_replacements_targets_are_healthy(
    fleet: Fleet, blue: str
) -> None:
    first = fleet.launch()
    fleet.serve(1, **behind(blue))
    second = fleet.launch()
    fleet.account.first_health = INITIAL
    fleet.drain(first)
    fleet.account.later(1000)
    assert statuses(fleet) == ["RUNNING", "RUNNING"]
    fleet.work(fleet.account.checked(fleet.account.tasks[1], "healthy"))
    assert statuses(fleet) == ["DEACTIVATING", "RUNNING"]
    fleet.account.later(299)
    assert (fleet.on(first), fleet.on(second)) == (1, 1)
    fleet.account.later(2)
    assert (fleet.on(first), fleet.on(second)) == (0, 1)
    assert fleet.account.messages()[-1] == "(service web) has reached a steady state."


def test_a_task_that_is_activating_is_stopped_when_its_instance_drains(fleet: Fleet, words: Words) -> None:
    fleet.define(portMappings=PORT)
    groups = [fleet.account.group(name, target_type="instance") for name in ("blue", "green")]
    first = fleet.launch()
    request = {"cluster": "blog", "serviceName": "web", "taskDefinition": "blog", "launchType": "EC2"}
    services.create(fleet.ecs, {**request, "desiredCount": 1, **behind(*groups)}, 0.0)
    (task,) = fleet.account.tasks
    fleet.ecs.task_event(task.arn, InstanceEntered(), 1.0)
    asked = fleet.ecs.task_event(task.arn, ContainerStarted("web", "id"), 2.0)
    assert words(asked) == ["event ACTIVATING v2", "register blue=i-1:32768 green=i-1:32768"]
    update = {"cluster": "blog", "containerInstances": [first.id], "status": "DRAINING"}
    drained = words(instances.update_state(fleet.ecs, update, 3.0)[2])
    assert drained[:3] == ["instance DRAINING v3", "event ACTIVATING>STOPPED v3", "event DEACTIVATING>STOPPED v4"]
    registered = words(fleet.ecs.task_event(task.arn, Registered(), 4.0))
    assert registered == ["deregister blue=i-1:32768 green=i-1:32768", "drain 300s"]


# -- daemons ---------------------------------------------------------------------------------------------------------


def test_a_daemon_behind_a_load_balancer_has_a_target_on_each_instance(fleet: Fleet, blue: str) -> None:
    fleet.launch()
    fleet.serve(None, **DAEMON, **behind(blue))
    fleet.launch()
    assert [task.registration.targets for task in fleet.account.running()] == [
        ((blue, Target("i-1", 32768)),),
        ((blue, Target("i-2", 32768)),),
    ]
    assert fleet.account.rollout() == ["PRIMARY D1 2/2 COMPLETED"]
    fleet.lose(1)
    assert fleet.account.rollout() == ["PRIMARY D1 1/1 COMPLETED"]


def test_a_daemon_is_updated_after_the_drain_of_the_task_before_it(fleet: Fleet, blue: str) -> None:
    fleet.launch(), fleet.launch()
    fleet.serve(None, **DAEMON, **behind(blue))
    fleet.define(image="web:2", portMappings=PORT)
    fleet.work(fleet.account.update(taskDefinition="blog"))
    assert statuses(fleet) == ["DEACTIVATING", "DEACTIVATING"]
    fleet.account.later(301)
    assert [task.containers["web"].image for task in fleet.account.running()] == ["web:2", "web:2"]
    assert fleet.account.rollout() == ["PRIMARY D2 2/2 COMPLETED"]


def test_a_drain_on_one_instance_does_not_keep_a_daemon_from_a_new_one(fleet: Fleet, blue: str) -> None:
    first = fleet.launch()
    fleet.serve(None, **DAEMON, **behind(blue))
    fleet.drain(first)
    assert (statuses(fleet), fleet.account.shown()["desiredCount"]) == (["DEACTIVATING"], 0)
    second = fleet.launch()
    assert (statuses(fleet), fleet.on(second)) == (["DEACTIVATING", "RUNNING"], 1)
    fleet.drain(first, "ACTIVE")
    assert fleet.on(first) == 1  # its next task comes after the drain
    fleet.account.later(301)
    assert (statuses(fleet), fleet.on(first)) == (["STOPPED", "RUNNING", "RUNNING"], 1)


def test_a_daemon_s_task_starts_beside_none_that_stops(fleet: Fleet, blue: str) -> None:
    fleet.launch()
    second = fleet.launch()
    fleet.serve(None, **DAEMON, **behind(blue))
    fleet.work(fleet.account.update(forceNewDeployment=True))
    fleet.work(fleet.account.event(fleet.account.tasks[1], DrainOver()))
    assert [task.host for task in fleet.account.running()] == [second.host]


# -- Cloud Map, and ports of the host --------------------------------------------------------------------------------


def test_a_task_in_bridge_mode_has_an_srv_record_of_its_host(fleet: Fleet, words: Words) -> None:
    fleet.account.registry_types[REGISTRY] = frozenset({"SRV"})
    fleet.define(portMappings=PORT)
    fleet.launch()
    registry = {"registryArn": REGISTRY, "containerName": "web", "containerPort": 80}
    request = {"cluster": "blog", "serviceName": "web", "taskDefinition": "blog", "launchType": "EC2"}
    wanted = {**request, "desiredCount": 1, "serviceRegistries": [registry]}
    service, commands = services.create(fleet.ecs, wanted, 0.0)
    assert words(commands)[:3] == ["event PENDING v1", "enter", "instance ACTIVE v2"]
    (task,) = fleet.account.tasks

    def on(event: Any, *expected: str) -> list[Any]:
        commands = fleet.ecs.task_event(task.arn, event, 1.0)
        assert words(commands) == list(expected)
        return commands

    on(InstanceEntered(), "start web")
    _, register = on(ContainerStarted("web", "id", "172.17.0.4"), "event ACTIVATING v2", "register srv-1")
    assert isinstance(register, RegisterTask)
    assert register.instance is not None
    assert register.instance.attributes == {
        "AWS_INSTANCE_IPV4": "10.0.0.1",
        "AWS_INSTANCE_PORT": "32768",
        "AVAILABILITY_ZONE": "us-east-1a",
        "REGION": "us-east-1",
        "ECS_SERVICE_NAME": "web",
        "ECS_CLUSTER_NAME": "blog",
        "ECS_TASK_DEFINITION_FAMILY": "blog",
        "EC2_INSTANCE_ID": "i-1",
    }
    on(Registered(), "event RUNNING v3", "wake in 40s")
    fleet.account.later(100)
    stop = StopRequested("enough", "UserInitiated")
    stopping = fleet.ecs.task_event(task.arn, stop, 200.0)
    assert words(stopping)[:3] == [
        "event RUNNING>STOPPED v4",
        "event DEACTIVATING>STOPPED v5",
        "deregister srv-1",
    ]
    on(Deregistered(), "stop web 30s")
    on(ContainerExited("web", 143), "leave")
    assert service.describe(fleet.account.tasks)["serviceRegistries"] == [registry]


def test_two_tasks_on_one_instance_are_two_targets(fleet: Fleet, blue: str) -> None:
    fleet.launch()
    fleet.serve(2, **behind(blue))
    one, two = fleet.account.tasks
    assert (one.registration.targets, two.registration.targets) == (
        ((blue, Target("i-1", 32768)),),
        ((blue, Target("i-1", 32769)),),
    )
    fleet.account.first_health = INITIAL
    fleet.work(fleet.account.checked(two, "unhealthy", "Request timed out"))
    assert len(fleet.account.tasks) == 3
    fleet.work(fleet.account.checked(fleet.account.tasks[2], "healthy"))
    said = f"(service web) (instance i-1) (port 32769) is unhealthy in (target-group {blue})"
    assert f"{said} due to (reason Request timed out)." in fleet.account.messages()
    assert statuses(fleet) == ["RUNNING", "DEACTIVATING", "RUNNING"]


def test_a_static_port_is_taken_until_the_target_has_drained(fleet: Fleet) -> None:
    blue = fleet.account.group("blue", target_type="instance")
    fleet.define(portMappings=[{"containerPort": 80, "hostPort": 8080}])
    fleet.launch()
    limits = {"minimumHealthyPercent": 0, "maximumPercent": 100}
    fleet.serve(1, **behind(blue), deploymentConfiguration=limits)
    fleet.work(fleet.account.update(forceNewDeployment=True))
    assert statuses(fleet) == ["DEACTIVATING"]
    (old,) = fleet.account.tasks
    fleet.account.later(301)
    assert statuses(fleet) == ["STOPPED", "RUNNING"]
    assert fleet.account.tasks[1].registration.targets == old.registration.targets
    fleet.work(fleet.account.checked(old, "unhealthy", "late"))  # it is the new task's target now
    assert fleet.account.tasks[1].registration.failing is not None


def test_the_event_of_a_task_in_bridge_mode_has_an_attachment_for_its_target_group(fleet: Fleet, blue: str) -> None:
    fleet.launch()
    fleet.serve(1, **behind(blue))
    (task,) = fleet.account.tasks
    assert [one["type"] for one in task.changed().task["attachments"]] == ["elb"]
    assert task.describe()["attachments"] == []
