"""Functions that cause their own invocation: how Lambda finds that out.

"Use Lambda recursive loop detection to prevent infinite loops": AWS's SDKs send the trace header of an invocation
along, and SQS and SNS keep it, so that Lambda sees how often a function ran in one chain of requests. It stops one that
was invoked "more than approximately 16 times". Chains go through Lambda, SQS and SNS (and S3, which we leave out).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LIMIT = 16
"""Invocations of a function in one chain; the next one is stopped."""

_FUNCTIONS = 32  # a chain's header remembers so many, those that ran most
_VISITED = re.compile(r"Visited=([\w.:,-]+)")
_LINEAGE = re.compile(r"Lineage=[^;]+")


def enter(trace_id: str, function: str) -> tuple[int, str]:
    """How often a function has run in a chain, with this time; and what its own trace header has of the chain.

    Args:
        trace_id: The X-Amzn-Trace-Id of the call that invokes it, or "".
        function: The function's name.
    """
    visits = _visits(trace_id)
    count = visits.pop(function, 0) + 1
    kept = sorted(visits.items(), key=lambda visit: visit[1])[-(_FUNCTIONS - 1) :]
    parts = [match[0] for match in [_LINEAGE.search(trace_id)] if match]
    parts.append("Visited=" + ",".join(f"{name}:{number}" for name, number in [*kept, (function, count)]))
    return count, ";".join(parts)


def deepest(trace_ids: Iterable[str], function: str) -> str:
    """Of the chains that the messages of a batch come from, the one in which a function ran most."""
    return max(trace_ids, key=lambda trace_id: _visits(trace_id).get(function, 0), default="")


def _visits(trace_id: str) -> dict[str, int]:
    match = _VISITED.search(trace_id)
    found = {}
    for part in match[1].split(",") if match else ():
        name, _, number = part.rpartition(":")
        if name and number.isdecimal():
            found[name] = int(number)
    return found
