"""Many connections on one thread: limits, clients and handlers that misbehave, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from sandbox.dataplane import connections

Start = Callable[[connections.Handler], tuple[str, int]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Serve a handler on a free port; all is stopped at the end."""
    with contextlib.ExitStack() as stack:

        def serve(handle: connections.Handler) -> tuple[str, int]:
            listener = socket.create_server(("127.0.0.1", 0))
            address: tuple[str, int] = listener.getsockname()
            listener.setblocking(False)
            loop, stop = asyncio.new_event_loop(), asyncio.Event()
            thread = threading.Thread(target=connections.serve, args=(loop, [(listener, handle)], stop))
            thread.start()
            stack.callback(thread.join)
            stack.callback(loop.call_soon_threadsafe, stop.set)
            return address

        yield serve


async def echo(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(connection, 100):
        if data == b"oserror":
            raise ConnectionError
        if data == b"bug":
            raise KeyError(data)
        await loop.sock_sendall(connection, data)


def said(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(100)


def test_one_more_connection_than_allowed_waits_for_a_place(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    address = start(echo)
    clients = [socket.create_connection(address, timeout=5) for _ in range(3)]
    with contextlib.ExitStack() as stack:
        for client in clients:
            stack.enter_context(client)
        assert [said(client, b"hello") for client in clients[:2]] == [b"hello"] * 2
        clients[2].sendall(b"hello")
        clients[2].settimeout(0.1)
        with pytest.raises(TimeoutError):
            clients[2].recv(100)
        clients[0].close()
        clients[2].settimeout(5)
        assert clients[2].recv(100) == b"hello"


def test_handler_that_fails_closes_its_own_connection_only(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    address = start(echo)
    with socket.create_connection(address, timeout=5) as other:
        for text in (b"oserror", b"bug"):
            with socket.create_connection(address, timeout=5) as client:
                assert said(client, text) == b""
        assert said(other, b"hello") == b"hello"
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1, "what a client does is no error of ours; a bug is logged"


def test_no_more_files_to_open_is_survived(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = iter([OSError(24, "Too many open files")] * 2)
    accept = socket.socket.accept

    def sometimes(listener: socket.socket) -> tuple[socket.socket, object]:
        if error := next(refusals, None):
            raise error
        return accept(listener)

    monkeypatch.setattr(connections, "ACCEPT_BACKOFF", 0.01)
    monkeypatch.setattr(socket.socket, "accept", sometimes)
    with socket.create_connection(start(echo), timeout=5) as client:
        assert said(client, b"hello") == b"hello"
