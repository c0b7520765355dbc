"""The order of tests where several workers share them: each begins with long ones, and short ones fill the end.

A test marked ``long(seconds)`` takes about that long by itself: mostly it waits for containers, for AWS's timers or for
Terraform. A worker that met one last would finish alone, with its cores idle. Only tests that share no fixture with
their neighbours are to be marked, since they are taken out of their module.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order them for the workers of pytest-xdist; without workers there is nothing to gain."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = [items[index] for index in dealt([_seconds(item) for item in items], workers)]


def _seconds(item: pytest.Item) -> float:
    marker = item.get_closest_marker("long")
    return marker.args[0] if marker else 0.0


def dealt(seconds: Sequence[float], workers: int) -> list[int]:
    """The tests' order, by their numbers.

    ``--dist worksteal`` gives each worker as many tests, in the order of the list, and an idle one takes from the end
    of another's. So each share begins with its long tests, the longest first; a long test goes to the share that has
    the least to do. The others keep their order, for the sake of what a module's tests share.

    Args:
        seconds: How long each test takes; 0 where it is not marked.
        workers: How many share them.
    """
    left = len(seconds)
    sizes = []
    for number in range(workers, 0, -1):  # as xdist counts
        sizes.append(left // number)
        left -= sizes[-1]
    shares: list[list[int]] = [[] for _ in sizes]
    for test in sorted((test for test, long in enumerate(seconds) if long), key=lambda test: -seconds[test]):
        with_room = [share for share, size in zip(shares, sizes, strict=True) if len(share) < size]
        min(with_room, key=lambda share: sum(seconds[given] for given in share)).append(test)
    others = iter([test for test, long in enumerate(seconds) if not long])
    for share, size in zip(shares, sizes, strict=True):
        share.extend(itertools.islice(others, size - len(share)))
    return [test for share in shares for test in share]
