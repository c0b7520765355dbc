"""DNS messages: bytes to a question, an answer to bytes.

dnslib does the wire format at some 150 µs a message, so both directions are cached: clients ask few questions over and
over, and an `Answer` is hashable. The message id, the only part that differs each time, stays out of the cache.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import dnslib

from sandbox.model.route53 import Answer, Rcode, Record, canonical, escaped

log = logging.getLogger(__name__)

PLAIN_UDP_SIZE = 512
"""RFC 1035: the largest answer to a client that did not announce more by EDNS."""

SERVER_UDP_SIZE = 4096
"""The largest answer over UDP to anyone, and what we announce in turn; more goes by TCP."""

MAX_MESSAGE = 65535

_HEADER_SIZE = 12
_RESPONSE_BIT = 0x80
_QUERY_OPCODE = 0
_IN_OR_ANY_CLASS = (1, 255)
_OCTAL_OR_CHARACTER = re.compile(r"\\([0-3][0-7]{2})|\\(.)|([^\\])", re.DOTALL)
_CHARACTER_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)', re.DOTALL)


class Query(NamedTuple):
    """What one message asks. ``labels`` keeps the case in which the client wrote the name."""

    name: str
    type: str
    labels: tuple[bytes, ...]
    type_number: int
    class_number: int
    recursion_desired: bool
    udp_size: int | None


class Refusal(NamedTuple):
    """What to answer to a message that is no question which we answer: an RCODE of RFC 1035."""

    rcode: str


@lru_cache(maxsize=16384)
def parse(message_without_id: bytes) -> Query | Refusal | None:
    """Read a message, given without its first two bytes.

    Returns:
        The query; or how it is refused; or None where nothing may be answered at all (a response, or too short to be
        a message: answering those lets two servers talk to each other for ever).
    """
    if len(message_without_id) < _HEADER_SIZE - 2 or message_without_id[0] & _RESPONSE_BIT:
        return None
    try:
        record = dnslib.DNSRecord.parse(b"\0\0" + message_without_id)
    except Exception:  # dnslib lets more than its own errors through (RecursionError, ValueError)
        return Refusal("FORMERR")
    if record.header.opcode != _QUERY_OPCODE:
        return Refusal("NOTIMP")
    if len(record.questions) != 1:
        return Refusal("FORMERR")
    (question,) = record.questions
    if question.qclass not in _IN_OR_ANY_CLASS:
        return Refusal("REFUSED")
    labels = tuple(question.qname.label)
    sizes = [additional.rclass for additional in record.ar if additional.rtype == dnslib.QTYPE.OPT]
    return Query(
        name=canonical(".".join("".join(map(escaped, label)) for label in labels)),
        type=dnslib.QTYPE[question.qtype],
        labels=labels,
        type_number=question.qtype,
        class_number=question.qclass,
        recursion_desired=bool(record.header.rd),
        udp_size=max(sizes[0], PLAIN_UDP_SIZE) if sizes else None,
    )


@lru_cache(maxsize=16384)
def encode(query: Query, answer: Answer, limit: int) -> bytes:
    """The reply without its first two bytes: at most ``limit`` bytes with them, else truncated (TC, no records).

    A record whose value is not of its type (moto takes any) makes the reply SERVFAIL.
    """
    try:
        wire = _pack(query, answer)
    except Exception as error:  # whatever dnslib raises for a value that does not fit
        log.warning("a record of %s %s has no valid value: %s", query.name, query.type, error)
        wire = _pack(query, Answer(Rcode.SERVFAIL))
    if len(wire) + 2 > limit:
        wire = _pack(query, Answer(answer.rcode, authoritative=answer.authoritative), truncated=True)
    return wire


def refuse(message: bytes, refusal: Refusal) -> bytes:
    """A reply that repeats the id, opcode and RD of a message and nothing else of it."""
    flags = 0x8000 | (message[2] & 0x79) << 8 | int(dnslib.RCODE.reverse[refusal.rcode])
    return message[:2] + struct.pack("!5H", flags, 0, 0, 0, 0)


def _pack(query: Query, answer: Answer, truncated: bool = False) -> bytes:
    header = dnslib.DNSHeader(
        id=0,
        qr=1,
        aa=int(answer.authoritative),
        tc=int(truncated),
        rd=int(query.recursion_desired),
        ra=1,
        rcode=dnslib.RCODE.reverse[answer.rcode],
    )
    reply = dnslib.DNSRecord(header)
    asked = dnslib.DNSLabel(query.labels)
    reply.add_question(dnslib.DNSQuestion(asked, query.type_number, query.class_number))
    reply.add_answer(*(_resource_record(record, query, asked) for record in answer.answers))
    reply.add_auth(*(_resource_record(record, query, asked) for record in answer.authority))
    if query.udp_size is not None:
        reply.add_ar(dnslib.EDNS0(udp_len=SERVER_UDP_SIZE))
    return bytes(reply.pack()[2:])


def _resource_record(record: Record, query: Query, asked: Any) -> Any:
    # The client's own spelling of the name: clients that randomize its case check that it comes back.
    name = asked if record.name == query.name else _label(record.name)
    number = dnslib.QTYPE.reverse[record.type]
    return dnslib.RR(name, number, rclass=1, ttl=record.ttl, rdata=_RDATA[record.type](record.value))


def _label(name: str) -> Any:
    labels = [_octets(label) for label in canonical(name).split(".")] if canonical(name) else []
    if not all(labels):  # dnslib would write the empty label, which ends a name
        raise ValueError(f"empty label in {name!r}")
    return dnslib.DNSLabel(labels)


def _octets(text: str) -> bytes:
    r"""Route 53's escapes resolved: ``\ooo`` by octal code, ``\x`` is x itself."""
    return b"".join(
        bytes([int(octal, 8)]) if octal else (character or plain).encode()
        for octal, character, plain in _OCTAL_OR_CHARACTER.findall(text)
    )


def _strings(value: str) -> list[bytes]:
    return [_octets(quoted or bare) for quoted, bare in _CHARACTER_STRING.findall(value)]


def _mx(value: str) -> Any:
    preference, host = value.split()
    return dnslib.MX(_label(host), int(preference))


def _srv(value: str) -> Any:
    priority, weight, port, host = value.split()
    return dnslib.SRV(int(priority), int(weight), int(port), _label(host))


def _soa(value: str) -> Any:
    server, mailbox, *times = value.split()
    return dnslib.SOA(_label(server), _label(mailbox), tuple(map(int, times)))


def _caa(value: str) -> Any:
    flags, tag, quoted = value.split(maxsplit=2)
    return dnslib.CAA(int(flags), tag, quoted.strip('"'))


_RDATA: dict[str, Callable[[str], Any]] = {
    "A": dnslib.A,
    "AAAA": dnslib.AAAA,
    "CAA": _caa,
    "CNAME": lambda value: dnslib.CNAME(_label(value)),
    "MX": _mx,
    "NS": lambda value: dnslib.NS(_label(value)),
    "PTR": lambda value: dnslib.PTR(_label(value)),
    "SOA": _soa,
    "SPF": lambda value: dnslib.TXT(_strings(value)),
    "SRV": _srv,
    "TXT": lambda value: dnslib.TXT(_strings(value)),
}
