"""The server on real sockets, asked by dnspython. Through the relay: test_dns_relay.py."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import dns.flags
import dns.message
import dns.query
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.dataplane.dns import DnsServer
from sandbox.errors import SandboxError
from sandbox.model.route53 import Answer, HostedZone, RecordSet, Zones, answer
from tests.conftest import examples

MANY = tuple(f"192.0.2.{n}" for n in range(100))
ZONES = Zones(
    [
        HostedZone(
            "Z1",
            "example.com",
            False,
            (
                RecordSet("www.example.com", "A", 60, ("192.0.2.1",)),
                RecordSet("many.example.com", "A", 60, MANY),
                RecordSet("huge.example.com", "TXT", 60, tuple(f'"{n:03}{"x" * 200}"' for n in range(30))),
            ),
        )
    ]
)
RNG = Random(0)


def from_zones(name: str, type: str) -> Answer:
    if name == "fails.example.com":
        raise RuntimeError("on purpose")
    return answer(ZONES, name, type, RNG)


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with DnsServer(from_zones, names={"aws.internal": "10.0.0.2", "*.aws.internal": "10.0.0.2"}) as started:
        yield started


def udp(server: DnsServer, name: str, type: str = "A", **options: object) -> dns.message.Message:
    query = dns.message.make_query(name, type, **options)  # type: ignore[arg-type]
    return dns.query.udp(query, server.address[0], port=server.port, timeout=2)


def values(message: dns.message.Message) -> list[str]:
    return sorted(rdata.to_text() for rrset in message.answer for rdata in rrset)


def test_udp_and_tcp_answer_on_one_port(server: DnsServer) -> None:
    query = dns.message.make_query("www.example.com", "A")
    host, port = server.address
    for ask in (dns.query.udp, dns.query.tcp):
        assert values(ask(query, host, port=port, timeout=2)) == ["192.0.2.1"]  # type: ignore[operator]


def test_answer_above_512_bytes_is_truncated_and_whole_over_tcp(server: DnsServer) -> None:
    host, port = server.address
    assert udp(server, "many.example.com", use_edns=False).flags & dns.flags.TC
    query = dns.message.make_query("many.example.com", "A", use_edns=False)
    message, over_tcp = dns.query.udp_with_fallback(query, host, port=port, timeout=2)
    assert over_tcp
    assert values(message) == sorted(MANY)


@pytest.mark.parametrize(("payload", "truncated"), [(1232, True), (4096, False), (65535, False)])
def test_edns_size_is_the_limit(server: DnsServer, payload: int, truncated: bool) -> None:
    message = udp(server, "many.example.com", use_edns=0, payload=payload)
    assert bool(message.flags & dns.flags.TC) is truncated


def test_nobody_gets_more_than_4096_bytes_over_udp(server: DnsServer) -> None:
    assert udp(server, "huge.example.com", "TXT", use_edns=0, payload=65535).flags & dns.flags.TC


def test_nonexistent_names(server: DnsServer) -> None:
    inside, outside = udp(server, "no.example.com"), udp(server, "s3.us-east-1.amazonaws.com")
    assert inside.rcode().name == outside.rcode().name == "NXDOMAIN"
    assert [rrset.ttl for rrset in inside.authority] == [900]
    assert not outside.authority


@pytest.mark.parametrize("name", ["aws.internal", "data-servicediscovery.us-east-1.aws.internal", "AWS.Internal"])
def test_names_of_the_sandbox_itself(server: DnsServer, name: str) -> None:
    assert values(udp(server, name)) == ["10.0.0.2"]
    other_type = udp(server, name, "AAAA")
    assert (other_type.rcode().name, other_type.answer) == ("NOERROR", [])


def test_names_can_be_added_later() -> None:
    with DnsServer(from_zones) as server:
        assert udp(server, "late.internal").rcode().name == "NXDOMAIN"
        server.add_names({"late.internal": "10.0.0.9"})
        assert values(udp(server, "late.internal")) == ["10.0.0.9"]


def test_answer_function_that_raises_is_a_server_failure(server: DnsServer) -> None:
    assert udp(server, "fails.example.com").rcode().name == "SERVFAIL"
    assert values(udp(server, "www.example.com")) == ["192.0.2.1"]


def test_several_messages_in_one_tcp_connection_however_they_are_cut(server: DnsServer) -> None:
    query = dns.message.make_query("www.example.com", "A").to_wire()
    framed = (len(query).to_bytes(2) + query) * 3
    with socket.create_connection(server.address, timeout=2) as tcp:
        for octet in framed:
            tcp.sendall(bytes([octet]))
        with tcp.makefile("rb") as stream:
            for _ in range(3):
                assert values(dns.message.from_wire(stream.read(int.from_bytes(stream.read(2))))) == ["192.0.2.1"]


def test_tcp_connection_with_garbage_is_closed_and_the_server_goes_on(server: DnsServer) -> None:
    with socket.create_connection(server.address, timeout=2) as tcp:
        tcp.sendall(b"\0\3abc")
        assert tcp.recv(1) == b""
    assert values(udp(server, "www.example.com")) == ["192.0.2.1"]


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100))
def test_any_datagram_leaves_the_server_answering(server: DnsServer, garbage: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(garbage, server.address)
    assert values(udp(server, "www.example.com")) == ["192.0.2.1"]


def test_many_clients_cost_no_threads(server: DnsServer) -> None:
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(server.address, timeout=2))
        assert values(udp(server, "www.example.com")) == ["192.0.2.1"]
        assert threading.active_count() == before


def test_port_in_use_is_named() -> None:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(SandboxError, match=f"port {port}") as refused:
                DnsServer(from_zones, port=port).start()
            assert "in use" in refused.value.state


def test_socket_that_cannot_be_made_is_named_and_the_port_is_free_again(tmp_path: Path) -> None:
    with DnsServer(from_zones) as other:
        port = other.port
    missing = tmp_path / "missing" / "dns-udp.sock"
    with pytest.raises(SandboxError, match="missing"):
        DnsServer(from_zones, port=port, sockets=(missing, missing)).start()
    with DnsServer(from_zones, port=port) as again:
        assert values(udp(again, "www.example.com")) == ["192.0.2.1"]


def test_close_is_quick_with_open_connections_and_can_be_repeated(tmp_path: Path) -> None:
    sockets = (tmp_path / "u", tmp_path / "t")
    before = threading.active_count()
    server = DnsServer(from_zones, sockets=sockets).start()
    with socket.create_connection(server.address, timeout=2) as tcp, socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(sockets[1]))
        tcp.sendall(b"\0\x20half")
        begun = time.monotonic()
        server.close()
        server.close()
        assert time.monotonic() - begun < 1
        with contextlib.suppress(ConnectionResetError):  # the other way to say that it is over
            assert tcp.recv(1) == b""
    assert threading.active_count() == before
    assert not any(path.exists() for path in sockets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(server.address)
        client.send(b"anyone?")
        client.settimeout(2)
        with pytest.raises(ConnectionRefusedError):
            client.recv(1)
