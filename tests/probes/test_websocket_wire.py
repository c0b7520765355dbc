"""The bytes: what servers send after 101 and instead of it, well-formed and not."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import SERVER, Connection
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from sandbox.model.websocket.observed import Answer, Ending
from sandbox.probes.websocket_wire import Cookies, Place, WebSocket, request, upgrade


@contextlib.contextmanager
def server(answer, timeout=2.0):
    """A server that reads a request's beginning and does as it is told; the place to connect to."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    answer(connection, connection.recv(65_536))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = listening.getsockname()[1]
    yield Place(False, ("127.0.0.1", port), "127.0.0.1", "example.org", "http://example.org", {}, timeout)
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def says(*parts):
    return lambda connection, read: [connection.sendall(part) for part in parts]


def get(place, **options):
    return request(place, "GET", "/socket.io/?EIO=4", Cookies(False), **options)


@contextlib.contextmanager
def connected(*sent, closes=True):
    """A WebSocket whose other end has sent these bytes (the first of them with the answer 101)."""
    ours, theirs = socket.socketpair()
    with theirs:
        for part in sent[1:]:
            theirs.sendall(part)
        if closes:
            theirs.shutdown(socket.SHUT_WR)
        yield WebSocket(ours, sent[0] if sent else b""), theirs
    ours.close()


def soon():
    return time.monotonic() + 2.0


def test_requests_are_as_a_browser_s():
    asked = []

    def answer(connection, read):
        asked.append(read.decode())
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=1; Path=/\r\nX-Y: z\r\n\r\nok")

    cookies = Cookies(False)
    with server(answer) as place:
        first = request(place, "GET", "/?EIO=4", cookies)
        request(replace(place, origin=""), "POST", "/?EIO=4", cookies, body=b"40")
    assert (first.status, first.body, first.header("x-y")) == (200, "ok", "z")
    assert asked[0].startswith("GET /?EIO=4 HTTP/1.1\r\nHost: example.org\r\n")
    assert "\r\nOrigin: http://example.org\r\n" in asked[0]
    assert "Cookie" not in asked[0]
    assert "Origin" not in asked[1]
    assert "\r\nCookie: a=1\r\n" in asked[1]
    assert asked[1].endswith("\r\n\r\n40")


def test_cookies_are_kept_as_a_browser_keeps_them():
    answer = Answer(200, (("set-cookie", "AWSALB=x; Path=/"), ("set-cookie", "AWSALBCORS=x; SameSite=None; Secure")))
    for secure, kept, sent in (
        (False, True, {"Cookie": "AWSALB=x"}),
        (True, True, {"Cookie": "AWSALB=x; AWSALBCORS=x"}),
        (True, False, {}),
    ):
        cookies = Cookies(secure, kept)
        cookies.take(answer)
        assert cookies.sent() == sent


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says(), "the connection was closed without an answer"),
        (says(b"SSH-2.0-OpenSSH_9\r\n"), "what answers is not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000), "headers of more than 64 KiB"),
        (lambda connection, read: connection.recv(1), "no answer in time"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), "closed without"),
    ],
    ids=["closes", "not HTTP", "endless headers", "half-open", "short"],
)
def test_what_is_no_answer(answer, error):
    with server(answer, timeout=0.5) as place:
        found = get(place)
    assert found.status == 0
    assert error in found.error


def test_a_port_where_nobody_listens():
    with server(says()) as place:
        pass
    assert get(place).error == "connection refused"
    assert upgrade(place, "/", Cookies(False))[0].error == "connection refused"


def test_headers_that_trickle_end_with_the_bound():
    def trickle(connection, read):
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Long: y\r\n" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.01)

    begun = time.monotonic()
    with server(trickle, timeout=0.5) as place:
        assert get(place).error == "no answer in time"
    assert time.monotonic() - begun < 2


def test_an_endless_body_is_left():
    def endless(connection, read):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    with server(endless) as place:
        found = get(place)
    assert (found.status, len(found.body)) == (200, 2000)


