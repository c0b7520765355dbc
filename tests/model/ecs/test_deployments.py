"""Rolling updates as transcripts: who is started and stopped when, what DescribeServices shows and what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.messages import ContainerExited, HealthChanged
from sandbox.model.ecs.rollout import HEALTHY_AFTER

if TYPE_CHECKING:
    from tests.model.ecs.conftest import Account

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
COMPLETED = "deployment completed."


def limits(minimum: int, maximum: int, **more: Any) -> dict[str, Any]:
    return {"deploymentConfiguration": {"minimumHealthyPercent": minimum, "maximumPercent": maximum, **more}}


def steady(account: Account, count: int, **more: Any) -> Account:
    """A service of web:1 that has reached its steady state; web:2 is registered."""
    account.work(account.create(count, **more))
    account.later(HEALTHY_AFTER)
    assert account.rollout() == [f"PRIMARY D1 {count}/{count} COMPLETED"]
    account.register("web:2")
    return account


def images(account: Account) -> list[str]:
    """The images of the tasks that run."""
    return [task.containers["web"].image for task in account.running()]


# -- within the limits -----------------------------------------------------------------------------------------------


def test_100_200_starts_the_new_task_first_and_waits_40_s(account: Account) -> None:
    steady(account, 1)
    account.work(account.update(taskDefinition="blog"))
    assert images(account) == ["web:1", "web:2"]
    assert account.rollout() == ["PRIMARY D2 1/1 IN_PROGRESS", "ACTIVE D1 1/1 COMPLETED"]
    account.later(HEALTHY_AFTER - 5)
    assert images(account) == ["web:1", "web:2"]
    account.later(10)
    assert images(account) == ["web:2"]
    assert account.rollout() == ["PRIMARY D2 1/1 COMPLETED"]
    assert account.messages()[-4:] == [
        "(service web) has started 1 tasks: (task T2).",
        "(service web) has stopped 1 running tasks: (task T1).",
        "(service web) (deployment D2) deployment completed.",
        "(service web) has reached a steady state.",
    ]
    old = account.tasks[0]
    assert (old.stop_code, old.stopped_reason) == (
        "ServiceSchedulerInitiated",
        f"Scaling activity initiated by (deployment {account.deployment_ids[0]})",
    )


def test_0_100_starts_the_new_task_when_the_old_one_has_ended(account: Account) -> None:
    steady(account, 1, **limits(0, 100))
    account.slow_stop = True
    account.work(account.update(taskDefinition="blog"))
    assert len(account.tasks) == 1
    assert account.tasks[0].last_status == "STOPPING"
    account.end_leaving()
    assert images(account) == ["web:2"]


def test_50_200_stops_half_and_starts_all(account: Account) -> None:
    """Four tasks: two may stop at once; the maximum of eight leaves room for four new ones."""
    steady(account, 4, **limits(50, 200))
    account.slow_stop = True
    account.work(account.update(taskDefinition="blog"))
    assert images(account) == ["web:1"] * 2 + ["web:2"] * 4
    account.end_leaving()
    account.later(HEALTHY_AFTER)
    account.end_leaving()
    assert images(account) == ["web:2"] * 4
    assert account.rollout() == ["PRIMARY D2 4/4 COMPLETED"]


def test_75_150_goes_in_steps(account: Account) -> None:
    """Twelve tasks, never fewer than nine healthy, never more than eighteen (what stops counts until it has ended)."""
    steady(account, 12, **limits(75, 150))
    account.slow_stop = True
    account.work(account.update(taskDefinition="blog"))
    assert (images(account).count("web:1"), images(account).count("web:2")) == (9, 6)
    account.end_leaving()
    assert (images(account).count("web:1"), images(account).count("web:2")) == (9, 9)
    account.slow_stop = False
    account.later(60 * HEALTHY_AFTER)
    assert images(account) == ["web:2"] * 12


def test_100_100_is_stuck_and_says_so_once(account: Account) -> None:
    steady(account, 2, **limits(100, 100))
    account.work(account.update(taskDefinition="blog"))
    account.later(1000)
    account.work(account.scale(2))
    assert images(account) == ["web:1"] * 2
    assert account.rollout() == ["PRIMARY D2 0/2 IN_PROGRESS", "ACTIVE D1 2/2 COMPLETED"]
    said = [message for message in account.messages() if "unable" in message]
    assert said == [
        "(service web) was unable to stop or start tasks during a deployment because of the service deployment "
        "configuration. Update the minimumHealthyPercent or maximumPercent value and try again."
    ]


def test_a_stuck_deployment_goes_on_when_its_limits_are_changed(account: Account) -> None:
    steady(account, 2, **limits(100, 100))
    account.work(account.update(taskDefinition="blog"))
    account.work(account.update(deploymentConfiguration={"maximumPercent": 150}))
    account.later(20 * HEALTHY_AFTER)
    assert account.rollout() == ["PRIMARY D2 2/2 COMPLETED"]
    assert account.shown()["deploymentConfiguration"] == {"minimumHealthyPercent": 100, "maximumPercent": 150}


def test_a_stuck_deployment_goes_on_when_a_user_stops_the_old_task(account: Account) -> None:
    steady(account, 1, **limits(100, 100))
    account.work(account.update(taskDefinition="blog"))
    account.work(account.ecs.stop_task({"cluster": "blog", "task": account.tasks[0].id}, account.now)[1])
    assert images(account) == ["web:2"]


def test_the_old_task_stays_while_the_new_one_cannot_run(account: Account) -> None:
    steady(account, 1)
    account.broken = {"web:2"}
    account.work(account.update(taskDefinition="blog"))
    account.later(3600)
    assert images(account) == ["web:1"]
    assert account.rollout() == ["PRIMARY D2 0/1 IN_PROGRESS", "ACTIVE D1 1/1 COMPLETED"]


def test_an_old_task_that_is_lost_meanwhile_is_started_again(account: Account) -> None:
    """The new one is throttled, so that only a task of the old version can keep the minimum."""
    steady(account, 1)
    account.broken = {"web:2"}
    account.work(account.update(taskDefinition="blog"))
    account.later(100)
    account.work(account.event(account.tasks[0], ContainerExited("web", 1)))
    assert images(account) == ["web:1"]
    account.later(3600)
    assert images(account) == ["web:1"]
    account.broken = set()
    account.later(3600)
    assert images(account) == ["web:2"]
    assert account.rollout() == ["PRIMARY D2 1/1 COMPLETED"]


# -- health checks ---------------------------------------------------------------------------------------------------

CHECKED = {"healthCheck": {"command": ["CMD", "true"]}}


def test_a_task_with_a_health_check_counts_when_it_is_healthy(account: Account) -> None:
    steady(account, 1)
    account.register("web:3", **CHECKED)
    account.work(account.update(taskDefinition="blog"))
    account.later(10 * HEALTHY_AFTER)
    assert images(account) == ["web:1", "web:3"]
    account.work(account.event(account.tasks[-1], HealthChanged("web", "HEALTHY")))
    assert images(account) == ["web:3"]
    assert account.rollout() == ["PRIMARY D2 1/1 COMPLETED"]


def test_an_unhealthy_task_is_stopped_when_its_replacement_is_healthy(account: Account) -> None:
    account.register("web:2", **CHECKED)
    account.work(account.create(1))
    [old] = account.tasks
    account.work(account.event(old, HealthChanged("web", "HEALTHY")))
    account.work(account.event(old, HealthChanged("web", "UNHEALTHY")))
    assert [task.last_status for task in account.tasks] == ["RUNNING", "RUNNING"]
    account.work(account.event(account.tasks[1], HealthChanged("web", "HEALTHY")))
    assert [task.last_status for task in account.tasks] == ["STOPPED", "RUNNING"]
    assert (old.stop_code, old.stopped_reason) == ("ServiceSchedulerInitiated", "Task failed container health checks")
    assert account.messages()[-4:] == [
        "(service web) has started 1 tasks: (task T2). Amazon ECS replaced 1 tasks due to an unhealthy status.",
        "(service web) (task T1) failed container health checks.",
        "(service web) has stopped 1 running tasks: (task T1).",
        "(service web) has reached a steady state.",
    ]


def test_an_unhealthy_task_that_becomes_healthy_again_stays_and_its_replacement_goes(account: Account) -> None:
    account.register("web:2", **CHECKED)
    account.work(account.create(1))
    for health in ("HEALTHY", "UNHEALTHY", "HEALTHY"):
        account.work(account.event(account.tasks[0], HealthChanged("web", health)))
    assert [task.last_status for task in account.tasks] == ["RUNNING", "STOPPED"]


def test_a_release_that_stays_unhealthy_is_rolled_back(account: Account) -> None:
    steady(account, 1, deploymentConfiguration=BREAKER)
    account.register("web:3", **CHECKED)
    account.work(account.update(taskDefinition="blog"))
    for _ in range(3):
        new = next(task for task in account.running() if task.containers["web"].image == "web:3")
        account.work(account.event(new, HealthChanged("web", "UNHEALTHY")))
    assert images(account) == ["web:1"]
    assert account.rollout() == ["PRIMARY D1 1/1 COMPLETED"]
    assert "(service web) rolling back to deployment D1." in account.messages()


# -- what begins a deployment ----------------------------------------------------------------------------------------


def test_force_new_deployment_replaces_tasks_of_the_same_version(account: Account) -> None:
    steady(account, 1)
    account.work(account.update(forceNewDeployment=True, taskDefinition="blog:1"))
    account.later(2 * HEALTHY_AFTER)
    assert [task.last_status for task in account.tasks] == ["STOPPED", "RUNNING"]
    assert images(account) == ["web:1"]
    assert account.rollout() == ["PRIMARY D2 1/1 COMPLETED"]


def test_another_network_begins_a_deployment(account: Account) -> None:
    steady(account, 1)
    network = {"awsvpcConfiguration": {"subnets": ["subnet-b"], "securityGroups": [], "assignPublicIp": "DISABLED"}}
    account.work(account.update(networkConfiguration=network))
    assert [task.network.subnets for task in account.tasks] == [("subnet-a",), ("subnet-b",)]
    assert account.shown()["networkConfiguration"] == network


@pytest.mark.parametrize(
    "changes",
    [
        {"taskDefinition": "blog:1"},
        {"desiredCount": 1},
        {"deploymentConfiguration": {"maximumPercent": 150}},
        {"enableECSManagedTags": True},
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]},
    ],
)
def test_what_begins_none(account: Account, changes: dict[str, Any]) -> None:
    steady(account, 1)
    assert account.words(account.update(**changes)) == []
    assert len(account.shown()["deployments"]) == 1


def test_a_changed_capacity_provider_holds_for_tasks_to_come(account: Account) -> None:
    steady(account, 1)
    account.update(capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])
    account.work(account.update(forceNewDeployment=True))
    assert [task.capacity_provider for task in account.tasks] == [None, "FARGATE_SPOT"]
    account.work(account.update(forceNewDeployment=True, capacityProviderStrategy=[]))
    account.later(10 * HEALTHY_AFTER)
    assert [task.capacity_provider for task in account.running()] == [None]


def test_a_refused_update_changes_nothing(account: Account) -> None:
    steady(account, 1)
    before = account.shown()
    for changes in (
        {"desiredCount": 3, "taskDefinition": "none"},
        {"desiredCount": 3, "loadBalancers": [{"containerName": "web"}]},
        {"desiredCount": 3, "deploymentConfiguration": {"strategy": "BLUE_GREEN"}},
        {"desiredCount": 3, "deploymentConfiguration": {"alarms": {"enable": True}}},
        {"desiredCount": -1, "forceNewDeployment": True},
    ):
        with pytest.raises(EcsError):
            account.update(**changes)
    assert account.shown() == before


def test_a_deployment_gives_way_to_the_next(account: Account) -> None:
    """Its tasks that do not run yet are stopped at once; those of the COMPLETED one stay for the minimum."""
    steady(account, 2)
    late = account.update(taskDefinition="blog")
    account.register("web:3")
    commands = account.update(taskDefinition="blog")
    assert account.messages()[-1] == "(service web) stopped 2 pending tasks."
    account.work(commands)
    account.work(late)
    account.later(2 * HEALTHY_AFTER)
    assert images(account) == ["web:3"] * 2
    assert account.rollout() == ["PRIMARY D3 2/2 COMPLETED"]


def test_scaling_during_a_deployment(account: Account) -> None:
    steady(account, 1)
    account.work(account.update(taskDefinition="blog", desiredCount=3))
    account.later(4 * HEALTHY_AFTER)
    assert images(account) == ["web:2"] * 3


def test_deleting_during_a_deployment(account: Account) -> None:
    steady(account, 2)
    account.work(account.update(taskDefinition="blog"))
    account.work(account.delete(force=True))
    assert images(account) == []
    assert account.service.status == "INACTIVE"


# -- failing and going back ------------------------------------------------------------------------------------------


def test_the_circuit_breaker_rolls_back(account: Account) -> None:
    steady(account, 1, deploymentConfiguration=BREAKER)
    account.broken = {"web:2"}
    account.published.clear()
    account.work(account.update(taskDefinition="blog"))
    account.next_wake()
    assert account.rollout() == ["PRIMARY D2 0/1 IN_PROGRESS", "ACTIVE D1 1/1 COMPLETED"]
    account.next_wake()
    first, second = account.deployment_ids
    assert account.rollout() == ["PRIMARY D1 1/1 COMPLETED"]  # its task had never gone
    assert account.messages()[-4:] == [
        "(service web) (deployment D2) deployment failed: tasks failed to start.",
        "(service web) rolling back to deployment D1.",
        "(service web) (deployment D1) deployment completed.",
        "(service web) has reached a steady state.",
    ]
    details = [event.detail for event in account.published if "deploymentId" in event.detail]
    assert [(d["eventType"], d["eventName"], d["deploymentId"], d["reason"]) for d in details] == [
        ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", second, f"ECS deployment {second} in progress."),
        (
            "ERROR",
            "SERVICE_DEPLOYMENT_FAILED",
            second,
            "ECS deployment circuit breaker: tasks failed to start.",
        ),
        (
            "INFO",
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            first,
            f"ECS deployment circuit breaker: rolling back to deploymentId {first}.",
        ),
        ("INFO", "SERVICE_DEPLOYMENT_COMPLETED", first, f"ECS deployment {first} completed."),
    ]
    assert account.shown()["taskDefinition"].endswith(":1")


def test_a_rollback_starts_the_old_version_again_where_it_was_gone(account: Account) -> None:
    steady(account, 2, **limits(0, 100, **BREAKER))
    account.crashing = {"web:2"}
    account.work(account.update(taskDefinition="blog"))
    assert images(account) == ["web:1"] * 2
    [shown] = account.shown()["deployments"]
    assert (shown["rolloutState"], shown["rolloutStateReason"]) == (
        "IN_PROGRESS",
        f"ECS deployment circuit breaker: rolling back to deploymentId {account.deployment_ids[0]}.",
    )
    account.later(HEALTHY_AFTER + 5)
    assert account.rollout() == ["PRIMARY D1 2/2 COMPLETED"]


def crash_new(account: Account) -> None:
    """A task of web:2 that runs and is not yet counted as healthy ends."""
    unproved = [task for task in account.running() if task.arn not in account.service.primary.proved]
    crashed = next(task for task in unproved if task.containers["web"].image == "web:2")
    account.work(account.event(crashed, ContainerExited("web", 1)))


def test_a_failed_deployment_is_shown_while_it_has_tasks(account: Account) -> None:
    steady(account, 4, **limits(50, 100, **BREAKER))
    account.work(account.update(taskDefinition="blog"))
    account.slow_stop = True
    for _ in range(3):
        crash_new(account)
    primary, failed = account.shown()["deployments"]
    assert (primary["desiredCount"], primary["runningCount"], primary["rolloutState"]) == (4, 3, "IN_PROGRESS")
    assert (failed["status"], failed["rolloutState"], failed["failedTasks"]) == ("ACTIVE", "FAILED", 3)
    assert failed["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    account.slow_stop = False
    account.end_leaving()
    account.later(3 * HEALTHY_AFTER)
    assert account.rollout() == ["PRIMARY D1 4/4 COMPLETED"]


def test_without_rollback_a_failed_deployment_starts_nothing_more(account: Account) -> None:
    steady(account, 2, deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    account.broken = {"web:2"}
    account.work(account.update(taskDefinition="blog"))
    account.later(3600)
    assert account.rollout() == ["PRIMARY D2 0/2 FAILED", "ACTIVE D1 2/2 COMPLETED"]
    started = len(account.tasks)
    account.broken = set()
    account.later(7200)
    assert len(account.tasks) == started
    assert images(account) == ["web:1"] * 2


def test_a_first_deployment_that_fails_has_nothing_to_go_back_to(account: Account) -> None:
    account.broken = {"web:1"}
    account.work(account.create(1, deploymentConfiguration=BREAKER))
    account.later(3600)
    assert account.rollout() == ["PRIMARY D1 0/1 FAILED"]
    assert len(account.tasks) == 3
    assert "rolling back" not in repr(account.messages())


def test_a_new_deployment_mends_a_failed_one(account: Account) -> None:
    account.broken = {"web:1"}
    account.work(account.create(1, deploymentConfiguration=BREAKER))
    account.later(3600)
    account.register("web:2")
    account.work(account.update(taskDefinition="blog"))
    account.later(HEALTHY_AFTER)
    assert account.rollout() == ["PRIMARY D2 1/1 COMPLETED"]


def test_a_healthy_task_takes_failures_back(account: Account) -> None:
    steady(account, 1, deploymentConfiguration=BREAKER)
    account.broken = {"web:2"}
    account.work(account.update(taskDefinition="blog", desiredCount=2))
    failed = account.shown()["deployments"][0]["failedTasks"]
    assert failed == 2
    account.broken = set()
    account.later(2 * HEALTHY_AFTER)
    assert account.rollout()[0] == "PRIMARY D2 2/2 COMPLETED"
    assert account.shown()["deployments"][0]["failedTasks"] == 0


def test_a_task_that_was_healthy_is_no_failure(account: Account) -> None:
    """repost.aws: a task that starts well and stops later may not activate the circuit breaker."""
    steady(account, 2, **limits(100, 150, **BREAKER))
    account.work(account.update(taskDefinition="blog"))
    account.later(HEALTHY_AFTER)
    for _ in range(5):
        new = [task for task in account.running() if task.containers["web"].image == "web:2"]
        account.work(account.event(new[0], ContainerExited("web", 1)))
        account.later(HEALTHY_AFTER + 5)
    assert account.rollout()[0].startswith("PRIMARY D2")
    assert "failed" not in repr(account.messages())


def test_stops_by_users_and_spot_interruptions_are_no_failures(account: Account) -> None:
    steady(account, 1, deploymentConfiguration=BREAKER)
    account.work(account.update(taskDefinition="blog"))
    for _ in range(4):
        account.work(account.ecs.stop_task({"cluster": "blog", "task": account.tasks[-1].id}, account.now)[1])
    assert account.shown()["deployments"][0]["failedTasks"] == 0


@pytest.mark.parametrize(
    ("threshold", "desired", "failures"),
    [
        (None, 1, 3),
        (None, 25, 13),
        (None, 400, 200),
        (None, 800, 200),
        ({"type": "BOUNDED_PERCENT", "value": 10}, 100, 10),
        ({"type": "BOUNDED_PERCENT", "value": 1}, 100, 3),
        ({"type": "UNBOUNDED_PERCENT", "value": 1}, 100, 1),
        ({"type": "UNBOUNDED_PERCENT", "value": 50}, 800, 400),
        ({"type": "COUNT", "value": 7}, 100, 7),
    ],
)
def test_the_threshold(account: Account, threshold: dict[str, Any] | None, desired: int, failures: int) -> None:
    given = {"enable": True, "rollback": False} | ({"thresholdConfiguration": threshold} if threshold else {})
    account.create(desired, deploymentConfiguration={"deploymentCircuitBreaker": given})
    assert account.service.configuration.breaker.threshold(desired) == failures


def test_failures_add_up_where_healthy_tasks_do_not_reset_them(account: Account) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True, "resetOnHealthyTask": False}}
    steady(account, 2, **limits(100, 150, **breaker))
    account.work(account.update(taskDefinition="blog"))
    crash_new(account)
    account.later(HEALTHY_AFTER)
    assert account.shown()["deployments"][0]["failedTasks"] == 1
    crash_new(account)
    crash_new(account)
    assert account.shown()["taskDefinition"].endswith(":1")
