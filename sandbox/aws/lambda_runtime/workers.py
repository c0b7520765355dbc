"""Jobs in order on a bounded number of threads that exist only while there is work."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from sandbox.errors import log_failure

log = logging.getLogger(__name__)


class Workers:
    """Runs jobs, ``bound`` at a time, starting them in the order of submission. Each has its own queue and threads,
    so that whatever its jobs wait for delays nobody else.
    """

    def __init__(self, name: str, bound: int) -> None:
        self._name = name
        self._bound = bound
        self._jobs: deque[Callable[[], None]] = deque()
        self._running = 0
        self._closed = False
        self._lock = threading.Lock()

    def submit(self, job: Callable[[], None]) -> None:
        """Queue ``job``; it is dropped if the workers are closed."""
        with self._lock:
            if self._closed:
                return
            self._jobs.append(job)
            if self._running < self._bound:
                self._running += 1
                threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def close(self) -> None:
        """Drop what has not started. What runs is not waited for."""
        with self._lock:
            self._closed = True
            self._jobs.clear()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._running -= 1
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception as error:
                if not self._closed:
                    log_failure(log, error, f"{self._name}: a job failed")
