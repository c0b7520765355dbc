"""What becomes of one page load, by chance, while the load balancer gives requests to the same targets.

A page of one build names ``changed`` files that the other build does not have. The load is broken if the page or one of
these files comes to a target that does not have it. Files that both builds have are of no consequence.

**Every request to any target, independently** (weighted random; many clients). With a share p of new targets, a page
of the new build (probability p) is whole if all of its D files come to new targets (p to the power D), and likewise for
the old one (1 - p), so that::

    P(broken) = 1 - p^(D+1) - (1-p)^(D+1)

which is 2p(1-p) for one file, and at most 1 - 2^-D, at p = 1/2: `independent`.

**In turns** (round robin). The page comes to the target whose turn it is, and each further request of the same load to
the one that is by 1 + G further on, where G is how many requests of others came between. If the time between two
requests of a load is exponentially distributed with mean s, and others' requests come as a Poisson process of rate R,
then G has a geometric distribution with mean R s. So the position in the rotation is a Markov chain, and `in_turns`
computes its probabilities exactly for the given order of old and new targets, in time proportional to the number of
targets and of files. Many requests between (R s far above the number of targets) lead to the formula above; none to a
visitor who is alone, whose every file comes to the next target.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What answers at a target."""

    OLD = 0
    NEW = 1
    NOTHING = 2


@dataclass(frozen=True)
class Odds:
    """Probabilities of one page load. Those of pages, and ``no_page``, make up 1.

    Attributes:
        page: That the page is of the old build, and of the new one.
        whole: That the page is of that build, and every file of it is got.
        no_page: That no target answers: 503 where none is registered, 502 where one does not run yet.
        failed: How many requests for files of the page fail, in the mean.
        missing: That a file of that build is not there, for one request on its own.
    """

    page: tuple[float, float]
    whole: tuple[float, float]
    no_page: float
    failed: float
    missing: tuple[float, float]

    @property
    def broken(self) -> float:
        """That the load is broken, for want of a page or of a file."""
        return max(0.0, 1.0 - sum(self.whole))


Has = tuple[tuple[bool, bool], tuple[bool, bool]]
"""Whether the files of a build (old, new) are on targets of a build (old, new): ``has[files][target]``."""

EACH_ITS_OWN: Has = ((True, False), (False, True))


def independent(share_of_new: float, changed: int) -> float:
    """The closed form: the probability of a broken load, where each request comes to any target, each build has its
    own files, and all targets answer.
    """
    p = share_of_new
    return 1 - p ** (changed + 1) - (1 - p) ** (changed + 1)


def at_random(kinds: Sequence[Kind], changed: int, has: Has = EACH_ITS_OWN) -> Odds:
    """The odds where each request comes to any of the targets."""
    whole, failed = [], 0.0
    for build, page in enumerate(_pages(kinds)):
        there = 1 - _missing(kinds, build, has)
        whole.append(page * there**changed)
        failed += page * changed * (1 - there)
    return _odds(kinds, has, whole, failed)


def in_turns(kinds: Sequence[Kind], changed: int, has: Has = EACH_ITS_OWN, *, first: float, further: float) -> Odds:
    """The odds under round robin.

    Args:
        kinds: The targets in the order of their turns.
        changed: How many files differ; they are asked for first.
        has: Who has which files.
        first: How many requests of others come between the page and its first file, in the mean.
        further: The same between one file and the next.
    """
    whole, failed = [], 0.0
    for build in (Kind.OLD, Kind.NEW):
        good = [_has_file(kind, build, has) for kind in kinds]
        if all(good) or not changed:
            whole.append(_pages(kinds)[build])
            continue
        at = [1 / len(kinds) if kind == build else 0.0 for kind in kinds]  # where the last request was
        unbroken = at
        for number in range(changed):
            between = further if number else first
            at = _next_turn(at, between)
            failed += sum(chance for chance, there in zip(at, good, strict=True) if not there)
            moved = _next_turn(unbroken, between) if number else at
            unbroken = [chance if there else 0.0 for chance, there in zip(moved, good, strict=True)]
        whole.append(sum(unbroken))
    return _odds(kinds, has, whole, failed)


def _next_turn(at: Sequence[float], between: float) -> list[float]:
    """Where the next request of the same load comes to: by 1 + G further on, G geometric with mean ``between``.

    The probabilities ``y`` of the next position follow from those of the last one by ``y[j] = q y[j-1] + s at[j-1]``,
    with s = 1 / (1 + between) and q = 1 - s, around the circle.
    """
    s = 1 / (1 + between)
    q = 1 - s
    size = len(at)
    # y[0], by all that came before it, around the circle any number of times
    value, weight = 0.0, s
    for chance in reversed(at):
        value += weight * chance
        weight *= q
    value /= -math.expm1(size * math.log1p(-s)) if q else 1.0
    result = [value]
    for chance in at[:-1]:
        value = q * value + s * chance
        result.append(value)
    return result


def _pages(kinds: Sequence[Kind]) -> tuple[float, float]:
    size = len(kinds) or 1
    return kinds.count(Kind.OLD) / size, kinds.count(Kind.NEW) / size


def _missing(kinds: Sequence[Kind], build: int, has: Has) -> float:
    bad = sum(not _has_file(kind, build, has) for kind in kinds)
    return bad / len(kinds) if kinds else 1.0


def _has_file(kind: Kind, build: int, has: Has) -> bool:
    return kind is not Kind.NOTHING and has[build][kind]


def _odds(kinds: Sequence[Kind], has: Has, whole: Sequence[float], failed: float) -> Odds:
    old, new = _pages(kinds)
    missing = (_missing(kinds, Kind.OLD, has), _missing(kinds, Kind.NEW, has))
    return Odds((old, new), (whole[0], whole[1]), 1 - old - new, failed, missing)
