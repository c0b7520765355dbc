"""Files at edge locations, span by span."""

from __future__ import annotations

import math
from random import Random

import pytest

from sandbox.model.rolling_deploy.edges import Answers, Edge, File, covered

YEAR = 31_536_000


@pytest.mark.parametrize(
    ("error_ttl", "fallback", "wrong"), [(10, False, 10), (0, False, 0), (300, False, 300), (10, True, 86_400)]
)
def test_how_long_answers_are_kept(error_ttl, fallback, wrong):
    assert Answers.of(error_ttl, fallback=fallback) == Answers(YEAR, wrong)


def test_a_404_is_served_until_it_expires_whatever_is_there_by_then():
    file, chance, answers = File(), Random(1), Answers(YEAR, 10.0)
    ((begin, end),) = file.go_on((0.0, 1.0), 1000.0, 1.0, answers, chance)
    assert 0 < begin < 0.1
    assert end == 1.0
    assert file.go_on((1.0, 5.0), 1000.0, 0.0, answers, chance) == [(1.0, 5.0)]
    ((begin, end),) = file.go_on((5.0, 20.0), 1000.0, 0.0, answers, chance)
    assert begin == 5.0
    assert 10 < end < 10.1
    assert file.go_on((20.0, YEAR), 1000.0, 1.0, answers, chance) == []
    assert (file.asked, file.failed) == (2, 1)


def test_a_file_that_is_there_is_asked_for_once():
    file = File()
    assert file.go_on((0.0, 600.0), 50.0, 0.0, Answers(YEAR, 10.0), Random(1)) == []
    assert (file.asked, file.failed) == (1, 0)


def test_a_warm_edge_asks_for_nothing():
    edge = Edge.of(3, warm=True)
    assert [file.go_on((0.0, 9.0), 50.0, 1.0, Answers(YEAR, 10.0), Random(1)) for file in edge.first] == [[], [], []]
    assert (edge.asked, edge.further.good_until) == (0, math.inf)


def test_errors_that_are_not_kept_go_on_until_the_file_is_got():
    file = File()
    file.go_on((0.0, 600.0), 100.0, 0.9, Answers(YEAR, 0.0), Random(3))
    assert file.asked == file.failed + 1


@pytest.mark.parametrize(
    ("spans", "length"), [([], 0), ([(0, 2), (1, 3)], 3), ([(4, 5), (0, 2)], 3), ([(0, 9), (1, 2)], 9)]
)
def test_spans_that_overlap_count_once(spans, length):
    assert covered(spans) == length
