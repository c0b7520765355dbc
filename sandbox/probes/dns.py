"""One DNS query: what a client sees."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

import dnslib
from dnslib.buffer import BufferError  # a class of dnslib's own; a truncated message raises it
from dnslib.label import DNSLabelError

from sandbox.errors import SandboxError
from sandbox.model.route53 import Record

_MAX_UDP_ANSWER = 4096


@dataclass(frozen=True, slots=True)
class DnsResult:
    """What was answered.

    Attributes:
        rcode: "NOERROR", "NXDOMAIN", "SERVFAIL", ...
        answers: Records in the order in which they came; values in zone file notation.
        authority: For a negative answer, the zone's SOA.
        seconds: How long it took, the repetition over TCP included.
        authoritative: The AA bit.
        tcp: The answer over UDP was truncated, so this one came over TCP.
    """

    rcode: str
    answers: tuple[Record, ...]
    authority: tuple[Record, ...]
    seconds: float
    authoritative: bool
    tcp: bool

    @property
    def ttl(self) -> int | None:
        """For how many seconds a resolver may keep the answer, also a negative one; None: not at all."""
        return min((record.ttl for record in self.answers or self.authority), default=None)

    @property
    def values(self) -> tuple[str, ...]:
        """The values of the answers without the CNAMEs that led to them, unless nothing else came."""
        targets = tuple(record.value for record in self.answers if record.type != "CNAME")
        return targets or tuple(record.value for record in self.answers)


def query(name: str, rdtype: str, server: tuple[str, int], timeout: float = 2.0) -> DnsResult:
    """Ask a server once over UDP, and again over TCP where the answer was truncated.

    Args:
        name: The name, with or without a trailing dot.
        rdtype: "A", "SRV", ...
        server: Address and port.
        timeout: Seconds for each of the two.

    Raises:
        SandboxError: No answer came, or none that is DNS, or the question cannot be written (name, type).
    """
    begun = time.monotonic()
    try:
        question = dnslib.DNSRecord.question(name, rdtype)
        question.add_ar(dnslib.EDNS0(udp_len=_MAX_UDP_ANSWER))
        message = bytes(question.pack())
        reply = dnslib.DNSRecord.parse(_over_udp(message, server, timeout))
        tcp = bool(reply.header.tc)
        if tcp:
            reply = dnslib.DNSRecord.parse(_over_tcp(message, server, timeout))
    except (OSError, ValueError, dnslib.DNSError, DNSLabelError, BufferError) as error:
        raise SandboxError(
            f"no DNS answer to {name} {rdtype} from {server[0]} port {server[1]} within {timeout:g} s",
            state=str(error) or type(error).__name__,
        ) from error
    return DnsResult(
        rcode=dnslib.RCODE[reply.header.rcode],
        answers=_records(reply.rr),
        authority=_records(reply.auth),
        seconds=time.monotonic() - begun,
        authoritative=bool(reply.header.aa),
        tcp=tcp,
    )


def _over_udp(message: bytes, server: tuple[str, int], timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(server)  # so that only the server's datagrams arrive, and a closed port is an error at once
        udp.send(message)
        while True:
            udp.settimeout(max(deadline - time.monotonic(), 0.001))
            reply = udp.recv(_MAX_UDP_ANSWER)
            if reply[:2] == message[:2]:
                return reply


def _over_tcp(message: bytes, server: tuple[str, int], timeout: float) -> bytes:
    with socket.create_connection(server, timeout=timeout) as tcp, tcp.makefile("rb") as stream:
        tcp.sendall(len(message).to_bytes(2) + message)
        reply = stream.read(int.from_bytes(stream.read(2)))
        if not reply:
            raise OSError("the server closed the connection")
        return reply


def _records(resource_records: list[dnslib.RR]) -> tuple[Record, ...]:
    return tuple(
        Record(str(rr.rname).removesuffix("."), dnslib.QTYPE[rr.rtype], rr.ttl, rr.rdata.toZone())
        for rr in resource_records
        if rr.rtype != dnslib.QTYPE.OPT
    )
