"""DNS messages: bytes to a question, an answer to bytes.

Fast without a cache of whole answers, of which multivalue routing alone makes thousands to one question: a question
that was read before is known by its octets, and those of a record are kept (`dns_rdata`); an answer is a header, the
question and records. The message id, which differs each time, stays out of the cache.

A message is read no further than a query needs, in one pass and time linear in its length: header, question, and an OPT
record among the additional ones. Compressed names are skipped, never followed.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import dnslib

from sandbox.dataplane import dns_rdata
from sandbox.dataplane.dns_rdata import MAX_LABEL, MAX_NAME
from sandbox.model.route53 import Answer, Rcode, Record, canonical, escaped

log = logging.getLogger(__name__)

PLAIN_UDP_SIZE = 512
"""RFC 1035: the largest answer to a client that did not announce more by EDNS."""

SERVER_UDP_SIZE = 4096
"""The largest answer over UDP to anyone, and what we announce in turn; more goes by TCP."""

MAX_MESSAGE = 65535

MAX_KEPT = 512
"""Octets of the longest message that is kept with what it says: strangers must not fill the memory with long ones."""

_HEADER = struct.Struct("!BB4H")  # without the id
_QUESTION_AT = 12  # from the message's beginning, which compression counts from
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x80, 0x04, 0x02, 0x01, 0x80
_CHECKING_DISABLED = 0x10
_QUERY_OPCODE = 0
_IN_OR_ANY_CLASS = (1, 255)
_OPT = 41
_ANY = 255
_TRANSFERS = (251, 252)
_OPT_RECORD = struct.Struct("!BHHBBHH")
_POINTER = 0xC0
_BADVERS = 16


class Query(NamedTuple):
    """What one message asks. ``labels`` keeps the case in which the client wrote the name.

    Attributes:
        flags: Those of the message that come back: RD, and CD in the second octet.
        udp_size: What the client announces by EDNS, 512 at least; None without EDNS.
    """

    name: str
    type: str
    labels: tuple[bytes, ...]
    question: bytes
    flags: tuple[int, int]
    udp_size: int | None


class Refusal(NamedTuple):
    """What to answer to a message that is no question which we answer: an RCODE of RFC 1035 or RFC 6891."""

    rcode: str


class _Refused(Exception):
    """The message is none that we answer; its argument is the RCODE."""


def parse(message_without_id: bytes) -> Query | Refusal | None:
    """Read a message, given without its first two bytes.

    Returns:
        The query; or how it is refused; or None where nothing may be answered at all (a response, or too short to be
        a message: answering those lets two servers talk to each other for ever).
    """
    if len(message_without_id) > MAX_KEPT:
        return _parse(message_without_id)
    return _parse_and_keep(message_without_id)


def _parse(message: bytes) -> Query | Refusal | None:
    if len(message) < _HEADER.size or message[0] & _RESPONSE:
        return None
    try:
        return _query(message)
    except _Refused as refused:
        return Refusal(str(refused))
    except (IndexError, struct.error):  # it ends in the middle
        return Refusal("FORMERR")


def _query(message: bytes) -> Query:
    first, second, questions, answers, authorities, additionals = _HEADER.unpack_from(message)
    if first >> 3 & 0xF != _QUERY_OPCODE:
        raise _Refused("NOTIMP")
    if (questions, answers, authorities) != (1, 0, 0):
        raise _Refused("FORMERR")
    labels, at = _labels(message, _HEADER.size)
    type_number, class_number = struct.unpack_from("!HH", message, at)
    udp_size, version = _edns(message, at + 4, additionals)
    if version:
        raise _Refused("BADVERS")
    if class_number not in _IN_OR_ANY_CLASS or type_number in _TRANSFERS:
        raise _Refused("REFUSED")
    if 128 <= type_number < _ANY:  # RFC 6895, 3.1: not of data, but of questions and of messages about messages
        raise _Refused("NOTIMP")
    return Query(
        name=canonical(".".join("".join(map(escaped, label)) for label in labels)),
        type=dnslib.QTYPE[type_number],
        labels=labels,
        question=message[_HEADER.size : at + 4],
        flags=(first & _RECURSION_DESIRED, second & _CHECKING_DISABLED),
        udp_size=udp_size,
    )


_parse_and_keep = lru_cache(maxsize=16384)(_parse)


def _labels(message: bytes, at: int) -> tuple[tuple[bytes, ...], int]:
    """The question's name, and where it ends. A pointer has nothing before it to point to."""
    labels, begun = [], at
    while size := message[at]:
        if size > MAX_LABEL or at + size + 2 - begun > MAX_NAME:
            raise _Refused("FORMERR")
        labels.append(message[at + 1 : at + 1 + size])
        at += 1 + size
    return tuple(labels), at + 1


