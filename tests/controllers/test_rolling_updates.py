"""Deployments of a service on Docker: who runs beside whom, and what a client and EventBridge see of it."""

from __future__ import annotations

import pytest

from sandbox.controllers.sandbox import Sandbox

pytestmark = pytest.mark.docker

SPEED = 20


@pytest.fixture(scope="module")
def box(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=SPEED
    ) as sandbox:
        sandbox.aws("ecs").create_cluster(clusterName="c")
        yield sandbox


def register(box, image):
    return box.aws("ecs").register_task_definition(
        family="web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "web", "image": image, "stopTimeout": 20}],
    )["taskDefinition"]["taskDefinitionArn"]


def said(box, mark, words, within=60):
    return box.timeline.wait_for(
        f"the service to say: {words}",
        lambda seen: seen.kind == "service.event" and words in seen["message"],
        within=within,
        since=mark,
    )


@pytest.fixture
def service(box):
    """A service of one nginx that is steady; it has gone afterwards."""
    mark = box.timeline.mark()
    box.aws("ecs").create_service(
        cluster="c",
        serviceName="web",
        taskDefinition=register(box, "nginx:1.27"),
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": box.subnets, "assignPublicIp": "ENABLED"}},
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
    )
    said(box, mark, "has reached a steady state")
    yield "web"
    box.aws("ecs").delete_service(cluster="c", service="web", force=True)
    box.aws("ecs").get_waiter("services_inactive").wait(
        cluster="c", services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def running_at_once(box, mark):
    """The most tasks that were RUNNING at one time, in the order in which they were: ``[old], [old, new], [new]``."""
    running, most = set(), 0
    for seen in box.timeline.since(mark):
        if seen.kind == "task.state":
            up = seen["last_status"] == "RUNNING"
            running = running | {seen["task"]} if up else running - {seen["task"]}
            most = max(most, len(running))
    return most


def deployments(box):
    (service,) = box.aws("ecs").describe_services(cluster="c", services=["web"])["services"]
    return service["deployments"]


def test_by_default_the_new_task_runs_beside_the_old_one(box, service):
    mark = box.timeline.mark()
    new = register(box, "nginx:1.27")
    box.aws("ecs").update_service(cluster="c", service=service, taskDefinition=new)
    assert [(d["status"], d["rolloutState"]) for d in deployments(box)] == [
        ("PRIMARY", "IN_PROGRESS"),
        ("ACTIVE", "COMPLETED"),
    ]
    said(box, mark, "deployment completed")
    assert running_at_once(box, mark) == 2
    (deployment,) = deployments(box)
    assert (deployment["taskDefinition"], deployment["rolloutState"]) == (new, "COMPLETED")


def test_with_0_100_the_old_task_has_ended_before_the_new_one_starts(box, service):
    mark = box.timeline.mark()
    box.aws("ecs").update_service(
        cluster="c",
        service=service,
        forceNewDeployment=True,
        deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100},
    )
    said(box, mark, "deployment completed")
    assert running_at_once(box, mark) == 1
    ends = [seen.at for seen in box.timeline.since(mark) if seen.kind == "container.exited"]
    starts = [s.at for s in box.timeline.since(mark) if s.kind == "task.state" and s["last_status"] == "PROVISIONING"]
    assert max(ends) <= min(starts)


def test_a_release_whose_image_is_not_there_is_rolled_back(box, service):
    mark = box.timeline.mark()
    (before,) = deployments(box)
    box.aws("ecs").update_service(cluster="c", service=service, taskDefinition=register(box, "no-such-image:2"))
    said(box, mark, f"rolling back to deployment {before['id']}.")
    said(box, mark, "has reached a steady state")
    (after,) = deployments(box)
    assert (after["id"], after["taskDefinition"], after["rolloutState"]) == (
        before["id"],
        before["taskDefinition"],
        "COMPLETED",
    )
    events = [
        (seen["event"]["detail"]["eventName"], seen["event"]["detail"]["reason"])
        for seen in box.timeline.since(mark)
        if seen.kind == "event.published" and seen["detail_type"] == "ECS Deployment State Change"
    ]
    assert [name for name, _ in events] == [
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_FAILED",
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_COMPLETED",
    ]
    assert events[2][1] == f"ECS deployment circuit breaker: rolling back to deploymentId {before['id']}."


def test_a_release_that_crashes_is_rolled_back(box, service):
    mark = box.timeline.mark()
    box.aws("ecs").register_task_definition(
        family="web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[
            {"name": "web", "image": "nginx:1.27", "command": ["sh", "-c", "echo no config; exit 3"]}
        ],
    )
    box.aws("ecs").update_service(cluster="c", service=service, taskDefinition="web")
    said(box, mark, "deployment failed: tasks failed to start.")
    said(box, mark, "has reached a steady state")
    crashed = [seen for seen in box.timeline.since(mark) if seen.kind == "container.exited"]
    assert [(seen["exit_code"], seen["log"]) for seen in crashed] == [(3, ["no config"])] * 3
