"""The verdict of srv-discovery, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["srv-discovery"]
SRV = "1 1 32768 a.app.chat.local."


def judge(*answers):
    return SCENARIO.judge(
        [
            Observation(1.0, "reached", {"url": "http://10.0.0.4:1/health", "answer": one, "srv": SRV, "refused": "no"})
            for one in answers
        ]
    )


def test_a_task_that_cannot_be_reached_reproduces():
    verdict = judge("200", "[Errno 111] Connection refused")
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        f"SRV {SRV}; http://10.0.0.4:1/health: 200",
        f"SRV {SRV}; http://10.0.0.4:1/health: [Errno 111] Connection refused",
        "ECS, of a registry with A records: no",
    )


def test_tasks_that_all_answer_hold():
    assert judge("200", "200").outcome == "holds"
