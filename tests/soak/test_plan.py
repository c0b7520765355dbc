"""The plan of a soak: its seed decides everything."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.soak import plan

QUICK = (plan.Quick("a", ("one", "two")), plan.Quick("b", ("three",)))


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_the_same_seed_gives_the_same_plan_of_as_many_runs_as_were_asked_for(seed, runs):
    planned = plan.rounds(seed, runs, QUICK)
    assert planned == plan.rounds(seed, runs, QUICK)
    assert sum(len(one.runs) + (one.then is not None) for one in planned) == runs
    for one in planned:
        assert 0 <= one.victim < len(one.runs) <= 4
        assert one.after is None or 0 < one.after <= plan.LATEST
        assert one.then is None or len(one.then.variants) == 1


def test_every_trouble_comes_in_a_soak_of_200_runs():
    told = Counter(one.trouble for one in plan.rounds(0, 200, QUICK))
    assert told.keys() == plan.WEIGHTS.keys()
    assert told["kill one"] > told["none"]


def test_another_seed_gives_another_plan():
    assert plan.rounds(1, 50, QUICK) != plan.rounds(2, 50, QUICK)
