"""Bad releases of the stack nuxt: what AWS says of each, and what visitors see meanwhile."""

from __future__ import annotations

import re

import pytest

from sandbox.controllers.sandbox import Sandbox

pytestmark = pytest.mark.docker

SITE = "http://alb.example.com/"
GOOD = "aws-container-sandbox/nuxt-a"
GRACE = 30  # AWS's seconds, in which a good release boots
SHOP = {
    "tasks": "1",
    "circuit_breaker": "true",
    "rollback": "true",
    "deregistration_delay": "0",
    "grace_period": "600",  # the machine is busiest when the first task boots
}
NEVER_PULLED = ("TaskFailedToStart", "CannotPullContainerError: ")
CRASHED = ("EssentialContainerExited", "Essential container in task exited")
UNHEALTHY = ("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group ")


@pytest.fixture(scope="module")
def shop(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=10
    ) as sandbox:
        sandbox.stack("nuxt", SHOP)
        said(sandbox, 0, "has reached a steady state")
        sandbox.aws("ecs").update_service(cluster="shop", service="shop", healthCheckGracePeriodSeconds=GRACE)
        yield sandbox


def said(shop, mark, words):
    return shop.timeline.wait_for(
        f"the service to say: {words}",
        lambda seen: seen.kind == "service.event" and words in seen["message"],
        within=120,
        since=mark,
    )


def deployments(shop):
    (service,) = shop.aws("ecs").describe_services(cluster="shop", services=["shop"])["services"]
    return service["deployments"]


def ends(observed):
    """The stopCode and the stoppedReason of each task that was started meanwhile."""
    states = [seen for seen in observed if seen.kind == "task.state"]
    started = [seen["task"] for seen in states if seen["last_status"] == "PROVISIONING"]
    last = {seen["task"]: (seen["stop_code"], seen["stopped_reason"]) for seen in states}
    return [last[task] for task in started]


@pytest.mark.parametrize(
    ("image", "fault", "end"),
    [
        ("no-such-image:2", "", NEVER_PULLED),
        (GOOD, "crash", CRASHED),
        (GOOD, "unhealthy", UNHEALTHY),
        (GOOD, "500", UNHEALTHY),
    ],
    ids=["no-image", "crash", "unhealthy", "500"],
)
def test_a_bad_release_fails_and_is_rolled_back(shop, image, fault, end):
    (before,) = deployments(shop)
    mark = shop.timeline.mark()
    with shop.visit(SITE):
        shop.deploy("shop", "shop", {"node": image}, {"FAULT": fault})
        (failed,) = (one for one in deployments(shop) if one["status"] == "PRIMARY")
        said(shop, mark, f"(deployment {failed['id']}) deployment failed: tasks failed to start.")
        said(shop, mark, f"rolling back to deployment {before['id']}.")
        said(shop, mark, f"(deployment {before['id']}) deployment completed.")
        said(shop, mark, "(service shop) has reached a steady state.")
    observed = shop.timeline.since(mark)

    (after,) = deployments(shop)
    assert (after["id"], after["taskDefinition"]) == (before["id"], before["taskDefinition"])
    assert (after["rolloutState"], after["failedTasks"]) == ("COMPLETED", 0)
    assert [(seen["event"]["detail"]["eventName"], seen["event"]["detail"]["reason"]) for seen in told(observed)] == [
        ("SERVICE_DEPLOYMENT_IN_PROGRESS", f"ECS deployment {failed['id']} in progress."),
        ("SERVICE_DEPLOYMENT_FAILED", "ECS deployment circuit breaker: tasks failed to start."),
        (
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            f"ECS deployment circuit breaker: rolling back to deploymentId {before['id']}.",
        ),
        ("SERVICE_DEPLOYMENT_COMPLETED", f"ECS deployment {before['id']} completed."),
    ]
    assert len(ends(observed)) == 3  # half of one task, three at least
    for code, reason in ends(observed):
        assert code == end[0]
        assert reason.startswith(end[1])
    if end is UNHEALTHY:
        # H2O answers 502 where a busy machine has not booted Node within the grace period.
        words = re.compile(r"is unhealthy in .+ due to \(reason Health checks failed with these codes: \[50[02]\]\)")
        assert any(words.search(seen["message"]) for seen in observed if seen.kind == "service.event")
    # The task of the release before goes on, and no other gets a request.
    assert {seen["status"] for seen in observed if seen.kind == "visitor.outcome"} <= {200, 0}
    assert shop.http_get(SITE).status == 200


def told(observed):
    """What EventBridge got of deployments."""
    return [
        seen
        for seen in observed
        if seen.kind == "event.published" and seen["detail_type"] == "ECS Deployment State Change"
    ]


def test_a_health_check_of_a_file_lets_a_release_through_that_answers_500(shop):
    elbv2 = shop.aws("elbv2")
    (group,) = elbv2.describe_target_groups(Names=["shop"])["TargetGroups"]
    elbv2.modify_target_group(TargetGroupArn=group["TargetGroupArn"], HealthCheckPath="/_nuxt/builds/latest.json")
    mark = shop.timeline.mark()
    shop.deploy("shop", "shop", {"node": GOOD}, {"FAULT": "500"})
    said(shop, mark, "deployment completed")
    assert shop.http_get(SITE).status == 500

    elbv2.modify_target_group(TargetGroupArn=group["TargetGroupArn"], HealthCheckPath="/health")
    mark = shop.timeline.mark()
    shop.deploy("shop", "shop", {"node": GOOD}, {"FAULT": ""})
    said(shop, mark, "deployment completed")
    assert shop.http_get(SITE).status == 200
