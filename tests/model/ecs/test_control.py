"""The ECS API of the model: answers and AWS's errors. Services keep to test_service.py."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from sandbox.model.ecs import services, starts
from sandbox.model.ecs.control import Ecs
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.messages import ContainerStarted, EniAttached, EniFailed, Interface, PublishTask

ARN = "arn:aws:ecs:us-east-1:123456789012"
RUN = {
    "taskDefinition": "blog",
    "launchType": "FARGATE",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"], "securityGroups": ["sg-1"]}},
}
SERVICE = {**RUN, "serviceName": "web", "desiredCount": 1}


@pytest.fixture
def ecs(request_for: Callable[..., dict[str, Any]]) -> Ecs:
    ids = count(1)
    ecs = Ecs("123456789012", "us-east-1", lambda: f"{next(ids):032x}")
    ecs.create_cluster({})
    ecs.register_task_definition(request_for(), 0.0)
    return ecs


def refused(code: str, message: str) -> Any:
    """An EcsError with this code, whose message starts with ``message``."""
    return pytest.raises(EcsError, check=lambda error: error.code == code and error.message.startswith(message))


# -- clusters --------------------------------------------------------------------------------------------------------


def test_a_cluster_is_created_once(ecs: Ecs) -> None:
    cluster = ecs.create_cluster({"clusterName": "blog"})
    assert cluster.arn == f"{ARN}:cluster/blog"
    assert ecs.create_cluster({"clusterName": "blog"}) is cluster
    assert ecs.find_cluster("blog") is ecs.find_cluster(cluster.arn) is cluster
    assert ecs.find_cluster(None).name == "default"


def associate(ecs: Ecs, *providers: str, default: str = "") -> None:
    strategy = [{"capacityProvider": default, "weight": 1}] if default else []
    ecs.put_cluster_capacity_providers(
        {"cluster": "default", "capacityProviders": list(providers), "defaultCapacityProviderStrategy": strategy}
    )


def test_capacity_providers_of_a_cluster(ecs: Ecs) -> None:
    """They are replaced as a whole; the default strategy holds for tasks that name nothing."""
    associate(ecs, "FARGATE", "FARGATE_SPOT", default="FARGATE_SPOT")
    shown = ecs.describe_cluster(ecs.find_cluster(None))
    assert shown["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert shown["defaultCapacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    [task], _ = starts.run_task(ecs, {**RUN, "launchType": None}, 0.0)
    assert task.capacity_provider == "FARGATE_SPOT"
    with refused("ResourceInUseException", "The capacity provider FARGATE_SPOT is used by tasks."):
        associate(ecs, "FARGATE")
    task.last_status = "STOPPED"
    associate(ecs, "FARGATE")
    assert ecs.describe_cluster(ecs.find_cluster(None))["capacityProviders"] == ["FARGATE"]


def test_capacity_providers_that_a_cluster_cannot_have(ecs: Ecs) -> None:
    with refused("InvalidParameterException", "The specified capacity provider mine was not found."):
        associate(ecs, "mine")
    with refused(
        "InvalidParameterException", "The default capacity provider strategy names FARGATE_SPOT, which is not"
    ):
        associate(ecs, "FARGATE", default="FARGATE_SPOT")
    assert ecs.describe_cluster(ecs.find_cluster(None))["capacityProviders"] == []


@pytest.mark.parametrize("name", ["a/b", "my cluster", "x" * 256])
def test_cluster_names(ecs: Ecs, name: str) -> None:
    with refused("InvalidParameterException", "Cluster name contains invalid characters"):
        ecs.create_cluster({"clusterName": name})


def test_an_unknown_cluster(ecs: Ecs) -> None:
    for call in (ecs.find_cluster, ecs.delete_cluster):
        with refused("ClusterNotFoundException", "Cluster not found."):
            call("other")
    for action in (starts.run_task, Ecs.stop_task, services.create, services.update, services.delete):
        with refused("ClusterNotFoundException", "Cluster not found."):
            action(ecs, {"cluster": "other"}, 0.0)
    with refused("ClusterNotFoundException", "Cluster not found."):
        ecs.list_tasks({"cluster": "other"})


def test_a_cluster_as_described(ecs: Ecs) -> None:
    starts.run_task(ecs, {**RUN, "count": 2}, 0.0)
    services.create(ecs, SERVICE, 0.0)
    assert ecs.describe_cluster(ecs.find_cluster(None)) == {
        "clusterArn": f"{ARN}:cluster/default",
        "clusterName": "default",
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": 0,
        "pendingTasksCount": 3,
        "activeServicesCount": 1,
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    }


def test_a_cluster_in_use_is_not_deleted(ecs: Ecs) -> None:
    services.create(ecs, {**SERVICE, "desiredCount": 0}, 0.0)
    with refused("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."):
        ecs.delete_cluster("default")
    services.delete(ecs, {"service": "web"}, 0.0)
    [task], _ = starts.run_task(ecs, RUN, 0.0)
    with refused("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active."):
        ecs.delete_cluster("default")
    ecs.task_event(task.arn, EniFailed("no address"), 1.0)
    assert ecs.delete_cluster("default").status == "INACTIVE"
    with refused("ClusterNotFoundException", "Cluster not found."):
        ecs.find_cluster("default")
    assert ecs.create_cluster({}).status == "ACTIVE"


# -- task definitions ------------------------------------------------------------------------------------------------


def test_revisions(ecs: Ecs, request_for: Callable[..., dict[str, Any]]) -> None:
    second = ecs.register_task_definition(request_for(cpu="512", memory="1024"), 0.0)
    assert second.name == "blog:2"
    assert ecs.find_definition("blog") is ecs.find_definition(second.arn) is second
    assert ecs.find_definition("blog:1").revision == 1


def test_a_refused_definition_takes_no_revision(ecs: Ecs, request_for: Callable[..., dict[str, Any]]) -> None:
    with refused("ClientException", "No Fargate configuration exists"):
        ecs.register_task_definition(request_for(memory="513"), 0.0)
    assert ecs.register_task_definition(request_for(), 0.0).revision == 2


@pytest.mark.parametrize("reference", ["other", "blog:0", "blog:2", "other:1"])
def test_an_unknown_definition(ecs: Ecs, reference: str) -> None:
    with refused("ClientException", "Unable to describe task definition."):
        ecs.find_definition(reference)
    with refused("ClientException", "TaskDefinition not found."):
        starts.run_task(ecs, {**RUN, "taskDefinition": reference}, 0.0)
    with refused("ClientException", "TaskDefinition not found."):
        services.create(ecs, {**SERVICE, "taskDefinition": reference}, 0.0)


# -- RunTask ---------------------------------------------------------------------------------------------------------


def test_run_task(ecs: Ecs, words: Callable[..., list[str]]) -> None:
    tasks, commands = starts.run_task(
        ecs, {**RUN, "count": 2, "startedBy": "me", "tags": [{"key": "k", "value": "v"}]}, 5.0
    )
    assert words(commands) == ["event PROVISIONING v1", "attach"] * 2
    assert len({task.arn for task in tasks}) == 2
    shown = tasks[0].describe()
    assert shown["taskArn"].startswith(f"{ARN}:task/default/")
    assert len(shown["taskArn"].rsplit("/", 1)[1]) == 32
    assert (shown["group"], shown["startedBy"], shown["createdAt"]) == ("family:blog", "me", 5.0)
    assert shown["tags"] == [{"key": "k", "value": "v"}]
    [container] = shown["containers"]
    assert container["containerArn"].startswith(f"{ARN}:container/default/{tasks[0].id}/")
    assert shown["attachments"][0]["id"].count("-") == 4


def test_a_group_of_its_own(ecs: Ecs) -> None:
    [task], _ = starts.run_task(ecs, {**RUN, "group": "nightly"}, 0.0)
    assert task.group == "nightly"
    with refused("InvalidParameterException", "Invalid namespace for group."):
        starts.run_task(ecs, {**RUN, "group": "service:web"}, 0.0)


@pytest.mark.parametrize("number", [0, -1, 11])
def test_count(ecs: Ecs, number: int) -> None:
    with refused("InvalidParameterException", "Count must be between 1 and 10."):
        starts.run_task(ecs, {**RUN, "count": number}, 0.0)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            {"networkConfiguration": None},
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}},
            "InvalidParameterException",
            "subnets can not be empty.",
        ),
        (
            {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
            "InvalidParameterException",
            "Specifying both a launch type and capacity provider strategy is not supported.",
        ),
        (
            {"launchType": None, "capacityProviderStrategy": [{"capacityProvider": "mine"}]},
            "InvalidParameterException",
            "The specified capacity provider strategy is invalid",
        ),
        (
            {
                "launchType": None,
                "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}, {"capacityProvider": "FARGATE_SPOT"}],
            },
            "ClientException",
            "The sandbox does not carry out a capacityProviderStrategy of more than one provider",
        ),
        ({"launchType": "EXTERNAL"}, "ClientException", "The sandbox does not carry out launchType EXTERNAL"),
        (
            {"placementStrategy": [{"type": "random"}]},
            "InvalidParameterException",
            "Placement strategies are not supported with FARGATE launch type.",
        ),
    ],
)
def test_where_a_task_cannot_run(ecs: Ecs, change: dict[str, Any], code: str, message: str) -> None:
    for action, request in ((starts.run_task, RUN), (services.create, SERVICE)):
        with refused(code, message):
            action(ecs, {**request, **change}, 0.0)
    assert not ecs.tasks
    assert not ecs.services


def test_a_definition_for_ec2_does_not_run_on_fargate(ecs: Ecs, request_for: Callable[..., dict[str, Any]]) -> None:
    ecs.register_task_definition(request_for(family="ec2", requiresCompatibilities=["EC2"]), 0.0)
    with refused("InvalidParameterException", "Task definition does not support launch_type FARGATE."):
        starts.run_task(ecs, {**RUN, "taskDefinition": "ec2"}, 0.0)


def test_the_cluster_s_default_strategy(ecs: Ecs) -> None:
    ecs.create_cluster(
        {"clusterName": "spot", "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}
    )
    [task], _ = starts.run_task(ecs, {**RUN, "cluster": "spot", "launchType": None}, 0.0)
    assert task.capacity_provider == "FARGATE_SPOT"
    [task], _ = starts.run_task(ecs, {**RUN, "cluster": "spot"}, 0.0)
    assert task.capacity_provider is None
    service, _ = services.create(ecs, {**SERVICE, "cluster": "spot", "launchType": None}, 0.0)
    assert service.describe([])["capacityProviderStrategy"] == [
        {"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}
    ]


# -- StopTask, DescribeTasks, ListTasks ------------------------------------------------------------------------------


def test_stop_task_answers_with_the_task_as_it_was_told(ecs: Ecs, words: Callable[..., list[str]]) -> None:
    [task], _ = starts.run_task(ecs, RUN, 0.0)
    stopped, commands = ecs.stop_task({"task": task.id}, 1.0)
    assert stopped is task
    assert words(commands) == ["event PROVISIONING>STOPPED v2"]
    assert isinstance(commands[0], PublishTask)
    assert commands[0].task["stoppedReason"] == "Task stopped by user"
    assert commands[0].task["stopCode"] == "UserInitiated"
    assert ecs.stop_task({"task": task.arn}, 2.0) == (task, [])


def test_the_user_s_own_reason(ecs: Ecs) -> None:
    [task], _ = starts.run_task(ecs, RUN, 0.0)
    ecs.stop_task({"task": task.id, "reason": "because"}, 1.0)
    assert task.describe()["stoppedReason"] == "because"


@pytest.mark.parametrize("reference", ["", "0" * 32, f"{ARN}:task/default/{'0' * 32}"])
def test_an_unknown_task(ecs: Ecs, reference: str) -> None:
    with refused("InvalidParameterException", "The referenced task was not found."):
        ecs.stop_task({"task": reference}, 0.0)


def test_a_task_of_another_cluster(ecs: Ecs) -> None:
    [task], _ = starts.run_task(ecs, RUN, 0.0)
    other = ecs.create_cluster({"clusterName": "other"})
    for reference in (task.id, task.arn):
        with refused("InvalidParameterException", "The referenced task was not found."):
            ecs.find_task(other, reference)


def test_list_tasks(ecs: Ecs, interface: Interface) -> None:
    [mine], _ = starts.run_task(ecs, {**RUN, "startedBy": "me"}, 0.0)
    services.create(ecs, SERVICE, 0.0)
    [other] = [task for task in ecs.tasks.values() if task is not mine]

    def listed(**filters: Any) -> list[Any]:
        return ecs.list_tasks(filters)

    assert listed() == [mine, other]
    assert listed(startedBy="me") == [mine]
    assert listed(serviceName="web") == [other]
    assert listed(serviceName=f"{ARN}:service/default/web") == [other]
    assert listed(family="blog", launchType="FARGATE") == [mine, other]
    assert listed(family="x") == listed(launchType="EC2") == listed(desiredStatus="PENDING") == []
    ecs.stop_task({"task": mine.id}, 1.0)
    assert listed() == [other]
    assert listed(desiredStatus="STOPPED") == [mine]
    with refused("ServiceNotFoundException", "Service not found."):
        listed(serviceName="x")


def test_a_task_is_forgotten_only_when_it_has_stopped(ecs: Ecs, interface: Interface) -> None:
    [task], _ = starts.run_task(ecs, RUN, 0.0)
    ecs.forget_task(task.arn)
    assert task.arn in ecs.tasks
    ecs.task_event(task.arn, EniFailed("no address"), 10.0)
    ecs.forget_task(task.arn)
    assert not ecs.tasks
    ecs.forget_task(task.arn)
    assert ecs.task_event(task.arn, EniAttached(interface), 9999.0) == []


def test_execute_command_is_shown(ecs: Ecs) -> None:
    (task,), commands = starts.run_task(ecs, {**RUN, "enableExecuteCommand": True}, 0.0)
    assert task.describe()["enableExecuteCommand"] is True
    assert task.describe()["containers"][0]["managedAgents"] == [
        {"name": "ExecuteCommandAgent", "lastStatus": "PENDING"}
    ]
    service, commands = services.create(ecs, {**SERVICE, "enableExecuteCommand": True}, 0.0)
    assert service.describe([])["enableExecuteCommand"] is True
    assert commands[0].task["enableExecuteCommand"] is True
    (task,), _ = starts.run_task(ecs, RUN, 0.0)
    assert task.describe()["enableExecuteCommand"] is False
    assert "managedAgents" not in task.describe()["containers"][0]


SPOT = {
    "taskDefinition": "blog",
    "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}],
    "networkConfiguration": RUN["networkConfiguration"],
}


def test_a_spot_interruption(ecs: Ecs, interface: Interface, words: Callable[..., list[str]]) -> None:
    service, commands = services.create(ecs, {**SPOT, "serviceName": "web", "desiredCount": 1}, 1.0)
    arn = commands[0].task_arn
    ecs.task_event(arn, EniAttached(interface), 2.0)
    ecs.task_event(arn, ContainerStarted("web", "id"), 3.0)
    interrupted = ecs.interrupt_spot(arn, 4.0)
    assert words(interrupted) == ["event RUNNING>STOPPED v4", "stop web 30s", "event PROVISIONING v1", "attach"]
    shown = interrupted[0].task
    assert (shown["stopCode"], shown["stoppedReason"]) == ("SpotInterruption", "Your Spot Task was interrupted.")
    assert len(ecs.tasks_of(service)) == 2


def test_only_a_live_spot_task_is_interrupted(ecs: Ecs) -> None:
    (on_demand,), _ = starts.run_task(ecs, RUN, 0.0)
    (spot,), _ = starts.run_task(ecs, SPOT, 0.0)
    with refused("InvalidParameterException", "The referenced task was not found."):
        ecs.interrupt_spot("nope", 1.0)
    with refused("InvalidParameterException", "Only tasks of the capacity provider FARGATE_SPOT"):
        ecs.interrupt_spot(on_demand.arn, 1.0)
    ecs.interrupt_spot(spot.arn, 1.0)
    with refused("InvalidParameterException", "The task is stopping already."):
        ecs.interrupt_spot(spot.arn, 2.0)


# -- services --------------------------------------------------------------------------------------------------------


def test_a_service_is_created_once(ecs: Ecs) -> None:
    service, _ = services.create(ecs, SERVICE, 0.0)
    assert ecs.find_service(ecs.find_cluster(None), "web") is service
    with refused("InvalidParameterException", "Creation of service was not idempotent."):
        services.create(ecs, SERVICE, 0.0)


@pytest.mark.parametrize("name", [None, "", "a b", "a/b"])
def test_service_names(ecs: Ecs, name: str | None) -> None:
    with refused("InvalidParameterException", "Service name contains invalid characters"):
        services.create(ecs, {**SERVICE, "serviceName": name}, 0.0)


def test_a_negative_count(ecs: Ecs) -> None:
    with refused("InvalidParameterException", "desiredCount must not be negative."):
        services.create(ecs, {**SERVICE, "desiredCount": -1}, 0.0)
    service, _ = services.create(ecs, SERVICE, 0.0)
    with refused("InvalidParameterException", "desiredCount must not be negative."):
        services.update(ecs, {"service": "web", "desiredCount": -1}, 0.0)
    assert service.desired_count == 1


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("serviceConnectConfiguration", {"enabled": True}),
    ],
)
def test_services_that_are_not_carried_out(ecs: Ecs, parameter: str, value: object) -> None:
    with refused("ClientException", f"The sandbox does not carry out {parameter}"):
        services.create(ecs, {**SERVICE, parameter: value}, 0.0)


def test_an_unknown_service(ecs: Ecs) -> None:
    for action in (services.update, services.delete):
        with refused("ServiceNotFoundException", "Service not found."):
            action(ecs, {"service": "x"}, 0.0)
