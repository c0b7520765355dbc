"""The verdict of alb-drain, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["alb-drain"]


def seen(connected, back):
    cuts = [Observation(106.2 + n / 10, "crowd.cut", {"client": n, "reason": "transport close"}) for n in range(2)]
    backs = [Observation(107.0, "crowd.back", {"client": n, "seconds": 0.2}) for n in range(back)]
    return [
        Observation(90.0, "drained", {"delay": "6"}),
        Observation(100.0, "target.health", {"target": "10.0.0.4:5000", "state": "draining"}),
        *cuts,
        *backs,
        Observation(120.0, "crowd.end", {"clients": 2, "connected": connected, "cut": 2, "back": back, "heard": []}),
    ]


def test_who_is_without_a_connection_reproduces():
    verdict = SCENARIO.judge(seen(0, 0))
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "deregistration delay 6 s; 2 WebSockets were open when the deploy began",
        "2 of them were cut, 6.2 to 6.3 s after the first target began to drain",
        "0 of 2 are connected after the deploy",
    )


def test_who_comes_back_holds():
    verdict = SCENARIO.judge(seen(2, 2))
    assert verdict.outcome == "holds"
    assert "2 came back, within 0.2 s" in verdict.evidence
