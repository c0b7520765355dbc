"""Services behind load balancers: who counts as healthy, who is replaced, what is said, and what a drain holds up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.messages import ContainerExited, HealthChanged
from sandbox.model.ecs.registration import RegistrationFailed
from sandbox.model.elb.target import Target, TargetHealth

if TYPE_CHECKING:
    from tests.model.ecs.conftest import Account

PORT = {"portMappings": [{"containerPort": 80}]}
CHECKED = {"healthCheck": {"command": ["CMD", "true"]}}
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
INITIAL = TargetHealth("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
BAD = "Health checks failed with these codes: [502]"


def behind(*arns: str, port: int = 80) -> dict[str, Any]:
    return {
        "loadBalancers": [{"targetGroupArn": arn, "containerName": "web", "containerPort": port} for arn in arns],
    }


@pytest.fixture
def blue(account: Account) -> str:
    """A target group whose targets drain for 300 s; web:2 is the latest task definition, and has a port."""
    account.register("web:1", **PORT)
    return account.group("blue")


def steady(account: Account, blue: str, count: int, **more: Any) -> Account:
    account.work(account.create(count, **behind(blue), **more))
    assert account.rollout() == [f"PRIMARY D1 {count}/{count} COMPLETED"]
    account.register("web:2", **PORT)
    return account


def images(account: Account) -> list[str]:
    return [task.containers["web"].image for task in account.running()]


def statuses(account: Account) -> list[str]:
    return [task.last_status for task in account.tasks]


# -- starting --------------------------------------------------------------------------------------------------------


def test_a_service_is_steady_when_its_targets_are_healthy(account: Account, blue: str) -> None:
    account.first_health = INITIAL
    account.work(account.create(1, **behind(blue)))
    assert account.rollout() == ["PRIMARY D1 1/1 IN_PROGRESS"]
    account.later(1000)
    assert account.rollout() == ["PRIMARY D1 1/1 IN_PROGRESS"]
    account.work(account.checked(account.tasks[0], "healthy"))
    assert account.rollout() == ["PRIMARY D1 1/1 COMPLETED"]
    assert account.messages() == [
        "(service web) has started 1 tasks: (task T1).",
        f"(service web) registered 1 targets in (target-group {blue})",
        "(service web) (deployment D1) deployment completed.",
        "(service web) has reached a steady state.",
    ]


def test_a_container_health_check_has_to_pass_as_well(account: Account, blue: str) -> None:
    account.register("web:1", **PORT, **CHECKED)
    account.work(account.create(1, **behind(blue)))
    assert account.rollout() == ["PRIMARY D1 1/1 IN_PROGRESS"]
    account.work(account.event(account.tasks[0], HealthChanged("web", "HEALTHY")))
    assert account.rollout() == ["PRIMARY D1 1/1 COMPLETED"]


def test_every_target_group_has_to_be_healthy(account: Account, blue: str) -> None:
    account.first_health = None
    green = account.group("green")
    account.work(account.create(1, **behind(blue, green)))
    [task] = account.tasks
    account.work(account.ecs.target_health_changed(blue, Target("10.0.0.9", 80), TargetHealth("healthy"), account.now))
    assert account.rollout() == ["PRIMARY D1 1/1 IN_PROGRESS"]
    account.work(account.ecs.target_health_changed(green, Target("10.0.0.9", 80), TargetHealth("healthy"), account.now))
    assert account.rollout() == ["PRIMARY D1 1/1 COMPLETED"]
    assert [arn for arn, _ in task.registration.targets] == [blue, green]


def test_targets_that_cannot_be_registered(account: Account, blue: str) -> None:
    commands = account.create(1, **behind(blue))
    account.work(commands)
    [task] = account.tasks
    task.registration.state = "asked"
    account.work(account.event(task, RegistrationFailed(blue, "One or more target groups not found")))
    said = f"(service web) failed to register targets in (target-group {blue}) with (error One or more target groups"
    assert account.messages()[-1].startswith(said)


# -- a rolling update ------------------------------------------------------------------------------------------------


def test_the_old_task_stops_when_the_new_one_s_target_is_healthy(account: Account, blue: str) -> None:
    """Words and order as DescribeServices has shown them in October 2026."""
    steady(account, blue, 1)
    account.first_health = INITIAL
    account.work(account.update(taskDefinition="blog"))
    account.later(1000)
    assert images(account) == ["web:1", "web:2"]
    account.work(account.checked(account.tasks[1], "healthy"))
    assert statuses(account) == ["DEACTIVATING", "RUNNING"]
    assert account.messages()[-5:] == [
        "(service web) has started 1 tasks: (task T2).",
        f"(service web) registered 1 targets in (target-group {blue})",
        "(service web) has stopped 1 running tasks: (task T1).",
        f"(service web) deregistered 1 targets in (target-group {blue})",
        "(service web, taskSet D1) has begun draining connections on 1 tasks.",
    ]
    assert account.rollout() == ["PRIMARY D2 1/1 IN_PROGRESS", "ACTIVE D1 0/0 COMPLETED"]
    account.later(299)
    assert statuses(account) == ["DEACTIVATING", "RUNNING"]
    account.later(2)
    assert statuses(account) == ["STOPPED", "RUNNING"]
    assert account.rollout() == ["PRIMARY D2 1/1 COMPLETED"]


def test_with_0_100_the_deregistration_delay_holds_the_new_task_up(account: Account, blue: str) -> None:
    steady(account, blue, 1, deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100})
    account.work(account.update(taskDefinition="blog"))
    account.later(299)
    assert statuses(account) == ["DEACTIVATING"]
    account.later(2)
    assert statuses(account) == ["STOPPED", "RUNNING"]


def test_targets_that_leave_together_are_one_event(account: Account, blue: str) -> None:
    steady(account, blue, 3)
    account.work(account.scale(1))
    assert account.messages()[-3:-1] == [
        f"(service web) deregistered 2 targets in (target-group {blue})",
        "(service web, taskSet D1) has begun draining connections on 2 tasks.",
    ]


def test_a_drain_does_not_keep_a_service_from_its_steady_state(account: Account, blue: str) -> None:
    """Seen: steady ten seconds after a target had begun to drain for thirty."""
    steady(account, blue, 2)
    account.work(account.scale(1))
    assert statuses(account) == ["RUNNING", "DEACTIVATING"]
    assert account.messages()[-1] == "(service web) has reached a steady state."
    assert account.shown()["runningCount"] == 1


def test_a_task_that_a_user_stops_is_deregistered_first_too(account: Account, blue: str) -> None:
    """What's New, 13 February 2023; in 2019 its containers were stopped at once (amazon-ecs-agent #2316)."""
    steady(account, blue, 1)
    account.work(account.ecs.stop_task({"cluster": "blog", "task": account.tasks[0].id}, account.now)[1])
    assert statuses(account) == ["DEACTIVATING", "RUNNING"]
    assert "(service web, taskSet D1) has begun draining connections on 1 tasks." in account.messages()


