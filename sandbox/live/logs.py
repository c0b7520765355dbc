"""What containers, functions and builds write, line by line as it comes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

from sandbox.live.feed import Sparing
from sandbox.report.page.html import logs
from sandbox.timeline import Observation

log = logging.getLogger(__name__)

MOST_FOLLOWED = 100
"""Containers that are followed at a time, each by a thread."""
_RATE, _BURST = 50.0, 500.0  # lines of one container

Follow = Callable[[str, str, float | None], Iterator[str]]
"""The lines of a container of a task, from its beginning (None) or a time, until it ends."""


class Logs:
    """Follows the containers of tasks, and takes from other observations what they have of logs.

    Args:
        follow: See `Follow`.
        tell: Told of each line and who has written it; from any thread.
    """

    def __init__(self, follow: Follow, tell: Callable[[str, str], None]) -> None:
        self._follow = follow
        self._tell = tell
        self._lock = threading.Lock()
        self._followed: set[tuple[str, str]] = set()  # until their task has stopped
        self._running = 0
        self._said = False

    def see(self, one: Observation) -> None:
        """Take an observation in."""
        if one.kind == "task.state":
            for container in one.get("containers") or ():
                if container["status"] == "RUNNING":
                    self._begin(one["task"], container["name"])
            if one["last_status"] == "STOPPED":
                with self._lock:
                    self._followed = {key for key in self._followed if key[0] != one["task"]}
        elif one.kind == "container.restarted":
            self._begin(one["task"], one["container"], one.at)
        elif (one.get("task"), one.get("container")) not in self._followed:
            for found in logs([one]):
                for line in found.lines:
                    self._tell(found.title, line)

    def _begin(self, task: str, container: str, since: float | None = None) -> None:
        with self._lock:
            if since is None and (task, container) in self._followed:
                return
            if self._running >= MOST_FOLLOWED:
                if not self._said:
                    self._tell("live view", f"more than {MOST_FOLLOWED} containers run: the others are not followed")
                self._said = True
                return
            self._followed.add((task, container))
            self._running += 1
        threading.Thread(target=self._read, args=(task, container, since), name="live-log", daemon=True).start()

    def _read(self, task: str, container: str, since: float | None) -> None:
        sparing = Sparing(_RATE, _BURST)
        source = f"{container} {task.rpartition('/')[2][:8]}"
        try:
            for line in self._follow(task, container, since):
                for text in sparing.through(time.monotonic(), line):
                    self._tell(source, text)
        except Exception:
            log.exception("the log of %s is not followed any more", source)
        finally:
            with self._lock:
                self._running -= 1
