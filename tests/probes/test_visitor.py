"""A visitor against a real server on 127.0.0.1: what it records, and how long it keeps an address."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.clock import RealClock
from sandbox.errors import SandboxError
from sandbox.model.route53 import Record
from sandbox.probes import visitor
from sandbox.probes.dns import DnsResult
from sandbox.probes.visitor import Visitor
from sandbox.timeline import Timeline


class Page(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        self.send_response(Page.status)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    Page.status = 200
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def answer(address, ttl):
    records = (Record("site.example.com", "A", ttl, address),) if address else ()
    return DnsResult("NOERROR" if address else "NXDOMAIN", records, (), 0.0, authoritative=True, tcp=False)


def connected(address):
    """What connects to an address, whatever the name."""
    return lambda name, port, timeout: socket.create_connection((address, port), timeout)


@pytest.fixture
def timeline():
    clock = RealClock()
    with_file = Timeline(clock)
    yield with_file
    with_file.close()
    clock.close()


def outcome(timeline, status, address, since=0):
    return timeline.wait_for(
        f"an outcome {status} at {address}",
        lambda seen: (
            seen.kind == "visitor.outcome" and seen["status"] == status and seen["remote_ip"].startswith(address)
        ),
        within=10,
        since=since,
    )


def test_changes_are_recorded_and_requests_counted(server, timeline):
    url = f"http://site.example.com:{server.server_port}/"
    with Visitor(
        url,
        lambda name: answer("127.0.0.1", 60),
        connected,
        timeline.record,
    ):
        outcome(timeline, 200, "127.0.0.1")
        Page.status = 503
        outcome(timeline, 503, "127.0.0.1")
        Page.status = 200
        outcome(timeline, 200, "127.0.0.1", timeline.mark())
    changes = [seen["status"] for seen in timeline.since() if seen.kind == "visitor.outcome"]
    assert changes == [200, 503, 200]
    end = timeline.since()[-1]
    assert end.kind == "visitor.end"
    assert end["failed"] >= 1
    assert end["requests"] > end["failed"]


def test_an_address_is_kept_for_its_ttl(server, timeline):
    """The name moves at once; the visitor moves when the TTL of one second has ended."""
    asked = []

    def resolve(name):
        asked.append(name)
        return answer("127.0.0.1" if len(asked) == 1 else "127.0.0.2", 1)

    url = f"http://site.example.com:{server.server_port}/"
    with Visitor(
        url,
        resolve,
        connected,
        timeline.record,
    ):
        first = outcome(timeline, 200, "127.0.0.1")
        second = outcome(timeline, 0, "127.0.0.2")
    assert second["error"] == "connection refused"
    assert second.at - first.at > 0.8
    assert asked[0] == "site.example.com"


def test_a_name_that_does_not_resolve_and_a_server_that_does_not_answer_are_outcomes(timeline):
    def fail(name):
        raise SandboxError("no DNS answer")

    for resolve, error in ((lambda name: answer("", 0), "the name does not resolve"), (fail, "no DNS answer")):
        mark = timeline.mark()
        with Visitor("http://site.example.com/", resolve, connected, timeline.record):
            assert outcome(timeline, 0, "", mark)["error"] == error


def test_a_request_that_never_ends_does_not_hold_the_scenario(timeline, monkeypatch):
    monkeypatch.setattr(visitor, "END_WITHIN", 0.1)
    begun, released = threading.Event(), threading.Event()

    def hang(host, port, timeout):
        begun.set()
        released.wait(10)
        raise ConnectionRefusedError

    try:
        with (
            pytest.raises(SandboxError, match=r"request to http://site\.example\.com/ has not ended"),
            Visitor("http://site.example.com/", lambda name: answer("127.0.0.1", 60), lambda _: hang, timeline.record),
        ):
            assert begun.wait(10)
    finally:
        released.set()
    assert timeline.wait_for("the visitor's end", lambda seen: seen.kind == "visitor.end", within=10)
