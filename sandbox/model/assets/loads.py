"""What came of page loads, and their sum."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

FIRST, TAB = "first", "tab"
_URLS = 10  # of a summary


@dataclass(frozen=True, slots=True)
class Answer:
    """What came for one file.

    Attributes:
        url: Its URL.
        kind: A kind of `sandbox.model.assets.references`.
        needed: Whether the page is broken without it.
        at: When it was asked for, in seconds since the epoch.
        status: The last status, redirects followed; 0 where none came.
        cause: Why a browser cannot use it, one of `sandbox.model.assets.answers.CAUSES`; "" where it can.
        content_type: The header, as are `cache_control` and `x_cache`; "" where there is none.
        age: The header Age in seconds, None where there is none: from it on a cache has had the answer.
        error: The failure of the connection in words.
    """

    url: str
    kind: str
    needed: bool
    at: float
    status: int = 0
    cause: str = ""
    content_type: str = ""
    cache_control: str = ""
    x_cache: str = ""
    age: int | None = None
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        what = self.error or (f"HTTP {self.status}" if self.status else "no answer")
        said = f" ({self.content_type})" if self.cause == "wrong type" and self.content_type else ""
        return f"{self.url}: {self.cause or 'fine'}, {what}{said}"


@dataclass(frozen=True, slots=True)
class PageLoad:
    """One visit to a page, or one return to a tab that had been left open.

    Attributes:
        number: From 0; of a tab: the tab's.
        kind: `FIRST`, or `TAB`: what its scripts load later was asked for.
        url: The page.
        at: When it began, in seconds since the epoch.
        seconds: How long it took.
        requests: How many files were asked for, the page itself included.
        failures: The answers that a browser cannot use.
    """

    number: int
    kind: str
    url: str
    at: float
    seconds: float
    requests: int
    failures: tuple[Answer, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether the page itself, a script or a style sheet failed."""
        return any(one.needed for one in self.failures)

    @property
    def cause(self) -> str:
        """The cause of the first failure that breaks it, "" where it is not broken."""
        return next((one.cause for one in self.failures if one.needed), "")

    def as_json(self) -> dict[str, Any]:
        """All fields and `broken`, `cause`."""
        return {**asdict(self), "broken": self.broken, "cause": self.cause}


@dataclass(frozen=True, slots=True)
class Bucket:
    """The loads that began in a stretch of time."""

    at: float
    loads: int
    broken: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Page loads, counted.

    Attributes:
        loads, broken: How many there were; how many of them were broken.
        share: Broken ones of all, 0 to 1; 0 where there were none.
        requests: Files that were asked for.
        causes: Broken loads by `PageLoad.cause`; they add up to `broken`.
        failures: Failed requests by cause, those of images and the like included.
        images: Loads that lack an image.
        begun, ended: When the first load began, and when the last one did; None where there were none, as below.
        first_broken, last_broken: When the first broken load began, and when the last one did.
        urls: What failed most often, and how often.
        bucket: Seconds of one of `buckets`, which follow each other without gaps from `begun`.
    """

    loads: int
    broken: int
    share: float
    requests: int
    causes: Mapping[str, int]
    failures: Mapping[str, int]
    images: int
    begun: float | None
    ended: float | None
    first_broken: float | None
    last_broken: float | None
    urls: tuple[tuple[str, int], ...]
    bucket: float
    buckets: tuple[Bucket, ...]

    def as_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        causes = ", ".join(f"{cause} {count}" for cause, count in self.causes.items())
        return f"{self.broken} of {self.loads} page loads broken ({self.share:.1%})" + (f": {causes}" if causes else "")


def summarize(loads: Iterable[PageLoad], bucket: float = 1.0) -> Summary:
    """The sum of page loads, in any order.

    Args:
        loads: What came of each.
        bucket: Seconds.
    """
    in_order = sorted(loads, key=lambda one: one.at)
    broken = [one for one in in_order if one.broken]
    failures = [failure for one in in_order for failure in one.failures]
    return Summary(
        len(in_order),
        len(broken),
        len(broken) / len(in_order) if in_order else 0.0,
        sum(one.requests for one in in_order),
        dict(Counter(one.cause for one in broken).most_common()),
        dict(Counter(one.cause for one in failures).most_common()),
        sum(any(failure.kind == "image" for failure in one.failures) for one in in_order),
        in_order[0].at if in_order else None,
        in_order[-1].at if in_order else None,
        broken[0].at if broken else None,
        broken[-1].at if broken else None,
        tuple(Counter(failure.url for failure in failures).most_common(_URLS)),
        bucket,
        _buckets(in_order, bucket),
    )


def _buckets(in_order: list[PageLoad], seconds: float) -> tuple[Bucket, ...]:
    if not in_order:
        return ()
    begun = in_order[0].at
    counts = [[0, 0] for _ in range(math.floor((in_order[-1].at - begun) / seconds) + 1)]
    for one in in_order:
        of_it = counts[math.floor((one.at - begun) / seconds)]
        of_it[0] += 1
        of_it[1] += one.broken
    return tuple(Bucket(begun + number * seconds, *count) for number, count in enumerate(counts))
