"""Container instances and what happens to the tasks on them, as transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.model.ecs import instances, services, starts, tagging
from sandbox.model.ecs.container_instance import PublishInstance
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.events import SEEN_2024, instance_state_change, task_state_change
from sandbox.model.ecs.messages import (
    ContainerExited,
    ContainerStarted,
    EniAttached,
    EniDetached,
    HostLost,
    InstanceEntered,
    InstanceLeft,
    StopRequested,
)
from sandbox.model.ecs.placement import Unplaced
from tests.model.ecs.fleet import C5_LARGE, T3_SMALL, VPC, Fleet

PORT = [{"containerPort": 80, "hostPort": 8080}]
UNPLACED = "(service web) was unable to place a task because no container instance met all of its requirements."
GUIDE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


def refused(code: str, message: str) -> Any:
    def matches(error: EcsError) -> bool:
        return error.code == code and message in error.message

    return pytest.RaisesExc(EcsError, check=matches)


# -- the life of a task without an interface of its own --


def test_a_task_in_bridge_mode_begins_in_pending_and_ends_in_stopped(
    fleet: Fleet, words: Callable[..., list[str]]
) -> None:
    fleet.define(portMappings=[{"containerPort": 80}])
    fleet.launch()
    (task,), commands = starts.run_task(fleet.ecs, {"cluster": "blog", "taskDefinition": "blog"}, 0.0)
    assert words(commands) == ["event PENDING v1", "enter", "instance ACTIVE v2"]
    assert words(fleet.ecs.task_event(task.arn, InstanceEntered(), 1.0)) == ["start web"]
    assert words(fleet.ecs.task_event(task.arn, InstanceEntered(), 1.0)) == []
    assert task.describe()["containers"][0]["networkBindings"] == []
    started = ContainerStarted("web", "id", "172.17.0.4")
    assert words(fleet.ecs.task_event(task.arn, started, 2.0)) == ["event RUNNING v2"]
    shown = task.describe()
    assert shown["containers"][0]["networkBindings"] == [
        {"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32768, "protocol": "tcp"}
    ]
    assert (shown["attachments"], shown["availabilityZone"], shown["launchType"]) == ([], "us-east-1a", "EC2")
    assert shown["containerInstanceArn"] == next(iter(fleet.ecs.instances))
    assert "platformVersion" not in shown
    stop = fleet.ecs.task_event(task.arn, StopRequested("enough", "UserInitiated"), 3.0)
    assert words(stop) == ["event RUNNING>STOPPED v3", "stop web 30s"]
    assert words(fleet.ecs.task_event(task.arn, ContainerExited("web", 0), 4.0)) == ["leave"]
    assert words(fleet.ecs.task_event(task.arn, InstanceLeft(), 5.0)) == [
        "event STOPPED>STOPPED v4",
        "instance ACTIVE v3",
    ]


def test_a_task_that_is_stopped_before_its_instance_has_taken_it_on(
    fleet: Fleet, words: Callable[..., list[str]]
) -> None:
    fleet.launch()
    (task,), _ = starts.run_task(fleet.ecs, {"cluster": "blog", "taskDefinition": "blog"}, 0.0)
    stop = fleet.ecs.task_event(task.arn, StopRequested("enough", "UserInitiated"), 1.0)
    assert words(stop) == ["event PENDING>STOPPED v2", "leave"]
    assert words(fleet.ecs.task_event(task.arn, InstanceEntered(), 2.0)) == []
    assert words(fleet.ecs.task_event(task.arn, InstanceLeft(), 3.0))[0] == "event STOPPED>STOPPED v3"


def test_a_lost_host_ends_a_task_in_every_state(fleet: Fleet, words: Callable[..., list[str]], interface: Any) -> None:
    fleet.launch()
    gone = HostLost("Host EC2 (instance i-1) terminated.", "TerminationNotice")
    (task,), _ = starts.run_task(fleet.ecs, {"cluster": "blog", "taskDefinition": "blog"}, 0.0)
    fleet.ecs.task_event(task.arn, InstanceEntered(), 1.0)
    assert words(fleet.ecs.task_event(task.arn, gone, 2.0)) == ["event PENDING>STOPPED v2", "leave"]
    assert words(fleet.ecs.task_event(task.arn, gone, 3.0)) == []
    assert words(fleet.ecs.task_event(task.arn, ContainerStarted("web", "id"), 3.0)) == []
    assert (task.stop_code, task.stopped_reason) == ("TerminationNotice", gone.reason)

    fleet.define("awsvpc")
    (task,), _ = starts.run_task(
        fleet.ecs, {"cluster": "blog", "taskDefinition": "blog", "networkConfiguration": VPC}, 0.0
    )
    assert words(fleet.ecs.task_event(task.arn, gone, 1.0)) == ["event PROVISIONING>STOPPED v2"]
    attached = fleet.ecs.task_event(task.arn, EniAttached(interface), 2.0)
    assert words(attached) == ["event DEPROVISIONING>STOPPED v3", "detach"]
    assert words(fleet.ecs.task_event(task.arn, EniDetached(), 3.0))[0] == "event STOPPED>STOPPED v4"


# -- services --


def test_three_of_five_tasks_stay_unplaced_on_a_t3_small_until_a_second_comes(fleet: Fleet) -> None:
    fleet.define("awsvpc")
    first = fleet.launch()
    fleet.serve(5, networkConfiguration=VPC)
    assert len(fleet.account.running()) == 2
    closest = f'The closest matching (container-instance {first.id}) encountered error "RESOURCE:ENI".'
    assert fleet.unplaced() == [f"{UNPLACED} {closest} {GUIDE}"]
    failed = fleet.account.published[-1]
    assert failed.detail["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE"
    assert (failed.detail["reason"], failed.detail["containerInstanceArns"]) == ("RESOURCE:ENI", [first.arn])
    fleet.launch()
    assert len(fleet.account.running()) == 4
    assert len(fleet.unplaced()) == 1  # the same cause is said once
    fleet.launch()
    assert len(fleet.account.running()) == 5
    fleet.account.later(100)
    assert fleet.account.messages()[-1] == "(service web) has reached a steady state."
    (subnet,) = {task.network.subnets for task in fleet.account.tasks if task.network}
    assert subnet == ("subnet-a",)  # the instance's


def test_what_cannot_be_placed_is_said_again_after_six_hours_or_when_its_cause_changes(fleet: Fleet) -> None:
    fleet.serve(1)
    assert fleet.unplaced() == [f"{UNPLACED} Reason: No Container Instances were found in your cluster. {GUIDE}"]
    fleet.work(fleet.account.scale(2))
    assert len(fleet.unplaced()) == 1
    fleet.account.later(6 * 3600 + 1)
    assert len(fleet.unplaced()) == 2
    fleet.define(cpu=4096)
    fleet.work(fleet.account.update(taskDefinition="blog"))
    fleet.launch()
    assert "has insufficient CPU units available" in fleet.unplaced()[-1]
    fleet.define()
    fleet.work(fleet.account.update(taskDefinition="blog"))
    assert len(fleet.account.running()) == 2


def test_a_task_that_stops_makes_room_for_another_service(fleet: Fleet) -> None:
    fleet.define(portMappings=PORT)
    fleet.launch()
    (task,) = fleet.run()
    fleet.serve(1)
    assert "is already using a port required by your task" in fleet.unplaced()[0]
    fleet.work(fleet.account.event(task, StopRequested("", "UserInitiated")))
    assert len(fleet.account.running()) == 1


def test_a_static_port_keeps_a_rolling_update_on_one_instance_from_starting(fleet: Fleet) -> None:
    fleet.define(portMappings=PORT)
    fleet.launch()
    fleet.serve(1)
    fleet.account.later(50)
    fleet.define(portMappings=PORT, image="web:2")
    fleet.work(fleet.account.update(taskDefinition="blog"))
    assert [task.containers["web"].image for task in fleet.account.running()] == ["web:1"]
    assert "is already using a port required by your task" in fleet.unplaced()[0]
    fleet.work(fleet.account.update(deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100}))
    assert [task.containers["web"].image for task in fleet.account.running()] == ["web:2"]


def test_draining_replaces_under_the_limits_of_the_service(fleet: Fleet) -> None:
    first = fleet.launch()
    fleet.serve(4)
    (alone,) = fleet.run()
    fleet.account.later(50)
    second = fleet.launch()
    fleet.drain(first)
    assert (fleet.on(first), fleet.on(second)) == (5, 4)  # 100 % healthy: replacements first
    fleet.account.later(50)
    assert (fleet.on(first), fleet.on(second)) == (1, 4)
    assert alone.last_status == "RUNNING"
    fleet.account.later(50)
    assert fleet.account.messages()[-1] == "(service web) has reached a steady state."


def test_draining_with_a_minimum_of_50_percent_and_a_maximum_of_100(fleet: Fleet) -> None:
    first = fleet.launch()
    fleet.serve(4, deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 100})
    fleet.account.later(50)
    second = fleet.launch()
    fleet.account.slow_stop = True
    fleet.drain(first)
    assert sum(task.desired_status == "RUNNING" for task in fleet.account.tasks) == 2
    fleet.account.end_leaving()
    assert (fleet.on(first), fleet.on(second)) == (2, 2)


def test_tasks_that_do_not_run_yet_are_stopped_at_once_when_their_instance_drains(fleet: Fleet) -> None:
    first = fleet.launch()
    commands = fleet.account.create(1, launchType="EC2", networkConfiguration=None)
    fleet.launch()
    fleet.drain(first)
    (pending, replacement) = fleet.account.tasks
    assert (pending.last_status, replacement.last_status) == ("STOPPED", "RUNNING")
    fleet.work(commands)  # what comes late changes nothing
    assert pending.last_status == "STOPPED"
    fleet.drain(first, "ACTIVE")
    assert fleet.run()[0].host == first.host


def test_a_terminated_instance_is_deregistered_and_its_tasks_are_replaced(fleet: Fleet) -> None:
    fleet.launch()
    fleet.serve(2)
    second = fleet.launch()
    old = [task for task in fleet.account.tasks if task.host and task.host.ec2_instance_id == "i-1"]
    assert len(old) == 2
    fleet.lose(1)
    assert {task.stopped_reason for task in old} == {"Host EC2 (instance i-1) terminated."}
    assert fleet.on(second) == 2
    assert fleet.dropped() == ["i-1"]
    assert instances.listed(fleet.ecs, {"cluster": "blog"}) == [second]
    inactive = instances.listed(fleet.ecs, {"cluster": "blog", "status": "INACTIVE"})
    assert [(one.status, one.agent_connected) for one in inactive] == [("INACTIVE", False)]


def test_a_stopped_instance_comes_back(fleet: Fleet) -> None:
    instance = fleet.launch()
    fleet.serve(1)
    fleet.lose(1, "stopped")
    assert (instance.status, instance.agent_connected, fleet.on(instance)) == ("ACTIVE", False, 0)
    assert 'encountered error "AGENT"' in fleet.unplaced()[-1]
    fleet.work(instances.register(fleet.ecs, fleet.ecs.find_cluster("blog"), instance.launched, 0.0))
    assert (len(fleet.ecs.instances), len(fleet.account.running())) == (1, 1)


def test_scaling_in_keeps_the_balance_of_zones(fleet: Fleet) -> None:
    for zone in "aab":
        fleet.launch(zone=zone)
    fleet.serve(4)
    fleet.account.later(50)

    def zones() -> list[str]:
        return sorted(task.host.availability_zone[-1] for task in fleet.account.running() if task.host)

    assert zones() == ["a", "a", "b", "b"]
    fleet.work(fleet.account.scale(3))
    fleet.work(fleet.account.scale(2))
    assert zones() == ["a", "b"]


def test_an_empty_capacity_provider_strategy_leaves_the_launch_type(fleet: Fleet) -> None:
    fleet.launch()
    fleet.serve(1)
    fleet.work(fleet.account.update(capacityProviderStrategy=[]))
    assert fleet.account.shown()["launchType"] == "EC2"


# -- daemons --


def test_a_daemon_has_a_task_on_each_instance(fleet: Fleet) -> None:
    first = fleet.launch()
    fleet.serve(None, schedulingStrategy="DAEMON")
    second = fleet.launch()
    assert [fleet.on(first), fleet.on(second)] == [1, 1]
    shown = fleet.account.shown()
    assert (shown["schedulingStrategy"], shown["desiredCount"]) == ("DAEMON", 2)
    assert shown["deploymentConfiguration"] == {"minimumHealthyPercent": 0, "maximumPercent": 100}
    fleet.drain(first)
    assert [fleet.on(first), fleet.on(second)] == [0, 1]
    fleet.drain(first, "ACTIVE")
    assert [fleet.on(first), fleet.on(second)] == [1, 1]
    fleet.lose(2)
    assert fleet.account.shown()["desiredCount"] == 1
    fleet.define(image="web:2")
    fleet.work(fleet.account.update(taskDefinition="blog"))
    assert [task.containers["web"].image for task in fleet.account.running()] == ["web:2"]
    fleet.work(fleet.account.delete())
    assert fleet.on(first) == 0


@pytest.mark.parametrize("deregister", [False, True])
def test_a_daemon_wants_no_task_on_an_instance_that_goes_without_one(fleet: Fleet, deregister: bool) -> None:
    first, _ = fleet.launch(), fleet.launch()
    fleet.serve(None, schedulingStrategy="DAEMON")
    fleet.account.later(50)
    fleet.lose(1, "stopped")
    assert fleet.account.shown()["desiredCount"] == 2  # it may come back
    if deregister:
        fleet.work(instances.deregister(fleet.ecs, {"cluster": "blog", "containerInstance": first.id}, 0.0)[1])
    else:
        fleet.lose(1)
    assert fleet.account.shown()["desiredCount"] == 1
    assert fleet.account.messages()[-1] == "(service web) has reached a steady state."


def test_a_daemon_keeps_to_its_constraints_and_says_where_there_is_no_room(fleet: Fleet) -> None:
    here = [{"type": "memberOf", "expression": "attribute:ecs.availability-zone == us-east-1a"}]
    fleet.define(memory=1500)
    first, other = fleet.launch(), fleet.launch(zone="b")
    fleet.run(count=1, placementConstraints=here)
    fleet.serve(None, schedulingStrategy="DAEMON", placementConstraints=here)
    assert (fleet.account.shown()["desiredCount"], fleet.on(first), fleet.on(other)) == (1, 1, 0)
    assert len(fleet.unplaced()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"desiredCount": 1},
        {"placementStrategy": [{"type": "random"}]},
        {"deploymentConfiguration": {"maximumPercent": 200}},
        {"launchType": "FARGATE"},
    ],
)
def test_what_a_daemon_cannot_have(fleet: Fleet, wrong: dict[str, Any]) -> None:
    definition = "blog:1" if "launchType" in wrong else "blog"  # the first is the account's, for Fargate
    network = {"networkConfiguration": VPC} if "launchType" in wrong else {}
    request = {
        "cluster": "blog",
        "serviceName": "web",
        "taskDefinition": definition,
        "launchType": "EC2",
        "schedulingStrategy": "DAEMON",
        **network,
    }
    with pytest.raises(EcsError, match="daemon scheduling strategy"):
        services.create(fleet.ecs, {**request, **wrong}, 0.0)


# -- RunTask, StartTask --


def test_run_task_starts_what_fits_and_fails_for_the_rest(fleet: Fleet) -> None:
    with refused("InvalidParameterException", "No Container Instances were found in your cluster."):
        fleet.run()
    instance = fleet.launch()
    fleet.define(memory=900)
    assert len(fleet.run(count=5)) == 2
    (unplaced,) = [one for one in fleet.account.told if isinstance(one, Unplaced)]
    assert unplaced.describe() == [{"arn": instance.arn, "reason": "RESOURCE:MEMORY"}]


def test_start_task_asks_neither_strategy_nor_constraints(fleet: Fleet) -> None:
    first, second = fleet.launch(), fleet.launch()
    fleet.define(portMappings=PORT)
    wanted = [second.id, second.arn, "nope"]
    request = {"cluster": "blog", "taskDefinition": "blog", "containerInstances": wanted}
    tasks, failures, commands = starts.start_task(fleet.ecs, request, 0.0)
    assert [task.host for task in tasks] == [second.host]
    assert failures == [{"arn": second.arn, "reason": "RESOURCE:PORTS"}, {"arn": "nope", "reason": "MISSING"}]
    fleet.work(commands)
    assert fleet.on(second) == 1
    listed = fleet.ecs.list_tasks({"cluster": "blog", "containerInstance": second.id})
    assert listed == tasks
    fleet.work(fleet.account.event(tasks[0], StopRequested("", "UserInitiated")))
    stopped = {"cluster": "blog", "containerInstance": second.id, "desiredStatus": "STOPPED"}
    assert fleet.ecs.list_tasks(stopped) == tasks
    assert fleet.ecs.list_tasks({**stopped, "containerInstance": first.id}) == []
    instances.deregister(fleet.ecs, {"cluster": "blog", "containerInstance": first.id}, 0.0)
    _, failures, _ = starts.start_task(fleet.ecs, {**request, "containerInstances": [first.id]}, 0.0)
    assert failures == [{"arn": first.arn, "reason": "INACTIVE"}]
    with refused("InvalidParameterException", "Invalid namespace for group."):
        starts.start_task(fleet.ecs, {**request, "group": "service:web"}, 0.0)
    with refused("InvalidParameterException", "Tags of a service can not be propagated"):
        starts.start_task(fleet.ecs, {**request, "propagateTags": "SERVICE"}, 0.0)
    with refused("InvalidParameterException", "1 to 10 container instances"):
        starts.start_task(fleet.ecs, {**request, "containerInstances": []}, 0.0)


@pytest.mark.parametrize(
    ("mode", "network", "message"),
    [
        ("bridge", VPC, "Network Configuration is not valid for the given networkMode of this task definition."),
        ("awsvpc", None, "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
        (
            "awsvpc",
            {"awsvpcConfiguration": {"subnets": ["subnet-a"], "assignPublicIp": "ENABLED"}},
            "Assign public IP is not supported for this launch type.",
        ),
    ],
)
def test_networks_that_are_refused(fleet: Fleet, mode: str, network: Any, message: str) -> None:
    fleet.define(mode)
    fleet.launch()
    with refused("InvalidParameterException", message):
        fleet.run(networkConfiguration=network)


# -- trunking --


def test_only_instances_launched_after_opting_in_have_a_trunk(fleet: Fleet) -> None:
    before = fleet.launch(C5_LARGE)
    fleet.ecs.settings.put_default({"name": "awsvpcTrunking", "value": "enabled"})
    after, small = fleet.launch(C5_LARGE), fleet.launch(T3_SMALL)
    assert [one.interfaces for one in (before, after, small)] == [2, 10, 2]
    assert ["ecs.awsvpc-trunk-id" in one.attributes for one in (before, after, small)] == [False, True, False]


# -- the API of container instances --


def test_deregistering(fleet: Fleet) -> None:
    instance = fleet.launch()
    (task,) = fleet.run()
    request = {"cluster": "blog", "containerInstance": instance.id}
    with refused("InvalidParameterException", "Found running tasks on the instance."):
        instances.deregister(fleet.ecs, request, 0.0)
    with refused("ClusterContainsContainerInstancesException", "while Container Instances are active or draining"):
        fleet.ecs.delete_cluster("blog")
    fleet.work(instances.deregister(fleet.ecs, {**request, "force": True}, 0.0)[1])
    assert (task.last_status, task.stopped_reason) == ("STOPPED", "Container instance deregistration forced by user")
    assert fleet.dropped() == []  # EC2's instance goes on
    for again in (request, {"cluster": "blog", "containerInstance": "nope"}):
        with refused("InvalidParameterException", "Referenced container instance not found."):
            instances.deregister(fleet.ecs, again, 0.0)
    fleet.ecs.delete_cluster("blog")


def test_attributes(fleet: Fleet) -> None:
    instance = fleet.launch()
    fleet.serve(1, placementConstraints=[{"type": "memberOf", "expression": "attribute:stack == prod"}])
    assert 'encountered error "MemberOf placement constraint unsatisfied."' in fleet.unplaced()[0]
    stack = {"name": "stack", "value": "prod", "targetId": instance.arn}
    shown, commands = instances.put_attributes(fleet.ecs, {"cluster": "blog", "attributes": [stack]}, 0.0)
    assert shown == [stack]
    fleet.work(commands)
    assert len(fleet.account.running()) == 1  # the service has its instance now
    by_name = {"cluster": "blog", "targetType": "container-instance", "attributeName": "stack"}
    assert instances.list_attributes(fleet.ecs, by_name) == [stack]
    assert instances.list_attributes(fleet.ecs, {**by_name, "attributeValue": "test"}) == []
    found = instances.listed(fleet.ecs, {"cluster": "blog", "filter": "attribute:stack == prod"})
    assert found == [instance]
    assert instances.delete_attributes(
        fleet.ecs, {"cluster": "blog", "attributes": [stack, {**stack, "name": "x"}]}
    ) == [stack]
    for wrong, code in (
        ({**stack, "targetId": "nope"}, "TargetNotFoundException"),
        ({**stack, "name": "ecs.instance-type"}, "InvalidParameterException"),
        ({**stack, "name": "no spaces"}, "InvalidParameterException"),
        ({**stack, "value": " padded"}, "InvalidParameterException"),
    ):
        with refused(code, ""):
            instances.put_attributes(fleet.ecs, {"cluster": "blog", "attributes": [wrong]}, 0.0)


def test_tags(fleet: Fleet) -> None:
    instance = fleet.launch()
    stage = {"key": "stage", "value": "prod"}
    tagging.add(fleet.ecs, instance.arn, [stage, {"key": "other", "value": ""}])
    tagging.remove(fleet.ecs, instance.arn, ["other"])
    assert instances.describe(fleet.ecs, instance)["tags"] == list(tagging.of(fleet.ecs, instance.arn)) == [stage]


def test_update_state_of_what_there_is_not(fleet: Fleet) -> None:
    instance = fleet.launch()
    instances.deregister(fleet.ecs, {"cluster": "blog", "containerInstance": instance.id}, 0.0)
    request = {"cluster": "blog", "containerInstances": [instance.id, "nope"], "status": "DRAINING"}
    _, failures, _ = instances.update_state(fleet.ecs, request, 0.0)
    assert failures == [{"arn": instance.arn, "reason": "INACTIVE"}, {"arn": "nope", "reason": "MISSING"}]
    with refused("InvalidParameterException", "ACTIVE or DRAINING"):
        instances.update_state(fleet.ecs, {**request, "status": "INACTIVE"}, 0.0)


def test_an_instance_as_it_is_shown_and_its_event(fleet: Fleet) -> None:
    fleet.define(portMappings=[*PORT, {"containerPort": 53, "hostPort": 53, "protocol": "udp"}], cpu=100)
    instance = fleet.launch()
    fleet.run()
    shown = instances.describe(fleet.ecs, instance)
    assert (shown["status"], shown["agentConnected"], shown["runningTasksCount"]) == ("ACTIVE", True, 1)
    left = {item["name"]: item.get("stringSetValue", item["integerValue"]) for item in shown["remainingResources"]}
    assert (left["CPU"], left["MEMORY"]) == (1948, 1896)
    assert left["PORTS"] == ["22", "2376", "2375", "51678", "51679", "51680", "8080"]
    assert left["PORTS_UDP"] == ["53"]
    attributes = {item["name"]: item.get("value") for item in shown["attributes"]}
    assert attributes["ecs.instance-type"] == "t3.small"
    assert attributes["ecs.availability-zone"] == "us-east-1a"
    assert attributes["ecs.capability.task-eni"] is None
    published = [one for one in fleet.account.told if isinstance(one, PublishInstance)]
    assert [one.instance["version"] for one in published] == [1, 2]
    event = instance_state_change(
        published[-1].instance, instance.cluster_arn, event_id="1", now=1000.0, account="1", region="us-east-1"
    )
    assert event["detail-type"] == "ECS Container Instance State Change"
    assert event["resources"] == [instance.arn]
    assert event["detail"]["registeredAt"] == "1970-01-01T00:16:40Z"
    assert "runningTasksCount" not in event["detail"]


def test_the_event_of_a_task_has_its_bindings_and_no_interface(fleet: Fleet) -> None:
    fleet.define(portMappings=PORT)
    fleet.launch()
    (task,) = fleet.run()
    event = task_state_change(task.describe(), event_id="1", now=0.0, account="1", region="us-east-1", shape=SEEN_2024)
    assert event["detail"]["attachments"] == []
    assert event["detail"]["containers"][0]["networkBindings"][0]["hostPort"] == 8080
