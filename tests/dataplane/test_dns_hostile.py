"""The server on real sockets against messages and clients that mean it no good.

Every message is followed by an honest question on the same socket. Its answer says that the server lives, and that what
has not come by then does not come: datagrams are answered in turn, and so are the messages of a connection.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
import tracemalloc
from collections.abc import Iterator
from random import Random

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.dataplane import dns as dns_server
from sandbox.dataplane.dns import DnsServer
from sandbox.dataplane.dns_wire import parse
from sandbox.model.route53 import Answer, HostedZone, RecordSet, Zones, answer

ZONES = Zones(
    [
        HostedZone(
            "Z1",
            "example.com",
            False,
            (
                RecordSet("www.example.com", "A", 60, ("192.0.2.1",)),
                RecordSet("*.example.com", "TXT", 60, tuple(f'"{n:03}{"x" * 200}"' for n in range(30))),
            ),
        )
    ]
)
HONEST_ID = 0xBEEF
HONEST = dns.message.make_query("www.example.com", "A", id=HONEST_ID, use_edns=False).to_wire()
EDNS = b"\0" + struct.pack("!HHBBHH", 41, 1232, 0, 0, 0, 0)


def from_zones(name: str, type: str) -> Answer:
    return answer(ZONES, name, type, Random(0))


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with DnsServer(from_zones) as started:
        yield started


def over_udp(server: DnsServer, message: bytes) -> list[bytes]:
    """What comes back for a message before the answer to an honest question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(server.address)
        udp.settimeout(5)
        udp.send(message)
        udp.send(HONEST)
        replies = []
        while not is_honest(reply := udp.recv(65535)):
            replies.append(reply)
    return replies


def over_tcp(server: DnsServer, message: bytes, cut: int) -> list[bytes]:
    """The same over a connection, sent in two pieces; the server may close it where a message must not be answered."""
    sent = b"".join(len(one).to_bytes(2) + one for one in (message, HONEST))
    replies: list[bytes] = []
    gone = contextlib.suppress(BrokenPipeError, ConnectionResetError)
    with socket.create_connection(server.address, timeout=5) as tcp, gone, tcp.makefile("rb") as stream:
        tcp.sendall(sent[: cut % len(sent)])
        tcp.sendall(sent[cut % len(sent) :])
        while prefix := stream.read(2):
            reply = stream.read(int.from_bytes(prefix))
            if is_honest(reply):
                return replies
            replies.append(reply)
    assert over_udp(server, b"") == []  # it closed this connection, and lives
    return replies


def is_honest(reply: bytes) -> bool:
    return reply[:2] == HONEST_ID.to_bytes(2) and bool(dns.message.from_wire(reply).answer)


def check(message: bytes, replies: list[bytes], limit: int) -> None:
    """No reply where none may be; else one, which another library reads and which belongs to the message."""
    if len(message) < 12 or message[2] & 0x80:
        assert replies == []
        return
    (wire,) = replies
    assert len(wire) <= limit
    reply = dns.message.from_wire(wire)
    assert reply.flags & dns.flags.QR
    assert reply.id == int.from_bytes(message[:2])
    assert reply.opcode() == message[2] >> 3 & 0xF
    if reply.opcode() != dns.opcode.QUERY:
        assert reply.rcode() == dns.rcode.NOTIMP
    if reply.answer:
        question = wire[12 : 12 + len(reply.question[0].name.to_wire() or b"") + 4]
        assert message[12 : 12 + len(question)] == question  # spelled as it was asked


