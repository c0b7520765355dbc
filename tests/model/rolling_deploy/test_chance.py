"""One page load by chance: computed against the closed form, and against every request by itself."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.elb.balancing import RoundRobin
from sandbox.model.elb.messages import FULL
from sandbox.model.elb.target import Target
from sandbox.model.rolling_deploy.chance import Kind, at_random, in_turns, independent

OLD, NEW, NOTHING = Kind.OLD, Kind.NEW, Kind.NOTHING
KINDS = st.lists(st.sampled_from(list(Kind)), min_size=1, max_size=12)
BAKED = ((True, True), (False, True))


@pytest.mark.parametrize("changed", [0, 1, 3])
@pytest.mark.parametrize("new", [0, 1, 2, 4])
def test_any_target_for_every_request_is_the_closed_form(new, changed):
    kinds = [NEW] * new + [OLD] * (4 - new)
    assert at_random(kinds, changed).broken == pytest.approx(independent(new / 4, changed))


def test_half_the_targets_new_and_one_file_breaks_half_the_loads():
    assert independent(0.5, 1) == 0.5
    assert at_random([OLD, NEW], 1).failed == 0.5


def test_many_requests_of_others_make_turns_as_good_as_chance():
    kinds = [OLD, NEW, NEW, OLD, NEW]
    assert in_turns(kinds, 3, first=1e6, further=1e6).broken == pytest.approx(independent(0.6, 3), abs=1e-5)


def test_who_is_alone_gets_the_next_target_for_each_request():
    assert in_turns([OLD, NEW], 1, first=0, further=0).broken == 1
    assert in_turns([OLD, OLD, NEW, NEW], 1, first=0, further=0).broken == 0.5
    assert in_turns([OLD, OLD, NEW, NEW], 2, first=0, further=0).broken == 1


def test_a_new_page_alone_breaks_where_the_old_files_are_baked_in():
    odds = at_random([OLD, NEW], 1, BAKED)
    assert odds.whole == (0.5, 0.25)
    assert odds.missing == (0.0, 0.5)


def test_a_target_that_does_not_answer_has_no_page_and_no_file():
    odds = at_random([OLD, NOTHING], 1)
    assert (odds.no_page, odds.whole, odds.broken) == (0.5, (0.25, 0.0), 0.75)


def test_no_target_at_all():
    odds = at_random([], 1)
    assert (odds.no_page, odds.broken, odds.missing) == (1.0, 1.0, (1.0, 1.0))


@given(KINDS, st.integers(0, 4), st.floats(0, 1e6), st.floats(0, 1e6), st.booleans())
def test_odds_are_probabilities(kinds, changed, first, further, baked):
    has = BAKED if baked else ((True, False), (False, True))
    odds = in_turns(kinds, changed, has, first=first, further=further)
    assert sum(odds.page) + odds.no_page == pytest.approx(1)
    for whole, page in zip(odds.whole, odds.page, strict=True):
        assert -1e-9 <= whole <= page + 1e-9
    assert 0 <= odds.broken <= 1
    assert -1e-9 <= odds.failed <= changed + 1e-9


@given(KINDS, st.floats(0, 1e3))
def test_one_file_fails_as_often_as_the_load_breaks_where_there_is_a_page(kinds, first):
    odds = in_turns(kinds, 1, first=first, further=0)
    assert odds.failed == pytest.approx(odds.broken - odds.no_page, abs=1e-9)


@pytest.mark.parametrize(("first", "further"), [(0.5, 0.5), (6.0, 0.2), (2.0, 2.0)])
def test_turns_against_every_request_by_itself(first, further):
    """The balancing that the load balancer's model has, with others' requests in between."""
    kinds, changed, loads = [OLD, NEW, OLD, OLD, NEW], 2, 20_000
    route = {Target(f"10.0.0.{number}", 80): FULL for number in range(len(kinds))}
    kind_of = dict(zip(route, kinds, strict=True))
    chance, balancer, broken, failed = Random(7), RoundRobin(), 0, 0

    def next_kind(between: float) -> Kind:
        while chance.random() < between / (1 + between):
            balancer.choose(route)
        return kind_of[balancer.choose(route)]

    for _ in range(loads):
        page = next_kind(9.0)
        wrong = sum(next_kind(further if number else first) is not page for number in range(changed))
        broken, failed = broken + bool(wrong), failed + wrong
    odds = in_turns(kinds, changed, first=first, further=further)
    assert broken / loads == pytest.approx(odds.broken, abs=0.012)  # over three standard errors
    assert failed / loads == pytest.approx(odds.failed, abs=0.02)
