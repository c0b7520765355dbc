"""HTTP and WebSocket on a socket of our own, so that nothing of the wire is hidden: status, headers, bytes after 101.

h11 and wsproto know the two grammars (RFC 9112, RFC 6455); this module moves the bytes, keeps the bounds, and tells an
end with a Close frame from one without.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import h11
from wsproto.connection import CLIENT, Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from sandbox.model.websocket.observed import Answer, Ending

AGENT = "Mozilla/5.0 (sandbox check websocket)"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_HEAD = 65_536  # bytes of a status line and headers
_BODY = 1_000_000
_SHOWN = 2_000  # characters of a body that are kept
_MESSAGE = 1_000_000
_CHUNK = 65_536
_FAILURES: dict[type[Exception], str] = {
    TimeoutError: "no answer in time",
    ConnectionRefusedError: "connection refused",
    ConnectionResetError: "the connection was reset",
    BrokenPipeError: "the connection was reset",
    socket.gaierror: "its name does not resolve",
}


@dataclass(frozen=True)
class Place:
    """Where to connect, and what each request to it has.

    Attributes:
        secure: Whether TLS is spoken.
        address: Host and port to connect to.
        name: The name that its certificate is for.
        host: The Host header.
        origin: The Origin header; "" for none.
        headers: More headers.
        timeout: Seconds for one answer.
        context: For TLS.
    """

    secure: bool
    address: tuple[str, int]
    name: str
    host: str
    origin: str
    headers: Mapping[str, str]
    timeout: float
    context: ssl.SSLContext | None = None

    def connect(self) -> socket.socket:
        """A connection, TLS included.

        Raises:
            OSError: There is none (ssl.SSLError is one).
        """
        raw = socket.create_connection(self.address, timeout=self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is None:
            return raw
        try:
            return self.context.wrap_socket(raw, server_hostname=self.name)
        except BaseException:
            raw.close()
            raise


@dataclass
class Cookies:
    """A browser's cookies of one site, or none at all if they are not kept."""

    secure: bool
    kept: bool = True
    values: dict[str, str] = field(default_factory=dict)

    def take(self, answer: Answer) -> None:
        """Keep what an answer sets; what is Secure is not kept over plain HTTP."""
        for name, value in answer.headers:
            pair, *attributes = value.split(";")
            key, equals, content = pair.strip().partition("=")
            marks = {one.strip().lower() for one in attributes}
            if name == "set-cookie" and self.kept and equals and (self.secure or "secure" not in marks):
                self.values[key] = content

    def sent(self) -> dict[str, str]:
        """The header for a request."""
        return {"Cookie": "; ".join(f"{key}={value}" for key, value in self.values.items())} if self.values else {}


def request(
    place: Place,
    method: str,
    target: str,
    cookies: Cookies,
    *,
    body: bytes = b"",
    timeout: float | None = None,
) -> Answer:
    """One request on a connection of its own, as a load balancer may give it to any server.

    Args:
        place: Where.
        method: "GET" or "POST".
        target: Path and query.
        cookies: Sent, and changed by the answer.
        body: Of a POST.
        timeout: Seconds for the answer, if not the place's.
    """
    headers = _headers(place, cookies) | {"Accept": "*/*", "Connection": "close"}
    if method == "POST":
        headers |= {"Content-Type": "text/plain;charset=UTF-8", "Content-Length": str(len(body))}
    begun = time.monotonic()
    try:
        with place.connect() as connection:
            answer, _ = _exchange(connection, method, target, headers, body, begun + (timeout or place.timeout))
    except (OSError, h11.RemoteProtocolError, h11.LocalProtocolError) as error:
        return Answer(0, error=explain(error), seconds=time.monotonic() - begun)
    cookies.take(answer)
    return answer


