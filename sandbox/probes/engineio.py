"""Clients of an Engine.IO or Socket.IO server, each up to its first step that fails; unjudged."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sandbox.model.websocket import observed, packets
from sandbox.model.websocket.observed import Answer, Broadcast, Session, Step
from sandbox.model.websocket.packets import MalformedPacketError, Packet
from sandbox.probes.websocket_wire import Cookies, Place, WebSocket, request, upgrade

LONGEST_IDLE = 30.0  # seconds, where nobody says how long
SLICE = 5.0  # seconds after which a wait tells that it goes on
_POLLS = 100  # of one client: more than any needs
_UNSUPPORTED = ("unsupported version", '"code":5')


@dataclass(frozen=True)
class Wishes:
    """What is to be done.

    Attributes:
        protocol: `observed.SOCKET_IO`, ...
        path: Path and query of the requests, without those of Engine.IO.
        engine: Engine.IO's protocol; None: find out.
        idle: Seconds for which a connection is to be idle; None: until the server's first ping is due.
        emit: An event (for a plain WebSocket a text) that one client sends.
        data: The event's argument.
        expect: The event (or the text) that then comes.
        clients: How many clients a broadcast has.
    """

    protocol: str
    path: str
    engine: int | None = None
    idle: float | None = None
    emit: str = ""
    data: object = ""
    expect: str = ""
    clients: int = 4


def engine_of(place: Place, wishes: Wishes) -> int:
    """Protocol 3 where the server's answer is of that, or asks for it (to a browser, or without Origin); else 4."""
    for origin in (None, ""):
        client = _Client(Talk(place, wishes, 4), origin=origin)
        with client:
            client.handshake()
        answer = client.steps[0].answer
        told = packets.protocol_of(answer.body) if answer is not None else None
        if told is not None:
            return told
        if answer is not None and answer.status == 400 and any(words in answer.body for words in _UNSUPPORTED):
            return 3
    return 4


class Talk:
    """Clients of one Engine.IO server."""

    def __init__(self, place: Place, wishes: Wishes, engine: int) -> None:
        self.place = place
        self.wishes = wishes
        self.engine = engine

    def session(self, client: str) -> Session:
        talker = _Client(self, kept=client != observed.NO_COOKIES)
        with talker:
            if client in {observed.POLLING, observed.NO_COOKIES}:
                _ = talker.handshake() and talker.speak_by_polling()
            elif client == observed.UPGRADING:
                _ = talker.handshake() and talker.upgrade() and talker.speak()
            else:
                _ = talker.open() and talker.speak()
            return talker.told(client)

    def with_origin(self, origin: str, by_polling: bool) -> Step:
        """A handshake with another Origin header, by the transport that fails with this one."""
        talker = _Client(self, origin=origin)
        with talker:
            _ = talker.handshake() if by_polling else talker.open()
        return talker.steps[-1]

    def idle(self, transport: str, progress: Callable[[str], None]) -> Session:
        talker = _Client(self)
        with talker:
            if not talker.begin(transport):
                return talker.told(observed.IDLE)
            interval = packets.ping_interval(talker.opened)
            seconds = self.wishes.idle
            if seconds is None:
                seconds = min((interval or LONGEST_IDLE) + 2, LONGEST_IDLE)
            begun = time.monotonic()
            pings = talker.rest(begun + seconds, begun + (interval or seconds), progress)
            lived = time.monotonic() - begun
            return replace(talker.told(observed.IDLE), waited=seconds, lived=lived, pings=pings)

    def broadcast(self, transport: str) -> Broadcast:
        talkers = [_Client(self) for _ in range(self.wishes.clients)]
        try:
            ready = all(one.begin(transport) for one in talkers)
            received = 0
            if ready:
                talkers[0].send(packets.event(self.wishes.emit, self.wishes.data))
                end = time.monotonic() + self.place.timeout
                received = sum(one.hears(self.wishes.expect, end) for one in talkers[1:])
            return Broadcast(self.wishes.emit, self.wishes.expect, len(talkers) - 1, received, ready)
        finally:
            for one in talkers:
                one.close()


