"""MongoDB's wire protocol: bytes to requests, replies to bytes. No I/O.

Sources: MongoDB Wire Protocol; OP_MSG; OP_QUERY (which MongoDB 7 takes for a driver's first hello only).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

HEADER = struct.Struct("<iiii")
MAX_DOCUMENT = 16 * 1024 * 1024
MAX_MESSAGE = 48_000_000

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
_CHECKSUM_PRESENT, _MORE_TO_COME, _EXHAUST_ALLOWED = 1 << 0, 1 << 1, 1 << 16
_REQUIRED_FLAGS = 0xFFFF  # an unknown one of these makes a message invalid
_BODY, _SEQUENCE = 0, 1

# Dates outside of years 1 to 9999 are legal BSON, and are never looked at here.
OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
_RAW = OPTIONS.with_options(document_class=RawBSONDocument)


class Malformed(Exception):
    """These bytes are no message that MongoDB takes: the connection has to be closed."""


@dataclass(frozen=True)
class Request:
    """A command.

    Attributes:
        number: The client's requestID, which the reply names.
        body: The command. Its first key is the command's name.
        sequences: Document sequences by name, as BSON documents one after the other.
        wants_reply: False for an unacknowledged write.
        exhaust: The client takes several replies to this one request.
        legacy: It came as OP_QUERY.
    """

    number: int
    body: Mapping[str, Any]
    sequences: Mapping[str, bytes] = field(default_factory=dict)
    wants_reply: bool = True
    exhaust: bool = False
    legacy: bool = False

    @property
    def name(self) -> str:
        """The command's name."""
        return next(iter(self.body), "")


def body_length(header: bytes) -> int:
    """How many bytes follow a message's 16 bytes of header.

    Raises:
        Malformed: The length is impossible, or nothing of this kind is taken (TLS, say: it is not waited for).
    """
    (length, _, _, opcode) = HEADER.unpack(header)
    if opcode not in (OP_MSG, OP_QUERY):
        raise Malformed(f"opcode {opcode} is not taken")
    if not HEADER.size <= length <= MAX_MESSAGE:
        raise Malformed(f"recv(): message msgLen {length} is invalid. Min: {HEADER.size} Max: {MAX_MESSAGE}")
    return length - HEADER.size


def parse(header: bytes, content: bytes) -> Request:
    """The request in a whole message, whose header `body_length` has taken.

    Raises:
        Malformed: It is none.
    """
    (_, number, _, opcode) = HEADER.unpack(header)
    try:
        return _message(number, content) if opcode == OP_MSG else _query(number, content)
    except (BSONError, struct.error, ValueError, IndexError, RecursionError) as error:
        raise Malformed(f"invalid message: {error}") from error


def _message(number: int, content: bytes) -> Request:
    (flags,) = struct.unpack_from("<I", content)
    if flags & _REQUIRED_FLAGS & ~(_CHECKSUM_PRESENT | _MORE_TO_COME):
        raise Malformed(f"OP_MSG has flags that nobody knows: {flags:#x}")
    end = len(content) - (4 if flags & _CHECKSUM_PRESENT else 0)
    body: Mapping[str, Any] | None = None
    sequences: dict[str, bytes] = {}
    at = 4
    while at < end:
        kind, start = content[at], at + 1
        at = start + _size(content, start, end)
        if kind == _BODY and body is None:
            body = _document(content[start:at])
        elif kind == _SEQUENCE:
            name, documents = _sequence(content[start + 4 : at])
            if name in sequences:
                raise Malformed(f"two document sequences are called {name}")
            sequences[name] = documents
        else:
            raise Malformed(f"OP_MSG has a section of kind {kind} that does not belong there")
    if body is None:
        raise Malformed("OP_MSG has no body")
    return Request(number, body, sequences, not flags & _MORE_TO_COME, bool(flags & _EXHAUST_ALLOWED))


def _sequence(section: bytes) -> tuple[str, bytes]:
    name, separator, documents = section.partition(b"\0")
    if not separator:
        raise Malformed("a document sequence has no name")
    bson.decode_all(documents, OPTIONS)  # the engine takes these bytes as they are
    return name.decode(), documents


def _query(number: int, content: bytes) -> Request:
    end = content.index(b"\0", 4)
    if not content[4:end].endswith(b".$cmd"):
        raise Malformed("OP_QUERY is taken for commands only")
    start = end + 1 + 8  # numberToSkip and numberToReturn
    size = _size(content, start, len(content))
    body = _document(content[start : start + size])
    return Request(number, body, legacy=True)


def _size(content: bytes, start: int, end: int) -> int:
    (size,) = struct.unpack_from("<i", content, start)
    if size < 5 or start + size > end:
        raise Malformed(f"a section's size does not fit: {size}")
    return size


def _document(content: bytes) -> Mapping[str, Any]:
    bson.decode(content, OPTIONS)  # the engine takes these bytes as they are
    return RawBSONDocument(content, _RAW)


def documents(sequence: bytes) -> list[Mapping[str, Any]]:
    """The documents of a sequence, for looking at: their members stay as they are."""
    found: list[Mapping[str, Any]] = []
    at = 0
    while at < len(sequence):
        size = _size(sequence, at, len(sequence))
        found.append(RawBSONDocument(sequence[at : at + size], _RAW))
        at += size
    return found


def encode(document: Mapping[str, Any]) -> bytes:
    """A document as BSON."""
    return bson.encode(document, codec_options=OPTIONS)


def decode(content: bytes) -> dict[str, Any]:
    """BSON as a document."""
    return bson.decode(content, OPTIONS)


def reply(request: Request, document: bytes, number: int, *, more: bool = False) -> bytes:
    """The bytes of a reply.

    Args:
        request: What is replied to.
        document: The reply, as BSON.
        number: The reply's own requestID.
        more: Another reply to the same request follows.
    """
    if request.legacy:
        content = struct.pack("<iqii", 8, 0, 0, 1) + document  # 8: AwaitCapable, as every reply has it
        opcode = OP_REPLY
    else:
        content = struct.pack("<IB", _MORE_TO_COME if more else 0, _BODY) + document
        opcode = OP_MSG
    return HEADER.pack(HEADER.size + len(content), number, request.number, opcode) + content
