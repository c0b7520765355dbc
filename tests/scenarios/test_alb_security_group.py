"""The verdict of alb-security-group, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["alb-security-group"]
URL = "http://chat.example.com/health"


@pytest.mark.parametrize(
    ("status", "error", "outcome", "facts"),
    [
        (0, "timed out", "reproduces", (f"{URL}: timed out",)),
        (503, "", "reproduces", (f"{URL}: HTTP 503", "the load balancer's own answer: no target is registered")),
        (200, "", "holds", (f"{URL}: HTTP 200",)),
    ],
)
def test_the_last_answer_decides(status, error, outcome, facts):
    verdict = SCENARIO.judge(
        [
            Observation(1.0, "http.response", {"url": URL, "status": 502, "error": ""}),
            Observation(1.5, "alb.response", {"status": 503, "reason": "no target is registered"}),
            Observation(2.0, "http.response", {"url": URL, "status": status, "error": error}),
        ]
    )
    assert (verdict.outcome, verdict.evidence) == (outcome, facts)
