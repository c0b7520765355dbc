"""The verdict of alb-idle-timeout, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["alb-idle-timeout"]


@pytest.mark.parametrize(("outcome", "verdict"), [("cut", "reproduces"), ("open", "holds")])
def test_what_became_of_the_idle_websocket_decides(outcome, verdict):
    given = SCENARIO.judge(
        [
            Observation(1.0, "timers", {"idle_timeout": "8", "ping_interval": "25"}),
            Observation(2.0, "socketio.step", {"step": "upgrade", "outcome": "websocket", "detail": {}}),
            Observation(9.0, "socketio.step", {"step": "idle", "outcome": outcome, "detail": {"seconds": 8.0}}),
        ]
    )
    assert given.outcome == verdict
    assert given.evidence == (
        "idle time-out 8 s, a ping every 25 s",
        f"the idle WebSocket was {outcome} after 8.0 s",
    )
