"""Retries of asynchronous invocations, as transcripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.lambda_async import (
    EXHAUSTED,
    NOTHING_RESERVED,
    TOO_OLD,
    Attempts,
    GivenUp,
    Outcome,
    Policy,
    Retry,
    Succeeded,
    after,
)

OK, ERROR, THROTTLED = Outcome.SUCCESS, Outcome.FUNCTION_ERROR, Outcome.THROTTLED


def play(outcomes: list[Outcome], policy: Policy, **more: bool) -> tuple[Attempts, list[object]]:
    """The decisions after each outcome, if each attempt takes no time."""
    attempts, age, decisions = Attempts(), 0.0, []
    for outcome in outcomes:
        attempts, decision = after(attempts, outcome, policy, age, **more)
        decisions.append(decision)
        if not isinstance(decision, Retry):
            break
        age += decision.delay
    return attempts, decisions


@pytest.mark.parametrize(
    ("outcomes", "policy", "decisions"),
    [
        ([OK], Policy(), [Succeeded()]),
        ([ERROR, OK], Policy(), [Retry(60), Succeeded()]),
        ([ERROR] * 5, Policy(), [Retry(60), Retry(120), GivenUp(EXHAUSTED)]),
        ([ERROR] * 5, Policy(1), [Retry(60), GivenUp(EXHAUSTED)]),
        ([ERROR] * 5, Policy(0), [GivenUp(EXHAUSTED)]),
        ([ERROR] * 5, Policy(2, 100), [Retry(60), GivenUp(TOO_OLD)]),
        ([ERROR] * 5, Policy(2, 60), [Retry(60), GivenUp(TOO_OLD)]),
        ([THROTTLED] * 9, Policy(2, 60), [*map(Retry, (1, 2, 4, 8, 16)), GivenUp(TOO_OLD)]),
        ([THROTTLED, ERROR, THROTTLED, OK], Policy(), [Retry(1), Retry(60), Retry(2), Succeeded()]),
    ],
)
def test_what_follows(outcomes: list[Outcome], policy: Policy, decisions: list[object]) -> None:
    assert play(outcomes, policy)[1] == decisions


def test_without_concurrency_an_event_is_given_up_at_once() -> None:
    assert play([THROTTLED], Policy(), nothing_reserved=True) == (Attempts(0, 1), [GivenUp(NOTHING_RESERVED)])


def test_throttling_backs_off_to_five_minutes_for_six_hours() -> None:
    attempts, decisions = play([THROTTLED] * 1000, Policy())
    delays = [decision.delay for decision in decisions if isinstance(decision, Retry)]
    assert delays[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert set(delays[9:]) == {300}
    assert 21_300 < sum(delays) <= 21_600
    assert decisions[-1] == GivenUp(TOO_OLD)
    assert attempts.invoked == 0


@given(
    st.lists(st.sampled_from([ERROR, THROTTLED]), min_size=500, max_size=500),
    st.integers(0, 2),
    st.integers(60, 21_600),
)
def test_every_event_ends_in_time(outcomes: list[Outcome], retries: int, age: int) -> None:
    attempts, decisions = play(outcomes, Policy(retries, age))
    assert isinstance(decisions[-1], GivenUp)
    assert attempts.invoked <= retries + 1
    assert sum(decision.delay for decision in decisions if isinstance(decision, Retry)) <= age
