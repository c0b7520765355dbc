"""What is predicted, second by second and in sum."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sandbox.model.rolling_deploy.fleet import Fleet
from sandbox.model.rolling_deploy.rollout import Rollout


@dataclass(frozen=True)
class Second:
    """One second, or what of the last one is left.

    Attributes:
        at: When it begins.
        old: Targets of the old build that answer, at its begin.
        new: The same of the new one.
        loads: Page loads that begin in it, as drawn.
        broken: How many of them break.
        no_page: How many of those did not even get a page.
        tabs: Open tabs that ask for a further file.
        broken_tabs: How many of them do not get it.
        expected_loads: The mean of ``loads``.
        expected_broken: The mean of ``broken``; behind a CDN for the caches' contents as drawn.
        expected_failed: Requests for files of pages that fail, in the mean.
    """

    at: float
    old: int
    new: int
    loads: int
    broken: int
    no_page: int
    tabs: int
    broken_tabs: int
    expected_loads: float
    expected_broken: float
    expected_failed: float

    @property
    def share(self) -> float:
        """The share of page loads that break, in the mean."""
        return _share(self.expected_broken, self.expected_loads)


@dataclass(frozen=True)
class Prediction:
    """What visitors would see of a deployment.

    Attributes:
        fleet: What is deployed, and its visitors.
        rollout: Who got requests when, and how the deployment ended.
        seconds: What visitors saw.
        mixed_from: When targets of both builds first answer; None: they never do at the same time.
        mixed_seconds: How long they do, in all.
        mixed_share: The share of page loads that break meanwhile, in the mean.
        edge_requests: Requests for files that differ, where edge locations answer them.
        origin_requests: How many of them came to the origin.
    """

    fleet: Fleet
    rollout: Rollout
    seconds: tuple[Second, ...]
    mixed_from: float | None
    mixed_seconds: float
    mixed_share: float
    edge_requests: int
    origin_requests: int

    # -- page loads --

    @property
    def loads(self) -> int:
        """Page loads, as drawn."""
        return sum(second.loads for second in self.seconds)

    @property
    def broken(self) -> int:
        """How many of them break."""
        return sum(second.broken for second in self.seconds)

    @property
    def no_page(self) -> int:
        """How many of those did not even get a page."""
        return sum(second.no_page for second in self.seconds)

    @property
    def share(self) -> float:
        """The share of all page loads that break, in the mean."""
        return self.share_between(0.0, self.fleet.duration)

    def share_between(self, begin: float, end: float) -> float:
        """The share of the page loads between two times that break, in the mean; the ends are rounded to seconds."""
        within = [second for second in self.seconds if begin <= second.at + 0.5 < end]
        return _share(sum(one.expected_broken for one in within), sum(one.expected_loads for one in within))

    @property
    def peak(self) -> Second:
        """The second with the most broken loads, as drawn; the first of several."""
        return max(self.seconds, key=lambda second: second.broken)

    @property
    def first_broken(self) -> float | None:
        """In which second the first load breaks, as drawn; None: none does."""
        return next((second.at for second in self.seconds if second.broken), None)

    @property
    def last_broken(self) -> float | None:
        """In which second the last load breaks, as drawn."""
        return next((second.at for second in reversed(self.seconds) if second.broken), None)

    @property
    def failed_requests(self) -> float:
        """Requests for files of pages that fail, in the mean."""
        return sum(second.expected_failed for second in self.seconds)

    @property
    def wasted_requests(self) -> int:
        """Requests of page loads that broke, each of which fetched the rest in vain; a load without a page is one."""
        return (self.broken - self.no_page) * (1 + self.fleet.assets) + self.no_page

    # -- open tabs --

    @property
    def tabs(self) -> int:
        """Open tabs that asked for a further file, as drawn."""
        return sum(second.tabs for second in self.seconds)

    @property
    def broken_tabs(self) -> int:
        """How many of them did not get it."""
        return sum(second.broken_tabs for second in self.seconds)

    @property
    def tab_share(self) -> float:
        """Their share."""
        return _share(self.broken_tabs, self.tabs)

    @property
    def hit_share(self) -> float | None:
        """The share of requests for files that differ which the edge answers itself; None without a CDN."""
        return 1 - _share(self.origin_requests, self.edge_requests) if self.fleet.cdn else None

    def as_json(self) -> dict[str, Any]:
        """As ``--json`` writes it (docs/formats.md)."""
        rollout = self.rollout
        return {
            "version": 1,
            "fleet": asdict(self.fleet),
            "deployment": {
                "ending": rollout.ending,
                "ended_at": rollout.ended_at,
                "started_tasks": rollout.started,
                "failed_tasks": rollout.failed_tasks,
                "mixed_from": self.mixed_from,
                "mixed_seconds": self.mixed_seconds,
            },
            "loads": {
                "number": self.loads,
                "broken": self.broken,
                "no_page": self.no_page,
                "share": self.share,
                "mixed_share": self.mixed_share,
                "peak": {"at": self.peak.at, "broken": self.peak.broken} if self.broken else None,
                "first_broken": self.first_broken,
                "last_broken": self.last_broken,
            },
            "tabs": {"number": self.tabs, "broken": self.broken_tabs, "share": self.tab_share},
            "requests": {
                "failed": round(self.failed_requests),
                "wasted": self.wasted_requests,
                "hit_share": self.hit_share,
            },
            "seconds": [asdict(second) for second in self.seconds],
        }


def _share(part: float, whole: float) -> float:
    return min(1.0, part / whole) if whole else 0.0
