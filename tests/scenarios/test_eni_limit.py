"""The verdict of eni-limit, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["eni-limit"]
SAID = '(service app) was unable to place a task [...] encountered error "RESOURCE:ENI".'


def judge(running, said):
    instance = {"type": "t3.small", "tasks": running, "memory_left": 1484}
    facts = {"mode": "awsvpc", "running": running, "wanted": 5, "instances": [instance], "said": said}
    return SCENARIO.judge([Observation(1.0, "placement", facts)])


def test_a_service_below_its_desired_count_reproduces():
    verdict = judge(2, SAID)
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "2 of 5 tasks run, in awsvpc mode",
        "t3.small: 2 tasks, 1484 MiB of memory left",
        SAID,
    )


def test_a_service_with_all_its_tasks_holds():
    assert judge(5, "").outcome == "holds"
