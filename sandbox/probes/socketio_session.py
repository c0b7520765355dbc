"""One session of a Socket.IO client, step by step: what it does is the same for python-socketio and for JavaScript's.

A client that polls and then upgrades connects, sends text and bytes, is acknowledged, hears a room and a broadcast from
a second client (at another process, if there is one), and is cut off and connects again; a client that speaks
WebSockets alone connects; and, if asked, an idle WebSocket is watched. `run` does it with python-socketio in this
process, compose/images/socketio-client/session.js with socket.io-client; both give the same steps, outcomes and words.
So what a client gets through a proxy is compared with what it gets without one, and one client with the other.

As a browser does, a client loads the page first and keeps its cookies (stickiness), and says in ``Origin`` where the
page is from. It does so in every request; a browser leaves it out of a GET to the page's own origin, so that there a
polling session that is refused for its origin fails at its first POST and not at its handshake.

The server is compose/socketio/app: the events ``echo``, ``where``, ``join``, ``say`` and ``shout``.
"""

from __future__ import annotations

import functools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import socketio

from sandbox.errors import SandboxError
from sandbox.probes import http
from sandbox.probes.socketio_wire import Wire

STEPS = (
    "polling",
    "upgrade",
    "text",
    "binary",
    "acknowledgement",
    "room",
    "broadcast",
    "reconnect",
    "websocket-only",
    "idle",
)
GOOD: Mapping[str, str] = {
    "polling": "connected",
    "upgrade": "websocket",
    "text": "same",
    "binary": "same",
    "acknowledgement": "answered",
    "room": "heard",
    "broadcast": "heard",
    "reconnect": "connected",
    "websocket-only": "connected",
    "idle": "open",
}
"""What each step comes to where nothing is wrong and there is more than one process."""

NOT_TRIED = "not tried"
NO_OPEN = "101, then no OPEN packet"
_BYTES = bytes([0, 1, 2, 253, 254, 255])
_TEXT = "Grüße, 世界"
_BOTH = ("polling", "websocket")
# Whom Node.js is to trust comes with the command, as curl's does (`sandbox.probes.http`).
_TRUSTING = 'printf %s "$0" >/tmp/authority.pem && SSL_CERT_FILE=/tmp/authority.pem exec node --use-openssl-ca "$@"'
_GOODBYE = 1.0  # seconds
_TRIES = 12  # for a second client at another process


@dataclass(frozen=True)
class Step:
    """One step of a session.

    Attributes:
        step: One of `STEPS`.
        outcome: A word or two, the same for every client: compare these.
        detail: What differs from run to run: which process answered, after how many seconds, the server's words.
    """

    step: str
    outcome: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """What goes to the timeline."""
        return asdict(self)


def outcomes(steps: Iterable[Step]) -> dict[str, str]:
    """The comparable part of a session."""
    return {step.step: step.outcome for step in steps}


def run_javascript(
    execute: http.Execute,
    url: str,
    *,
    version: int = 4,
    within: float = 5.0,
    idle: float = 0.0,
    other: str = "",
    authority: str = "",
) -> list[Step]:
    """Carry out a session with socket.io-client.

    Args:
        execute: Runs a command in a container of the component ``socketio-client``.
        url: As in `run`.
        version: 4, or 2 for servers of 2020.
        within: As there.
        idle: As there.
        other: As there.
        authority: The certificate (PEM) of the authority that alone is trusted for https ("": those that Node.js has).

    Raises:
        SandboxError: It has ended without its last step; what it printed is in the error.
    """
    options = {"url": url, "version": version, "within": within, "idle": idle, "other": other}
    session = ["session.js", json.dumps(options)]
    code, out, err = execute(["sh", "-c", _TRUSTING, authority, *session] if authority else ["node", *session])
    steps = [Step(**json.loads(line)) for line in out.splitlines() if line.startswith("{")]
    if code or not steps or steps[-1].step != ("idle" if idle else "websocket-only"):
        raise SandboxError(
            f"JavaScript's Socket.IO session with {url} has ended too early",
            state=f"node exited with code {code} after {len(steps)} steps",
            log=(out + err).splitlines()[-10:],
            hint="mend compose/images/socketio-client/session.js",
        )
    return steps


def directly(host: str, port: int, timeout: float) -> socket.socket:
    """A connection from this machine, for a port that is published on 127.0.0.1."""
    return socket.create_connection((host, port), timeout=timeout)


def run(
    url: str, connect: http.Connect = directly, *, within: float = 5.0, idle: float = 0.0, other: str = ""
) -> list[Step]:
    """Carry out a session with python-socketio.

    Args:
        url: Where the page is, http://NAME[:PORT], or with https.
        connect: Gives a connection to a name, TLS included where the URL's scheme is https.
        within: Seconds for each wait.
        idle: Seconds that an idle WebSocket is watched (0: it is not).
        other: Where the second client connects, if not to ``url``: without a proxy, another process.
    """
    steps: list[Step] = []
    make = functools.partial(_Client, connect=connect, within=within)
    with make(url, _BOTH, reconnection=True) as first:
        if first.outcome == "connected":
            steps.append(Step("polling", "connected", {"process": first.process}))
            steps += _alone(first)
            steps += _together(first, lambda: make(other or url, _BOTH), one_is_enough=bool(other))
            steps.append(_reconnect(first))
        else:
            steps.append(Step("polling", first.outcome, {"said": first.said}))
            steps += [Step(name, NOT_TRIED) for name in STEPS[1:8]]
    with make(url, ("websocket",)) as alone:
        steps.append(Step("websocket-only", alone.outcome, {"process": alone.process}))
    if idle:
        with make(url, ("websocket",)) as quiet:
            steps.append(_idle(quiet, idle))
    return steps


