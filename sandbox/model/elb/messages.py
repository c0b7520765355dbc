"""What happens to a target group's targets, what is to be done about it, and what DescribeTargetHealth says of them.

Source: API reference "TargetHealth"; Application Load Balancer guide, "Health checks for Application Load Balancer
target groups" (reason codes and their descriptions).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.model.elb.config import TargetGroup
from sandbox.model.elb.target import Target, TargetHealth

FULL = 100
"""The weight of a target that gets its full share."""

REGISTRATION = TargetHealth("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = TargetHealth("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
HEALTHY = TargetHealth("healthy")
NOT_IN_USE = TargetHealth(
    "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
)
NOT_REGISTERED = TargetHealth("unused", "Target.NotRegistered", "Target is not registered to the target group")
DRAINING = TargetHealth("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
IP_UNUSABLE = TargetHealth(
    "unused", "Target.IpUnusable", "The IP address cannot be used as a target, as it is in use by a load balancer"
)
TIMED_OUT = TargetHealth("unhealthy", "Target.Timeout", "Request timed out")
FAILED = TargetHealth("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def mismatch(status: int) -> TargetHealth:
    """What a target is whose checks were answered with a status that does not pass."""
    return TargetHealth(
        "unhealthy", "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"
    )


def invalid_state(instance_state: str) -> TargetHealth:
    """What an instance is that does not run: "stopped" or "terminated"."""
    return TargetHealth("unused", "Target.InvalidState", f"Target is in the {instance_state} state")


# -- events --


@dataclass(frozen=True)
class Registered:
    """RegisterTargets named them, in one call."""

    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Deregistered:
    """DeregisterTargets named them."""

    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Checked:
    """A check ended. ``failure`` is one of `TIMED_OUT`, `FAILED`, `mismatch`; None: it has passed.

    ``number`` is that of the `Check`: the outcome of one that was begun before a new registration says nothing.
    """

    target: Target
    number: int
    failure: TargetHealth | None = None


@dataclass(frozen=True)
class Used:
    """A rule of a listener forwards to the group from now on."""


@dataclass(frozen=True)
class Unused:
    """No rule of a listener forwards to the group any more."""


@dataclass(frozen=True)
class Changed:
    """ModifyTargetGroup or ModifyTargetGroupAttributes."""

    group: TargetGroup


@dataclass(frozen=True)
class Idle:
    """No request to a target that drains is in flight any more."""

    target: Target


@dataclass(frozen=True)
class Unusable:
    """A target can get no requests: `IP_UNUSABLE` or `invalid_state`."""

    target: Target
    health: TargetHealth


@dataclass(frozen=True)
class Usable:
    """It can again."""

    target: Target


@dataclass(frozen=True)
class Elapsed:
    """The time of a `Remind` has come."""


Event = Registered | Deregistered | Checked | Used | Unused | Changed | Idle | Unusable | Usable | Elapsed

# -- commands --


@dataclass(frozen=True)
class Add:
    """The load balancer is to know a target; it gets requests when a `Route` has it."""

    target: Target


@dataclass(frozen=True)
class Route:
    """Who gets new requests from now on, with weights up to `FULL`; nobody: the group answers 503."""

    weights: Mapping[Target, int]


@dataclass(frozen=True)
class Check:
    """Send a check now, and say `Checked`."""

    target: Target
    number: int


@dataclass(frozen=True)
class Show:
    """What DescribeTargetHealth says of a target is another now."""

    target: Target
    health: TargetHealth


@dataclass(frozen=True)
class Remove:
    """The load balancer forgets a target; requests in flight get a 502."""

    target: Target


@dataclass(frozen=True)
class Remind:
    """Say `Elapsed` at ``at``."""

    at: float


Command = Add | Route | Check | Show | Remove | Remind
