"""The verdict of alb-stickiness, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.probes.socketio_session import GOOD
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["alb-stickiness"]


def session(client, **other):
    return [
        Observation(2.0, "socketio.step", {"client": client, "step": step, "outcome": outcome, "detail": {}})
        for step, outcome in {**GOOD, **other}.items()
    ]


def judge(*, websocket_only, **python):
    kind = Observation(1.0, "client", {"websocket_only": websocket_only})
    return SCENARIO.judge([kind, *session("javascript"), *session("python", **python)])


def test_all_as_without_a_load_balancer_holds():
    assert judge(websocket_only=False).outcome == "holds"


def test_a_polling_client_that_is_refused_reproduces():
    verdict = judge(websocket_only=False, polling="HTTP 400")
    assert verdict.outcome == "reproduces"
    assert verdict.evidence[1].startswith("python: polling HTTP 400")


def test_polling_does_not_count_for_clients_that_never_poll():
    verdict = judge(websocket_only=True, polling="HTTP 400")
    assert verdict.outcome == "holds"
    assert verdict.evidence == ("javascript: websocket-only connected", "python: websocket-only connected")
