"""One health check of an endpoint, as a checker of Route 53 makes it (`sandbox.model.route53_health`)."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable

from sandbox.model.route53_health import ANSWER_WITHIN, MAX_SEARCHED, EndpointCheck

Connect = Callable[[str, int, float], socket.socket]
"""(name or address, port, seconds) -> a connection; OSError where there is none."""

LEAST_TIMEOUT = 0.25
"""Seconds of the wall clock that an endpoint has for each step, however fast the sandbox's time goes."""

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)[ \r\n]")
_LONGEST_HEAD = 65536


def check_endpoint(check: EndpointCheck, connect: Connect, real_seconds: Callable[[float], float]) -> str:
    """Ask once.

    Args:
        check: What is asked, and what passes.
        connect: Connects to the endpoint.
        real_seconds: How many seconds of the wall clock so many of AWS's take.

    Returns:
        Why it failed, or "".
    """
    connect_within = max(real_seconds(check.connect_within), LEAST_TIMEOUT)
    try:
        connection = connect(check.address or check.host, check.port, connect_within)
    except TimeoutError:
        return f"no connection within {check.connect_within:g} s"
    except (OSError, ValueError) as error:  # a name that cannot be one, too
        return f"no connection: {error}"
    with connection:
        if check.protocol == "TCP":
            return ""
        try:
            return _ask(check, connection, max(real_seconds(ANSWER_WITHIN), LEAST_TIMEOUT))
        except TimeoutError:
            return f"no answer within {ANSWER_WITHIN:g} s"
        except (OSError, ValueError) as error:  # of TLS, too, and a name that it does not take
            return f"no answer: {error}"


def _ask(check: EndpointCheck, connection: socket.socket, within: float) -> str:
    deadline = time.monotonic() + within
    connection.settimeout(within)
    if check.protocol == "HTTPS":
        named = (check.host or None) if check.names_host else None
        connection = _unverified().wrap_socket(connection, server_hostname=named)
    with connection:
        connection.sendall(check.request())
        received = _receive(connection, b"", deadline, lambda data: b"\r\n\r\n" in data or len(data) > _LONGEST_HEAD)
        head, end, body = received.partition(b"\r\n\r\n")
        status = _STATUS.match(head + b"\r\n")
        if not end or status is None:
            return "the answer is no HTTP"
        if check.search:
            until = time.monotonic() + within
            body = _receive(connection, body, until, lambda data: len(data) >= MAX_SEARCHED)
        return check.failure(int(status[1]), body)


def _receive(connection: socket.socket, data: bytes, deadline: float, enough: Callable[[bytes], bool]) -> bytes:
    """What comes until it is enough, or the end; a timeout counts for all of it."""
    while not enough(data):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def _unverified() -> ssl.SSLContext:
    """Route 53 does not validate certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
