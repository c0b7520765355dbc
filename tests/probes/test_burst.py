"""A burst against a real server on 127.0.0.1."""

from __future__ import annotations

import itertools
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.probes import burst


@pytest.fixture
def server():
    statuses = itertools.cycle([200, 200, 502])

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(next(statuses))
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def connect_to(port):
    return lambda name, _, timeout: socket.create_connection(("127.0.0.1", port), timeout)


def test_answers_are_counted_by_status(server):
    result = burst.ask(connect_to(server.server_port), "http://a.example/", 9, 3, 5.0)
    assert (result.requests, result.failed, result.statuses) == (9, 3, Counter({200: 6, 502: 3}))
    assert result.facts()["statuses"] == {"200": 6, "502": 3}
    assert result.slowest <= result.seconds


def test_what_is_not_answered_is_counted_by_why():
    with socket.socket() as nobody:  # bound, and does not listen
        nobody.bind(("127.0.0.1", 0))
        result = burst.ask(connect_to(nobody.getsockname()[1]), "http://a.example/", 3, 2, 5.0)
    assert (result.failed, result.statuses, result.errors) == (3, Counter(), Counter({"connection refused": 3}))
