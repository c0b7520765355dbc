"""The verdict of cloudmap-balance, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["cloudmap-balance"]
TASKS = {"a": "10.0.0.4", "b": "10.0.16.4"}


def judge(*counts):
    registered = [
        Observation(1.0, "cloudmap.instance", {"instance": task * 32, "attributes": {"AWS_INSTANCE_IPV4": address}})
        for task, address in TASKS.items()
    ]
    shares = {f"arn:aws:ecs:x:task/store/{task * 32}": count for task, count in zip(TASKS, counts, strict=True)}
    return SCENARIO.judge(
        [
            *registered,
            Observation(2.0, "dns.probe", {"answers": ["10.0.16.4", "10.0.0.4"]}),
            Observation(3.0, "http.burst", {"requests": sum(counts), "failed": 0}),
            Observation(4.0, "shares", {"group": "/store/back", "shares": shares}),
        ]
    )


def test_a_task_that_gets_nothing_reproduces():
    verdict = judge(60, 0)
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "back.shop.local is 10.0.0.4 and 10.0.16.4; 60 requests, 0 failed",
        "log group /store/back: task aaaaaaaa at 10.0.0.4 has answered 60 of 60",
        "log group /store/back: task bbbbbbbb at 10.0.16.4 has answered 0 of 60",
    )


@pytest.mark.parametrize(("counts", "outcome"), [((57, 3), "reproduces"), ((54, 6), "holds"), ((30, 30), "holds")])
def test_a_tenth_is_a_share(counts, outcome):
    assert judge(*counts).outcome == outcome
