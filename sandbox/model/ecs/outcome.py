"""What has become of a deployment, from what DescribeServices shows of its service.

Amazon ECS Developer Guide, "How the Amazon ECS deployment circuit breaker detects failures"; API reference: Deployment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def outcome_of(service: Mapping[str, Any], deployment: str) -> tuple[str, str, str]:
    """The deployment's rollout state, the reason of it, and what became of it ("" as long as that is open).

    Args:
        service: As DescribeServices shows it.
        deployment: The deployment's id. After a roll-back the service shows it no more.

    Returns:
        COMPLETED, IN_PROGRESS or FAILED; ECS's words; "completed", "failed", "rolled back" or "".
    """
    mine = next((one for one in service["deployments"] if one["id"] == deployment), None)
    others = [one for one in service["deployments"] if one["id"] != deployment]
    if mine is not None and mine["rolloutState"] == "COMPLETED":
        return "COMPLETED", mine["rolloutStateReason"], "completed"
    if mine is not None and mine["rolloutState"] == "IN_PROGRESS":
        return "IN_PROGRESS", mine["rolloutStateReason"], ""
    reason = mine["rolloutStateReason"] if mine else _said_of(service, deployment)
    primary = next(one for one in service["deployments"] if one["status"] == "PRIMARY")
    if primary["id"] == deployment and not any(one["rolloutState"] == "IN_PROGRESS" for one in others):
        return "FAILED", reason, "failed"  # there is no roll-back
    if primary["id"] != deployment and primary["rolloutState"] == "COMPLETED":
        return "FAILED", reason, "rolled back"
    return "FAILED", reason, ""


def _said_of(service: Mapping[str, Any], deployment: str) -> str:
    """What the service said last of a deployment that it does not show any more."""
    return next(
        (event["message"] for event in service["events"] if f"(deployment {deployment})" in event["message"]), ""
    )
