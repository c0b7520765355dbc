"""Many connections on one thread: listeners of any socket type (asyncio's own servers take streams only)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 512
"""Open connections of one listener; one more waits in its backlog until another is closed."""

ACCEPT_BACKOFF = 0.1
"""Seconds until the next try where the process has no more files to open."""

Handler = Callable[[socket.socket], Coroutine[None, None, None]]
"""Talks with one client on a non-blocking socket; when it ends, the socket is closed."""


def serve(
    loop: asyncio.AbstractEventLoop, listeners: Sequence[tuple[socket.socket, Handler]], stop: asyncio.Event
) -> None:
    """Accept and handle connections on this thread until ``stop``; then close listeners and open connections.

    Args:
        loop: A new event loop, which is closed at the end.
        listeners: Non-blocking listening sockets, and what handles their connections.
        stop: Set from other threads through ``loop.call_soon_threadsafe``.
    """

    async def until_stopped() -> None:
        acceptors = [_Acceptor(loop, listener, handle) for listener, handle in listeners]
        await stop.wait()
        for acceptor in acceptors:
            acceptor.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(until_stopped())


class _Acceptor:
    """Takes connections from one listener; knows each from the moment it is accepted, so that none is left open."""

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: socket.socket, handle: Handler) -> None:
        self._loop = loop
        self._listener = listener
        self._handle = handle
        self._open: dict[asyncio.Task[None], socket.socket] = {}
        self._resume()

    def close(self) -> None:
        """Accept no more, and cut what is open once the loop has cancelled the tasks."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for task in self._open:
            task.cancel()

    def _resume(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            log.warning("cannot accept a connection: %s", error)
            self._loop.remove_reader(self._listener)
            self._loop.call_later(ACCEPT_BACKOFF, self._resume)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._handle(connection))
        self._open[task] = connection
        task.add_done_callback(self._done)
        if len(self._open) >= MAX_CONNECTIONS:
            self._loop.remove_reader(self._listener)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task).close()
        self._resume()
        error = None if task.cancelled() else task.exception()
        # An OSError (a TimeoutError too) or EOFError: the client closed, fell silent or reset the connection.
        if error is not None and not isinstance(error, (OSError, EOFError)):
            log.error("a connection failed", exc_info=error)
