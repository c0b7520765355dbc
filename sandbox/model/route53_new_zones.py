"""What Route 53 makes of a new hosted zone: its name, its own record sets, and whether its VPC can have it.

API Reference, "CreateHostedZone"; Developer Guide, "DNS domain name format" and "NS and SOA records that Amazon Route
53 creates for a public hosted zone".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sandbox.model.route53 import DEFAULT_TTL_SOA, RecordSet, canonical

NAME_SERVERS = ("ns-2048.awsdns-64.com", "ns-2049.awsdns-65.net", "ns-2050.awsdns-66.org", "ns-2051.awsdns-67.co.uk")
"""Of each new zone without a delegation set; those that AWS's own documentation uses."""

_TTL_NAME_SERVERS = 172800
_MAX_LABEL, _MAX_NAME = 63, 255  # octets; dots count

_OCTET = re.compile(r"\\[0-3][0-7]{2}|.", re.DOTALL)
_AS_IT_IS = re.compile(r"[a-z0-9_-]")


@dataclass(frozen=True, slots=True)
class NewZone:
    """What is asked for.

    Attributes:
        name: From `stored_name`.
        caller_reference: Tells requests apart, for ever.
        comment: Its own, None where it has none.
        private: Whether only VPCs see it.
        vpc: The id of its first VPC, and that one's region; None: it has none yet.
        delegation_set: The id of a reusable delegation set, without a path ("": none).
    """

    name: str
    caller_reference: str
    comment: str | None = None
    private: bool = False
    vpc: tuple[str, str] | None = None
    delegation_set: str = ""


class InvalidNameError(ValueError):
    """A name that no zone can have, in the words that Route 53 has for record sets."""


def stored_name(name: str) -> str:
    r"""A zone's name as Route 53 shows it: lower case, with a dot at its end, and escapes (``\052``) but for a-z, 0-9,
    hyphen and underscore.

    Raises:
        InvalidNameError: A label is empty or longer than 63 octets, the name than 255, or a character beyond the
            printable ones of ASCII is not escaped.
    """
    labels: list[list[str]] = [[]]
    for match in _OCTET.finditer(name.removesuffix(".")):
        octet = match.group()
        if octet == ".":
            labels.append([])
            continue
        if len(octet) == 1 and not "!" <= octet <= "~":
            raise _invalid("UnsupportedCharacter", "Value contains unsupported characters", octet)
        code = int(octet[1:], 8) if len(octet) > 1 else ord(octet)
        character = chr(code).lower() if code < 0x80 else chr(code)
        labels[-1].append(character if _AS_IT_IS.fullmatch(character) else f"\\{ord(character):03o}")
    if not all(labels):
        raise _invalid("DomainLabelEmpty", "Domain label is empty", name)
    if any(len(label) > _MAX_LABEL for label in labels):
        raise _invalid("DomainLabelTooLong", "Domain label is too long", name)
    if sum(len(label) + 1 for label in labels) > _MAX_NAME:
        raise _invalid("DomainTooLong", "Domain name is too long", name)
    return "".join(f"{''.join(label)}." for label in labels)


def conflict(name: str, vpc: str, region: str, zones: Iterable[tuple[str, str, Collection[str]]]) -> str:
    """Why a VPC cannot have a private zone of a name; "" where it can.

    Args:
        name: The zone's.
        vpc: The VPC's id.
        region: Its region.
        zones: Id, name and VPCs of each private zone that there is.
    """
    for zone, other, vpcs in zones:
        if vpc in vpcs and canonical(other) == canonical(name):
            return (
                f"The VPC {vpc} in region {region} has already been associated with the hosted zone {zone} with the "
                "same domain name."
            )
    return ""


def apex_record_sets(name: str) -> tuple[RecordSet, RecordSet]:
    """The NS and SOA record sets of a new zone without a delegation set."""
    soa = f"{NAME_SERVERS[0]}. hostmaster.example.com. 1 7200 900 1209600 86400"
    return RecordSet(name, "NS", _TTL_NAME_SERVERS, NAME_SERVERS), RecordSet(name, "SOA", DEFAULT_TTL_SOA, (soa,))


def _invalid(code: str, meaning: str, where: str) -> InvalidNameError:
    return InvalidNameError(f"FATAL problem: {code} ({meaning}) encountered with '{where}'")
