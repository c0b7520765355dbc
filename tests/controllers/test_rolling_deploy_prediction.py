"""A rolling deploy that runs, beside its prediction: the same share of broken page loads."""

from __future__ import annotations

import pytest

from tests.controllers.rolling_site import SPEED, compare

pytestmark = pytest.mark.docker

POINTS = 0.05  # of a machine that does other things, too


@pytest.fixture(scope="module")
def both(request):
    return compare(request.config.getoption("--sandbox-images"))


def test_nothing_breaks_before_and_after(both):
    first, last = both.mixed
    alone = [load for load in both.loads if load.at < first or load.at > last]
    assert {(load.build, load.broken) for load in alone} == {("old", False), ("new", False)}


def test_the_share_while_both_builds_answer(both):
    measured = both.share(*both.mixed)
    assert 0.3 < measured < 0.6
    assert both.predicted.mixed_share == pytest.approx(measured, abs=POINTS)


def test_the_share_of_the_whole_deployment(both):
    assert both.predicted.share == pytest.approx(both.share(both.begun, both.ended), abs=POINTS)


def test_when_and_for_how_long_both_builds_answer(both):
    first, last = both.mixed
    assert both.predicted.mixed_from == pytest.approx((first - both.begun) * SPEED, rel=0.4)
    assert both.predicted.mixed_seconds == pytest.approx((last - first) * SPEED, rel=0.2)
