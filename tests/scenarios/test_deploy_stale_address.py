"""The verdict of deploy-stale-address, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["deploy-stale-address"]


def left(at, task):
    return Observation(at, "cloudmap.instance", {"instance": task * 32, "change": "deregistered"})


def ended(at, task):
    return Observation(at, "container.exited", {"task": f"arn:aws:ecs:x:task/store/{task * 32}", "container": "back"})


def outcome(at, status, error=""):
    return Observation(at, "visitor.outcome", {"status": status, "error": error})


def judge(*seen, failed):
    end = Observation(30.0, "visitor.end", {"requests": 60, "failed": failed})
    return SCENARIO.judge([*seen, end])


def test_requests_that_fail_reproduce():
    verdict = judge(
        outcome(5.0, 200),
        left(10.0, "a"),
        left(10.1, "b"),
        ended(10.3, "a"),
        ended(11.1, "b"),
        outcome(10.5, 502),
        outcome(12.5, 0, "timed out"),
        outcome(14.0, 200),
        failed=5,
    )
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "TTL 5 s; the old tasks ended 0.3 and 1.0 s after they had left back.shop.local",
        "5 of 60 requests during the deployment failed",
        "the first (HTTP 502) 0.5 s after the first old task had left; from 4.0 s on all is well",
    )


def test_failures_to_the_end_are_told_of():
    verdict = judge(left(10.0, "a"), ended(10.3, "a"), outcome(10.5, 0, "timed out"), failed=9)
    assert verdict.evidence[-1] == "the first (timed out) 0.5 s after the first old task had left; to the end"


def test_requests_that_all_succeed_hold():
    verdict = judge(outcome(5.0, 200), left(10.0, "a"), ended(17.5, "a"), failed=0)
    assert verdict.outcome == "holds"
    assert verdict.evidence[0] == "TTL 5 s; the old tasks ended 7.5 s after they had left back.shop.local"
