"""Health checks of load balancers' targets: HTTP requests that leave from the load balancer's own address.

HAProxy in the load balancer's namespace leads them there, by a Unix socket on which the PROXY protocol says where to;
so a security group that does not let the load balancer in lets no check in either.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.model.elb import checks
from sandbox.model.elb.config import TargetGroup
from sandbox.model.elb.messages import FAILED, TIMED_OUT
from sandbox.model.elb.target import TargetHealth

LEAST_TIMEOUT = 0.25
"""Seconds of the wall clock that a target has for an answer, however fast the sandbox's time goes."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?\r?\n(?:[^\r\n:]+:[^\r\n]*\r?\n)*\r?\n")
_LONGEST_HEAD = 65536


@dataclass(frozen=True)
class HealthRequest:
    """One check.

    Attributes:
        group: Whose check it is.
        through: The load balancer's socket.
        address: The target's.
        port: Where it is checked.
        timeout: In seconds of the wall clock.
    """

    group: TargetGroup
    through: Path
    address: str
    port: int
    timeout: float


class HealthChecks:
    """Sends checks, any number at once, on one thread of its own, which runs from the first check on."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lock = threading.Lock()

    def begin(self, request: HealthRequest, tell: Callable[[TargetHealth | None], None]) -> None:
        """Send a check. ``tell`` gets how it failed, or None, on the checks' thread, and must not wait."""
        with self._lock:  # after a close the loop would never come to it
            if not self._closed:
                asyncio.run_coroutine_threadsafe(_check(request, tell), self._running())

    def close(self) -> None:
        """Begin no more; what is under way tells nobody."""
        with self._lock:
            self._closed = True
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_run, args=(self._loop,), name="health-checks", daemon=True)
            self._thread.start()
        return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Until the loop is stopped; what is under way then is given up."""
    loop.run_forever()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))
    loop.close()


async def _check(request: HealthRequest, tell: Callable[[TargetHealth | None], None]) -> None:
    try:
        async with asyncio.timeout(request.timeout):
            outcome = await _ask(request)
    except TimeoutError:
        outcome = TIMED_OUT
    except (OSError, EOFError, ssl.SSLError):
        outcome = FAILED
    tell(outcome)


async def _ask(request: HealthRequest) -> TargetHealth | None:
    loop = asyncio.get_running_loop()
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    writer = None
    try:
        await loop.sock_connect(connection, str(request.through))
        proxied = f"PROXY TCP4 {request.address} {request.address} {request.port} {request.port}\r\n"
        await loop.sock_sendall(connection, proxied.encode())
        context = _unverified() if request.group.health_check.protocol == "HTTPS" else None
        reader, writer = await asyncio.open_connection(
            sock=connection, ssl=context, server_hostname="" if context else None, limit=_LONGEST_HEAD
        )
        writer.write(checks.request(request.group, request.address, request.port))
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return FAILED
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                writer.transport.abort()
        connection.close()
    found = _STATUS.fullmatch(head)
    return checks.failure(request.group.health_check, int(found[1])) if found else FAILED


def _unverified() -> ssl.SSLContext:
    """Load balancers take any certificate of a target."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
