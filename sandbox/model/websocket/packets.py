"""Engine.IO's packets and payloads (protocols 3 and 4), and as much of Socket.IO's as a probe needs.

A packet is a digit and its data; over WebSocket each is a message. Over polling a payload holds several: protocol 4
puts the record separator between them, protocol 3 their length in characters before each ("Engine.IO protocol" and
"Socket.IO protocol", socket.io's documentation).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
SEPARATOR = "\x1e"
LONGEST = 1_000_000  # characters of one packet, as servers limit them (maxHttpBufferSize)


class MalformedPacketError(ValueError):
    """It is no packet of Engine.IO."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet.

    Attributes:
        kind: `OPEN` to `NOOP`, or "b": binary data in base64.
        data: What follows the digit.
    """

    kind: str
    data: str = ""

    def __str__(self) -> str:
        return self.kind + self.data


def decode(text: str) -> Packet:
    """The packet of a message.

    Raises:
        MalformedPacketError: It does not begin with a packet's type.
    """
    if not text or text[0] not in "0123456b":
        raise MalformedPacketError(f"no packet begins with {text[:1]!r}")
    return Packet(text[0], text[1:])


def encode_payload(packets: Iterable[Packet], protocol: int) -> str:
    """The body of a POST."""
    texts = [str(packet) for packet in packets]
    if protocol == 3:
        return "".join(f"{len(text)}:{text}" for text in texts)
    return SEPARATOR.join(texts)


def decode_payload(body: str, protocol: int) -> list[Packet]:
    """The packets of an answer to a poll.

    Raises:
        MalformedPacketError: It is no payload of this protocol.
    """
    if protocol == 3:
        return _with_lengths(body)
    return [decode(part) for part in body.split(SEPARATOR)]


def protocol_of(body: str) -> int | None:
    """Which protocol answers a handshake so: 4, 3, or None, as it is no answer of Engine.IO's."""
    if body.startswith("\0"):  # protocol 3's binary framing, for clients that do not ask for text
        return 3
    for protocol in (4, 3):
        try:
            first = decode_payload(body, protocol)[0]
        except (MalformedPacketError, IndexError):
            continue
        if first.kind == OPEN and opened(first) is not None:
            return protocol
    return None


def opened(packet: Packet) -> dict[str, Any] | None:
    """What an OPEN packet tells (sid, upgrades, pingInterval, pingTimeout in milliseconds), or None: it is none."""
    if packet.kind != OPEN:
        return None
    try:
        told = json.loads(packet.data)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and isinstance(told.get("sid"), str) else None


def ping_interval(told: dict[str, Any] | None) -> float | None:
    """Seconds between pings, as an OPEN packet tells."""
    value = (told or {}).get("pingInterval")
    return value / 1000 if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def event(name: str, data: object) -> Packet:
    """A Socket.IO event of the default namespace."""
    return Packet(MESSAGE, "2" + json.dumps([name, data], separators=(",", ":")))


def event_of(packet: Packet) -> tuple[str, list[Any]] | None:
    """Name and arguments of a Socket.IO event of the default namespace (binary ones with placeholders), or None."""
    if packet.kind != MESSAGE or packet.data[:1] not in {"2", "5"}:
        return None
    begin = packet.data.find("[")
    if begin < 0 or packet.data[1:2] == "/":
        return None
    try:
        content = json.loads(packet.data[begin:])
    except (ValueError, RecursionError):
        return None
    if not content or not isinstance(content, list) or not isinstance(content[0], str):
        return None
    return content[0], content[1:]


def _with_lengths(body: str) -> list[Packet]:
    packets, at = [], 0
    while at < len(body):
        digits, colon, _ = body[at : at + 10].partition(":")
        if not colon or not digits.isascii() or not digits.isdigit() or int(digits) > LONGEST:
            raise MalformedPacketError("a packet's length is missing")
        begin, length = at + len(digits) + 1, int(digits)
        text = body[begin : begin + length]
        if len(text) < length:
            raise MalformedPacketError(f"a packet of {length} characters ends after {len(text)}")
        packets.append(decode(text))
        at = begin + length
    return packets
