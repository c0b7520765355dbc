"""What a probe has seen of a WebSocket or Socket.IO server, through a proxy or directly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SOCKET_IO, ENGINE_IO, WEBSOCKET = "socket.io", "engine.io", "websocket"

POLLING = "polling"
NO_COOKIES = "polling, no cookies kept"
UPGRADING = "polling, then upgrade"
ONLY = "websocket only"
AGAIN = "reconnect"
IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, raw.

    Attributes:
        status: 0: none came.
        headers: Names in lower case, in the order in which they came.
        body: The beginning of its body.
        error: Why none came, in words.
        seconds: From the request's first byte to the answer's last.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    error: str = ""
    seconds: float = 0.0

    def header(self, name: str) -> str:
        """The last value of a header; "" where there is none."""
        return next((value for key, value in reversed(self.headers) if key == name), "")

    def __str__(self) -> str:
        if not self.status:
            return self.error
        text = " ".join(self.body.split())
        if text.startswith("<"):
            text = "an HTML page" if "<h" in text.lower() else ""
        return f"{self.status} {text[:80]}".strip()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a WebSocket connection ended, or did not.

    Attributes:
        how: "close" (a Close frame), "eof", "reset", or "garbage" (bytes that are no frame).
        code: The Close frame's, or 1006 as browsers tell of an end without one.
        reason: The Close frame's, or what was wrong with the bytes.
    """

    how: str
    code: int = 1006
    reason: str = ""

    def __str__(self) -> str:
        if self.how == "close":
            return f"closed with code {self.code}" + (f" ({self.reason})" if self.reason else "")
        if self.how == "garbage":
            return f"bytes that are no WebSocket frame ({self.reason})"
        return "cut without a Close frame (1006)"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a session.

    Attributes:
        name: "handshake", "post", "poll", "upgrade", "open", "probe", "connect", "message", "stay", "wait".
        ok: Whether it went as the protocol wants.
        answer: The HTTP answer, where the step is a request.
        got: What came instead of, or as, what was waited for.
        ending: How the connection ended in it.
    """

    name: str
    ok: bool
    answer: Answer | None = None
    got: str = ""
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What one client did, up to its first step that failed.

    Attributes:
        client: `POLLING`, ...
        steps: In order.
        opened: What the OPEN packet told.
        waited: Seconds for which it was to be idle.
        lived: Seconds for which it was.
        pings: Pings that were answered meanwhile (the server's; in protocol 3 the client's).
    """

    client: str
    steps: tuple[Step, ...]
    opened: Mapping[str, Any] | None = None
    waited: float = 0.0
    lived: float = 0.0
    pings: int = 0

    @property
    def failed(self) -> Step | None:
        """The step that failed."""
        return next((step for step in self.steps if not step.ok), None)

    @property
    def ok(self) -> bool:
        """Whether all went well."""
        return self.failed is None


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One client emits an event; who of the others gets what it leads to?

    Attributes:
        emitted, expected: The events.
        listeners: How many others were connected.
        received: How many of them got it.
        ready: Whether all could connect.
    """

    emitted: str
    expected: str
    listeners: int
    received: int
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """All of one URL.

    Attributes:
        url: As it was given.
        protocol: `SOCKET_IO`, `ENGINE_IO` or `WEBSOCKET`.
        engine: Engine.IO's protocol, 4 or 3.
        path: What was asked for.
        origin: The Origin header that was sent.
        host: The Host header that was sent.
        sessions: One a client.
        origins: Answers to a handshake with another Origin header ("": none).
        tls: Why its certificate is not trusted; "" where it is, or without TLS.
        broadcast: Where it was asked for.
    """

    url: str
    protocol: str
    path: str
    origin: str
    host: str
    sessions: tuple[Session, ...]
    engine: int = 4
    origins: Mapping[str, Step] = field(default_factory=dict)
    tls: str = ""
    broadcast: Broadcast | None = None

    def session(self, client: str) -> Session | None:
        """The session of a client, if there was one."""
        return next((one for one in self.sessions if one.client == client), None)

    def works(self, client: str) -> bool:
        """Whether there was one, and all went well."""
        one = self.session(client)
        return one is not None and one.ok
