"""The sandbox's DNS server: UDP and TCP on the loopback, and Unix sockets for the containers' relay.

Containers cannot reach the host's loopback, and the server must not listen anywhere else. So a relay container on their
network, with the directory of the sockets mounted, runs two socats and is everyone's resolver::

    socat UDP4-RECVFROM:53,fork,reuseaddr UNIX-CONNECT:/run/sandbox/dns-udp.sock,type=5
    socat TCP4-LISTEN:53,fork,reuseaddr   UNIX-CONNECT:/run/sandbox/dns-tcp.sock

``type=5`` is SOCK_SEQPACKET: the kernel keeps each datagram one message in both directions, where a stream socket would
need a length or the relay's half-close to say where it ends.

Two threads in all: one for UDP, where speed is wanted; one with an event loop for all connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from sandbox.dataplane.connections import Handler, serve
from sandbox.dataplane.dns_wire import MAX_MESSAGE, PLAIN_UDP_SIZE, SERVER_UDP_SIZE, Refusal, encode, parse, refuse
from sandbox.errors import SandboxError
from sandbox.model.route53 import Answer, HostedZone, RecordSet, Zones
from sandbox.model.route53 import answer as answer_from_zones

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
STATIC_TTL = 60
IDLE_TIMEOUT = 10.0
"""Seconds that a connection may be silent (RFC 7766 wants "a few seconds")."""

_FREE_PORT_ATTEMPTS = 20

AnswerFunction = Callable[[str, str], Answer]
"""(canonical name, record type) -> answer; called from two threads."""


class DnsServer:
    """Answers DNS questions by a function.

    Args:
        answer: Where answers come from. What it raises is logged and answered SERVFAIL.
        names: Names that the sandbox serves itself, as for `add_names`.
        port: On 127.0.0.1, the same for UDP and TCP; 0 takes a free one.
        sockets: The paths of the Unix sockets for datagrams and for TCP's streams; None: loopback only.
        outside: What those get who ask from somewhere else, and the paths of their sockets.

    Example:
        ``with DnsServer(controller.answer) as server: query("www.example.com", "A", server.address, 2)``
    """

    def __init__(
        self,
        answer: AnswerFunction,
        *,
        names: Mapping[str, str] | None = None,
        port: int = 0,
        sockets: tuple[Path, Path] | None = None,
        outside: tuple[AnswerFunction, tuple[Path, Path]] | None = None,
    ) -> None:
        self._answer = answer
        self._names: dict[str, str] = {}
        self._named = Zones(())
        self._rng = Random()
        self._wanted_port = port
        self._relayed = ([(answer, sockets)] if sockets else []) + ([outside] if outside else [])
        self._threads: list[threading.Thread] = []
        self._address: tuple[str, int] | None = None
        self._stop: Callable[[], object] | None = None
        self._closing = False
        self.add_names(names or {})

    def add_names(self, names: Mapping[str, str]) -> None:
        """Serve names of the sandbox's own, from now on and before ``answer``.

        Args:
            names: The address of each: ``{"aws.internal": "10.0.0.2", "*.aws.internal": "10.0.0.2"}``.
        """
        self._names |= names
        self._named = Zones(_static_zones(self._names))

    @property
    def port(self) -> int:
        """The port of `address`."""
        return self.address[1]

    @property
    def address(self) -> tuple[str, int]:
        """Where UDP and TCP listen: ("127.0.0.1", port)."""
        if self._address is None:
            raise RuntimeError("the DNS server has not been started")
        return self._address

    def start(self) -> Self:
        """Listen and answer.

        Raises:
            SandboxError: The port is in use, or a Unix socket cannot be made.
        """
        with contextlib.ExitStack() as undo:
            udp, tcp = _bind(self._wanted_port)
            undo.enter_context(udp)
            undo.enter_context(tcp)
            listeners: list[tuple[socket.socket, Handler]] = [(tcp, partial(self._converse, self._answer))]
            for answer, (udp_path, tcp_path) in self._relayed:
                datagrams = undo.enter_context(_listen_unix(udp_path, socket.SOCK_SEQPACKET))
                streams = undo.enter_context(_listen_unix(tcp_path, socket.SOCK_STREAM))
                listeners += [
                    (datagrams, partial(self._reply_once, answer)),
                    (streams, partial(self._converse, answer)),
                ]
            undo.pop_all()
        self._address = udp.getsockname()
        loop, stop = asyncio.new_event_loop(), asyncio.Event()
        self._stop = partial(loop.call_soon_threadsafe, stop.set)
        self._threads = [
            threading.Thread(target=self._serve_udp, args=(udp,), name="dns-udp", daemon=True),
            threading.Thread(target=serve, args=(loop, listeners, stop), name="dns-connections", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def close(self) -> None:
        """Stop at once; open connections are cut. May be called more than once."""
        if self._closing or self._stop is None:
            return
        self._closing = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:  # recvfrom wakes for nothing less
            waker.sendto(b"", self.address)
        self._stop()
        for thread in self._threads:
            thread.join()
        for _, paths in self._relayed:
            for path in paths:
                path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def reply(self, message: bytes, over_udp: bool, answer: AnswerFunction | None = None) -> bytes | None:
        """The reply to one message, whatever it is; None where it must not be answered.

        ``answer`` stands for the server's own.
        """
        query = parse(message[2:])
        if query is None:
            return None
        if isinstance(query, Refusal):
            return refuse(message, query)
        try:
            if self._named.zone_for(query.name):
                given = answer_from_zones(self._named, query.name, query.type, self._rng)
            else:
                given = (answer or self._answer)(query.name, query.type)
        except Exception:
            log.exception("answering %s %s failed", query.name, query.type)
            return refuse(message, Refusal("SERVFAIL"))
        limit = min(query.udp_size or PLAIN_UDP_SIZE, SERVER_UDP_SIZE) if over_udp else MAX_MESSAGE
        return message[:2] + encode(query, given, limit)

    def _serve_udp(self, udp: socket.socket) -> None:
        with udp:
            while True:
                message, client = udp.recvfrom(MAX_MESSAGE)
                if self._closing:
                    return
                reply = self.reply(message, over_udp=True)
                if reply is not None:
                    with contextlib.suppress(OSError):  # the client's port is gone, or its buffer is full: UDP
                        udp.sendto(reply, client)

    async def _converse(self, answer: AnswerFunction, connection: socket.socket) -> None:
        """DNS over a stream (RFC 7766): messages with a length before each, until the client closes or falls silent."""
        loop = asyncio.get_running_loop()
        while True:
            async with asyncio.timeout(IDLE_TIMEOUT):
                prefix = await _exactly(connection, 2)
                message = await _exactly(connection, int.from_bytes(prefix))
                reply = self.reply(message, over_udp=False, answer=answer)
                if reply is None:
                    return
                await loop.sock_sendall(connection, len(reply).to_bytes(2) + reply)

    async def _reply_once(self, answer: AnswerFunction, connection: socket.socket) -> None:
        """One datagram that the relay took from UDP; nothing is sent where nothing may be answered."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(IDLE_TIMEOUT):
            reply = self.reply(await loop.sock_recv(connection, MAX_MESSAGE), over_udp=True, answer=answer)
            if reply is not None:
                await loop.sock_sendall(connection, reply)