def test_deleting_a_service_drains_its_targets(account: Account, blue: str) -> None:
    steady(account, blue, 1)
    account.work(account.delete(force=True))
    assert (statuses(account), account.service.status) == (["DEACTIVATING"], "DRAINING")
    account.later(301)
    assert (statuses(account), account.service.status) == (["STOPPED"], "INACTIVE")


# -- unhealthy targets -----------------------------------------------------------------------------------------------


def test_an_unhealthy_task_is_replaced_when_its_replacement_is_healthy(account: Account, blue: str) -> None:
    steady(account, blue, 1)
    account.first_health = INITIAL
    old = account.tasks[0]
    account.work(account.checked(old, "unhealthy", BAD))
    assert statuses(account) == ["RUNNING", "RUNNING"]
    account.work(account.checked(account.tasks[1], "healthy"))
    assert (old.stop_code, old.stopped_reason) == (
        "ServiceSchedulerInitiated",
        f"Task failed ELB health checks in (target-group {blue})",
    )
    assert account.messages()[-7:] == [
        "(service web) has started 1 tasks: (task T2). Amazon ECS replaced 1 tasks due to an unhealthy status.",
        f"(service web) registered 1 targets in (target-group {blue})",
        f"(service web) (task T1) (port 80) is unhealthy in (target-group {blue}) due to (reason {BAD}).",
        "(service web) has stopped 1 running tasks: (task T1).",
        f"(service web) deregistered 1 targets in (target-group {blue})",
        "(service web, taskSet D1) has begun draining connections on 1 tasks.",
        "(service web) has reached a steady state.",
    ]


