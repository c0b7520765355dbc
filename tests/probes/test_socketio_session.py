"""Sessions where there is no server to have one with; tests/compose/test_socketio_proxies.py has the others."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from sandbox.errors import SandboxError
from sandbox.probes import socketio_session
from sandbox.probes.socketio_session import NOT_TRIED, STEPS, outcomes


@pytest.fixture
def server():
    """Answers each connection with the same bytes, and closes it."""
    listener = socket.create_server(("127.0.0.1", 0))
    answer = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer[0])

    threading.Thread(target=serve, daemon=True).start()

    def start(content):
        answer.append(content)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    listener.close()


def refused(outcome):
    return {
        **dict.fromkeys(STEPS[1:8], NOT_TRIED),
        "polling": outcome,
        "websocket-only": outcome,
    }


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert outcomes(socketio_session.run(f"http://127.0.0.1:{port}")) == refused("connection refused")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"", "the server closed the connection without an answer"),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "HTTP 503"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
    ],
)
def test_a_server_of_another_kind(server, answer, outcome):
    assert outcomes(socketio_session.run(server(answer), within=2)) == refused(outcome)


@pytest.mark.parametrize("body", [b"<html>", b"", b"0{", b'0{"sid": 7}', b"\xff\xfe"])
def test_a_page_for_every_path_is_no_session(server, body):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    session = outcomes(socketio_session.run(server(answer), within=2))
    assert session["polling"] not in {"connected", ""}
    assert session["websocket-only"] not in {"connected", ""}


def test_an_idle_websocket_is_not_watched_where_there_is_none(server):
    steps = socketio_session.run(server(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), within=2, idle=60)
    assert outcomes(steps)["idle"] == NOT_TRIED


def test_a_javascript_session_that_breaks_off_is_an_error_with_what_it_printed():
    step = json.dumps({"step": "polling", "outcome": "connected", "detail": {}})
    with pytest.raises(SandboxError, match="ended too early") as caught:
        socketio_session.run_javascript(lambda command: (1, f"{step}\n", "TypeError: no\n"), "http://x")
    assert caught.value.state == "node exited with code 1 after 1 steps"
    assert list(caught.value.log) == [step, "TypeError: no"]
