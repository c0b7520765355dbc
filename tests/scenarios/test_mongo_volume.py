"""The verdict of mongo-volume, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["mongo-volume"]
POST = "please keep this"


def judge(after):
    return SCENARIO.judge(
        [
            Observation(1.0, "board", {"when": "before", "posts": [POST]}),
            Observation(2.0, "replaced", {"old": f"arn:task/chat/{'a' * 32}", "new": f"arn:task/chat/{'b' * 32}"}),
            Observation(3.0, "board", {"when": "after", "posts": after}),
        ]
    )


def test_an_empty_board_reproduces():
    verdict = judge([])
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        f"before: {POST}",
        "task aaaaaaaa of MongoDB was replaced by bbbbbbbb",
        "after: nothing",
    )


def test_a_board_that_has_it_still_holds():
    assert judge([POST]).outcome == "holds"
