"""Writes log lines to CloudWatch Logs in the background, in batches, so that nobody who has a line waits for a call.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html. The lines go through the
sandbox's own endpoint, so whoever answers for CloudWatch Logs there has them. Nothing of it is made or called before
the first line.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.clients import Clients

log = logging.getLogger(__name__)

LogEvent = tuple[float, str]
"""When, in seconds since the epoch, and the message."""

# "The batch of events must satisfy the following constraints", PutLogEvents.
BATCH_BYTES = 1_048_576
EVENT_OVERHEAD = 26
BATCH_EVENTS = 10_000
BATCH_SPAN = 24 * 3600.0

_BACKLOG = 8 * 2**20  # bytes of messages; a function that prints without end must not fill the machine's memory
_Key = tuple[str, str, str, bool]


def batches(events: Iterable[LogEvent]) -> Iterator[list[dict[str, Any]]]:
    """Events as PutLogEvents takes them: by time, in batches within its limits.

    A message of more than a batch is cut into several events; an empty one, which the API refuses, is left out.
    """
    batch: list[dict[str, Any]] = []
    size, first = 0, 0.0
    for at, message in sorted(events, key=lambda event: event[0]):
        for piece in _pieces(message):
            cost = len(piece.encode()) + EVENT_OVERHEAD
            if batch and (len(batch) == BATCH_EVENTS or size + cost > BATCH_BYTES or at - first >= BATCH_SPAN):
                yield batch
                batch, size = [], 0
            if not batch:
                first = at
            batch.append({"timestamp": int(at * 1000), "message": piece})
            size += cost
    if batch:
        yield batch


def _pieces(message: str) -> Iterator[str]:
    limit = BATCH_BYTES - EVENT_OVERHEAD
    if len(message) * 4 <= limit:  # the usual case: no need to count bytes
        if message:
            yield message
        return
    data = message.encode("utf-8", "replace")
    while data:
        piece = data[:limit].decode("utf-8", "ignore")  # leaves out a character that the limit cuts
        yield piece
        data = data[len(piece.encode()) :]


class LogWriter:
    """Takes log lines from many threads; one of its own writes them.

    Args:
        clients: Of the sandbox's endpoint.
        gather: Seconds of the wall clock for which lines are gathered before they are written, unless somebody wants
            them (`flush`). The first ones cost the most, since CloudWatch Logs is loaded for them: not while the
            containers of a stack start.

    Attributes:
        is_for_all_regions: The groups of every region are the clients' own: production's region is another than the
            sandbox's, and a stack of production's files names it.
    """

    def __init__(self, clients: Clients, *, gather: float = 5.0) -> None:
        self.is_for_all_regions = False
        self._clients = clients
        self._gather = gather
        self._pending: dict[_Key, list[LogEvent]] = {}
        self._bytes = 0
        self._taken = 0  # lines by `write`
        self._done = 0  # lines written or dropped
        self._hurry = False
        self._opened: set[_Key] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def write(
        self,
        group: str,
        stream: str,
        events: Sequence[LogEvent],
        *,
        region: str | None = None,
        create_group: bool = True,
    ) -> None:
        """Take lines for a log stream, which is made if there is none. Returns at once, unless far too much is waiting.

        What CloudWatch Logs does not take is dropped with a warning.

        Args:
            group: The log group.
            stream: The log stream.
            events: Each a time and a message.
            region: Of the group; the clients' own if None.
            create_group: Whether the group is made if there is none.
        """
        key = (self._region(region), group, stream, create_group)
        size = sum(len(message) for _, message in events)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._bytes < _BACKLOG)
            if self._closed or not events:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
                self._thread.start()
            first = not self._pending
            self._pending.setdefault(key, []).extend(events)
            self._bytes += size
            self._taken += len(events)
            if first or self._bytes >= _BACKLOG:  # the writer has nothing to do in between: do not wake it
                self._changed.notify_all()

    def open_stream(self, group: str, stream: str, *, region: str | None = None, create_group: bool = True) -> None:
        """Make a log stream, and its group if wanted, unless there is one; waits for the calls.

        Raises:
            ClientError: CloudWatch Logs refuses: ResourceNotFoundException where there is no such group.
        """
        self._open((self._region(region), group, stream, create_group))

    def _region(self, named: str | None) -> str:
        return self._clients.region if named is None or self.is_for_all_regions else named

    def flush(self, within: float = 10.0) -> bool:
        """Wait until everything taken so far is written; False if that took longer than ``within`` seconds."""
        with self._changed:
            wanted = self._taken
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._closed or self._done >= wanted, within)

    def close(self) -> None:
        """Stop writing. What is still waiting is dropped: the sandbox that it was for is going."""
        with self._changed:
            self._closed = True
            self._pending.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closed)
                self._changed.wait_for(lambda: self._hurry or self._closed or self._bytes >= _BACKLOG, self._gather)
                if self._closed:
                    return
                taken, self._pending = self._pending, {}
                self._bytes, self._hurry = 0, False
                self._changed.notify_all()
            for key, events in taken.items():
                self._put_all(key, events)
                with self._changed:
                    self._done += len(events)
                    self._changed.notify_all()

    def _put_all(self, key: _Key, events: list[LogEvent]) -> None:
        for batch in batches(events):
            try:
                self._put(key, batch)
            except (ClientError, BotoCoreError) as error:
                if not self._closed:
                    log.warning("%d lines for %s, %s are lost: %s", len(batch), key[1], key[2], error)

    def _put(self, key: _Key, batch: list[dict[str, Any]]) -> None:
        region, group, stream, _ = key
        for again in (True, False):
            if key not in self._opened:
                self._open(key)
            try:
                self._clients("logs", region).put_log_events(logGroupName=group, logStreamName=stream, logEvents=batch)
            except ClientError as error:
                if not again or error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                self._opened.discard(key)  # somebody has deleted it
            else:
                return

    def _open(self, key: _Key) -> None:
        region, group, stream, create_group = key
        client = self._clients("logs", region)
        if create_group:
            _unless_there(client.create_log_group, logGroupName=group)
        _unless_there(client.create_log_stream, logGroupName=group, logStreamName=stream)
        self._opened.add(key)


def _unless_there(create: Any, **names: str) -> None:
    try:
        create(**names)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
