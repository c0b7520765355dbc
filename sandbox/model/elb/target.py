"""A target of a group, and its health; what registers targets needs no more of a load balancer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Target:
    """A target of a group: a private address or an instance's id, and the port that gets requests."""

    id: str
    port: int

    def __str__(self) -> str:
        return f"{self.id}:{self.port}"


@dataclass(frozen=True)
class TargetHealth:
    """What DescribeTargetHealth says of a target (API reference "TargetHealth").

    Attributes:
        state: initial, healthy, unhealthy, unhealthy.draining, unused, draining or unavailable.
        reason: AWS's reason code, such as Target.ResponseCodeMismatch ("" for healthy).
        description: In AWS's words ("" for healthy).
    """

    state: str
    reason: str = ""
    description: str = ""