def switching(connection, read, accept=None, rest=b"", upgraded="websocket"):
    import base64
    import hashlib

    key = next(line.split(b": ")[1] for line in read.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    made = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {upgraded}\r\nConnection: Upgrade\r\n"
    connection.sendall(f"{head}Sec-WebSocket-Accept: {accept or made}\r\n\r\n".encode() + rest)
    connection.recv(65_536)


def test_bytes_that_come_with_the_answer_101_are_read():
    rest = Connection(SERVER).send(TextMessage(data='0{"sid":"x"}'))
    with server(lambda connection, read: switching(connection, read, rest=rest)) as place:
        answer, opened, wrong = upgrade(place, "/", Cookies(False))
        with opened:
            assert opened.receive(soon()) == '0{"sid":"x"}'
    assert (answer.status, wrong) == (101, "")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"accept": "bm8="}, "Sec-WebSocket-Accept is wrong"), ({"upgraded": "h2c"}, "101 without 'Upgrade: websocket'")],
)
def test_an_answer_101_that_is_not_this_handshake_s(options, words):
    with server(lambda connection, read: switching(connection, read, **options)) as place:
        answer, opened, wrong = upgrade(place, "/", Cookies(False))
        opened.close()
    assert answer.status == 101
    assert words in wrong


def test_messages_in_pieces_pings_and_closes():
    there = Connection(SERVER)
    parts = [
        there.send(TextMessage(data="ab", message_finished=False)),
        there.send(Ping(payload=b"p")),
        there.send(TextMessage(data="cd")),
        there.send(BytesMessage(data=b"123")),
        there.send(CloseConnection(code=1001, reason="going away")),
    ]
    with connected(b"", *parts) as (opened, theirs):
        assert opened.receive(soon()) == "abcd"
        assert opened.receive(soon()) == "<3 bytes>"
        assert opened.receive(soon()) is None
        assert opened.ending == Ending("close", 1001, "going away")
        assert not opened.send("x")
        there.receive_data(theirs.recv(65_536))
        kinds = [type(event).__name__ for event in there.events()]
    assert kinds == ["Pong", "CloseConnection"]


def test_how_a_connection_ends_is_told_apart():
    with connected(b"") as (opened, _):
        assert opened.receive(soon()) is None
        assert opened.ending == Ending("eof")
    with connected(b"", closes=False) as (opened, _):
        assert opened.receive(time.monotonic() + 0.05) is None
        assert opened.ending is None
    with connected(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (opened, _):
        assert opened.receive(soon()) is None
        assert opened.ending.how == "garbage"


def test_a_message_without_end_is_left():
    there = Connection(SERVER)
    part = there.send(TextMessage(data="x" * 60_000, message_finished=False))
    follow = [there.send(TextMessage(data="x" * 60_000, message_finished=False)) for _ in range(20)]
    with connected(b"".join([part, *follow])) as (opened, _):
        assert opened.receive(soon()) is None
        assert opened.ending.how == "garbage"


@given(st.lists(st.binary(max_size=40), max_size=5))
@settings(deadline=None)
def test_any_bytes_after_101_are_messages_or_an_ending(parts):
    with connected(b"", *parts) as (opened, _):
        for _ in range(200):
            if opened.receive(soon()) is None:
                break
        assert opened.ending is not None


@given(st.lists(st.text(max_size=300), max_size=5), st.integers(1, 50))
@settings(deadline=None)
def test_messages_arrive_whole_however_their_bytes_are_split(texts, size):
    there = Connection(SERVER)
    whole = b"".join(there.send(TextMessage(data=text)) for text in texts)
    with connected(whole[:size], *(whole[at : at + size] for at in range(size, len(whole), size))) as (opened, _):
        assert [opened.receive(soon()) for _ in texts] == texts
        assert opened.receive(soon()) is None
        assert opened.ending == Ending("eof")
