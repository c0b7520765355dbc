"""ECS's EventBridge events: a task, as DescribeTasks shows it, becomes the event that AWS would send.

Envelope and fields: developer guide "Amazon ECS task state change events". Where documentation and what users have
seen differ, an `EventShape` chooses; a function that survives both is what the sandbox exists to prove.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

DETAIL_TYPE = "ECS Task State Change"
INSTANCE_DETAIL_TYPE = "ECS Container Instance State Change"
SOURCE = "aws.ecs"

TIMES = (
    "connectivityAt",
    "createdAt",
    "executionStoppedAt",
    "pullStartedAt",
    "pullStoppedAt",
    "startedAt",
    "stoppedAt",
    "stoppingAt",
)
# In DescribeTasks but not in the event (healthStatus: containers-roadmap #1515).
_ONLY_IN_API = ("tags", "healthStatus", "platformFamily")


@dataclass(frozen=True)
class EventShape:
    """How the attachments of an event look.

    The default is the documented sample: the network interface first, no private DNS name. The 2024 sample in
    `SEEN_2024` has an attachment of type "elb" with empty details before it, and ``privateDnsName`` inserted before
    ``privateIPv4Address``. AWS promises neither order, so no index is safe.

    Attributes:
        elb_attachment_first: Put an attachment of type "elb" before the network interface, also where the task has no
            target group.
        private_dns_name: Insert ``privateDnsName`` among the interface's details.
    """

    elb_attachment_first: bool = False
    private_dns_name: bool = False


# How events name an attachment's type that the API names otherwise.
_TYPES = {"ElasticNetworkInterface": "eni"}

DOCUMENTED = EventShape()
SEEN_2024 = EventShape(elb_attachment_first=True, private_dns_name=True)


def task_state_change(
    task: Mapping[str, Any], *, event_id: str, now: float, account: str, region: str, shape: EventShape = DOCUMENTED
) -> dict[str, Any]:
    """The "ECS Task State Change" event for ``task``.

    Args:
        task: What `Task.describe` gave.
        event_id: The envelope's id, a UUID.
        now: Seconds since the epoch; the envelope's time and the detail's ``updatedAt``.
        account: Twelve digits.
        region: Such as "us-east-1".
        shape: How attachments look.
    """
    detail = {name: value for name, value in task.items() if name not in _ONLY_IN_API}
    for name in TIMES:
        if name in detail:
            detail[name] = iso(detail[name])
    detail["updatedAt"] = iso(now)
    detail["attachments"] = _attachments(task["attachments"], shape)
    detail["containers"] = [_container(container) for container in task["containers"]]
    detail["overrides"] = {
        name: value for name, value in task["overrides"].items() if name != "inferenceAcceleratorOverrides"
    }
    return {
        "version": "0",
        "id": event_id,
        "detail-type": DETAIL_TYPE,
        "source": SOURCE,
        "account": account,
        "time": iso(now, milliseconds=False),
        "region": region,
        "resources": [task["taskArn"]],
        "detail": detail,
    }


def service_event(
    service_arn: str,
    detail_type: str,
    detail: Mapping[str, Any],
    *,
    event_id: str,
    now: float,
    account: str,
    region: str,
) -> dict[str, Any]:
    """An "ECS Service Action" or "ECS Deployment State Change" event.

    Fields: developer guide "Amazon ECS service action events" and "Amazon ECS service deployment state change events".
    Times in ``detail`` are seconds since the epoch; the other arguments are those of `task_state_change`.
    """
    return {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": SOURCE,
        "account": account,
        "time": iso(now, milliseconds=False),
        "region": region,
        "resources": [service_arn],
        "detail": {name: iso(value) if isinstance(value, float) else value for name, value in detail.items()},
    }


def instance_state_change(
    instance: Mapping[str, Any], cluster_arn: str, *, event_id: str, now: float, account: str, region: str
) -> dict[str, Any]:
    """The "ECS Container Instance State Change" event.

    Fields: developer guide "Amazon ECS container instance state change events".

    Args:
        instance: What `ContainerInstance.describe` gave.
        cluster_arn: Its cluster's.
        event_id: The envelope's id, a UUID.
        now: Seconds since the epoch; the envelope's time and the detail's ``updatedAt``.
        account: Twelve digits.
        region: Such as "us-east-1".
    """
    only_in_api = {"runningTasksCount", "pendingTasksCount", "tags", "attachments"}
    detail = {name: value for name, value in instance.items() if name not in only_in_api}
    detail["registeredAt"] = iso(detail["registeredAt"])
    return {
        "version": "0",
        "id": event_id,
        "detail-type": INSTANCE_DETAIL_TYPE,
        "source": SOURCE,
        "account": account,
        "time": iso(now, milliseconds=False),
        "region": region,
        "resources": [instance["containerInstanceArn"]],
        "detail": {"clusterArn": cluster_arn, **detail, "updatedAt": iso(now)},
    }


def _attachments(attachments: list[Mapping[str, Any]], shape: EventShape) -> list[dict[str, Any]]:
    shown = []
    for attachment in attachments:
        details = [
            dict(detail)
            for detail in attachment["details"]
            if shape.private_dns_name or detail["name"] != "privateDnsName"
        ]
        kind = _TYPES.get(attachment["type"], attachment["type"])
        shown.append({**attachment, "type": kind, "details": details})
    if shape.elb_attachment_first and shown and shown[0]["type"] != "elb":
        # The id only has to be stable and unlike the interface's.
        elb = {"id": shown[0]["id"][::-1], "type": "elb", "status": shown[0]["status"], "details": []}
        shown.insert(0, elb)
    return shown


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    left_out = {"healthStatus"} if container["networkBindings"] else {"healthStatus", "networkBindings"}
    return {name: value for name, value in container.items() if name not in left_out}


def iso(seconds: float, *, milliseconds: bool = True) -> str:
    """``2020-01-23T17:57:58.103Z``, as AWS's events spell times (the envelope's has no fraction).

    A fraction loses its trailing zeros (``05:07:00.61Z`` in a seen event), so that no fixed format parses them all.
    """
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds" if milliseconds else "seconds")
    text = text.removesuffix("+00:00")
    return (text.rstrip("0").removesuffix(".") if milliseconds else text) + "Z"
