"""A burst: many requests for one URL, some at once, and what came of them by count."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sandbox.probes import http


@dataclass(frozen=True)
class Burst:
    """What came of a burst.

    Attributes:
        url: What was asked for.
        requests: How many.
        statuses: Answers by their HTTP status.
        errors: Requests without an answer, by why.
        seconds: From the first request to the end of the last.
        slowest: Seconds of the slowest request.
    """

    url: str
    requests: int
    statuses: Counter[int]
    errors: Counter[str]
    seconds: float
    slowest: float

    @property
    def failed(self) -> int:
        """Requests that were not answered 200."""
        return self.requests - self.statuses[200]

    def facts(self) -> dict[str, Any]:
        """What goes to the timeline."""
        return {
            "url": self.url,
            "requests": self.requests,
            "failed": self.failed,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "errors": dict(self.errors),
            "seconds": round(self.seconds, 4),
            "slowest": round(self.slowest, 4),
        }


def ask(connect: http.Connect, url: str, requests: int, at_once: int, timeout: float) -> Burst:
    """GET ``url`` so many times, each on a connection of its own.

    Args:
        connect: As of `http.request`.
        url: http://NAME/PATH, or with https.
        requests: How many.
        at_once: How many of them at any time.
        timeout: Seconds to connect, and for each read.
    """
    begun = time.monotonic()
    with ThreadPoolExecutor(at_once, thread_name_prefix="burst") as pool:
        results = list(pool.map(lambda _: http.request(connect, url, timeout), range(requests)))
    return Burst(
        url,
        requests,
        Counter(result.status for result in results if result.status),
        Counter(result.error for result in results if not result.status),
        time.monotonic() - begun,
        max((result.seconds for result in results), default=0.0),
    )