def upgrade(place: Place, target: str, cookies: Cookies) -> tuple[Answer, WebSocket | None, str]:
    """Ask for a WebSocket.

    Returns:
        The raw answer; the WebSocket if its status is 101; and what is wrong with the handshake ("": nothing).
    """
    key = base64.b64encode(os.urandom(16)).decode()
    headers = _headers(place, cookies) | {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    begun = time.monotonic()
    connection = None
    try:
        connection = place.connect()
        answer, rest = _exchange(connection, "GET", target, headers, b"", begun + place.timeout)
    except (OSError, h11.RemoteProtocolError, h11.LocalProtocolError) as error:
        if connection is not None:
            connection.close()
        return Answer(0, error=explain(error), seconds=time.monotonic() - begun), None, ""
    cookies.take(answer)
    if answer.status != 101:
        connection.close()
        return answer, None, ""
    return answer, WebSocket(connection, rest), _wrong(answer, key)


class WebSocket:
    """The client's end of a connection that was answered 101."""

    def __init__(self, connection: socket.socket, rest: bytes) -> None:
        self.ending: Ending | None = None
        self._socket = connection
        self._protocol = Connection(CLIENT)
        self._parts: list[str] = []
        self._feed(rest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, text: str) -> bool:
        """Send a text message; False if the connection has ended."""
        return self._write(TextMessage(data=text)) if self.ending is None else False

    def receive(self, end: float) -> str | None:
        """The next message (a binary one as its length in words), or None: it has ended, or nothing came.

        Args:
            end: Until when to wait, on time.monotonic's clock.
        """
        while True:
            message = self._next()
            if message is not None or self.ending is not None:
                return message
            left = end - time.monotonic()
            if left <= 0:
                return None
            try:
                self._socket.settimeout(left)
                read = self._socket.recv(_CHUNK)
            except TimeoutError:
                return None
            except OSError:
                self.ending = Ending("reset")
                return None
            if not read:
                self.ending = Ending("eof")
                return None
            self._feed(read)

    def close(self) -> None:
        """Close it as a browser does, without waiting for the answer."""
        if self.ending is None:
            self._write(CloseConnection(code=1000))
        with contextlib.suppress(OSError):
            self._socket.close()

    def _feed(self, read: bytes) -> None:
        try:
            self._protocol.receive_data(read)
        except RemoteProtocolError as error:
            self.ending = Ending("garbage", reason=str(error))

    def _next(self) -> str | None:
        try:
            for event in self._protocol.events():
                if isinstance(event, TextMessage | BytesMessage):
                    part = event.data if isinstance(event, TextMessage) else f"<{len(event.data)} bytes>"
                    self._parts.append(part)
                    if sum(map(len, self._parts)) > _MESSAGE:
                        self.ending = Ending("garbage", reason=f"a message of more than {_MESSAGE} characters")
                        return None
                    if event.message_finished:
                        whole, self._parts = "".join(self._parts), []
                        return whole
                elif isinstance(event, Ping):
                    self._write(event.response())
                elif isinstance(event, CloseConnection):
                    self._ended(event)
                    return None
        except RemoteProtocolError as error:
            self.ending = Ending("garbage", reason=str(error))
        return None

    def _ended(self, event: CloseConnection) -> None:
        if self._protocol.state is ConnectionState.OPEN:  # no Close frame: wsproto tells so of what it cannot parse
            self.ending = Ending("garbage", reason=event.reason or "")
            return
        if self._protocol.state is ConnectionState.REMOTE_CLOSING:
            self._write(event.response())
        self.ending = Ending("close", int(event.code), event.reason or "")

    def _write(self, event: Event) -> bool:
        try:
            self._socket.settimeout(5.0)
            self._socket.sendall(self._protocol.send(event))
        except LocalProtocolError:
            return False
        except OSError:
            self.ending = self.ending or Ending("reset")
            return False
        return True


def explain(error: Exception) -> str:
    """Why there is no answer, in words."""
    if isinstance(error, h11.RemoteProtocolError | h11.LocalProtocolError):
        return _not_http(str(error))
    if isinstance(error, ssl.SSLError):
        return f"TLS fails: {error.reason or error}"
    named = next((words for kind, words in _FAILURES.items() if isinstance(error, kind)), "")
    return named or getattr(error, "strerror", "") or str(error)


def _not_http(text: str) -> str:
    if "Receive buffer too long" in text:
        return f"headers of more than {_HEAD // 1024} KiB"
    if "ConnectionClosed" in text or "peer closed" in text:
        return "the connection was closed without an answer"
    return f"what answers is not HTTP ({text})"


def _headers(place: Place, cookies: Cookies) -> dict[str, str]:
    headers = {"Host": place.host, "User-Agent": AGENT}
    if place.origin:
        headers["Origin"] = place.origin
    return headers | {"Cache-Control": "no-cache"} | cookies.sent() | dict(place.headers)


def _exchange(
    connection: socket.socket, method: str, target: str, headers: Mapping[str, str], body: bytes, end: float
) -> tuple[Answer, bytes]:
    begun = time.monotonic()
    protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
    asked = h11.Request(method=method, target=target, headers=list(headers.items()))
    events = [asked, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
    connection.sendall(b"".join(protocol.send(event) or b"" for event in events))
    status, content = 0, bytearray()
    received: tuple[tuple[str, str], ...] = ()
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            left = end - time.monotonic()
            if left <= 0:
                if status:  # a body that has begun and does not end: what there is of it is judged
                    break
                raise TimeoutError
            connection.settimeout(left)
            try:
                protocol.receive_data(connection.recv(_CHUNK))
            except TimeoutError:
                continue
        elif isinstance(event, h11.InformationalResponse | h11.Response):
            if isinstance(event, h11.Response) or event.status_code == 101:
                status = event.status_code
                received = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
            if status == 101:
                break
        elif isinstance(event, h11.Data):
            content += event.data
            if len(content) > _BODY:
                break
        else:  # the message, or the connection, has ended
            break
    text = bytes(content).decode("utf-8", "replace")
    kept = text if len(text) <= _SHOWN or text[:1].isdigit() else text[:_SHOWN]
    return Answer(status, received, kept, seconds=time.monotonic() - begun), bytes(protocol.trailing_data[0])


def _wrong(answer: Answer, key: str) -> str:
    expected = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
    if answer.header("upgrade").lower() != "websocket":
        return "101 without 'Upgrade: websocket'"
    if "upgrade" not in answer.header("connection").lower():
        return "101 without 'Connection: Upgrade'"
    if answer.header("sec-websocket-accept") != expected:
        return "Sec-WebSocket-Accept is wrong or missing: what answered did not see this request's Sec-WebSocket-Key"
    return ""
