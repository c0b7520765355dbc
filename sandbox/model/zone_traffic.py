"""Traffic between Availability Zones: how it is counted at an interface, and what AWS asks for it.

AWS Architecture Blog, "Overview of Data Transfer Costs for Common Architectures"; Amazon EC2 On-Demand Pricing, "Data
transfer within the same AWS Region": what passes from one zone to another is paid for twice, as data out of one and as
data into the other, $0.01 for a GB each in us-east-1; within a zone it is free. Elastic Load Balancing, FAQs: what an
Application Load Balancer and its targets say to each other across zones is not charged.

Each interface counts what it sends to the others' addresses, with the headers of IP: so each byte is counted once.
Segments that the kernel hands over as one packet (GSO) have one header here, and some more on the wire.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

TABLE = "inet zones"
END = f"delete table {TABLE}\n"
READ = ("nft", "-j", "list", "counters", "table", *TABLE.split())

PRICE_PER_GB = 0.01
"""US dollars for a GB in one direction, in us-east-1."""
GB = 10**9
SECONDS_PER_MONTH = 30 * 86_400
_PREFIX = "to-"


@dataclass(frozen=True, slots=True)
class Place:
    """An interface: where it is, and its private address."""

    zone: str
    address: str


def ruleset(own: Place, others: Iterable[Place]) -> str:
    """What nftables is to be told to count, from zero, what ``own`` sends to ``others``, zone by zone ("": all in one).

    It is counted behind the translation of addresses, so that what containers on an instance's bridge send counts as
    the instance's.
    """
    zones: dict[str, list[str]] = {}
    for other in others:
        if other.zone != own.zone:
            zones.setdefault(other.zone, []).append(other.address)
    if not zones:
        return ""
    lines = [f"table {TABLE}\n{END}table {TABLE} {{"]  # the first line lets the second succeed where there is none
    lines += [f"  counter {_PREFIX}{zone} {{ }}" for zone in sorted(zones)]
    lines += ["  chain sent {", "    type filter hook postrouting priority 160; policy accept;"]
    lines += [
        f"    ip saddr {own.address} ip daddr {{ {', '.join(addresses)} }} counter name {_PREFIX}{zone}"
        for zone, addresses in sorted(zones.items())
    ]
    return "\n".join([*lines, "  }", "}\n"])


def counted(listing: str) -> dict[str, int]:
    """The bytes to each zone, from what `READ` prints."""
    counters = [item["counter"] for item in json.loads(listing)["nftables"] if "counter" in item]
    return {counter["name"].removeprefix(_PREFIX): counter["bytes"] for counter in counters}


def monthly_cost(bytes_per_request: float, requests_per_second: float) -> float:
    """US dollars for 30 days in which every request sends so many bytes across zones, in whichever direction."""
    return bytes_per_request * requests_per_second * SECONDS_PER_MONTH / GB * 2 * PRICE_PER_GB