async def _exactly(connection: socket.socket, size: int) -> bytes:
    """The next ``size`` bytes, or EOFError where the client closed before them."""
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        more = await loop.sock_recv(connection, size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _static_zones(names: Mapping[str, str]) -> list[HostedZone]:
    """A private zone for each name, so that what does not exist in it is answered like Route 53 does."""
    zones: dict[str, list[RecordSet]] = {}
    for name, address in names.items():
        type_ = "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
        zones.setdefault(name.removeprefix("*."), []).append(RecordSet(name, type_, STATIC_TTL, (address,)))
    return [HostedZone("sandbox", apex, True, tuple(record_sets)) for apex, record_sets in zones.items()]


def _bind(port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a listening TCP socket with one port number; ``port`` 0 tries free ones until both are had."""
    attempts = 1 if port else _FREE_PORT_ATTEMPTS
    for attempt in range(1, attempts + 1):
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((LOOPBACK, port))
            udp.bind((LOOPBACK, tcp.getsockname()[1]))
            tcp.listen(128)
        except OSError as error:
            tcp.close()
            udp.close()
            if attempt == attempts or error.errno != errno.EADDRINUSE:
                raise SandboxError(
                    f"the DNS server cannot listen on {LOOPBACK} port {port or '(any)'}",
                    state=error.strerror or str(error),
                    hint=f"see what uses it: ss -tulpn 'sport = :{port}'; or choose another port",
                ) from error
        else:
            tcp.setblocking(False)
            return udp, tcp
    raise AssertionError("the last attempt returns or raises")


def _listen_unix(path: Path, kind: socket.SocketKind) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, kind)
    try:
        path.unlink(missing_ok=True)  # left over by a run that was killed; directories are not shared between runs
        listener.bind(str(path))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise SandboxError(
            f"the DNS server cannot make its socket {path}",
            state=error.strerror or str(error),
            hint="the directory must exist, be writable, and its path be shorter than 90 characters",
        ) from error
    listener.setblocking(False)
    return listener