def _alone(client: _Client) -> list[Step]:
    answer = client.ask("where")
    answered = isinstance(answer, dict) and bool(answer.get("process"))
    return [
        Step("upgrade", client.transport),
        Step("text", "same" if client.ask("echo", _TEXT) == _TEXT else "not the same"),
        Step("binary", "same" if client.ask("echo", _BYTES) == _BYTES else "not the same"),
        Step("acknowledgement", "answered" if answered else str(answer), {"process": client.process}),
    ]


def _together(first: _Client, second: Callable[[], _Client], *, one_is_enough: bool) -> list[Step]:
    for left in reversed(range(_TRIES)):
        with second() as other:
            if other.outcome != "connected":
                return [Step(name, f"second client: {other.outcome}") for name in ("room", "broadcast")]
            if other.process != first.process or one_is_enough or not left:
                return _hear(first, other)
    return []


def _hear(first: _Client, other: _Client) -> list[Step]:
    first.ask("join", "a")
    other.ask("say", ("a", "in a"))
    other.ask("say", ("b", "in b"))
    other.ask("shout", "to all")
    heard = first.hear({"in a", "to all"})
    about = {"from": other.process, "to": first.process}
    everywhere = "heard" if other.process != first.process else "heard, one process"
    return [
        Step("room", "heard" if "in a" in heard and "in b" not in heard else "not heard", about),
        Step("broadcast", everywhere if "to all" in heard else "not heard", about),
    ]


def _reconnect(client: _Client) -> Step:
    client.connected.clear()
    client.cut()
    if not client.connected.wait(client.within):
        return Step("reconnect", "no answer")
    answer = client.ask("where")
    answered = isinstance(answer, dict) and bool(answer.get("process"))
    return Step("reconnect", "connected" if answered else "connected, and no answer")


def _idle(client: _Client, seconds: float) -> Step:
    if client.outcome != "connected":
        return Step("idle", NOT_TRIED)
    begun = time.monotonic()
    cut = client.disconnected.wait(seconds)
    after = round(time.monotonic() - begun, 1)
    if cut:
        return Step("idle", "cut", {"seconds": after, "reason": client.reason})
    return Step("idle", "open", {"seconds": after})


class _Client:
    """One python-socketio client, connected or not when the ``with`` block begins: see ``outcome``."""

    def __init__(
        self,
        url: str,
        transports: Sequence[str],
        *,
        connect: http.Connect,
        within: float,
        reconnection: bool = False,
    ) -> None:
        self.within = within
        self.outcome = self.process = self.said = self.reason = ""
        self.connected, self.disconnected = threading.Event(), threading.Event()
        self._heard: list[str] = []
        self._news = threading.Condition()
        self._wire = Wire(connect, within)
        self._socketio = socketio.Client(
            reconnection=reconnection,
            reconnection_delay=0.1,
            randomization_factor=0,
            request_timeout=within,
            http_session=self._wire.session,
            # python-engineio gives Origin as a header, and websocket-client would add its own.
            websocket_extra_options={"class_": self._wire.websocket_class, "suppress_origin": True},
        )
        self._socketio.on("connect", self.connected.set)
        self._socketio.on("disconnect", self._end)
        for event in ("said", "shouted"):
            self._socketio.on(event, self._hear)
        self.outcome = self._connect(url, transports)
        if self.outcome == "connected":
            answer = self.ask("where")
            self.process = answer.get("process", "") if isinstance(answer, dict) else ""

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_: object) -> None:
        # It waits for the end of the poll under way, which the server may take until its next ping to answer.
        goodbye = threading.Thread(target=self._socketio.shutdown, name="socketio-goodbye", daemon=True)
        goodbye.start()
        goodbye.join(_GOODBYE)
        self._wire.cut()
        self._wire.session.close()

    @property
    def transport(self) -> str:
        """The one in use: polling or websocket."""
        return str(self._socketio.transport())

    def ask(self, event: str, data: Any = None) -> Any:
        """The acknowledgement of an event, or "no answer"."""
        try:
            return self._socketio.call(event, data, timeout=self.within)
        except (socketio.exceptions.TimeoutError, socketio.exceptions.BadNamespaceError):
            return "no answer"

    def hear(self, wanted: set[str]) -> list[str]:
        """What has been heard once all that is wanted has, or in time."""
        with self._news:
            self._news.wait_for(lambda: wanted <= set(self._heard), self.within)
            return list(self._heard)

    def cut(self) -> None:
        """Cut the connections under the client, as a network does: nobody says goodbye."""
        self._wire.cut()

    def _connect(self, url: str, transports: Sequence[str]) -> str:
        page = http.request(self._wire.connect, url, self.within)
        if page.error:
            return page.error
        for cookie in page.cookies:
            name, _, value = cookie.partition("=")
            self._wire.session.cookies.set(name, value)
        parts = urlsplit(url)
        origin = {"Origin": f"{parts.scheme}://{parts.netloc}"}
        self._wire.session.headers.update(origin)
        try:
            self._socketio.connect(url, headers=dict(origin), transports=list(transports), wait_timeout=self.within)
        except (socketio.exceptions.ConnectionError, ValueError, LookupError, TypeError) as error:
            self.said = self._wire.said
            if self._wire.switched and not self._socketio.eio.sid:
                return NO_OPEN
            if self._wire.refused:
                return f"HTTP {self._wire.refused}"
            # The client reads what comes without a look at its form.
            known = isinstance(error, socketio.exceptions.ConnectionError)
            return str(error) if known else "the answer is not Engine.IO's"
        return "connected"

    def _end(self, reason: str) -> None:
        self.reason = reason
        self.disconnected.set()

    def _hear(self, message: Mapping[str, str]) -> None:
        with self._news:
            self._heard.append(message["text"])
            self._news.notify_all()
