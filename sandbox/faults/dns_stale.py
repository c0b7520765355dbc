"""DNS that does not see changes: a resolver that keeps an answer longer than its time to live."""

from __future__ import annotations

from sandbox.faults.base import Fault, Reach, Undo
from sandbox.faults.targets import Target, check_name


def inject(reach: Reach, target: Target) -> Undo:
    """Go on answering for a name as now, all types, in the VPC and outside."""
    check_name(reach, target)
    return reach.zones.hold(target.name)


FAULT = Fault("dns-stale", "DNS goes on answering for a name as it did when the fault began.", ("name",), inject)