labels = st.sampled_from([b"www", b"example", b"com", b"a.b", b"\0", b"x" * 63]) | st.binary(min_size=1, max_size=70)
pointers = st.integers(0, 0x3FFF).map(lambda to: struct.pack("!H", 0xC000 | to))
known_name = st.just(b"\3www\7example\3com\0")
any_name = st.builds(
    lambda parts, end: b"".join(bytes([len(part)]) + part for part in parts) + end,
    st.lists(labels, max_size=6),
    st.just(b"\0") | pointers | st.binary(max_size=2),
)
names = known_name | any_name
u16 = st.integers(0, 65535)
additional = st.just(EDNS) | st.builds(
    lambda name, type_, class_, ttl, data, off: (
        name + struct.pack("!HHIH", type_, class_, ttl, max(len(data) + off, 0)) + data
    ),
    st.just(b"\0") | names,
    st.just(41) | u16,
    u16,
    st.integers(0, 2**32 - 1),
    st.binary(max_size=20),
    st.sampled_from([0, 0, 0, -1, 1, 60000]),
)
counts = st.sampled_from([0, 1, 2, 65535])
messages = st.builds(
    lambda id_, flags, count, name, type_, class_, extra, cut, junk: (
        struct.pack("!HHHHHH", id_, flags, *count) + name + struct.pack("!HH", type_, class_) + b"".join(extra) + junk
    )[: -cut or None],
    st.integers(0, 65535).filter(lambda id_: id_ != HONEST_ID),
    st.sampled_from([0x0000, 0x0100, 0x0110, 0x2800, 0x8000, 0x7800]) | u16,
    st.sampled_from([(1, 0, 0, 0), (1, 0, 0, 1), (1, 0, 0, 2)]) | st.tuples(counts, counts, counts, counts),
    names,
    st.sampled_from([1, 16, 6, 255, 252, 41, 128]) | u16,
    st.sampled_from([1, 1, 255, 3]) | u16,
    st.lists(additional, max_size=3),
    st.just(0) | st.integers(0, 40),
    st.just(b"") | st.binary(max_size=20),
)


@settings(max_examples=300)
@given(messages | st.binary(max_size=600))
def test_any_datagram_gets_its_one_reply_or_none(server: DnsServer, message: bytes) -> None:
    check(message, over_udp(server, message), 4096)


@settings(max_examples=150)
@given(messages | st.binary(max_size=600), st.integers(0, 700))
def test_any_message_over_tcp_gets_its_one_reply_or_none(server: DnsServer, message: bytes, cut: int) -> None:
    check(message, over_tcp(server, message, cut), 65535)


def query(name: bytes = b"\3www\7example\3com\0", type_: int = 1, extra: bytes = b"", counts: str = "1 0 0 0") -> bytes:
    header = struct.pack("!HHHHHH", 7, 0x0100, *map(int, counts.split()))
    return header + name + struct.pack("!HH", type_, 1) + extra


def edns(version: int = 0, size: int = 1232, name: bytes = b"\0") -> bytes:
    return name + struct.pack("!HHBBHH", 41, size, 0, version, 0, 0)


@pytest.mark.parametrize(
    ("message", "rcode"),
    [
        (query(b"\xc0\x0c"), "FORMERR"),
        (query(b"\3www\xc0\x0c"), "FORMERR"),
        (query(b"\x40" + b"x" * 64 + b"\0"), "FORMERR"),
        (query((b"\x3f" + b"x" * 63) * 4 + b"\0"), "FORMERR"),
        (query(counts="65535 0 0 0"), "FORMERR"),
        (query(counts="1 0 0 65535"), "FORMERR"),
        (query(counts="1 65535 65535 0"), "FORMERR"),
        (query(extra=edns() * 2, counts="1 0 0 2"), "FORMERR"),
        (query(extra=edns(name=b"\1x\0"), counts="1 0 0 1"), "FORMERR"),
        (query(extra=edns(version=1), counts="1 0 0 1"), "BADVERS"),
        (query(extra=edns(size=0), counts="1 0 0 1"), "NOERROR"),
        (query(type_=251), "REFUSED"),
        (query(type_=252), "REFUSED"),
        (query(type_=250), "NOTIMP"),
        (query(type_=65280), "NOERROR"),
        (query(type_=255), "NOERROR"),
    ],
    ids=["pointer to itself", "pointer back", "label of 64", "name of 256", "questions", "additional records",
         "other records", "two OPT", "OPT with a name", "EDNS 1", "EDNS of no size", "IXFR", "AXFR", "TSIG",
         "private type", "ANY"],
)  # fmt: skip
def test_what_rfcs_say_of_odd_questions(server: DnsServer, message: bytes, rcode: str) -> None:
    (wire,) = over_udp(server, message)
    assert dns.rcode.to_text(dns.message.from_wire(wire).rcode()) == rcode


