"""What clients see of servers that break off, say nothing or say nonsense after 101."""

from __future__ import annotations

import time

import pytest
from wsproto.connection import SERVER, Connection
from wsproto.events import CloseConnection, TextMessage

from sandbox.model.websocket import observed
from sandbox.model.websocket.causes import causes
from sandbox.model.websocket.observed import Ending
from sandbox.probes.engineio import Wishes
from sandbox.probes.websocket import probe
from tests.probes.test_websocket_wire import server, switching

OPEN = '0{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}'
PLAIN = Wishes(observed.WEBSOCKET, "/chat")
SOCKET_IO = Wishes(observed.SOCKET_IO, "/socket.io/", engine=4, idle=0)


def text(*messages):
    there = Connection(SERVER)
    return b"".join(there.send(TextMessage(data=message)) for message in messages)


def closed(code):
    return Connection(SERVER).send(CloseConnection(code=code))


def answering(rest, polls=b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"):
    """101 and these bytes to each request to upgrade, something else to polls."""

    def answer(connection, read):
        if b"Upgrade: websocket" in read:
            switching(connection, read, rest=rest)
        else:
            connection.sendall(polls)

    return answer


def seen(answer, wishes, timeout=0.4):
    with server(answer, timeout=timeout) as place:
        return probe("u", place, wishes, lambda text: None)


@pytest.mark.parametrize(
    ("rest", "cause", "got", "ending"),
    [
        (b"", "", "", None),
        (text("hello"), "", "hello", None),
        (text("bye") + closed(1000), "", "bye", None),
        (closed(1008), "closed-at-once", "", Ending("close", 1008)),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "garbage-frames", "", None),
    ],
    ids=["silent", "speaks", "speaks and closes", "closes", "garbage"],
)
def test_plain_websockets_after_101(rest, cause, got, ending):
    one = seen(answering(rest), PLAIN)
    session = one.session(observed.ONLY)
    assert list(causes(one)) == ([cause] if cause else [])
    assert session.steps[-1].got == got
    assert cause != "closed-at-once" or session.steps[-1].ending == ending
    assert (one.session(observed.AGAIN) is None) == bool(cause)


def test_a_server_that_wants_no_origin():
    def answer(connection, read):
        if b"Origin: " in read:
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        else:
            switching(connection, read)

    one = seen(answer, PLAIN)
    assert list(causes(one)) == ["origin-refused"]
    assert one.origins[""].ok


def test_an_answer_that_does_not_come():
    one = seen(answering(text("something else")), Wishes(observed.WEBSOCKET, "/", emit="ping", expect="pong"))
    assert list(causes(one)) == ["silent"]


def test_an_idle_connection_that_is_closed_with_a_code():
    one = seen(answering(closed(1001)), Wishes(observed.WEBSOCKET, "/chat", idle=2))
    assert one.session(observed.IDLE) is None, "it was closed at once"
    one = seen(answering(text("hello") + closed(1001)), Wishes(observed.WEBSOCKET, "/chat", idle=2))
    idle = one.session(observed.IDLE)
    assert (idle.ok, idle.steps[-1].ending, idle.lived < 1) == (False, Ending("close", 1001), True)
    assert list(causes(one)) == ["idle-cut"]


@pytest.mark.parametrize(
    ("rest", "cause", "step", "got"),
    [
        (b"", "no-open-packet", "open", ""),
        (text("hello"), "no-open-packet", "open", "hello"),
        (text('4"x"'), "no-open-packet", "open", '4"x"'),
        (closed(1000), "no-open-packet", "open", ""),
        (b"\xff\xff\xff\xff", "garbage-frames", "open", ""),
        (text(OPEN), "silent", "connect", ""),
        (text(OPEN, "40"), "", "connect", "40"),
        (text(OPEN, "2", "6", "40"), "", "connect", "40"),
    ],
    ids=["nothing", "no packet", "another packet", "closes", "garbage", "open alone", "all", "with a ping"],
)
def test_socket_io_after_101_where_there_is_no_polling(rest, cause, step, got):
    unknown = b'HTTP/1.1 400 Bad Request\r\nContent-Length: 40\r\n\r\n{"code":0,"message":"Transport unknown"}'
    one = seen(answering(rest, unknown), SOCKET_IO)
    session = one.session(observed.ONLY)
    assert list(causes(one)) == ["polling-disabled", *([cause] if cause else [])]
    assert (session.steps[-1].name, session.steps[-1].got) == (step, got)


def test_a_probe_that_is_not_answered():
    polls = f"HTTP/1.1 200 OK\r\nContent-Length: {len(OPEN)}\r\n\r\n{OPEN}".encode()
    one = seen(answering(text("3wrong"), polls), SOCKET_IO)
    step = one.session(observed.UPGRADING).failed
    assert (step.name, step.got) == ("probe", "3wrong")


def test_answers_that_a_cache_gives_have_one_session_id():
    polls = f"HTTP/1.1 200 OK\r\nContent-Length: {len(OPEN)}\r\n\r\n{OPEN}".encode()
    one = seen(answering(text(OPEN, "40"), polls), Wishes(observed.ENGINE_IO, "/engine.io/", engine=4, idle=0))
    assert {session.opened["sid"] for session in one.sessions if session.opened} == {"x"}


@pytest.mark.parametrize("packet", ["2", "6", "4other"], ids=["pings", "noops", "messages of another namespace"])
def test_a_server_that_says_other_things_without_end_is_left(packet):
    def answer(connection, read):
        if b"Upgrade: websocket" not in read:
            return
        switching(connection, read, rest=text(OPEN))
        while True:
            connection.sendall(text(*[packet] * 100))

    begun = time.monotonic()
    one = seen(answer, SOCKET_IO, timeout=0.5)
    assert time.monotonic() - begun < 20
    assert one.session(observed.ONLY).opened is not None


def test_polls_that_are_answered_with_nothing_without_end_are_left():
    body = f"{OPEN}\x1e6"

    def answer(connection, read):
        said = b"ok" if read.startswith(b"POST") else b"6" if b"sid=" in read else body.encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))

    one = seen(answer, SOCKET_IO, timeout=3)
    failed = one.session(observed.POLLING).failed
    assert (failed.name, "none of them to it" in failed.got) == ("connect", True)
    assert causes(one)["silent"]