def _edns(message: bytes, at: int, records: int) -> tuple[int | None, int]:
    """The size that an OPT record announces (RFC 6891; None without one), and its version."""
    size, version = None, 0
    for _ in range(records):
        root = message[at] == 0
        at = _after_name(message, at)
        type_, class_, _, version_of, _, length = struct.unpack_from("!HHBBHH", message, at)
        at += 10 + length
        if at > len(message):
            raise _Refused("FORMERR")
        if type_ == _OPT:
            if size is not None or not root:
                raise _Refused("FORMERR")
            size, version = max(class_, PLAIN_UDP_SIZE), version_of
    return size, version


def _after_name(message: bytes, at: int) -> int:
    while size := message[at]:
        if size >= _POINTER:
            return at + 2
        if size > MAX_LABEL:
            raise _Refused("FORMERR")
        at += 1 + size
    return at + 1


def encode(query: Query, answer: Answer, limit: int) -> bytes:
    """The reply without its first two bytes: at most ``limit`` bytes with them, else truncated (TC, no records).

    A record whose value is not of its type (moto takes any) makes the reply SERVFAIL.
    """
    try:
        wire = _pack(query, answer)
    except Exception as error:  # whatever a value that does not fit raises
        _warn(query.name, query.type, str(error))
        wire = _pack(query, Answer(Rcode.SERVFAIL))
    if len(wire) + 2 > limit:
        wire = _pack(query, Answer(answer.rcode, authoritative=answer.authoritative), _TRUNCATED)
    return wire


@lru_cache(maxsize=256)
def _warn(name: str, type: str, error: str) -> None:
    """Once, however often it is asked for."""
    log.warning("a record of %s %s has no valid value: %s", name, type, error)


def refuse(message: bytes, refusal: Refusal) -> bytes:
    """A reply that repeats the id, opcode and RD of a message and nothing else of it.

    BADVERS has no room in the header: an OPT record of version 0 has the upper half of it (RFC 6891, 6.1.3).
    """
    flags = _RESPONSE | message[2] & 0x79
    if refusal.rcode == "BADVERS":
        return message[:2] + _HEADER.pack(flags, 0, 0, 0, 0, 1) + _opt(_BADVERS >> 4)
    return message[:2] + _HEADER.pack(flags, dnslib.RCODE.reverse[refusal.rcode], 0, 0, 0, 0)


def _opt(extended_rcode: int = 0) -> bytes:
    return _OPT_RECORD.pack(0, _OPT, SERVER_UDP_SIZE, extended_rcode, 0, 0, 0)


def _pack(query: Query, answer: Answer, truncated: int = 0) -> bytes:
    recursion, checking = query.flags
    edns = query.udp_size is not None
    header = _HEADER.pack(
        _RESPONSE | (_AUTHORITATIVE if answer.authoritative else 0) | truncated | recursion,
        _RECURSION_AVAILABLE | checking | _RCODES[answer.rcode],
        1,
        len(answer.answers),
        len(answer.authority),
        int(edns),
    )
    wire = [header, query.question]
    wire += _records(query, answer.answers)
    wire += _records(query, answer.authority)
    if edns:
        wire.append(_OPT_OF_ANSWERS)
    return b"".join(wire)


def _records(query: Query, records: Iterable[Record]) -> Iterable[bytes]:
    for record in records:
        # The client's own spelling of the name: clients that randomize its case check that it comes back.
        yield _AT_QUESTION if record.name == query.name else _owner(query, record.name)
        yield dns_rdata.record(record.type, record.ttl, record.value)


def _owner(query: Query, name: str) -> bytes:
    """A record's name: the end of the question's (the zone's of a negative answer), or written out."""
    if name and query.name.endswith("." + name):
        above = query.labels[: len(query.labels) - name.count(".") - 1]
        return struct.pack("!H", _POINTER << 8 | _QUESTION_AT + sum(1 + len(label) for label in above))
    return dns_rdata.name(name)


_RCODES = {rcode: int(dnslib.RCODE.reverse[rcode]) for rcode in Rcode}
_AT_QUESTION = struct.pack("!H", _POINTER << 8 | _QUESTION_AT)
_OPT_OF_ANSWERS = _opt()
