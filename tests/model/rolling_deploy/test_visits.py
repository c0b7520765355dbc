"""What visitors see: against the closed form, against one visitor at a time, and what must hold of every fleet."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.model.rolling_deploy.chance import independent
from sandbox.model.rolling_deploy.fleet import ALGORITHMS, PLACES, Fleet
from sandbox.model.rolling_deploy.rollout import roll
from sandbox.model.rolling_deploy.visits import predict
from tests.conftest import examples

SLOW = Fleet(
    tasks=4,
    rps=900.0,
    minimum_healthy_percent=100,
    maximum_percent=125,
    health_interval=5,
    deregistration_delay=30,
    algorithm="weighted_random",
    changed=2,
)
"""Replaces one task after the other."""


def test_the_share_is_that_of_the_closed_form_within_its_sampling_error():
    prediction = predict(SLOW)
    expected = loads = 0.0
    rollout = prediction.rollout
    ends = [*(step.at for step in rollout.steps[1:]), SLOW.duration]
    for step, end in zip(rollout.steps, ends, strict=True):
        old, new = rollout.answering(step)
        number = (min(end, SLOW.duration) - step.at) * SLOW.loads_per_second
        expected += number * independent(new / (old + new), SLOW.changed)
        loads += number
    assert prediction.share == pytest.approx(expected / loads)
    assert prediction.broken == pytest.approx(expected, abs=4 * expected**0.5)
    assert prediction.loads == pytest.approx(loads, abs=4 * loads**0.5)


def test_tabs_against_one_visitor_at_a_time():
    """Each opens a page, asks for a further file later, and finds it or not, by the targets of that moment."""
    fleet = replace(SLOW, tab_open=120.0, rps=90.0)
    rollout, chance = roll(fleet), Random(5)

    def answers(at: float) -> bool:
        """Whether a target of the new build answers."""
        step = next(step for step in reversed(rollout.steps) if step.at <= at)
        return rollout.is_new[chance.choice(step.rotation)]

    asked = broken = 0
    for _ in range(40_000):
        opened = chance.uniform(-5 * fleet.tab_open, fleet.duration)
        asks = opened + chance.expovariate(1 / fleet.tab_open)
        page = answers(max(0.0, opened)) if opened > 0 else False
        whole = all(answers(max(0.0, opened)) is page for _ in range(fleet.changed))
        if whole and 0 <= asks < fleet.duration:
            asked, broken = asked + 1, broken + (answers(asks) is not page)
    assert predict(replace(fleet, rps=9000.0)).tab_share == pytest.approx(broken / asked, abs=0.01)


def test_the_first_load_is_safe_with_stickiness_and_the_open_tab_is_not():
    prediction = predict(replace(SLOW, stickiness=True))
    assert prediction.broken == 0
    assert prediction.tab_share > 0.05
    assert prediction.first_broken is prediction.last_broken is None


def test_tabs_of_targets_that_leave_at_once_ask_others():
    """As many tabs ask in the first second as without stickiness, and nobody answers them."""
    gone = replace(SLOW, minimum_healthy_percent=0, maximum_percent=100, stickiness=True)
    first = predict(gone).seconds[0]
    expected = SLOW.loads_per_second
    assert first.tabs == first.broken_tabs == pytest.approx(expected, abs=4 * expected**0.5)


def test_a_cdn_takes_the_effect_of_stickiness_away():
    """Files are asked for without cookies, whoever asks."""
    plain = predict(replace(SLOW, cdn=True))
    assert predict(replace(SLOW, cdn=True, stickiness=True)).share == plain.share > 0


def test_a_cached_404_breaks_pages_long_after_the_deployment():
    short, long = predict(replace(SLOW, cdn=True)), predict(replace(SLOW, cdn=True, error_ttl=3600.0))
    assert short.last_broken < short.rollout.steps[-1].at + 10
    assert long.last_broken == SLOW.duration - 1
    assert long.share > 2 * short.share
    assert 0.99 < short.hit_share < 1


def test_the_page_in_a_files_stead_is_kept_for_a_day():
    assert predict(replace(SLOW, cdn=True, spa_fallback=True)).last_broken == SLOW.duration - 1


def test_the_old_files_in_the_new_image_save_old_pages_only():
    """A page of the new build breaks as before, while an old target answers."""
    own, baked = predict(SLOW), predict(replace(SLOW, places="baked"))
    assert 0.3 * own.share < baked.share < 0.7 * own.share
    assert baked.tab_share < own.tab_share / 5
    assert predict(replace(SLOW, places="baked", stickiness=True)).broken == 0


def test_after_a_rollback_new_pages_do_not_find_their_files():
    back = replace(SLOW, rollback_at=400.0, duration=1200.0)
    forward = replace(SLOW, duration=1200.0)
    assert predict(back).share > 1.5 * predict(forward).share
    assert predict(replace(back, places="baked")).tab_share > 5 * predict(replace(forward, places="baked")).tab_share
    assert predict(replace(back, places="s3")).broken == predict(replace(back, places="s3")).broken_tabs == 0


def test_pages_that_nobody_answers():
    prediction = predict(replace(SLOW, minimum_healthy_percent=0, maximum_percent=100))
    assert prediction.no_page > 0
    assert prediction.wasted_requests == (prediction.broken - prediction.no_page) * 9 + prediction.no_page


def test_the_same_seed_predicts_the_same():
    assert predict(SLOW) == predict(SLOW)
    assert predict(SLOW).loads != predict(replace(SLOW, seed=1)).loads


def test_the_result_is_json():
    content = predict(replace(SLOW, duration=60.0)).as_json()
    assert json.loads(json.dumps(content)) == content
    assert content["deployment"]["ending"] == "unfinished"
    assert len(content["seconds"]) == 60


FLEETS = st.builds(
    Fleet,
    tasks=st.integers(1, 6),
    rps=st.floats(1.0, 5_000.0),
    minimum_healthy_percent=st.sampled_from([0, 50, 100]),
    maximum_percent=st.sampled_from([100, 125, 150, 200]),
    circuit_breaker=st.booleans(),
    start=st.floats(0, 30),
    boot=st.floats(0, 60),
    spread=st.floats(0, 1),
    grace_period=st.sampled_from([0, 60]),
    deregistration_delay=st.sampled_from([0, 30]),
    health_interval=st.sampled_from([5, 30]),
    algorithm=st.sampled_from(ALGORITHMS),
    stickiness=st.booleans(),
    assets=st.just(8),
    changed=st.integers(0, 8),
    places=st.sampled_from(PLACES),
    spa_fallback=st.booleans(),
    cdn=st.booleans(),
    edges=st.integers(1, 3),
    error_ttl=st.floats(0, 400),
    tab_open=st.sampled_from([0.0, 5.0, 300.0]),
    rollback_at=st.sampled_from([None, 40.0, 150.0]),
    duration=st.sampled_from([200.0, 400.5]),
    seed=st.integers(0, 3),
)
SOME = settings(max_examples=examples(30), deadline=None)


@SOME
@given(FLEETS)
def test_of_every_fleet(fleet):
    prediction = predict(fleet)
    assert 0 <= prediction.share <= 1
    assert 0 <= prediction.mixed_share <= 1
    assert 0 <= prediction.tab_share <= 1
    assert 0 <= prediction.no_page <= prediction.broken <= prediction.loads
    assert prediction.hit_share is None or 0 <= prediction.hit_share <= 1
    rollout = prediction.rollout
    assert rollout.ending in {"completed", "rolled-back", "stuck", "unfinished"}
    assert (rollout.ended_at is None) == (rollout.ending == "unfinished")
    assert [step.at for step in rollout.steps] == sorted({step.at for step in rollout.steps})
    for second in prediction.seconds:
        assert 0 <= second.expected_broken <= second.expected_loads + 1e-9
        assert second.broken_tabs <= second.tabs


@SOME
@given(FLEETS)
def test_files_that_were_uploaded_before_are_always_found(fleet):
    prediction = predict(replace(fleet, places="s3"))
    assert prediction.broken == prediction.no_page
    assert prediction.broken_tabs == 0


@SOME
@given(FLEETS)
def test_on_the_way_forward_nobody_misses_a_file_of_the_old_build_that_is_baked_in(fleet):
    """And a visitor of a new page misses none who stays with the target that has answered it."""
    forward = replace(fleet, places="baked", rollback_at=None, circuit_breaker=False, stickiness=True, cdn=False)
    prediction = predict(forward)
    assert prediction.broken == prediction.no_page


@SOME
@given(FLEETS)
def test_stickiness_is_never_worse_for_first_loads(fleet):
    sticky, free = predict(replace(fleet, stickiness=True)), predict(replace(fleet, stickiness=False))
    # Behind a CDN what is drawn of the caches depends on how many tabs ask; there stickiness is without effect.
    assert fleet.cdn or sticky.share <= free.share + 1e-9


@SOME
@given(FLEETS)
def test_a_build_without_changed_files_breaks_nothing(fleet):
    prediction = predict(replace(fleet, changed=0))
    assert prediction.broken == prediction.no_page
