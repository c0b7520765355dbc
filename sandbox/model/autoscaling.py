"""Auto Scaling groups: where an instance is started, which one is terminated first, and what is told of both.

Sources: Amazon EC2 Auto Scaling User Guide, "Configure termination policies for Amazon EC2 Auto Scaling", "Amazon EC2
Auto Scaling instance lifecycle", "EventBridge event reference"; the words of causes as users have seen them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

COUNTED = frozenset({"Pending", "Pending:Wait", "Pending:Proceed", "InService"})
"""The lifecycle states of instances that count as capacity."""
TERMINATING_FOR = 30.0
"""AWS seconds that an instance is listed as Terminating in its group. Ours: AWS publishes no time."""
HEALTH_CHECK = 60.0
"""AWS seconds until a group sees that an instance does not run any more. Ours: AWS publishes no time."""
LAUNCHED, TERMINATED = "EC2 Instance Launch Successful", "EC2 Instance Terminate Successful"
LAUNCH_ACTION, TERMINATE_ACTION = "EC2 Instance-launch Lifecycle Action", "EC2 Instance-terminate Lifecycle Action"


@dataclass(frozen=True)
class Member:
    """An instance of a group.

    Attributes:
        zone: Its Availability Zone.
        launched: A number that is larger for those launched later.
        is_outdated: It was launched with another launch configuration, template or version than the group has now.
        is_protected: From scale-in.
    """

    instance_id: str
    zone: str
    launched: int
    is_outdated: bool = False
    is_protected: bool = False


def zone_for(zones: Sequence[str], taken: Iterable[str]) -> str:
    """The zone for a new instance: the first of those with the fewest."""
    counts = dict.fromkeys(zones, 0)
    for zone in taken:
        if zone in counts:
            counts[zone] += 1
    return min(zones, key=lambda zone: counts[zone])


def to_terminate(members: Iterable[Member], count: int) -> list[str]:
    """The instances that the default policy terminates: of the zone with most of them, outdated ones first, then the
    oldest, which within its first hour is closest to the next billing hour. Protected ones stay.
    """
    left = list(members)
    chosen: list[str] = []
    while len(chosen) < count:
        in_zone: dict[str, int] = {}
        for one in left:
            in_zone[one.zone] = in_zone.get(one.zone, 0) + 1
        open_ones = [one for one in left if not one.is_protected]
        if not open_ones:
            break
        most = max(in_zone[one.zone] for one in open_ones)
        first = min(
            (one for one in open_ones if in_zone[one.zone] == most),
            key=lambda one: (not one.is_outdated, one.launched),
        )
        left.remove(first)
        chosen.append(first.instance_id)
    return chosen


@dataclass(frozen=True)
class Activity:
    """A scaling activity that has succeeded.

    Attributes:
        kind: `LAUNCHED` or `TERMINATED`.
        started: Seconds since the epoch.
    """

    id: str
    kind: str
    group: str
    group_arn: str
    instance_id: str
    zone: str
    subnet: str
    cause: str
    started: float
    ended: float

    @property
    def description(self) -> str:
        """What was done."""
        verb = "Launching a new" if self.kind == LAUNCHED else "Terminating"
        return f"{verb} EC2 instance: {self.instance_id}"

    def described(self) -> dict[str, Any]:
        """As DescribeScalingActivities shows it."""
        return {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group,
            "AutoScalingGroupARN": self.group_arn,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": self.started,
            "EndTime": self.ended,
            "StatusCode": "Successful",
            "Progress": 100,
            "Details": f'{{"Subnet ID":"{self.subnet}","Availability Zone":"{self.zone}"}}',
        }

    def event(self, event_id: str, account_id: str, region: str) -> dict[str, Any]:
        """The event of it."""
        return envelope(
            event_id,
            self.kind,
            account_id,
            region,
            self.ended,
            (self.group_arn, f"arn:aws:ec2:{region}:{account_id}:instance/{self.instance_id}"),
            {
                "StatusCode": "InProgress",
                "AutoScalingGroupName": self.group,
                "ActivityId": self.id,
                "Details": {"Availability Zone": self.zone, "Subnet ID": self.subnet},
                "RequestId": self.id,
                "StatusMessage": "",
                "StartTime": iso(self.started),
                "EndTime": iso(self.ended),
                "EC2InstanceId": self.instance_id,
                "Cause": self.cause,
                "Description": self.description,
            },
        )


def envelope(
    event_id: str, kind: str, account_id: str, region: str, now: float, resources: Sequence[str], detail: dict[str, Any]
) -> dict[str, Any]:
    """An event of Auto Scaling."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": kind,
        "source": "aws.autoscaling",
        "account": account_id,
        "time": iso(now)[:19] + "Z",
        "region": region,
        "resources": list(resources),
        "detail": detail,
    }


def launch_cause(now: float, before: int, after: int) -> str:
    """Why an instance was launched."""
    return (
        f"At {_second(now)} an instance was started in response to a difference between desired and actual capacity, "
        f"increasing the capacity from {before} to {after}."
    )


def scale_in_cause(now: float, before: int, after: int, instance_id: str) -> str:
    """Why an instance was terminated that was one too many."""
    return (
        f"At {_second(now)} an instance was taken out of service in response to a difference between desired and "
        f"actual capacity, shrinking the capacity from {before} to {after}.  At {_second(now)} instance {instance_id} "
        "was selected for termination."
    )


def unhealthy_cause(now: float, is_gone: bool) -> str:
    """Why an instance was taken out of service that is not well."""
    if is_gone:
        return (
            f"At {_second(now)} an instance was taken out of service in response to an EC2 health check indicating it "
            "has been terminated or stopped."
        )
    return f"At {_second(now)} an instance was taken out of service in response to a user health-check."


def iso(seconds: float) -> str:
    """A time with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _second(seconds: float) -> str:
    return iso(seconds)[:19] + "Z"
