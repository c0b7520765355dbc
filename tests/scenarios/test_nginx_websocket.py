"""The verdict of nginx-websocket, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.probes.socketio_session import GOOD, NO_OPEN, NOT_TRIED, STEPS
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["nginx-websocket"]


EVENTS = "text same, binary same, acknowledgement answered, room heard, broadcast heard, reconnect connected"


def session(client="javascript", watched=False, **different):
    steps = {step: outcome for step, outcome in GOOD.items() if watched or step != "idle"}
    steps |= {name.replace("_", "-"): outcome for name, outcome in different.items()}
    detail = {"idle": {"seconds": 5.04}, "polling": {"said": '"Invalid session x"'}}
    return [
        Observation(
            float(at),
            "socketio.step",
            {"client": client, "url": "u", "step": step, "outcome": outcome, "detail": detail.get(step, {})},
        )
        for at, (step, outcome) in enumerate(steps.items())
    ]


def test_what_works_as_without_a_proxy_holds():
    verdict = SCENARIO.judge([*session(), *session("python", watched=True)])
    assert verdict.outcome == "holds"
    assert verdict.evidence == (
        "javascript: polls, then upgrades to a WebSocket",
        f"javascript: {EVENTS}",
        "javascript: WebSocket alone: connected",
        "python: polls, then upgrades to a WebSocket",
        f"python: {EVENTS}",
        "python: WebSocket alone: connected",
        "python: idle WebSocket: open after 5.0 s",
    )


def test_one_process_is_enough():
    assert SCENARIO.judge(session(broadcast="heard, one process")).outcome == "holds"


def test_polling_in_silence_reproduces():
    verdict = SCENARIO.judge(session(upgrade="polling"))
    assert verdict.outcome == "reproduces"
    assert verdict.evidence[0] == "javascript: polls, then stays on polling"


def test_a_refused_client_reproduces_and_the_servers_words_are_evidence():
    refused = dict.fromkeys(STEPS[1:8], NOT_TRIED)
    verdict = SCENARIO.judge(session(**refused, polling="HTTP 400", websocket_only=NO_OPEN))
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        'javascript: polls: HTTP 400 "Invalid session x"',
        "javascript: WebSocket alone: 101, then no OPEN packet",
    )


@pytest.mark.parametrize("step", [step for step in STEPS if step != "idle"])
def test_each_step_counts_for_each_client(step):
    assert SCENARIO.judge([*session(), *session("python", **{step: "no answer"})]).outcome == "reproduces"


def test_a_cut_reproduces():
    verdict = SCENARIO.judge(session(watched=True, idle="cut"))
    assert verdict.outcome == "reproduces"
    assert verdict.evidence[-1] == "javascript: idle WebSocket: cut after 5.0 s"
