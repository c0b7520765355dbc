from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.elb.balancing import RoundRobin, least_outstanding, weighted_random
from sandbox.model.elb.target import Target

A, B, C = (Target(f"10.0.0.{number}", 80) for number in (4, 5, 6))
ROUTES = st.dictionaries(st.sampled_from([A, B, C]), st.integers(1, 100), min_size=1)


def test_round_robin():
    turns = RoundRobin()
    assert [turns.choose({A: 100, B: 100}) for _ in range(4)] == [A, B, A, B]
    assert [turns.choose({A: 100, B: 100, C: 100}) for _ in range(3)].count(C) == 1
    assert turns.choose({}) is None


@given(ROUTES)
def test_round_robin_is_exact_over_a_whole_round(route):
    turns = RoundRobin()
    assert Counter(turns.choose(route) for _ in range(sum(route.values()))) == route


def test_least_outstanding_requests():
    assert least_outstanding({A: 100, B: 100}, {A: 2, B: 1}) == B
    assert least_outstanding({A: 100, B: 100}, {}) == A
    assert least_outstanding({A: 100, B: 10}, {A: 3}) == A, "one in slow start counts for less"
    assert least_outstanding({}, {}) is None


@given(ROUTES, st.floats(0, 1, exclude_max=True))
def test_weighted_random_is_one_of_them(route, draw):
    assert weighted_random(route, draw) in route


def test_weighted_random_goes_by_weight():
    assert [weighted_random({A: 75, B: 25}, draw) for draw in (0, 0.74, 0.76, 0.99)] == [A, A, B, B]
    assert weighted_random({}, 0) is None
