"""The order of tests where several workers share them: what takes long first, and pure tests fill the end.

A worker that meets a long test last finishes alone while cores idle. And the tests of a module with containers share
what its fixtures start, which is started once more for each worker that gets some of them. So long tests and whole
modules are dealt out beforehand; what is left for idle workers to take are the tests that need nothing.

A test marked ``long(seconds)`` takes about that long by itself: mostly it waits, for containers, AWS's timers or
Terraform. Only tests that share no fixture with their neighbours are to be marked, since they leave their module.
"""

from __future__ import annotations

import itertools
import os
import zlib
from collections.abc import Hashable, Sequence

import pytest

ON_LOCALSTACK = 18.0  # seconds; a scenario on LocalStack
WITH_ENGINE = 1.5  # seconds; a usual test that needs the engine


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order them for the workers of pytest-xdist; without workers there is nothing to gain."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = [items[index] for index in dealt([_weighed(item) for item in items], workers)]


def _weighed(item: pytest.Item) -> tuple[Hashable, float]:
    if marker := item.get_closest_marker("long"):
        return item.nodeid, marker.args[0]
    if "localstack_server" in getattr(item, "fixturenames", ()):  # a LocalStack for all of a group
        is_scenario = "variant" in item.fixturenames
        # Two groups: one takes longer than the rest of the suite.
        number = zlib.crc32(item.nodeid.encode()) % 2 if is_scenario else 0
        return f"localstack-{number}", ON_LOCALSTACK if is_scenario else WITH_ENGINE
    return item.path, WITH_ENGINE if item.get_closest_marker("docker") else 0.0


def dealt(tests: Sequence[tuple[Hashable, float]], workers: int) -> list[int]:
    """The tests' order, by their numbers.

    ``--dist worksteal`` gives each worker as many tests, in the order of the list, and an idle one takes from the end
    of another's. So each share begins with groups, the longest first; a group goes whole to the share that has the
    least to do, if it has room. The tests of no time fill the shares up.

    Args:
        tests: The group and the seconds of each.
        workers: How many share them.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, (group, seconds) in enumerate(tests):
        if seconds:
            groups.setdefault(group, []).append(number)

    def time(numbers: list[int]) -> float:
        return sum(tests[number][1] for number in numbers)

    left = len(tests)
    rooms = []
    for others in range(workers, 0, -1):  # as xdist counts
        rooms.append(left // others)
        left -= rooms[-1]
    shares: list[list[int]] = [[] for _ in rooms]
    for group in sorted(groups.values(), key=time, reverse=True):
        rest = group
        while rest:
            roomy = [share for share in range(workers) if rooms[share] >= len(rest)]
            share = min(roomy, key=lambda share: time(shares[share])) if roomy else rooms.index(max(rooms))
            given, rest = rest[: rooms[share]], rest[rooms[share] :]
            shares[share] += given
            rooms[share] -= len(given)
    pure = iter([number for number, (_, seconds) in enumerate(tests) if not seconds])
    for share, room in zip(shares, rooms, strict=True):
        share.extend(itertools.islice(pure, room))
    return list(itertools.chain(*shares))
