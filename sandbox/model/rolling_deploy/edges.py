"""Files of a page at edge locations: who first asks for one decides what all others get.

A file is asked for by its path alone, and without cookies, so that no stickiness leads to the right target: Amazon
CloudFront Developer Guide, "Cache content based on cookies". What the target answers is kept, a 404 for the Error
Caching Minimum TTL, whatever is deployed meanwhile. `sandbox.model.cloudfront.freshness` says for how long.

Of a deploy, these are simulated one by one: the requests that reach the origin, which are few. What viewers get from a
cache follows from them. The old build's files are in every cache when the deploy begins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from sandbox.model.cloudfront import freshness, managed
from sandbox.model.cloudfront.policies import MAX_TTL

_POLICY = next(policy for policy in managed.CACHE.values() if policy.name == "CachingOptimized")
_FILE = {"cache-control": "public, max-age=31536000, immutable"}

Span = tuple[float, float]


@dataclass(frozen=True)
class Answers:
    """For how many seconds the answers of the origin are kept: a file, and what is not that file."""

    file: float
    wrong: float

    @staticmethod
    def of(error_ttl: float, *, fallback: bool) -> Answers:
        """By the managed policy CachingOptimized; files with a year's max-age, pages without a Cache-Control.

        Args:
            error_ttl: Error Caching Minimum TTL.
            fallback: Whether what is missing is answered with the page and 200, instead of 404.
        """
        file = freshness.of_answer(200, _FILE, _POLICY, 0.0)
        page = freshness.of_answer(200, {}, _POLICY, 0.0)
        error = freshness.of_error(404, {}, error_ttl, MAX_TTL, 0.0)
        return Answers(file.ttl, page.ttl if fallback else error.ttl)


@dataclass
class File:
    """One file at one edge location.

    Attributes:
        good_until: Until when it is there.
        bad_until: Until when what is there in its stead is served.
        asked: How many requests have come to the origin, and how many of them did not get the file.
    """

    good_until: float = -math.inf
    bad_until: float = -math.inf
    asked: int = 0
    failed: int = 0

    def go_on(self, span: Span, rate: float, missing: float, answers: Answers, chance: Random) -> list[Span]:
        """Go on for a while; returns when, within it, something else is served in the file's stead.

        Args:
            span: From when until when.
            rate: Requests per second at this edge location.
            missing: The probability that the origin does not have the file.
            answers: How long answers are kept.
            chance: Decides.
        """
        begin, end = span
        bad = [(begin, min(self.bad_until, end))] if self.bad_until > begin else []
        now = max(begin, self.good_until, self.bad_until)
        while rate > 0 and (now := now + chance.expovariate(rate)) < end:
            self.asked += 1
            if chance.random() >= missing:
                self.good_until = now + answers.file
                break
            self.failed += 1
            self.bad_until = now + answers.wrong
            bad.append((now, min(self.bad_until, end)))
            now = self.bad_until
        return bad


@dataclass
class Edge:
    """The files of one build at one edge location: ``first`` ones of a page, and a ``further`` one of an open tab."""

    first: list[File]
    further: File

    @property
    def asked(self) -> int:
        """How many requests have come to the origin."""
        return self.further.asked + sum(file.asked for file in self.first)

    @staticmethod
    def of(changed: int, *, warm: bool) -> Edge:
        """An edge location that has all files, or none."""
        until = math.inf if warm else -math.inf
        return Edge([File(until) for _ in range(changed)], File(until))


def covered(spans: list[Span]) -> float:
    """How long at least one of the spans lasts."""
    total, reached = 0.0, -math.inf
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total
