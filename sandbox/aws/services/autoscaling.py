"""What the backend's Auto Scaling lacks of the API: lifecycle actions, and the activities of groups.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.model.autoscaling import Activity


class Groups(Protocol):
    """Auto Scaling at work; see `sandbox.controllers.auto_scaling`."""

    @property
    def activities(self) -> Sequence[Activity]:
        """Those that have ended, oldest first."""

    def complete(self, group: str, hook: str, result: str, instance_id: str, token: str) -> None:
        """End a lifecycle action."""

    def heartbeat(self, group: str, hook: str, instance_id: str, token: str) -> None:
        """Let the time of a lifecycle action begin anew."""


class AutoScalingService:
    """See the module.

    Args:
        groups: Auto Scaling at work.
    """

    service_name = "autoscaling"
    falls_back = True
    validation_error_code = "ValidationError"

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    def complete_lifecycle_action(self, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        """CompleteLifecycleAction."""
        result = request["LifecycleActionResult"]
        if result not in {"CONTINUE", "ABANDON"}:
            raise AwsError("ValidationError", f"LifecycleActionResult must be CONTINUE or ABANDON, not {result}")
        self._groups.complete(
            request["AutoScalingGroupName"],
            request["LifecycleHookName"],
            result,
            request.get("InstanceId", ""),
            request.get("LifecycleActionToken", ""),
        )
        return {}

    def record_lifecycle_action_heartbeat(self, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        """RecordLifecycleActionHeartbeat."""
        self._groups.heartbeat(
            request["AutoScalingGroupName"],
            request["LifecycleHookName"],
            request.get("InstanceId", ""),
            request.get("LifecycleActionToken", ""),
        )
        return {}

    def describe_scaling_activities(self, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        """DescribeScalingActivities, the newest first: those that have ended."""
        wanted, ids = request.get("AutoScalingGroupName"), request.get("ActivityIds") or []
        found = [
            one.described()
            for one in reversed(list(self._groups.activities))
            if wanted in {None, one.group} and (not ids or one.id in ids)
        ]
        return {"Activities": found[: request.get("MaxRecords", 100)]}
