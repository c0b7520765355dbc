"""Random numbers have the mean and the variance of their distribution, and the seed decides them."""

from __future__ import annotations

from random import Random
from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.rolling_deploy.draws import binomial, poisson

DRAWS = 20_000


@pytest.mark.parametrize("mean", [0.0, 0.3, 12.0, 40.0, 5_000.0])
def test_poisson(mean):
    chance = Random(3)
    drawn = [poisson(chance, mean) for _ in range(DRAWS)]
    assert fmean(drawn) == pytest.approx(mean, abs=4 * (mean / DRAWS) ** 0.5)
    assert pvariance(drawn) == pytest.approx(mean, rel=0.06)


@pytest.mark.parametrize(("tries", "probability"), [(10, 0.3), (1_000, 0.02), (100_000, 0.7)])
def test_binomial(tries, probability):
    chance = Random(3)
    drawn = [binomial(chance, tries, probability) for _ in range(DRAWS)]
    variance = tries * probability * (1 - probability)
    assert fmean(drawn) == pytest.approx(tries * probability, abs=4 * (variance / DRAWS) ** 0.5)
    assert pvariance(drawn) == pytest.approx(variance, rel=0.06)


@given(st.integers(0, 10_000), st.floats(0, 1), st.integers())
def test_a_binomial_number_is_among_the_tries(tries, probability, seed):
    drawn = binomial(Random(seed), tries, probability)
    assert 0 <= drawn <= tries
    assert drawn == binomial(Random(seed), tries, probability)


@given(st.integers(0, 10_000))
def test_certain_and_impossible(tries):
    assert binomial(Random(0), tries, 0.0) == 0
    assert binomial(Random(0), tries, 1.0) == tries