def test_a_target_that_recovers_keeps_its_task(account: Account, blue: str) -> None:
    steady(account, blue, 1)
    account.first_health = INITIAL
    account.work(account.checked(account.tasks[0], "unhealthy", BAD))
    account.work(account.checked(account.tasks[0], "healthy"))
    assert statuses(account) == ["RUNNING", "DEACTIVATING"]


def test_a_target_in_a_zone_that_the_load_balancer_does_not_have_is_unhealthy(account: Account, blue: str) -> None:
    """Seen in a service event; the target's state is unused, with reason Target.NotInUse."""
    account.first_health = INITIAL
    account.work(account.create(1, **behind(blue)))
    why = "Target is in an Availability Zone that is not enabled for the load balancer"
    account.work(account.checked(account.tasks[0], "unused", why, "Target.NotInUse"))
    assert len(account.tasks) == 2


def test_within_the_grace_period_nothing_is_stopped(account: Account, blue: str) -> None:
    account.first_health = INITIAL
    account.work(account.create(1, healthCheckGracePeriodSeconds=60, **behind(blue)))
    account.work(account.checked(account.tasks[0], "unhealthy", BAD))
    account.later(50)
    assert len(account.tasks) == 1
    account.later(20)
    assert len(account.tasks) == 2


def test_within_the_grace_period_container_checks_are_ignored_too(account: Account, blue: str) -> None:
    account.register("web:1", **PORT, **CHECKED)
    account.work(account.create(1, healthCheckGracePeriodSeconds=60, **behind(blue)))
    account.work(account.event(account.tasks[0], HealthChanged("web", "UNHEALTHY")))
    account.later(50)
    assert len(account.tasks) == 1
    account.work(account.event(account.tasks[0], HealthChanged("web", "HEALTHY")))
    account.later(20)
    assert account.rollout() == ["PRIMARY D1 1/1 COMPLETED"]


def test_a_release_whose_targets_stay_unhealthy_is_rolled_back(account: Account, blue: str) -> None:
    """Stage 2 of the circuit breaker: tasks that run and are replaced for their health checks are failures."""
    steady(account, blue, 1, deploymentConfiguration=BREAKER)
    account.first_health = TargetHealth("unhealthy", "Target.ResponseCodeMismatch", BAD)
    account.work(account.update(taskDefinition="blog"))
    account.later(1000)
    assert images(account) == ["web:1"]
    assert account.rollout() == ["PRIMARY D1 1/1 COMPLETED"]
    assert "(service web) (deployment D2) deployment failed: tasks failed to start." in account.messages()
    assert len([task for task in account.tasks if task.stopped_reason.startswith("Task failed ELB")]) == 3


def test_tasks_that_fail_their_targets_checks_are_not_throttled(account: Account, blue: str) -> None:
    """Service throttle logic: they have reached RUNNING."""
    account.first_health = TargetHealth("unhealthy", "Target.ResponseCodeMismatch", BAD)
    account.work(account.create(1, **behind(blue), deploymentConfiguration=BREAKER))
    account.later(1000)
    assert account.service.primary.failed_in_a_row == 0
    assert account.service.primary.rollout_state == "FAILED"


