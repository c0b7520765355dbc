"""The DNS probe against our server and against sockets that do not behave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from sandbox.dataplane.dns import DnsServer
from sandbox.errors import SandboxError
from sandbox.model.route53 import HostedZone, Record, RecordSet, Zones, answer
from sandbox.probes.dns import query

ZONES = Zones(
    [
        HostedZone(
            "Z1",
            "example.com",
            False,
            (
                RecordSet("www.example.com", "A", 60, ("192.0.2.1",)),
                RecordSet("blog.example.com", "CNAME", 30, ("www.example.com",)),
                RecordSet("far.example.com", "CNAME", 30, ("www.example.net",)),
                RecordSet("_http._tcp.example.com", "SRV", 5, ("1 1 49153 task.example.com",)),
                RecordSet("huge.example.com", "TXT", 60, tuple(f'"{n:03}{"x" * 200}"' for n in range(30))),
            ),
        )
    ]
)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    rng = Random(0)
    with DnsServer(lambda name, type: answer(ZONES, name, type, rng)) as started:
        yield started.address


def test_answer(server: tuple[str, int]) -> None:
    result = query("www.example.com.", "A", server)
    assert (result.rcode, result.values, result.ttl, result.tcp) == ("NOERROR", ("192.0.2.1",), 60, False)
    assert result.answers == (Record("www.example.com", "A", 60, "192.0.2.1"),)
    assert result.authoritative
    assert 0 < result.seconds < 2


def test_values_are_those_at_the_end_of_a_cname(server: tuple[str, int]) -> None:
    result = query("blog.example.com", "A", server)
    assert [record.type for record in result.answers] == ["CNAME", "A"]
    assert (result.values, result.ttl) == (("192.0.2.1",), 30)
    assert query("far.example.com", "A", server).values == ("www.example.net.",)


def test_srv(server: tuple[str, int]) -> None:
    assert query("_http._tcp.example.com", "SRV", server).values == ("1 1 49153 task.example.com.",)


def test_negative_answers_have_the_soas_ttl(server: tuple[str, int]) -> None:
    inside, outside = query("no.example.com", "A", server), query("example.org", "A", server)
    assert (inside.rcode, inside.ttl, inside.authority[0].type) == ("NXDOMAIN", 900, "SOA")
    assert (outside.rcode, outside.ttl, outside.authority) == ("NXDOMAIN", None, ())


def test_truncated_answer_comes_by_tcp(server: tuple[str, int]) -> None:
    result = query("huge.example.com", "TXT", server)
    assert result.tcp
    assert len(result.values) == 30


def test_closed_port_is_an_error_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    with pytest.raises(SandboxError, match=rf"no DNS answer to www\.example\.com A .* port {address[1]}") as error:
        query("www.example.com", "A", address, timeout=30)
    assert "refused" in error.value.state


def test_silent_server_is_an_error_after_the_timeout() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(SandboxError, match=r"within 0\.05 s"):
            query("www.example.com", "A", silent.getsockname(), timeout=0.05)


@pytest.mark.parametrize(("name", "type"), [("x" * 64 + ".com", "A"), ("a..b", "A"), ("example.com", "NOTYPE")])
def test_question_that_cannot_be_written_is_an_error(server: tuple[str, int], name: str, type: str) -> None:
    with pytest.raises(SandboxError, match="no DNS answer"):
        query(name, type, server)


@contextmanager
def replying(*replies: bytes) -> Iterator[tuple[str, int]]:
    """A server that sends the given datagrams to whoever asks; ``ID`` in them is the question's id."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))

        def serve() -> None:
            question, client = udp.recvfrom(512)
            for reply in replies:
                udp.sendto(reply.replace(b"ID", question[:2]), client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield udp.getsockname()
        thread.join()


def test_garbage_is_an_error() -> None:
    with replying(b"IDgarbage") as address, pytest.raises(SandboxError, match="no DNS answer"):
        query("www.example.com", "A", address, timeout=0.5)


def test_answer_to_another_question_is_not_taken() -> None:
    with replying(b"xx\x80\x00" + bytes(8), b"ID\x80\x03" + bytes(8)) as address:
        assert query("www.example.com", "A", address, timeout=2).rcode == "NXDOMAIN"
