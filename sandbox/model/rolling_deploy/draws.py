"""Random numbers of the binomial and the Poisson distribution: exact, in time that grows with the mean's logarithm.

Both halve the problem by an order statistic until it is small, as Ahrens and Dieter describe ("Computer methods for
sampling from gamma, beta, Poisson and binomial distributions", 1974). Python has a function of its own for the binomial
distribution from 3.12 on, and none for Poisson's.
"""

from __future__ import annotations

import math
from random import Random

_SMALL = 16


def poisson(chance: Random, mean: float) -> int:
    """How many events there are, if there are ``mean`` on the average and each comes independently of the others."""
    drawn = 0
    while mean > _SMALL:
        number = int(mean * 7 / 8)
        at = chance.gammavariate(number, 1.0)  # when event ``number`` comes, at one a second
        if at > mean:
            return drawn + binomial(chance, number - 1, mean / at)
        drawn, mean = drawn + number, mean - at
    limit, product = math.exp(-mean), chance.random()
    while product > limit:
        drawn += 1
        product *= chance.random()
    return drawn


def binomial(chance: Random, tries: int, probability: float) -> int:
    """How many of ``tries`` succeed."""
    drawn = 0
    while tries > _SMALL and 0 < probability < 1:
        middle = tries // 2 + 1
        at = chance.betavariate(middle, tries + 1 - middle)  # the middle one of as many uniform numbers
        if at >= probability:
            tries, probability = middle - 1, probability / at
        else:
            drawn, tries, probability = drawn + middle, tries - middle, (probability - at) / (1 - at)
    return drawn + sum(chance.random() < probability for _ in range(tries))
