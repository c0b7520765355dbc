"""The viewer's HTTP: what curl says, in data and in words."""

from __future__ import annotations

import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.probes import http


def here(command):
    """Run a command on this machine, as the viewer container would."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def server():
    """A server that answers by path; ``statuses`` are used up first."""

    class Handler(BaseHTTPRequestHandler):
        statuses: list[int] = []  # noqa: RUF012 -- one for each server
        seen: list[dict[str, str]] = []  # noqa: RUF012

        def do_GET(self):
            self.seen.append(dict(self.headers))
            if self.path == "/cut":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            body = b"x" * 70000 if self.path == "/large" else "h\u00e9\x1ello".encode()
            self.send_response(self.statuses.pop(0) if self.statuses else 200)
            self.send_header("X-Two", "one")
            self.send_header("X-Two", "two")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    Handler.statuses, Handler.seen = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        made.url = f"http://127.0.0.1:{made.server_port}"
        made.handler = Handler
        yield made
        made.shutdown()


def test_an_answer_is_data(server):
    server.handler.statuses = [404]
    result = http.get(here, server.url + "/", headers={"X-Mine": "it's"})
    assert (result.status, result.body, result.remote_ip, result.error) == (404, "h\u00e9\x1ello", "127.0.0.1", "")
    assert result.headers["x-two"] == "two"
    assert server.handler.seen[0]["X-Mine"] == "it's"
    assert 0 < result.seconds < 10
    assert str(result) == f"{server.url}/: HTTP 404 from 127.0.0.1"
    assert result.facts() == {
        "url": server.url + "/",
        "status": 404,
        "remote_ip": "127.0.0.1",
        "seconds": round(result.seconds, 4),
        "error": "",
    }


def test_a_large_body_is_cut(server):
    assert len(http.get(here, server.url + "/large").body) == 65536


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_no_answer_is_in_words(server):
    refused = http.get(here, f"http://127.0.0.1:{closed_port()}/")
    assert (refused.status, refused.error) == (0, "connection refused")
    assert "connection refused" in str(refused)
    assert http.get(here, "http://name.invalid/").error == "the name does not resolve"
    assert http.get(here, server.url + "/cut").error == "the server closed the connection without an answer"


def test_silence_is_bounded():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = http.get(here, f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.3)
    assert (result.status, result.error) == (0, "timed out")


def test_a_viewer_that_is_gone_is_an_error_in_its_words():
    result = http.get(lambda command: (126, "", "container is not running\n"), "http://x/")
    assert (result.status, result.error) == (0, "container is not running")


def connect(host, port, timeout):
    return socket.create_connection((host, port), timeout)


def until(url, **options):
    return http.get_until(connect, url, **{"status": 200, "within": 20, "stop": threading.Event(), **options})


def test_until_asks_again_until_the_status_is_there(server):
    server.handler.statuses = [502, 503]
    result = until(server.url + "/")
    assert (result.status, result.error, result.remote_ip) == (200, "", "127.0.0.1")
    assert len(server.handler.seen) == 3


def test_until_is_bounded_and_returns_what_there_was_last(server):
    server.handler.statuses = [503] * 1000
    result = until(server.url + "/", within=0.5)
    assert (result.status, result.error) == (503, "")


def test_until_ends_when_it_is_told_to(server):
    stop = threading.Event()
    stop.set()
    server.handler.statuses = [503] * 1000
    assert until(server.url + "/", stop=stop).status == 503
    assert len(server.handler.seen) == 1


def test_until_says_in_the_same_words_why_there_was_no_answer(server):
    assert until(f"http://127.0.0.1:{closed_port()}/", within=0).error == "connection refused"
    assert until("http://name.invalid/", within=0).error == "the name does not resolve"
    assert until(server.url + "/cut", within=0).error == "the server closed the connection without an answer"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert until(f"http://127.0.0.1:{silent.getsockname()[1]}/", within=0).error == "timed out"
