"""The verdict of socketio-broadcast, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["socketio-broadcast"]


def judge(*heard):
    return SCENARIO.judge([Observation(1.0, "posted", {"text": f"post {n}", "heard": n, "clients": 6}) for n in heard])


def test_a_post_that_some_do_not_hear_reproduces():
    verdict = judge(6, 2, 6)
    assert verdict.outcome == "reproduces"
    assert verdict.evidence[1] == "'post 2' was heard by 2 of 6 clients"


def test_posts_that_all_hear_hold():
    assert judge(6).outcome == "holds"