def test_any_has_one_of_the_types_that_there_are(server: DnsServer) -> None:
    (wire,) = over_udp(server, query(type_=255))
    assert [dns.rdatatype.to_text(rrset.rdtype) for rrset in dns.message.from_wire(wire).answer] == ["A"]


@pytest.mark.parametrize("messages", [b"\0\0", b"\0\0" * 500, b"\0\1x", b"\0\x0b" + b"x" * 11])
def test_a_tcp_message_of_nothing_closes_the_connection(server: DnsServer, messages: bytes) -> None:
    with socket.create_connection(server.address, timeout=5) as tcp:
        tcp.sendall(messages)
        with contextlib.suppress(ConnectionResetError):  # the rest was not read
            assert tcp.recv(1) == b""


def test_clients_that_dribble_or_do_not_read_are_cut_and_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_server, "IDLE_TIMEOUT", 0.5)
    big = dns.message.make_query("x.example.com", "TXT", use_edns=False).to_wire()
    with DnsServer(from_zones) as server, contextlib.ExitStack() as stack:
        greedy, *slow = (stack.enter_context(socket.create_connection(server.address, timeout=5)) for _ in range(50))
        greedy.settimeout(0.1)
        with contextlib.suppress(TimeoutError):  # until the server reads no more, for nobody takes its answers
            while True:
                greedy.sendall((len(big).to_bytes(2) + big) * 100)
        for one in slow:
            one.sendall(b"\xff")
        begun = time.monotonic()
        asked = dns.message.make_query("www.example.com", "A")
        assert dns.query.tcp(asked, server.address[0], port=server.port, timeout=5).answer
        assert time.monotonic() - begun < 0.4  # not the idle time
        while time.monotonic() < begun + 5:
            try:
                slow[0].sendall(b"\0")  # an octet now and then does not keep it open: the message has half a second
                slow[0].settimeout(0.1)
                if slow[0].recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("a message that takes for ever to come keeps its connection open")
        assert time.monotonic() - begun < 4
        for one in slow[1:]:
            assert one.recv(1) == b""


def test_long_messages_are_read_in_little_time_and_memory() -> None:
    """60,000 octets of additional records, each message another: nothing of them stays."""
    records = b"\0" + struct.pack("!HHIH", 1, 1, 0, 0)
    many = 60000 // len(records)
    base = query(extra=records * many, counts=f"1 0 0 {many}")
    tracemalloc.start()
    try:
        begun, before = time.process_time(), tracemalloc.get_traced_memory()[0]
        for number in range(50):
            assert parse(base[2:] + number.to_bytes(2)) is not None
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 1_000_000
    assert time.process_time() - begun < 10  # 50 messages under tracemalloc; some 0.01 s each without


def test_a_flood_of_names_that_do_not_exist_is_forgotten(server: DnsServer) -> None:
    def ask(names: range) -> None:
        for number in names:
            server.reply(query(b"\x06" + f"{number:06}".encode() + b"\7example\3net\0"), over_udp=True)

    tracemalloc.start()
    try:
        ask(range(25_000))  # more than any cache keeps
        held = tracemalloc.get_traced_memory()[0]
        ask(range(25_000, 33_000))
        grown = tracemalloc.get_traced_memory()[0] - held
    finally:
        tracemalloc.stop()
    assert grown < 1_000_000
