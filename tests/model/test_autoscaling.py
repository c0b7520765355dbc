"""Auto Scaling's choices, and what it tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.autoscaling import LAUNCHED, Activity, Member, launch_cause, to_terminate, zone_for


def test_zones_in_turn():
    assert zone_for(["a", "b"], []) == "a"
    assert zone_for(["a", "b"], ["a"]) == "b"
    assert zone_for(["a", "b"], ["a", "b", "a"]) == "b"


@pytest.mark.parametrize(
    ("members", "count", "expected"),
    [
        # of the zone with most of them, whatever its age
        ([Member("i-1", "a", 1), Member("i-2", "b", 2), Member("i-3", "b", 3)], 1, ["i-2"]),
        # outdated ones first
        ([Member("i-1", "a", 1), Member("i-2", "b", 2, is_outdated=True)], 1, ["i-2"]),
        # then the oldest
        ([Member("i-2", "a", 2), Member("i-1", "b", 1)], 1, ["i-1"]),
        # protected ones stay, and a zone of them alone is none to choose from
        (
            [Member("i-1", "a", 1, is_protected=True), Member("i-2", "a", 2, False, True), Member("i-3", "b", 3)],
            2,
            ["i-3"],
        ),
        ([Member("i-1", "a", 1)], 3, ["i-1"]),
    ],
)
def test_which_instance_goes_first(members, count, expected):
    assert to_terminate(members, count) == expected


@given(st.integers(1, 20), st.integers(0, 20))
def test_zones_stay_balanced(count, less):
    taken, members = [], []
    for number in range(count):
        zone = zone_for(["a", "b", "c"], taken)
        taken.append(zone)
        members.append(Member(f"i-{number}", zone, number))
    gone = set(to_terminate(members, less))
    assert len(gone) == min(less, count)
    left = [member.zone for member in members if member.instance_id not in gone]
    counts = [left.count(zone) for zone in ("a", "b", "c")]
    assert max(counts) - min(counts) <= 1


def test_what_is_told_of_a_launch():
    cause = launch_cause(0.0, 1, 2)
    activity = Activity("a-1", LAUNCHED, "web", "arn:group", "i-1", "us-east-1a", "subnet-1", cause, 0.0, 5.0)
    event = activity.event("e-1", "123456789012", "us-east-1")
    assert (event["source"], event["detail-type"]) == ("aws.autoscaling", "EC2 Instance Launch Successful")
    assert event["resources"] == ["arn:group", "arn:aws:ec2:us-east-1:123456789012:instance/i-1"]
    detail = event["detail"]
    assert (detail["AutoScalingGroupName"], detail["EC2InstanceId"]) == ("web", "i-1")
    assert detail["Details"] == {"Availability Zone": "us-east-1a", "Subnet ID": "subnet-1"}
    assert "increasing the capacity from 1 to 2" in detail["Cause"]
    assert activity.described()["Description"] == "Launching a new EC2 instance: i-1"
