"""TLS for two threads: one may read while another writes, as with a socket without TLS.

An `ssl.SSLSocket` of Python before 3.13 is not for that: what OpenSSL says of one thread's call may be of the other's,
and then a connection ends, or an answer is never read. Socket.IO's client has a thread for each direction.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_Result = TypeVar("_Result")


def connect(context: ssl.SSLContext, plain: socket.socket, name: str) -> SharedTls:
    """Shake hands over a connection, within its timeout; it is closed if that fails.

    Args:
        context: Whom to trust. Its sockets are of this kind from now on.
        plain: The connection.
        name: Whom the certificate is to be for.

    Raises:
        OSError: There is no TLS, or the certificate is refused (`ssl.SSLCertVerificationError`).
    """
    context.sslsocket_class = SharedTls
    try:
        secure = context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise
    assert isinstance(secure, SharedTls)
    secure.share()
    return secure


class SharedTls(ssl.SSLSocket):
    """A connection with TLS; OpenSSL is asked by one thread at a time, and none waits for the network meanwhile."""

    _alone: threading.Lock | None = None
    _limit: float | None = None

    def share(self) -> None:
        """Begin to be for two threads, once hands are shaken."""
        self._limit = super().gettimeout()
        super().settimeout(0)
        self._alone = threading.Lock()

    def settimeout(self, value: float | None) -> None:
        """As of any socket."""
        if self._alone is None:
            super().settimeout(value)
        self._limit = value

    def gettimeout(self) -> float | None:
        """As of any socket."""
        return super().gettimeout() if self._alone is None else self._limit

    def setblocking(self, flag: bool) -> None:
        """As of any socket."""
        self.settimeout(None if flag else 0)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As of any socket."""
        return self._carry_out(partial(super().recv, buflen, flags))

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        """As of any socket."""
        return self._carry_out(partial(super().recv_into, buffer, nbytes, flags))

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """As of any socket."""
        return self._carry_out(partial(super().send, data, flags))

    def shutdown(self, how: int) -> None:
        """End the connection below TLS, as a network does: what another thread does with TLS is undisturbed."""
        socket.socket.shutdown(self, how)

    def _carry_out(self, operation: Callable[[], _Result]) -> _Result:
        if self._alone is None:
            return operation()
        until = None if self._limit is None else time.monotonic() + self._limit
        while True:
            try:
                with self._alone:
                    return operation()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
                if self._limit == 0:
                    raise
                self._wait(select.POLLIN if isinstance(wanted, ssl.SSLWantReadError) else select.POLLOUT, until)

    def _wait(self, event: int, until: float | None) -> None:
        left: Any = None if until is None else max(until - time.monotonic(), 0.0) * 1000
        if self.fileno() < 0:
            raise OSError(errno.EBADF, "it is closed")
        ready = select.poll()
        ready.register(self.fileno(), event)
        if not ready.poll(left):
            raise TimeoutError("timed out")
