"""What Systems Manager tells of a command's changes: messages to an SNS topic, and events.

Sources: Systems Manager User Guide, "Example Amazon SNS notifications for AWS Systems Manager", "Monitoring Systems
Manager status changes using Amazon SNS notifications" and "Amazon EventBridge event examples for Systems Manager".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.model.ssm.command import Command
from sandbox.model.ssm.errors import SsmError
from sandbox.model.ssm.invocation import Invocation
from sandbox.model.ssm.shown import iso

COMMAND_CHANGED = "EC2 Command Status-change Notification"
INVOCATION_CHANGED = "EC2 Command Invocation Status-change Notification"

_TOLD = frozenset({"InProgress", "Success", "TimedOut", "Cancelled", "Failed"})  # what All stands for


def check(config: Mapping[str, Any], service_role: str) -> None:
    """Refuse a NotificationConfig that cannot be carried out.

    Raises:
        SsmError: InvalidNotificationConfig or InvalidRole.
    """
    if not config.get("NotificationArn") and not config.get("NotificationEvents"):
        return
    if not str(config.get("NotificationArn", "")).startswith("arn:aws:sns:"):
        raise SsmError("InvalidNotificationConfig", "NotificationArn must be the ARN of an SNS topic.")
    if not config.get("NotificationEvents"):
        raise SsmError("InvalidNotificationConfig", "NotificationEvents is missing.")
    if not service_role.startswith("arn:aws:iam::"):
        raise SsmError("InvalidRole", "The role name can't contain invalid characters. ServiceRoleArn is missing.")


def topic_for(command: Command, kind: str, status: str) -> str:
    """The topic that is to hear of a change ("": none).

    Args:
        command: The command.
        kind: "Command" or "Invocation".
        status: The new Status.
    """
    config = command.request.get("NotificationConfig") or {}
    events = config.get("NotificationEvents") or []
    if config.get("NotificationType", "Command") != kind or status not in (_TOLD if "All" in events else events):
        return ""
    return str(config.get("NotificationArn", ""))


def command_message(command: Command, now: float) -> str:
    """The message of type Command."""
    return json.dumps(
        {
            "commandId": command.id,
            "documentName": command.document,
            "instanceIds": list(command.request.get("InstanceIds") or []),
            "requestedDateTime": iso(command.requested),
            "expiresAfter": iso(command.expires),
            "outputS3BucketName": command.request.get("OutputS3BucketName", ""),
            "outputS3KeyPrefix": command.request.get("OutputS3KeyPrefix", ""),
            "status": command.status,
            "eventTime": iso(now),
        }
    )


def invocation_message(command: Command, invocation: Invocation, now: float) -> str:
    """The message of type Invocation."""
    return json.dumps(
        {
            "commandId": command.id,
            "documentName": command.document,
            "instanceId": invocation.instance_id,
            "requestedDateTime": iso(invocation.requested),
            "status": invocation.status,
            "eventTime": iso(now),
        }
    )


def event(
    command: Command, invocation: Invocation | None, event_id: str, account_id: str, region: str, now: float
) -> dict[str, Any]:
    """The event of a command's change, or of an invocation's."""
    ids = [invocation.instance_id] if invocation else list(command.invocations)
    detail: dict[str, Any] = {"command-id": command.id, "document-name": command.document}
    if invocation is None:
        detail["expire-after"] = iso(command.expires)
        detail["parameters"] = dict(command.request.get("Parameters") or {})
    else:
        detail["instance-id"] = invocation.instance_id
    detail["requested-date-time"] = iso(command.requested)
    detail["status"] = (invocation or command).status
    return {
        "version": "0",
        "id": event_id,
        "detail-type": COMMAND_CHANGED if invocation is None else INVOCATION_CHANGED,
        "source": "aws.ssm",
        "account": account_id,
        "time": iso(now)[:19] + "Z",
        "region": region,
        "resources": [f"arn:aws:ec2:{region}:{account_id}:instance/{one}" for one in ids],
        "detail": detail,
    }
