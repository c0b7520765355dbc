"""The verdict of alb-health-check, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["alb-health-check"]
GROUP = "(target-group arn:aws:elasticloadbalancing:x:targetgroup/shop/1)"
REASON = f"Task failed ELB health checks in {GROUP}"
SAID = f"(service shop) (task a) (port 8080) is unhealthy in {GROUP} due to (reason ...)."


def state(at, task, desired="RUNNING", reason=""):
    return Observation(
        at,
        "task.state",
        {
            "task": f"arn:aws:ecs:x:task/shop/{task * 32}",
            "last_status": "RUNNING",
            "desired_status": desired,
            "public_ip": f"198.51.100.{ord(task)}",
            "stopped_reason": reason,
        },
    )


def answer(at, task, status):
    return Observation(
        at, "http.response", {"url": f"http://198.51.100.{ord(task)}:8080/", "status": status, "error": ""}
    )


def health(at, state, reason="", description=""):
    fields = {"target": "10.0.0.4:8080", "state": state, "reason": reason, "description": description}
    return Observation(at, "target.health", fields)


def said(at, message):
    return Observation(at, "service.event", {"message": message})


def test_good_tasks_that_are_given_up_reproduce():
    mismatch = ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [404]")
    verdict = SCENARIO.judge(
        [
            state(10.0, "a"),
            answer(11.0, "a", 200),
            health(15.0, "unhealthy", *mismatch),
            state(15.1, "a", "STOPPED", REASON),
            said(15.1, SAID),
            health(15.2, "draining", "Target.DeregistrationInProgress", "..."),
            state(17.0, "b"),
            state(22.5, "b", "STOPPED", REASON),
            state(24.0, "b", "STOPPED", REASON),
        ]
    )
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "task aaaaaaaa itself, asked for the page: HTTP 200",
        f"task aaaaaaaa stopped 5.1 s after RUNNING: {REASON}",
        f"task bbbbbbbb stopped 5.5 s after RUNNING: {REASON}",
        "target 10.0.0.4:8080: unhealthy (Target.ResponseCodeMismatch: Health checks failed with these codes: [404])",
        SAID,
        "2 of 2 tasks were given up for their health checks",
    )


def test_a_service_that_is_steady_holds():
    steady = "(service shop) has reached a steady state."
    verdict = SCENARIO.judge(
        [state(10.0, "a"), answer(11.0, "a", 502), health(25.0, "healthy"), said(25.1, steady), answer(25.2, "a", 200)]
    )
    assert verdict.outcome == "holds"
    assert verdict.evidence == (
        "task aaaaaaaa itself, asked for the page: HTTP 502",
        "task aaaaaaaa itself, asked for the page: HTTP 200",
        "target 10.0.0.4:8080: healthy",
        steady,
        "0 of 1 tasks were given up for their health checks",
    )