def test_without_the_circuit_breaker_a_release_that_is_never_healthy_goes_on_for_ever(
    account: Account, blue: str
) -> None:
    steady(account, blue, 1)
    account.first_health = TargetHealth("unhealthy", "Target.ResponseCodeMismatch", BAD)
    account.work(account.update(taskDefinition="blog"))
    account.later(4000)
    given_up = [task for task in account.tasks if task.stopped_reason.startswith("Task failed ELB")]
    assert len(given_up) > 3
    assert account.service.primary.rollout_state == "IN_PROGRESS"
    assert [deployment.rollout_state for deployment in account.service.superseded] == ["COMPLETED"]
    assert "web:1" in images(account)


def test_a_target_of_a_task_that_has_gone_is_nobody_s(account: Account, blue: str) -> None:
    """Its address may be another task's by now."""
    steady(account, blue, 1)
    account.work(account.scale(0))
    account.later(301)
    health = TargetHealth("unhealthy", "Target.Timeout", "Request timed out")
    assert account.ecs.target_health_changed(blue, Target("10.0.0.9", 80), health, account.now) == []


def test_a_crash_is_said_with_its_targets(account: Account, blue: str) -> None:
    steady(account, blue, 1)
    account.work(account.event(account.tasks[0], ContainerExited("web", 1)))
    assert statuses(account) == ["STOPPED", "RUNNING"]
    assert f"(service web) deregistered 1 targets in (target-group {blue})" in account.messages()


# -- Cloud Map -------------------------------------------------------------------------------------------------------


def test_an_instance_that_becomes_unhealthy_is_an_event(account: Account) -> None:
    registry = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"
    account.registry_types[registry] = frozenset({"A"})
    account.register("web:1", **CHECKED)
    account.work(account.create(1, serviceRegistries=[{"registryArn": registry}]))
    for health in ("HEALTHY", "UNHEALTHY"):
        account.work(account.event(account.tasks[0], HealthChanged("web", health)))
    told = [(event.detail["eventType"], event.detail["eventName"]) for event in account.published]
    assert ("WARN", "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY") in told
    assert account.shown()["serviceRegistries"] == [{"registryArn": registry}]


# -- UpdateService ---------------------------------------------------------------------------------------------------


def test_other_target_groups_begin_a_deployment(account: Account, blue: str) -> None:
    steady(account, blue, 1)
    green = account.group("green")
    account.work(account.update(**behind(green)))
    assert [task.registration.targets[0][0] for task in account.tasks] == [blue, green]
    assert account.shown()["loadBalancers"] == behind(green)["loadBalancers"]
    account.later(301)
    assert account.rollout() == ["PRIMARY D2 1/1 COMPLETED"]


def test_the_same_target_groups_begin_none(account: Account, blue: str) -> None:
    steady(account, blue, 1)
    assert account.update(**behind(blue)) == []


def test_an_empty_list_takes_the_load_balancers_away(account: Account, blue: str) -> None:
    steady(account, blue, 1)
    account.work(account.update(loadBalancers=[]))
    account.later(400)
    assert account.rollout() == ["PRIMARY D2 1/1 COMPLETED"]
    assert account.shown()["loadBalancers"] == []
    assert "healthCheckGracePeriodSeconds" not in account.shown()


def test_another_grace_period_begins_no_deployment(account: Account, blue: str) -> None:
    steady(account, blue, 1)
    assert account.shown()["healthCheckGracePeriodSeconds"] == 0
    assert account.update(healthCheckGracePeriodSeconds=60) == []
    assert account.shown()["healthCheckGracePeriodSeconds"] == 60


def test_a_task_definition_without_the_port_is_refused(account: Account, blue: str) -> None:
    steady(account, blue, 1)
    account.register("web:3")
    before = account.shown()
    with pytest.raises(EcsError, match="The container web did not have a container port 80 defined"):
        account.update(taskDefinition="blog")
    assert account.shown() == before


def test_a_roll_back_goes_back_to_the_target_groups(account: Account, blue: str) -> None:
    steady(account, blue, 1, deploymentConfiguration=BREAKER)
    account.broken = {"web:2"}
    account.work(account.update(taskDefinition="blog", **behind(account.group("green"))))
    account.later(1000)
    assert account.shown()["loadBalancers"] == behind(blue)["loadBalancers"]
