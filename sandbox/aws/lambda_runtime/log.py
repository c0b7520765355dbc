"""The log of one execution environment: what its process writes and what Lambda says of it, as events."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it needs botocore, which is not everywhere where functions run
    from sandbox.aws.log_writer import LogEvent

Sink = Callable[[list["LogEvent"]], object]

_KEPT = 2 * 2**20  # characters of one invocation; Invoke's LogResult has its last 4 KiB
_LINE = 256 * 1024  # bytes after which a line is an event of its own, ended or not


class EnvironmentLog:
    """Each line is an event, dated when it came; each keeps its line break, as Lambda's do.

    Args:
        sink: Gets the events at once, in order; must not block.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rest = b""
        self._kept: deque[str] = deque()
        self._size = 0
        self._lock = threading.Lock()

    def output(self, data: bytes) -> None:
        """What the process wrote."""
        with self._lock:
            *lines, self._rest = (self._rest + data).split(b"\n")
            found = [line + b"\n" for line in lines]
            if len(self._rest) >= _LINE:
                found.append(self._rest)
                self._rest = b""
            if found:
                # awslambdaric keeps an entry of several lines together with carriage returns
                self._add([line.decode("utf-8", "replace").replace("\r", "\n") for line in found])

    def say(self, text: str, *, shown: bool = True) -> None:
        """An event of Lambda's own; what the process wrote before comes before it.

        Args:
            text: All of its lines.
            shown: Whether the log that an invocation answers with has it too.
        """
        with self._lock:
            rest, self._rest = self._rest, b""
            if rest:
                self._add([rest.decode("utf-8", "replace").replace("\r", "\n") + "\n"])
            self._add([text], shown=shown)

    def take(self) -> str:
        """What came since the last time; its beginning is missing if it is very long."""
        with self._lock:
            text = "".join(self._kept)
            self._kept.clear()
            self._size = 0
            return text

    def _add(self, messages: list[str], *, shown: bool = True) -> None:
        now = time.time()
        self._sink([(now, message) for message in messages])
        if not shown:
            return
        self._kept.extend(messages)
        self._size += sum(map(len, messages))
        while self._size > _KEPT and len(self._kept) > 1:
            self._size -= len(self._kept.popleft())
