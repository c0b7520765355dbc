"""The roll of rolling-deploy-assets / assets-in-the-task beside what `sandbox simulate rolling-deploy` predicts of it.

The target group's algorithm is weighted random in both. Under round robin the files of a page go to one target after
another, so that it matters in which order they arrive: a thing of microseconds, which nothing outside can measure.
"""

from __future__ import annotations

import json
from statistics import fmean

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.model.rolling_deploy.chance import independent
from sandbox.model.rolling_deploy.fleet import Fleet
from sandbox.model.rolling_deploy.visits import predict
from sandbox.simulate.measured import timing

pytestmark = pytest.mark.docker

SITE = "http://alb.example.com/"
SPEED = 5
TASKS, DELAY, INTERVAL, MAXIMUM = 2, 1, 5, 150
FILES, CHANGED = 4, 2  # of the first page; those that it does not work without and that have another name in build b
VISITORS, LOADS = 4, 2_000  # the standard deviation of the share is one point
POINTS = 0.03


@pytest.fixture(scope="module")
def sandbox(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=SPEED
    ) as sandbox:
        parameters = {"maximum_percent": str(MAXIMUM), "deregistration_delay": str(DELAY), "unhealthy_threshold": "10"}
        sandbox.stack("nuxt", {**parameters, "health_interval": str(INTERVAL)})
        balancing = {"Key": "load_balancing.algorithm.type", "Value": "weighted_random"}
        elb = sandbox.aws("elbv2")
        (group,) = elb.describe_target_groups()["TargetGroups"]
        elb.modify_target_group_attributes(TargetGroupArn=group["TargetGroupArn"], Attributes=[balancing])
        sandbox.wait_healthy(TASKS)
        yield sandbox


def limit(sandbox, percent):
    """How many tasks the service may have; with 100 the deploy stands still where it is."""
    configuration = {"maximumPercent": percent}
    sandbox.aws("ecs").update_service(cluster="shop", service="shop", deploymentConfiguration=configuration)


def new_task(status):
    return lambda seen: (
        seen.kind == "task.state" and seen["last_status"] == status and seen["desired_status"] == "RUNNING"
    )


def target(state):
    return lambda seen: seen.kind == "target.health" and seen["state"] == state


def test_the_share_of_broken_page_loads_is_as_predicted(sandbox):
    timeline = sandbox.timeline
    with sandbox.page_loads(SITE, visitors=VISITORS) as crowd:
        mark = timeline.mark()
        sandbox.deploy("shop", "shop", {"node": "aws-container-sandbox/nuxt-b"})
        timeline.wait_for("the first new task", new_task("PROVISIONING"), within=60, since=mark)
        limit(sandbox, 100)
        running = timeline.wait_for("it to run", new_task("RUNNING"), within=60, since=mark)
        healthy = timeline.wait_for("it to be healthy", target("healthy"), within=60, since=mark)
        begun = timeline.wait_for("an old target to drain", target("draining"), within=60, since=mark).at
        known = len(crowd.loads)
        crowd.wait_loads(known + LOADS, within=400)
        ended = sandbox.clock.now()
        ended_loads = [one for one in crowd.loads if begun <= one.at and one.at + one.seconds <= ended]
        measured_timing = timing(timeline.since(mark), speed=SPEED, deregistration_delay=DELAY)
    loads = [one for one in ended_loads if one.cause in {"", "missing"}]  # a busy machine lets some wait too long
    assert len(loads) > 0.98 * len(ended_loads)
    measured = fmean(one.broken for one in loads)
    fleet = Fleet(
        tasks=TASKS,
        rps=len(loads) * (1 + FILES) / (ended - begun) / SPEED,
        maximum_percent=MAXIMUM,
        start=measured_timing.start,
        boot=(healthy.at - running.at) * SPEED,
        stop=measured_timing.stop,
        spread=0.0,
        launch_quota=False,
        health_interval=INTERVAL,
        healthy_threshold=2,
        unhealthy_threshold=10,
        grace_period=0,
        deregistration_delay=DELAY,
        algorithm="weighted_random",
        assets=FILES,
        changed=CHANGED,
        tab_open=0.0,
        duration=120.0,
        seed=1,
    )
    predicted = predict(fleet).mixed_share
    facts = {"loads": len(loads), "measured": measured, "predicted": predicted, "rps": fleet.rps}
    print(json.dumps({**facts, "start": fleet.start, "boot": fleet.boot, "stop": fleet.stop}))
    assert predicted == pytest.approx(measured, abs=POINTS)
    # One task of each build most of the time, and three for the moments at which one comes and another goes.
    assert predicted == pytest.approx(independent(1 / 2, CHANGED), abs=0.01)