class _Client:
    def __init__(self, talk: Talk, *, kept: bool = True, origin: str | None = None) -> None:
        self.place = talk.place if origin is None else replace(talk.place, origin=origin)
        self.engine = talk.engine
        self.path = talk.wishes.path
        self.connects = talk.wishes.protocol == observed.SOCKET_IO
        self.cookies = Cookies(self.place.secure, kept)
        self.steps: list[Step] = []
        self.opened: dict[str, Any] | None = None
        self.socket: WebSocket | None = None
        self.waiting: list[Packet] = []
        self.polls = 0

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the server nothing to keep."""
        if self.socket is not None:
            self.socket.close()
        elif self.opened is not None and self.steps[-1].ok:
            self._post([Packet(packets.CLOSE)])

    def told(self, client: str) -> Session:
        return Session(client, tuple(self.steps), self.opened)

    def begin(self, transport: str) -> bool:
        """Connect as a client of that kind does."""
        if transport in {observed.POLLING, observed.NO_COOKIES}:
            return self.handshake() and self.speak_by_polling()
        connected = self.handshake() and self.upgrade() if transport == observed.UPGRADING else self.open()
        return connected and self.speak()

    def handshake(self) -> bool:
        """The OPEN packet, by polling."""
        answer = request(self.place, "GET", self._target("polling"), self.cookies)
        if answer.status != 200:
            return self._step(Step("handshake", False, answer))
        got = self._payload(answer)
        first = got[0] if got else None
        self.opened = packets.opened(first) if first else None
        self.waiting += got[1:]
        return self._step(Step("handshake", self.opened is not None, answer, str(first) if first else ""))

    def speak_by_polling(self) -> bool:
        """A message to the server, and one from it."""
        if not self.connects and self.engine == 4:
            return True  # the server has nothing to say before its first ping
        said = Packet(packets.MESSAGE, "0") if self.engine == 4 else Packet(packets.PING)
        answer = self._post([said])
        if not self._step(Step("post", answer.status == 200, answer)):
            return False
        wanted = packets.MESSAGE if self.engine == 4 else packets.PONG
        end = time.monotonic() + self.place.timeout
        while True:
            for packet in self.waiting:
                if packet.kind == wanted:
                    self.waiting.remove(packet)
                    return self._step(Step("connect", True, None, str(packet)))
            if time.monotonic() >= end:
                return self._step(Step("connect", False, None, "no answer to it in time"))
            if not self._poll(end - time.monotonic()):
                return False

    def _poll(self, seconds: float) -> bool:
        answer = request(self.place, "GET", self._target("polling"), self.cookies, timeout=max(seconds, 0.1))
        got = self._payload(answer) if answer.status == 200 else []
        self.waiting += got
        self.polls += 1
        if self.polls > _POLLS:
            return self._step(Step("connect", False, None, f"{_POLLS} answers to polls, and none of them to it"))
        return self._step(Step("poll", bool(got), answer))

    def _post(self, said: list[Packet]) -> Answer:
        body = packets.encode_payload(said, self.engine).encode()
        return request(self.place, "POST", self._target("polling"), self.cookies, body=body)

    def _payload(self, answer: Answer) -> list[Packet]:
        try:
            return packets.decode_payload(answer.body, self.engine)
        except MalformedPacketError:
            return []

    def open(self) -> bool:
        """A WebSocket without polling before: 101, then the OPEN packet."""
        if not self._switch("open"):
            return False
        got = self._receive()
        self.opened = packets.opened(got) if got is not None else None
        return self._heard("open", self.opened is not None, got)

    def upgrade(self) -> bool:
        """From polling: 101, a probe and its answer, then the UPGRADE packet."""
        if not self._switch("upgrade"):
            return False
        self._say(Packet(packets.PING, "probe"))
        got = self._receive()
        if not self._heard("probe", got == Packet(packets.PONG, "probe"), got):
            return False
        self._say(Packet(packets.UPGRADE))
        return True

    def speak(self) -> bool:
        """A message to the server, and one from it."""
        if not self.connects and self.engine == 4:
            return True
        said = Packet(packets.MESSAGE, "0") if self.engine == 4 else Packet(packets.PING)
        wanted = packets.MESSAGE if self.engine == 4 else packets.PONG
        self._say(said)
        end = time.monotonic() + self.place.timeout
        while True:
            got = self._receive(end)
            if got is None or got.kind == wanted:
                return self._heard("connect", got is not None, got)

    def rest(self, end: float, ping_due: float, progress: Callable[[str], None]) -> int:
        """Say nothing but what keeps a connection alive, until ``end``; the number of pings that were answered."""
        pings = 0
        begun = time.monotonic()
        if self.socket is None:
            ok = self._poll(end - begun)
            if not ok and time.monotonic() >= end:
                self.steps.pop()  # nothing came, as nothing was due
            return int(ok)
        while (now := time.monotonic()) < end and self.socket.ending is None:
            progress(f"idle for {now - begun:.0f} of {end - begun:.0f} s")
            if self.engine == 3 and now >= ping_due:
                self._say(Packet(packets.PING))
                ping_due = end
            got = self.socket.receive(min(end, now + SLICE, ping_due if self.engine == 3 and ping_due > now else end))
            kind = got[:1] if got is not None else ""
            if kind == packets.PING:
                self._say(Packet(packets.PONG))
            pings += kind == (packets.PING if self.engine == 4 else packets.PONG)
        self._heard("wait", self.socket.ending is None, None)
        return pings

    def send(self, packet: Packet) -> None:
        """By whichever transport there is."""
        if self.socket is not None:
            self._say(packet)
        else:
            self._post([packet])

    def hears(self, name: str, end: float) -> bool:
        """Whether an event of this name comes."""
        while True:
            for packet in self.waiting:
                told = packets.event_of(packet)
                if told is not None and told[0] == name:
                    return True
            self.waiting.clear()
            if time.monotonic() >= end:
                return False
            if self.socket is None:
                if not self._poll(end - time.monotonic()):
                    return False
            elif (got := self._receive(end)) is not None:
                self.waiting.append(got)
            elif self.socket.ending is not None:
                return False

    def _switch(self, name: str) -> bool:
        answer, self.socket, wrong = upgrade(self.place, self._target("websocket"), self.cookies)
        if self.socket is None or wrong:
            return self._step(Step(name, False, answer, wrong))
        self._step(Step("upgrade", True, answer))
        return True

    def _receive(self, end: float | None = None) -> Packet | None:
        assert self.socket is not None
        end = end or time.monotonic() + self.place.timeout
        while (text := self.socket.receive(end)) is not None:
            try:
                got = packets.decode(text)
            except MalformedPacketError:
                return Packet("", text[:80])
            if got.kind == packets.PING and not got.data:
                self._say(Packet(packets.PONG))
            elif got.kind != packets.NOOP:
                return got
        return None

    def _say(self, packet: Packet) -> None:
        assert self.socket is not None
        self.socket.send(str(packet))

    def _heard(self, name: str, ok: bool, got: Packet | None) -> bool:
        ending = self.socket.ending if self.socket is not None else None
        return self._step(Step(name, ok, None, str(got) if got is not None else "", ending))

    def _step(self, step: Step) -> bool:
        self.steps.append(step)
        return step.ok

    def _target(self, transport: str) -> str:
        query = f"{_query(self.path)}EIO={self.engine}&transport={transport}"
        if self.engine == 3:
            query += "&b64=1"
        if transport == "polling":
            query += f"&t={secrets.token_urlsafe(5)}"
        return f"{query}&sid={self.opened['sid']}" if self.opened else query


def _query(path: str) -> str:
    return path + ("&" if "?" in path else "?")
