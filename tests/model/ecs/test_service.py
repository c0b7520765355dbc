"""A service keeps its count: API calls and what happens to tasks in, commands and service events out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.model.ecs.deployment import FIRST_RETRY_DELAY, MAX_RETRY_DELAY
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.messages import ContainerExited, ContainerStarted, EniAttached
from sandbox.model.ecs.rollout import HEALTHY_AFTER
from sandbox.model.ecs.service import Wake
from sandbox.model.ecs.service_events import KEPT_EVENTS

if TYPE_CHECKING:
    from tests.model.ecs.conftest import Account

NO_IMAGE = "CannotPullContainerError: pull access denied"


# -- up to steady ----------------------------------------------------------------------------------------------------


def test_a_service_starts_its_tasks(account: Account) -> None:
    commands = account.create(2)
    assert account.words(commands) == [
        "event PROVISIONING v1",
        "attach",
        "event PROVISIONING v1",
        "attach",
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
    ]
    first, second = account.tasks
    assert (first.group, first.started_by) == ("service:web", account.service.primary.id)
    assert account.shown()["pendingCount"] == 2
    account.work(commands)
    assert [first.last_status, second.last_status] == ["RUNNING", "RUNNING"]
    assert account.messages() == ["(service web) has started 2 tasks: (task T1) (task T2)."]
    account.later(HEALTHY_AFTER)
    assert account.messages()[1:] == [
        "(service web) (deployment D1) deployment completed.",
        "(service web) has reached a steady state.",
    ]


def test_the_deployment_id(account: Account) -> None:
    account.create(0)
    prefix, digits = account.service.primary.id.split("/")
    assert (prefix, len(digits), digits.isdigit()) == ("ecs-svc", 19, True)


def test_a_service_of_none_is_steady_at_once(account: Account) -> None:
    assert account.words(account.create(0)) == [
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_COMPLETED",
        "SERVICE_STEADY_STATE",
    ]
    assert account.messages()[-1] == "(service web) has reached a steady state."


def test_steady_is_said_once(account: Account) -> None:
    account.work(account.create(1))
    account.later(HEALTHY_AFTER)
    account.event(account.tasks[0], ContainerStarted("web", "id"))
    account.later(HEALTHY_AFTER)
    assert account.messages().count("(service web) has reached a steady state.") == 1


# -- keeping the count -----------------------------------------------------------------------------------------------


def test_a_task_that_ends_is_replaced_at_once(account: Account) -> None:
    account.work(account.create(1))
    account.later(HEALTHY_AFTER)
    [old] = account.tasks
    commands = account.event(old, ContainerExited("web", 1))
    assert account.words(commands) == [
        "event RUNNING>STOPPED v4",
        "event DEPROVISIONING>STOPPED v5",
        "detach",
        "event PROVISIONING v1",
        "attach",
    ]
    account.work(commands)
    assert [task.last_status for task in account.tasks] == ["STOPPED", "RUNNING"]
    account.later(HEALTHY_AFTER)
    assert account.messages()[-2:] == [
        "(service web) has started 1 tasks: (task T2).",
        "(service web) has reached a steady state.",
    ]


def test_a_task_that_a_user_stops_is_replaced(account: Account) -> None:
    account.work(account.create(1))
    old = account.tasks[0]
    _, commands = account.ecs.stop_task({"cluster": "blog", "task": old.id}, account.now)
    assert account.words(commands) == [
        "event RUNNING>STOPPED v4",
        "stop web 30s",
        "event PROVISIONING v1",
        "attach",
    ]
    account.work(commands)
    assert account.running() == [account.tasks[1]]


def test_a_container_that_ends_at_once_is_not_throttled(account: Account) -> None:
    """Developer guide: tasks that fail because of command errors cause neither the throttle nor its event."""
    commands = account.create(1)
    for _ in range(5):
        task = account.tasks[-1]
        account.event(task, EniAttached(account.interface))
        commands = account.event(task, ContainerExited("web", 1))
        assert [w.subject for w in commands if isinstance(w, Wake)] == [task.arn]
        assert account.words(commands)[-1] == "attach"
    assert "unable to consistently" not in repr(account.messages())


# -- scaling ---------------------------------------------------------------------------------------------------------


def test_scaling_up(account: Account) -> None:
    account.work(account.create(1))
    account.later(HEALTHY_AFTER)
    account.work(account.scale(3))
    assert len(account.running()) == 3
    account.later(HEALTHY_AFTER)
    assert account.messages()[-2:] == [
        "(service web) has started 2 tasks: (task T2) (task T3).",
        "(service web) has reached a steady state.",
    ]


def test_scaling_down(account: Account) -> None:
    account.work(account.create(3))
    account.later(HEALTHY_AFTER)
    first, *rest = account.tasks
    commands = account.scale(1)
    assert account.words(commands) == ["event RUNNING>STOPPED v4", "stop web 30s"] * 2
    assert {task.stopped_reason for task in rest} == {
        f"Scaling activity initiated by (deployment {account.service.primary.id})"
    }
    assert {task.stop_code for task in rest} == {"ServiceSchedulerInitiated"}
    account.work(commands)
    assert account.running() == [first]
    assert account.messages()[-2:] == [
        "(service web) has stopped 2 running tasks: (task T2) (task T3).",
        "(service web) has reached a steady state.",
    ]


def test_steady_does_not_wait_for_tasks_that_are_leaving(account: Account) -> None:
    """Seen: steady 10 s after the stop, the task STOPPED 26 s later."""
    account.work(account.create(2))
    account.later(HEALTHY_AFTER)
    account.scale(1)
    account.event(account.tasks[1], ContainerExited("web", 143))
    assert account.tasks[1].last_status == "DEPROVISIONING"
    assert account.messages()[-1] == "(service web) has reached a steady state."


def test_scaling_down_while_tasks_are_on_their_way(account: Account) -> None:
    commands = account.create(2) + account.scale(0)
    account.work(commands)
    assert {task.last_status for task in account.tasks} == {"STOPPED"}
    assert account.service.steady


# -- deleting --------------------------------------------------------------------------------------------------------


def test_a_service_that_is_scaled_above_0_is_not_deleted(account: Account) -> None:
    account.work(account.create(1))
    with pytest.raises(EcsError) as caught:
        account.delete()
    assert caught.value.code == "InvalidParameterException"
    assert caught.value.message == "The service cannot be stopped while it is scaled above 0."


def test_a_deleted_service_drains(account: Account) -> None:
    account.work(account.create(2))
    commands = account.delete(force=True)
    shown = account.shown()
    assert (shown["status"], shown["desiredCount"], shown["deployments"]) == ("DRAINING", 0, [])
    assert account.words(commands) == ["event RUNNING>STOPPED v4", "stop web 30s"] * 2
    account.work(commands)
    assert account.service.status == "INACTIVE"
    assert account.messages()[-1].startswith("(service web) has stopped 2 running tasks")


def test_a_service_without_tasks_is_inactive_at_once(account: Account) -> None:
    account.create(0)
    account.delete()
    assert account.service.status == "INACTIVE"


def test_a_draining_service_refuses(account: Account) -> None:
    account.work(account.create(1))
    leaving = account.delete(force=True)
    assert account.delete() == []
    with pytest.raises(EcsError) as caught:
        account.scale(3)
    assert (caught.value.code, caught.value.message) == ("ServiceNotActiveException", "Service was not ACTIVE.")
    with pytest.raises(EcsError) as caught:
        account.create(1)
    assert caught.value.message == "Unable to Start a service that is still Draining."
    account.work(leaving)
    with pytest.raises(EcsError) as caught:
        account.delete()
    assert caught.value.code == "ServiceNotFoundException"


def test_an_inactive_service_is_created_anew(account: Account) -> None:
    account.work(account.create(1))
    account.work(account.delete(force=True))
    account.work(account.create(1))
    assert account.service.status == "ACTIVE"
    assert len(account.running()) == 1
    assert account.shown()["runningCount"] == 1


# -- tasks that never run --------------------------------------------------------------------------------------------


def test_tasks_that_never_run_are_tried_ever_later(account: Account) -> None:
    account.broken = {"web:1"}
    account.work(account.create(1))
    delays = []
    for _ in range(10):
        [(_, wake)] = account.wakes
        delays.append(wake.delay)
        account.next_wake()
    assert delays == [10, 20, 40, 80, 160, 320, 640, 1280, 1620, 1620]
    assert (delays[0], delays[-1]) == (FIRST_RETRY_DELAY, MAX_RETRY_DELAY)
    assert len(account.tasks) == 11
    assert account.shown()["deployments"][0]["failedTasks"] == 11
    assert [task.stopped_reason for task in account.tasks] == [NO_IMAGE] * 11


def test_the_throttle_is_said_once(account: Account) -> None:
    account.broken = {"web:1"}
    account.work(account.create(1))
    for _ in range(4):
        account.next_wake()
    throttle = [message for message in account.messages() if "unable" in message]
    assert throttle == [
        "(service web) is unable to consistently start tasks successfully. "
        "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
    ]
    assert [event.detail["eventName"] for event in account.published].count("SERVICE_TASK_START_IMPAIRED") == 1


def test_tasks_that_fail_together_are_one_failure(account: Account) -> None:
    account.broken = {"web:1"}
    account.work(account.create(5))
    assert [wake.delay for _, wake in account.wakes] == [10]
    assert len(account.tasks) == 5
    account.next_wake()
    assert [wake.delay for _, wake in account.wakes] == [20]
    assert len(account.tasks) == 10


def test_a_throttled_service_starts_nothing_before_its_time(account: Account) -> None:
    account.broken = {"web:1"}
    account.work(account.create(1))
    account.broken = set()
    account.work(account.scale(2))
    assert account.running() == []
    account.next_wake()
    assert len(account.running()) == 2
    assert account.service.primary.failed_in_a_row == 0
    account.later(HEALTHY_AFTER)
    assert account.messages()[-1] == "(service web) has reached a steady state."


def test_a_wake_that_is_not_needed_does_nothing(account: Account) -> None:
    account.work(account.create(1))
    account.later(HEALTHY_AFTER)
    again = Wake(account.service.arn, 0.0, account.service.primary.id)
    assert account.ecs.wake(again, account.now) == []
    account.work(account.delete(force=True))
    assert account.ecs.wake(again, account.now) == []


# -- DescribeServices ------------------------------------------------------------------------------------------------


def test_a_service_as_described(account: Account) -> None:
    account.work(account.create(1, deploymentConfiguration={"maximumPercent": 150}, enableECSManagedTags=True))
    account.later(HEALTHY_AFTER)
    shown = account.shown()
    events = shown.pop("events")
    network = {"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": [], "assignPublicIp": "ENABLED"}}
    definition = "arn:aws:ecs:us-east-1:123456789012:task-definition/blog:1"
    assert shown == {
        "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/blog/web",
        "serviceName": "web",
        "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/blog",
        "status": "ACTIVE",
        "taskDefinition": definition,
        "desiredCount": 1,
        "runningCount": 1,
        "pendingCount": 0,
        "launchType": "FARGATE",
        "loadBalancers": [],
        "serviceRegistries": [],
        "platformVersion": "LATEST",
        "deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 100},
        "deployments": [
            {
                "id": account.service.primary.id,
                "status": "PRIMARY",
                "taskDefinition": definition,
                "desiredCount": 1,
                "runningCount": 1,
                "pendingCount": 0,
                "failedTasks": 0,
                "createdAt": 1000.0,
                "updatedAt": 1042.0,
                "launchType": "FARGATE",
                "platformVersion": "1.4.0",
                "networkConfiguration": network,
                "rolloutState": "COMPLETED",
                "rolloutStateReason": f"ECS deployment {account.service.primary.id} completed.",
            }
        ],
        "createdAt": 1000.0,
        "availabilityZoneRebalancing": "ENABLED",
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "networkConfiguration": network,
        "placementConstraints": [],
        "placementStrategy": [],
        "enableECSManagedTags": True,
        "propagateTags": "NONE",
        "enableExecuteCommand": False,
    }
    assert [event["createdAt"] for event in events] == [1042.0, 1042.0, 1000.0]  # the newest first
    assert len({event["id"] for event in events}) == 3


def test_a_deployment_in_progress(account: Account) -> None:
    account.create(1)
    [deployment] = account.shown()["deployments"]
    assert deployment["rolloutState"] == "IN_PROGRESS"
    assert deployment["rolloutStateReason"] == f"ECS deployment {account.service.primary.id} in progress."


def test_a_capacity_provider_instead_of_a_launch_type(account: Account) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    account.create(1, launchType=None, capacityProviderStrategy=strategy)
    shown = account.shown()
    assert "launchType" not in shown
    assert shown["capacityProviderStrategy"] == strategy
    task = account.tasks[0].describe()
    assert (task["capacityProviderName"], task["launchType"]) == ("FARGATE_SPOT", "FARGATE")


def test_a_hundred_events_are_kept(account: Account) -> None:
    account.create(0)
    for number in range(KEPT_EVENTS + 5):
        account.service.events.say(str(number), 0.0)
    assert len(account.service.events.shown) == KEPT_EVENTS
    assert account.service.events.shown[0]["message"] == f"(service web) {KEPT_EVENTS + 4}"
    assert len({event["id"] for event in account.service.events.shown}) == KEPT_EVENTS


def test_tags_go_to_tasks_where_it_is_asked_for(account: Account) -> None:
    account.create(1, tags=[{"key": "k", "value": "v"}], propagateTags="SERVICE")
    assert account.tasks[0].describe()["tags"] == [{"key": "k", "value": "v"}]
