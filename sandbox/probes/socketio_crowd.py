"""A crowd of Socket.IO clients that stay connected while something happens: who is cut, when, and who comes back.

The server is compose/socketio/app: each client counts what is posted to the board (event ``posted``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import socketio

from sandbox.errors import SandboxError
from sandbox.probes import http
from sandbox.probes.socketio_wire import Wire


class Crowd:
    """Connects at the start of a ``with`` block, by WebSocket alone, and leaves at its end.

    Observations:

    - ``crowd.cut`` (client, reason): a client has lost its connection, without having left.
    - ``crowd.back`` (client, seconds): it has a connection again, so many seconds later.
    - ``crowd.end`` (clients, connected, cut, back, heard): the numbers of clients, of those that were connected at the
      end, and that were ever cut and back; ``heard`` has the number of posts that each client heard.

    Args:
        url: Where the page is, http://NAME[:PORT], or with https.
        clients: How many.
        reconnects: Whether a client that is cut connects again.
        connect: Gives a connection to a name, TLS included where the URL's scheme is https.
        record: Writes an observation: kind and fields.
        within: Seconds for each connection.
    """

    def __init__(
        self,
        url: str,
        clients: int,
        *,
        reconnects: bool,
        connect: http.Connect,
        record: Callable[..., Any],
        within: float = 10.0,
    ) -> None:
        self.url = url
        self.connect = connect
        self._record = record
        self._within = within
        self._news = threading.Condition()
        self._members = [_Member(number, self, reconnects, within) for number in range(clients)]

    def __enter__(self) -> Self:
        try:
            for member in self._members:
                member.connect(self.url, self._within)
        except SandboxError:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        members = self._members
        if error is None:
            self._record(
                "crowd.end",
                clients=len(members),
                connected=sum(member.connected for member in members),
                cut=sum(member.cuts > 0 for member in members),
                back=sum(member.returns > 0 for member in members),
                heard=[len(member.posts) for member in members],
            )
        self._leave()

    def post(self, text: str) -> None:
        """Post to the board, through the first client that is connected.

        Raises:
            SandboxError: None is, or it was not acknowledged in time.
        """
        member = next((one for one in self._members if one.connected), None)
        if member is None:
            raise SandboxError(f"no client of the crowd is connected to {self.url}")
        member.post(text, self._within)

    def hear(self, text: str, within: float) -> int:
        """How many clients have heard this post, at once when all have, else after ``within`` seconds."""
        with self._news:
            self._news.wait_for(lambda: self._heard(text) == len(self._members), within)
            return self._heard(text)

    def heard(self) -> None:
        """A member has heard something."""
        with self._news:
            self._news.notify_all()

    def _heard(self, text: str) -> int:
        return sum(text in member.posts for member in self._members)

    def tell(self, kind: str, **fields: Any) -> None:
        """Record what has happened to a member."""
        self._record(kind, **fields)

    def _leave(self) -> None:
        for member in self._members:
            member.leave()


class _Member:
    def __init__(self, number: int, crowd: Crowd, reconnects: bool, within: float) -> None:
        self.number = number
        self.cuts = self.returns = 0
        self.connected = False  # python-socketio's own is true only some time after the event
        self.posts: set[str] = set()
        self._crowd = crowd
        self._leaving = threading.Event()
        self._cut_at = 0.0
        wire = Wire(crowd.connect, within)
        self._socketio = socketio.Client(
            reconnection=reconnects,
            reconnection_delay=0.1,
            randomization_factor=0,
            http_session=wire.session,
            # python-engineio gives Origin as a header, and websocket-client would add its own.
            websocket_extra_options={"class_": wire.websocket_class, "suppress_origin": True},
        )
        self._socketio.on("connect", self._connected)
        self._socketio.on("disconnect", self._disconnected)
        self._socketio.on("posted", self._posted)

    def connect(self, url: str, within: float) -> None:
        try:
            self._socketio.connect(url, headers={"Origin": url}, transports=["websocket"], wait_timeout=within)
        except (socketio.exceptions.ConnectionError, ValueError) as error:  # the latter: an empty packet
            raise SandboxError(f"client {self.number} of a crowd cannot connect to {url}", state=str(error)) from error

    def post(self, text: str, within: float) -> None:
        try:
            answer = self._socketio.call("post", text, timeout=within)
        except (socketio.exceptions.SocketIOError, OSError) as error:
            raise SandboxError(f"'{text}' could not be posted", state=f"{type(error).__name__}: {error}") from error
        if "error" in answer:
            raise SandboxError(f"'{text}' could not be posted", state=str(answer["error"]))

    def leave(self) -> None:
        self._leaving.set()
        self._socketio.shutdown()

    def _connected(self) -> None:
        self.connected = True
        if self.cuts:
            self.returns += 1
            self._crowd.tell("crowd.back", client=self.number, seconds=round(time.monotonic() - self._cut_at, 2))

    def _disconnected(self, reason: str) -> None:
        if self._leaving.is_set():
            return
        self.connected = False
        self.cuts += 1
        self._cut_at = time.monotonic()
        self._crowd.tell("crowd.cut", client=self.number, reason=reason)

    def _posted(self, post: Mapping[str, str]) -> None:
        self.posts.add(post["text"])
        self._crowd.heard()
