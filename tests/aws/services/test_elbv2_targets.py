"""Elastic Load Balancing's API as boto3 sees it: target groups and targets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.model.elb.target import Target, TargetHealth
from tests.aws.services.balancing_recorder import HEALTHY
from tests.aws.services.elbv2_control import Control, controlled, forward, refused

NO_GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/none/0123456789abcdef"


@pytest.fixture
def control() -> Iterator[Control]:
    with controlled() as made:
        yield made


def instance(control: Control, subnet: str) -> str:
    """The id of a new instance."""
    ec2 = control.aws("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, InstanceType="t3.small")
    return str(made["Instances"][0]["InstanceId"])


def states(control: Control, group: str, *targets: dict[str, Any]) -> list[tuple[str, int, str]]:
    asked = {"Targets": list(targets)} if targets else {}
    described = control.elb.describe_target_health(TargetGroupArn=group, **asked)["TargetHealthDescriptions"]
    return [(one["Target"]["Id"], one["Target"]["Port"], one["TargetHealth"]["State"]) for one in described]


def test_a_group_is_made_shown_changed_and_deleted(control: Control) -> None:
    elb, balancing = control.elb, control.balancing
    made = elb.create_target_group(
        Name="blue",
        Protocol="HTTP",
        Port=8080,
        VpcId=control.vpc,
        TargetType="ip",
        Tags=[{"Key": "a", "Value": "b"}],
    )["TargetGroups"][0]
    group = made["TargetGroupArn"]
    assert re.fullmatch(r"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/[0-9a-f]{16}", group)
    assert made == {
        "TargetGroupArn": group,
        "TargetGroupName": "blue",
        "Protocol": "HTTP",
        "Port": 8080,
        "VpcId": control.vpc,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        "HealthCheckPath": "/",
        "Matcher": {"HttpCode": "200"},
        "LoadBalancerArns": [],
        "TargetType": "ip",
        "ProtocolVersion": "HTTP1",
        "IpAddressType": "ipv4",
    }
    assert balancing.groups[group].port == 8080
    arn = control.balancer()
    control.listener(arn, DefaultActions=forward(group))
    for query in ({}, {"Names": ["blue"]}, {"TargetGroupArns": [group]}, {"LoadBalancerArn": arn}):
        assert elb.describe_target_groups(**query)["TargetGroups"] == [{**made, "LoadBalancerArns": [arn]}]

    changed = elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/health", Matcher={"HttpCode": "200-299"})
    assert changed["TargetGroups"][0]["HealthCheckPath"] == "/health"
    assert balancing.groups[group].health_check.path == "/health"
    assert balancing.balancers[arn].groups[group].health_check.matcher == "200-299"
    assert [call[0] for call in balancing.calls[-2:]] == ["put_group", "deploy"]

    assert refused(elb.delete_target_group, TargetGroupArn=group) == (
        400, "ResourceInUse", f"Target group '{group}' is currently in use by a listener or a rule"
    )  # fmt: skip
    elb.delete_load_balancer(LoadBalancerArn=arn)
    elb.delete_target_group(TargetGroupArn=group)
    elb.delete_target_group(TargetGroupArn=group)
    assert balancing.groups == {}


def test_the_same_call_once_more_makes_nothing_new(control: Control) -> None:
    group = control.group()
    assert control.group() == group
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
    control.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=attributes)
    assert control.group() == group
    assert refused(control.group, Port=81) == (
        400, "DuplicateTargetGroupName", "A target group with the same name 'blue' exists, but with different settings"
    )  # fmt: skip


def test_what_is_not_there(control: Control) -> None:
    elb = control.elb
    one = (400, "TargetGroupNotFound", f"Target groups '{NO_GROUP}' not found")
    several = (400, "TargetGroupNotFound", "One or more target groups not found")
    targets = [{"Id": "10.20.1.7"}]
    assert refused(elb.register_targets, TargetGroupArn=NO_GROUP, Targets=targets) == one
    assert refused(elb.deregister_targets, TargetGroupArn=NO_GROUP, Targets=targets) == one
    assert refused(elb.describe_target_health, TargetGroupArn=NO_GROUP) == one
    assert refused(elb.describe_target_group_attributes, TargetGroupArn=NO_GROUP) == one
    assert refused(elb.modify_target_group, TargetGroupArn=NO_GROUP, HealthCheckPath="/") == one
    assert refused(elb.describe_target_groups, TargetGroupArns=[NO_GROUP]) == several
    assert refused(elb.describe_target_groups, Names=["none"]) == several
    assert refused(elb.describe_target_groups, Names=["none"], TargetGroupArns=[NO_GROUP])[1] == "ValidationError"
    assert refused(elb.describe_target_health, TargetGroupArn="x") == (
        400, "ValidationError", "'x' is not a valid target group ARN"
    )  # fmt: skip
    assert refused(control.group, VpcId="vpc-0f") == (400, "ValidationError", "The VPC ID 'vpc-0f' is not found")


def test_lambda_functions_and_other_load_balancers_targets_are_refused_by_name(control: Control) -> None:
    for more in ({"TargetType": "lambda"}, {"TargetType": "alb"}, {"Protocol": "TCP"}, {"ProtocolVersion": "GRPC"}):
        status, code, message = refused(control.group, **more)
        assert (status, code) == (400, "InvalidConfigurationRequest")
        assert message.startswith("The sandbox does not carry out ")


def test_attributes(control: Control) -> None:
    elb, group = control.elb, control.group()
    shown = {
        one["Key"]: one["Value"] for one in elb.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    }
    assert shown["deregistration_delay.timeout_seconds"] == "300"
    assert shown["stickiness.type"] == "lb_cookie"
    changes = [
        {"Key": "stickiness.enabled", "Value": "true"},
        {"Key": "stickiness.lb_cookie.duration_seconds", "Value": "60"},
        {"Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests"},
    ]
    answer = elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=changes)
    assert all(change in answer["Attributes"] for change in changes)
    assert control.balancing.groups[group].stickiness.enabled
    assert control.balancing.groups[group].algorithm == "least_outstanding_requests"
    bad = [{"Key": "stickiness.enabled", "Value": "false"}, {"Key": "slow_start.duration_seconds", "Value": "30"}]
    assert refused(elb.modify_target_group_attributes, TargetGroupArn=group, Attributes=bad)[1] == "ValidationError"
    assert control.balancing.groups[group].stickiness.enabled


def test_targets_come_into_service_and_leave(control: Control) -> None:
    elb, group = control.elb, control.group(HealthCheckPort="9000")
    control.listener(control.balancer(), DefaultActions=forward(group))
    targets = [{"Id": "10.20.1.7"}, {"Id": "10.20.2.7", "Port": 8080}]
    elb.register_targets(TargetGroupArn=group, Targets=targets)
    assert control.balancing.calls[-1] == ("register", group, [Target("10.20.1.7", 80), Target("10.20.2.7", 8080)])
    elb.get_waiter("target_in_service").wait(TargetGroupArn=group, Targets=targets)
    assert elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] == [
        {
            "Target": {"Id": "10.20.1.7", "Port": 80, "AvailabilityZone": "us-east-1a"},
            "HealthCheckPort": "9000",
            "TargetHealth": {"State": "healthy"},
        },
        {
            "Target": {"Id": "10.20.2.7", "Port": 8080, "AvailabilityZone": "us-east-1b"},
            "HealthCheckPort": "9000",
            "TargetHealth": {"State": "healthy"},
        },
    ]
    elb.deregister_targets(TargetGroupArn=group, Targets=targets[:1])
    assert control.balancing.calls[-1] == ("deregister", group, [Target("10.20.1.7", 80)])
    elb.get_waiter("target_deregistered").wait(TargetGroupArn=group, Targets=targets[:1])
    (gone,) = elb.describe_target_health(TargetGroupArn=group, Targets=targets[:1])["TargetHealthDescriptions"]
    assert gone["TargetHealth"] == {
        "State": "unused",
        "Reason": "Target.NotRegistered",
        "Description": "Target is not registered to the target group",
    }
    assert states(control, group) == [("10.20.2.7", 8080, "healthy")]


def test_health_is_what_who_carries_traffic_says(control: Control) -> None:
    group = control.group()
    control.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.20.1.7"}])
    mismatch = TargetHealth("unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]")
    control.balancing.targets[group][Target("10.20.1.7", 80)] = mismatch
    (shown,) = control.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert shown["HealthCheckPort"] == "80"
    assert shown["TargetHealth"] == {
        "State": "unhealthy",
        "Reason": "Target.ResponseCodeMismatch",
        "Description": "Health checks failed with these codes: [500]",
    }


def test_a_target_is_an_id_and_a_port(control: Control) -> None:
    elb, group = control.elb, control.group()
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.20.1.7", "Port": port} for port in (3000, 3001)])
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.20.1.7"}])
    assert states(control, group) == [("10.20.1.7", 3000, "unused"), ("10.20.1.7", 3001, "unused")]
    assert states(control, group, {"Id": "10.20.1.7"}) == [("10.20.1.7", 80, "unused")]
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.20.1.7", "Port": 3001}])
    assert states(control, group) == [("10.20.1.7", 3000, "unused")]


def test_addresses_are_in_the_vpc_or_in_a_private_range_with_a_zone(control: Control) -> None:
    group = control.group()

    def register(address: str, zone: str | None = None) -> Any:
        target = {"Id": address} if zone is None else {"Id": address, "AvailabilityZone": zone}
        return control.elb.register_targets(TargetGroupArn=group, Targets=[target])

    assert refused(register, address="10.99.0.1") == (
        400, "ValidationError",
        "The Availability Zone is required for IP address '10.99.0.1' because it is not in the VPC",
    )  # fmt: skip
    assert refused(register, address="10.20.1.7", zone="all") == (
        400, "ValidationError",
        "The IP address '10.20.1.7' is within the VPC, and cannot have its Availability Zone overridden to 'all' from "
        "'us-east-1a'",
    )  # fmt: skip
    for public in ("8.8.8.8", "127.0.0.1", "169.254.1.1"):
        assert refused(register, address=public, zone="all")[:2] == (400, "InvalidTarget")
    for malformed in ("10.20.1", "i-0123456789abcdef0", "::1", "10.20.1.7:80"):
        assert refused(register, address=malformed) == (
            400, "ValidationError", f"The IP address '{malformed}' is not a valid IPv4 address"
        )  # fmt: skip
    assert control.balancing.targets[group] == {}
    register("10.99.0.1", "all")
    register("100.64.0.1", "us-east-1a")
    register("10.20.1.7", "us-east-1a")
    shown = control.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert {one["Target"]["Id"]: one["Target"]["AvailabilityZone"] for one in shown} == {
        "10.99.0.1": "all",
        "100.64.0.1": "us-east-1a",
        "10.20.1.7": "us-east-1a",
    }


def test_instances_are_those_of_ec2_and_run(control: Control) -> None:
    elb, group = control.elb, control.group(TargetType="instance")
    running, stopped = instance(control, control.subnets[0]), instance(control, control.subnets[0])
    control.aws("ec2").stop_instances(InstanceIds=[stopped])
    other_vpc = control.backend.create_vpc("10.21.0.0/16")
    elsewhere = instance(control, control.backend.create_subnet(other_vpc, "10.21.1.0/24", "us-east-1a"))

    def register(*ids: str, **more: Any) -> Any:
        return elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one, **more} for one in ids])

    register(running, Port=32768)
    register(running, Port=32769)
    assert states(control, group) == [(running, 32768, "unused"), (running, 32769, "unused")]
    (shown, _) = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert shown["Target"] == {"Id": running, "Port": 32768}
    with pytest.raises(Exception, match="InvalidTarget") as caught:
        register(running, stopped)
    assert f"The following targets are not in a running state and cannot be registered: '{stopped}'" in str(
        caught.value
    )
    for missing in ("i-0123456789abcdef0", elsewhere):
        with pytest.raises(Exception, match="InvalidTarget"):
            register(missing)
    with pytest.raises(Exception, match=r"Instance ID .* is not valid"):
        register("10.20.1.7")
    assert len(control.balancing.targets[group]) == 2


def test_a_group_has_a_thousand_targets_at_most(control: Control) -> None:
    group = control.group()
    ids = [f"10.20.{1 + n // 200}.{n % 200 + 10}" for n in range(200)]
    full = {Target(id_, 8000 + n): HEALTHY for n, id_ in enumerate(ids * 5)}
    control.balancing.targets[group] = full
    known, other = [{"Id": ids[0], "Port": 8000}], [{"Id": ids[0], "Port": 1}]
    control.elb.register_targets(TargetGroupArn=group, Targets=known)
    assert refused(control.elb.register_targets, TargetGroupArn=group, Targets=other)[1] == "TooManyTargets"
    full[Target(ids[1], 8001)] = TargetHealth("draining", "Target.DeregistrationInProgress", "")
    control.elb.register_targets(TargetGroupArn=group, Targets=other)


def test_what_ecs_asks_of_a_group(control: Control) -> None:
    group = control.group()
    found = control.service.find_group(group)
    assert found is not None
    assert (found.target_type, found.vpc_id) == ("ip", control.vpc)
    assert not control.service.has_balancer(group)
    listener = control.listener(control.balancer(), DefaultActions=forward(group))
    assert control.service.has_balancer(group)
    control.elb.delete_listener(ListenerArn=listener)
    control.rule(control.listener(control.balancer("other")), 1, actions=forward(group))
    assert control.service.has_balancer(group)
    assert control.service.find_group(NO_GROUP) is None
    assert not control.service.has_balancer(NO_GROUP)
