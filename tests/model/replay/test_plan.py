"""Plans: what a seed draws, and what always holds of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.replay.plan import (
    Delivery,
    Happened,
    Perturbation,
    Recording,
    draw_plan,
    is_within,
    notes,
    recorded_plan,
    times,
    told,
)

FOUR = Recording(tuple(Happened(float(10 * number), {"id": str(number)}) for number in range(4)))

perturbations = st.builds(
    lambda order, duplicate, low, more, drop: Perturbation(order, duplicate, low, low + more, drop),
    st.sampled_from(["recorded", "shuffled", "reversed"]),
    st.floats(0, 1),
    st.floats(0, 20),
    st.floats(0, 50),
    st.floats(0, 1),
)
seeds = st.integers(0, 2**32)


def events(plan: tuple[Delivery, ...]) -> list[int]:
    return [one.event for one in told(plan)]


def test_nothing_is_perturbed_by_default():
    assert draw_plan(FOUR, Perturbation(), 7) == recorded_plan(FOUR)
    assert times(FOUR, recorded_plan(FOUR)) == [0, 10, 20, 30]
    assert notes(FOUR, recorded_plan(FOUR)) == ["", "", "", ""]


def test_reversed_waits_for_the_newest_event():
    plan = draw_plan(FOUR, Perturbation("reversed"), 0)
    assert events(plan) == [3, 2, 1, 0]
    assert times(FOUR, plan) == [30, 30, 30, 30]
    assert notes(FOUR, plan) == ["", "after 1 newer, 10 s late", "after 2 newer, 20 s late", "after 3 newer, 30 s late"]


def test_a_duplicate_comes_again_later():
    plan = draw_plan(FOUR, Perturbation(duplicate=1.0), 0)
    assert sorted(events(plan)) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert sum("again" in note for note in notes(FOUR, plan)) == 4


def test_delays_let_events_overtake_each_other():
    plan = draw_plan(FOUR, Perturbation(max_delay=100.0), 1)
    assert events(plan) != [0, 1, 2, 3]
    assert all(at >= FOUR.events[one.event].at + one.delay for one, at in zip(plan, times(FOUR, plan), strict=True))


def test_a_recording_may_itself_have_an_event_twice_and_late():
    first, second = FOUR.events[0], FOUR.events[1]
    recording = Recording((first, second, first))
    assert notes(recording, recorded_plan(recording)) == ["", "", "again, after 1 newer, 10 s late"]


def test_every_event_may_be_lost():
    assert told(draw_plan(FOUR, Perturbation(drop=1.0), 0)) == ()


@pytest.mark.parametrize("wrong", [{"order": "sideways"}, {"duplicate": 1.1}, {"drop": -0.1}, {"min_delay": 2.0}])
def test_a_perturbation_that_cannot_be(wrong):
    with pytest.raises(ValueError):
        Perturbation(**wrong)


@given(perturbations, seeds)
def test_a_drawn_plan_is_what_was_asked_for(perturbation, seed):
    plan = draw_plan(FOUR, perturbation, seed)
    assert plan == draw_plan(FOUR, perturbation, seed)
    assert is_within(plan, perturbation, FOUR)
    assert set(events(plan)) | {one.event for one in plan if one.lost} == {0, 1, 2, 3}
    assert not set(events(plan)) & {one.event for one in plan if one.lost}
    when = times(FOUR, plan)
    assert when == sorted(when)
    assert all(at >= FOUR.events[one.event].at for one, at in zip(told(plan), when, strict=True))


def test_shortening_must_not_invent_a_disorder():
    recorded = Perturbation(duplicate=0.5)
    assert is_within((Delivery(0), Delivery(1), Delivery(0)), recorded, FOUR)
    assert not is_within((Delivery(1), Delivery(0)), recorded, FOUR)
    assert is_within((Delivery(1), Delivery(0)), Perturbation("reversed"), FOUR)
    assert is_within((Delivery(1), Delivery(0, delay=15.0)), Perturbation(max_delay=20.0), FOUR)
