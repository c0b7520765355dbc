"""Names and values of records as octets: Route 53's notation to RFC 1035's.

No name is compressed in here (RFC 1035, 4.1.4, leaves that to the writer), so that what a record comes to does not
depend on where it stands and can be kept.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Callable
from functools import lru_cache

import dnslib

from sandbox.model.route53 import canonical

MAX_LABEL, MAX_NAME = 63, 255
"""Octets (RFC 1035, 2.3.4); a name's with the lengths of its labels and the final zero."""

_OCTAL_OR_CHARACTER = re.compile(r"\\([0-3][0-7]{2})|\\(.)|([^\\])", re.DOTALL)
_CHARACTER_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)', re.DOTALL)


@lru_cache(maxsize=16384)
def record(type: str, ttl: int, value: str) -> bytes:
    """A resource record of class IN behind its name: type, class, TTL, length and data.

    Raises:
        Exception: The value is not of the type, or the type is none of ours; one of several built-in classes.
    """
    data = _DATA[type](value)
    return struct.pack("!HHIH", dnslib.QTYPE.reverse[type], 1, ttl, len(data)) + data


def name(text: str) -> bytes:
    """A name in any spelling that `canonical` takes.

    Raises:
        ValueError: It has an empty label, or is too long.
    """
    labels = canonical(text).split(".") if canonical(text) else []
    if not all(labels):  # which would end the name
        raise ValueError(f"empty label in {text!r}")
    wire = b"".join(_string(_octets(label), MAX_LABEL) for label in labels)
    if len(wire) >= MAX_NAME:
        raise ValueError(f"{text!r} is longer than a name may be")
    return wire + b"\0"


def _octets(text: str) -> bytes:
    r"""Route 53's escapes resolved: ``\ooo`` by octal code, ``\x`` is x itself."""
    return b"".join(
        bytes([int(octal, 8)]) if octal else (character or plain).encode()
        for octal, character, plain in _OCTAL_OR_CHARACTER.findall(text)
    )


def _string(octets: bytes, most: int) -> bytes:
    if len(octets) > most:
        raise ValueError(f"more than {most} octets: {octets!r}")
    return bytes([len(octets)]) + octets


def _text(value: str) -> bytes:
    return b"".join(_string(_octets(quoted or bare), 255) for quoted, bare in _CHARACTER_STRING.findall(value))


def _mx(value: str) -> bytes:
    preference, host = value.split()
    return struct.pack("!H", int(preference)) + name(host)


def _srv(value: str) -> bytes:
    priority, weight, port, host = value.split()
    return struct.pack("!3H", int(priority), int(weight), int(port)) + name(host)


def _soa(value: str) -> bytes:
    server, mailbox, *times = value.split()
    return name(server) + name(mailbox) + struct.pack("!5I", *map(int, times))


def _caa(value: str) -> bytes:
    flags, tag, quoted = value.split(maxsplit=2)
    return bytes([int(flags)]) + _string(tag.encode(), 255) + quoted.strip('"').encode()


_DATA: dict[str, Callable[[str], bytes]] = {
    "A": lambda value: ipaddress.IPv4Address(value).packed,
    "AAAA": lambda value: ipaddress.IPv6Address(value).packed,
    "CAA": _caa,
    "CNAME": name,
    "MX": _mx,
    "NS": name,
    "PTR": name,
    "SOA": _soa,
    "SPF": _text,
    "SRV": _srv,
    "TXT": _text,
}
