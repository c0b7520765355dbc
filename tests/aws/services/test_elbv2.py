"""Elastic Load Balancing's API as boto3 sees it: load balancers and their attributes, tags, limits."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.errors import SandboxError
from tests.aws.services.elbv2_control import NOON, Control, controlled, forward, refused

NO_SUCH = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/none/0123456789abcdef"


@pytest.fixture
def control() -> Iterator[Control]:
    with controlled() as made:
        yield made


def test_a_load_balancer_is_made_shown_and_deleted(control: Control) -> None:
    elb, balancing = control.elb, control.balancing
    made = elb.create_load_balancer(
        Name="web", Subnets=control.subnets, SecurityGroups=[control.security_group], Tags=[{"Key": "a", "Value": "b"}]
    )["LoadBalancers"][0]
    arn = made["LoadBalancerArn"]
    assert re.fullmatch(r"arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/[0-9a-f]{16}", arn)
    assert re.fullmatch(r"web-\d{9,10}\.us-east-1\.elb\.amazonaws\.com", made["DNSName"])
    assert made["State"] == {"Code": "provisioning"}
    assert made == {
        "LoadBalancerArn": arn,
        "DNSName": made["DNSName"],
        "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
        "CreatedTime": datetime.fromtimestamp(NOON, UTC),
        "LoadBalancerName": "web",
        "Scheme": "internet-facing",
        "VpcId": control.vpc,
        "State": {"Code": "provisioning"},
        "Type": "application",
        "AvailabilityZones": [
            {"ZoneName": f"us-east-1{zone}", "SubnetId": subnet, "LoadBalancerAddresses": []}
            for zone, subnet in zip("ab", control.subnets, strict=True)
        ],
        "SecurityGroups": [control.security_group],
        "IpAddressType": "ipv4",
    }
    deployed = balancing.balancers[arn]
    assert (deployed.name, deployed.dns_name, deployed.vpc_id) == ("web", made["DNSName"], control.vpc)
    assert (list(deployed.subnets), list(deployed.security_groups)) == (control.subnets, [control.security_group])

    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn])
    (shown,) = elb.describe_load_balancers(Names=["web"])["LoadBalancers"]
    assert shown == {**made, "State": {"Code": "active"}}
    assert elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"] == [{"Key": "a", "Value": "b"}]

    elb.delete_load_balancer(LoadBalancerArn=arn)
    elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[arn])
    assert balancing.calls == [("deploy", arn), ("remove", arn)]
    elb.delete_load_balancer(LoadBalancerArn=arn)
    assert len(balancing.calls) == 2


def test_an_internal_one_in_the_default_security_group(control: Control) -> None:
    made = control.elb.create_load_balancer(
        Name="inside", Scheme="internal", SubnetMappings=[{"SubnetId": subnet} for subnet in control.subnets]
    )["LoadBalancers"][0]
    assert re.fullmatch(r"internal-inside-\d+\.us-east-1\.elb\.amazonaws\.com", made["DNSName"])
    (default,) = [
        group["GroupId"]
        for group in control.aws("ec2").describe_security_groups()["SecurityGroups"]
        if group["VpcId"] == control.vpc and group["GroupName"] == "default"
    ]
    assert made["SecurityGroups"] == [default]


def test_the_same_call_once_more_makes_nothing_new(control: Control) -> None:
    arn = control.balancer(SecurityGroups=[control.security_group])
    again = control.elb.create_load_balancer(
        Name="web", Subnets=control.subnets[::-1], SecurityGroups=[control.security_group]
    )
    assert again["LoadBalancers"][0]["LoadBalancerArn"] == arn
    assert control.balancing.calls == [("deploy", arn)]
    assert refused(control.elb.create_load_balancer, Name="web", Subnets=control.subnets, Scheme="internal") == (
        400, "DuplicateLoadBalancerName", "A load balancer with the same name 'web' exists, but with different settings"
    )  # fmt: skip


def test_subnets_are_those_of_ec2(control: Control) -> None:
    create = control.elb.create_load_balancer
    first, second = control.subnets
    third = control.backend.create_subnet(control.vpc, "10.20.3.0/24", "us-east-1b")
    small = control.backend.create_subnet(control.vpc, "10.20.4.0/28", "us-east-1c")
    other_vpc = control.backend.create_vpc("10.21.0.0/16")
    elsewhere = control.backend.create_subnet(other_vpc, "10.21.1.0/24", "us-east-1c")
    assert refused(create, Name="a", Subnets=[first, "subnet-0f"]) == (
        400, "SubnetNotFound", "The subnet ID 'subnet-0f' does not exist"
    )  # fmt: skip
    assert refused(create, Name="a", Subnets=[first]) == (
        400, "ValidationError", "At least two subnets in two different Availability Zones must be specified"
    )  # fmt: skip
    assert refused(create, Name="a")[1] == "ValidationError"
    assert refused(create, Name="a", Subnets=[first, second, third]) == (
        400, "InvalidConfigurationRequest",
        "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
    )  # fmt: skip
    assert refused(create, Name="a", Subnets=[first, elsewhere])[1] == "InvalidConfigurationRequest"
    for _ in range(4):
        control.backend.enter_interface(control.backend.reserve_interface(small))
    assert refused(create, Name="a", Subnets=[first, small]) == (
        400, "InvalidSubnet",
        f"Not enough IP space available in {small}. ELB requires at least 8 free IP addresses in each subnet.",
    )  # fmt: skip
    assert control.balancing.calls == []


def test_the_internet_needs_a_gateway(control: Control) -> None:
    ec2 = control.aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.22.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.22.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]
        for n, zone in enumerate("ab")
    ]
    ids = [subnet["SubnetId"] for subnet in subnets]
    assert refused(control.elb.create_load_balancer, Name="web", Subnets=ids) == (
        400, "InvalidSubnet", f"VPC {vpc} has no internet gateway"
    )  # fmt: skip
    control.elb.create_load_balancer(Name="inside", Subnets=ids, Scheme="internal")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    control.elb.create_load_balancer(Name="web", Subnets=ids)


def test_security_groups_are_those_of_ec2_and_can_be_changed(control: Control) -> None:
    other_vpc = control.backend.create_vpc("10.21.0.0/16")
    elsewhere = control.backend.create_security_group(other_vpc, "elsewhere", "of another VPC")
    invalid = (400, "InvalidSecurityGroup", "One or more security groups are invalid")
    for groups in (["sg-0f"], [control.security_group, elsewhere]):
        assert refused(control.balancer, SecurityGroups=groups) == invalid
    arn = control.balancer()
    answer = control.elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[control.security_group])
    assert answer["SecurityGroupIds"] == [control.security_group]
    assert list(control.balancing.balancers[arn].security_groups) == [control.security_group]
    assert refused(control.elb.set_security_groups, LoadBalancerArn=arn, SecurityGroups=["sg-0f"]) == invalid


def test_subnets_can_be_changed(control: Control) -> None:
    arn = control.balancer()
    third = control.backend.create_subnet(control.vpc, "10.20.3.0/24", "us-east-1c")
    answer = control.elb.set_subnets(LoadBalancerArn=arn, Subnets=[control.subnets[0], third])
    assert [zone["ZoneName"] for zone in answer["AvailabilityZones"]] == ["us-east-1a", "us-east-1c"]
    assert list(control.balancing.balancers[arn].subnets) == [control.subnets[0], third]
    (shown,) = control.elb.describe_load_balancers()["LoadBalancers"]
    assert [zone["SubnetId"] for zone in shown["AvailabilityZones"]] == [control.subnets[0], third]
    assert refused(control.elb.set_subnets, LoadBalancerArn=arn, Subnets=[third])[1] == "ValidationError"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"Type": "network"}, "load balancers of type 'network'"),
        ({"Type": "gateway"}, "load balancers of type 'gateway'"),
        ({"IpAddressType": "dualstack"}, "IpAddressType dualstack"),
        ({"CustomerOwnedIpv4Pool": "ipv4pool-coip-0"}, "CustomerOwnedIpv4Pool"),
        ({"IpamPools": {"Ipv4IpamPoolId": "ipam-pool-0123456789abcdef0"}}, "IpamPools"),
        ({"EnablePrefixForIpv6SourceNat": "on"}, "EnablePrefixForIpv6SourceNat on"),
        ({"SubnetMappings": [{"SubnetId": "a", "AllocationId": "b"}]}, "SubnetMappings with AllocationId"),
    ],
)
def test_what_is_not_carried_out_is_refused_by_name(control: Control, more: dict[str, Any], told: str) -> None:
    status, code, message = refused(control.elb.create_load_balancer, Name="web", **more)
    assert (status, code) == (400, "InvalidConfigurationRequest")
    assert message.startswith(f"The sandbox does not carry out {told}")


def test_what_is_not_implemented_says_so(control: Control) -> None:
    assert refused(control.elb.modify_capacity_reservation, LoadBalancerArn=NO_SUCH) == (
        501, "NotImplemented", "the sandbox does not implement elbv2 ModifyCapacityReservation"
    )  # fmt: skip
    assert refused(control.elb.describe_trust_stores)[:2] == (501, "NotImplemented")


@pytest.mark.parametrize("name", ["", "a" * 33, "a_b", "-a", "a-", "internal-web"])
def test_what_is_no_name(control: Control, name: str) -> None:
    assert refused(control.balancer, name=name)[:2] == (400, "ValidationError")


def test_what_is_not_there(control: Control) -> None:
    elb = control.elb
    one = (400, "LoadBalancerNotFound", f"Load balancer '{NO_SUCH}' not found")
    assert refused(elb.describe_load_balancer_attributes, LoadBalancerArn=NO_SUCH) == one
    assert refused(elb.set_subnets, LoadBalancerArn=NO_SUCH, Subnets=control.subnets) == one
    assert refused(elb.describe_target_groups, LoadBalancerArn=NO_SUCH) == one
    assert refused(elb.describe_capacity_reservation, LoadBalancerArn=NO_SUCH) == one
    assert refused(elb.describe_tags, ResourceArns=[NO_SUCH]) == one
    assert refused(elb.describe_load_balancers, LoadBalancerArns=[NO_SUCH]) == (
        400, "LoadBalancerNotFound", "One or more load balancers not found"
    )  # fmt: skip
    assert refused(elb.describe_load_balancers, Names=["none"]) == (
        400, "LoadBalancerNotFound", "Load balancers '[none]' not found"
    )  # fmt: skip
    assert refused(elb.delete_load_balancer, LoadBalancerArn="web") == (
        400, "ValidationError", "'web' is not a valid load balancer ARN"
    )  # fmt: skip
    assert refused(elb.describe_load_balancers, Names=["web"], LoadBalancerArns=[NO_SUCH])[1] == "ValidationError"


def test_attributes(control: Control) -> None:
    elb, arn = control.elb, control.balancer()
    shown = {
        one["Key"]: one["Value"] for one in elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    }
    assert shown["idle_timeout.timeout_seconds"] == "60"
    assert shown["load_balancing.cross_zone.enabled"] == "true"
    change = {"Key": "idle_timeout.timeout_seconds", "Value": "5"}
    answer = elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[change])
    assert change in answer["Attributes"]
    assert answer["Attributes"] == elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    assert control.balancing.balancers[arn].attributes.idle_timeout == 5
    bad = [{"Key": "routing.http2.enabled", "Value": "false"}, {"Key": "colour", "Value": "blue"}]
    assert refused(elb.modify_load_balancer_attributes, LoadBalancerArn=arn, Attributes=bad) == (
        400, "ValidationError", "Load balancer attribute key 'colour' is not recognized"
    )  # fmt: skip
    assert control.balancing.balancers[arn].attributes.http2


def test_deletion_protection(control: Control) -> None:
    elb, arn = control.elb, control.balancer()

    def protect(value: str) -> None:
        attributes = [{"Key": "deletion_protection.enabled", "Value": value}]
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)

    protect("true")
    assert refused(elb.delete_load_balancer, LoadBalancerArn=arn) == (
        400, "OperationNotPermitted",
        f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
    )  # fmt: skip
    protect("false")
    elb.delete_load_balancer(LoadBalancerArn=arn)
    assert control.balancing.balancers == {}


def test_the_address_type_is_ipv4(control: Control) -> None:
    arn = control.balancer()
    answer = control.elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")
    assert answer["IpAddressType"] == "ipv4"
    assert refused(control.elb.set_ip_address_type, LoadBalancerArn=arn, IpAddressType="dualstack")[1] == (
        "InvalidConfigurationRequest"
    )


def test_a_call_that_cannot_be_carried_out_changes_nothing(control: Control) -> None:
    elb, balancing = control.elb, control.balancing
    arn, group = control.balancer(), control.group()
    listener = control.listener(arn, DefaultActions=forward(group))
    before = [
        elb.describe_load_balancers()["LoadBalancers"],
        elb.describe_target_groups()["TargetGroups"],
        elb.describe_listeners(LoadBalancerArn=arn)["Listeners"],
    ]
    served, groups = dict(balancing.balancers), dict(balancing.groups)

    def fail(call: str, arn: str) -> None:
        if call in ("deploy", "remove"):
            raise SandboxError("HAProxy does not start")

    balancing.before = fail
    for call, parameters in (
        (elb.create_load_balancer, {"Name": "other", "Subnets": control.subnets}),
        (elb.modify_target_group, {"TargetGroupArn": group, "HealthCheckPath": "/x"}),
        (elb.modify_listener, {"ListenerArn": listener, "Port": 81}),
        (elb.delete_listener, {"ListenerArn": listener}),
        (elb.delete_load_balancer, {"LoadBalancerArn": arn}),
    ):
        with pytest.raises(ClientError, match="HAProxy does not start"):
            call(**parameters)
    balancing.before = lambda call, arn: None
    assert before == [
        elb.describe_load_balancers()["LoadBalancers"],
        elb.describe_target_groups()["TargetGroups"],
        elb.describe_listeners(LoadBalancerArn=arn)["Listeners"],
    ]
    assert (served, groups) == (balancing.balancers, balancing.groups)


def test_reads_do_not_wait_for_a_change_and_changes_do(control: Control) -> None:
    elb, balancing, arn = control.elb, control.balancing, control.balancer()
    begun, go_on = threading.Event(), threading.Event()

    def wait(call: str, arn: str) -> None:
        begun.set()
        assert go_on.wait(20)

    balancing.before = wait
    ports = [80, 80, 81, 82]
    bodies = [[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": str(410 + n)}}] for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = [
            pool.submit(control.listener, arn, port, DefaultActions=body)
            for port, body in zip(ports, bodies, strict=True)
        ]
        assert begun.wait(20)
        assert elb.describe_listeners(LoadBalancerArn=arn)["Listeners"] == []
        go_on.set()
        errors = [one.exception() for one in made]
    assert [type(error).__name__ for error in errors if error] == ["DuplicateListenerException"]
    assert [listener.port for listener in balancing.balancers[arn].listeners] == [80, 81, 82]
    assert len(elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]) == 3


def test_tags(control: Control) -> None:
    elb, arn, group = control.elb, control.balancer(), control.group()
    elb.add_tags(ResourceArns=[arn, group], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "a", "Value": "2"}])
    elb.remove_tags(ResourceArns=[group], TagKeys=["b", "c"])
    assert elb.describe_tags(ResourceArns=[arn, group])["TagDescriptions"] == [
        {"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]},
        {"ResourceArn": group, "Tags": [{"Key": "a", "Value": "1"}]},
    ]
    many = [{"Key": str(n)} for n in range(49)]
    assert refused(elb.add_tags, ResourceArns=[group, arn], Tags=many)[1] == "TooManyTags"
    assert len(elb.describe_tags(ResourceArns=[group])["TagDescriptions"][0]["Tags"]) == 1
    twice = [{"Key": "a"}, {"Key": "a"}]
    assert refused(elb.add_tags, ResourceArns=[arn], Tags=twice)[1] == "DuplicateTagKeys"
    assert control.balancing.calls == [("deploy", arn), ("put_group", group)]


def test_lists_come_in_pages(control: Control) -> None:
    for number in range(5):
        control.group(f"group{number}")
    pages = list(control.elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2}))
    assert [[group["TargetGroupName"][-1] for group in page["TargetGroups"]] for page in pages] == [
        ["0", "1"],
        ["2", "3"],
        ["4"],
    ]
    assert refused(control.elb.describe_target_groups, Marker="x")[1] == "ValidationError"


def test_limits_and_security_policies(control: Control) -> None:
    limits = {limit["Name"]: limit["Max"] for limit in control.elb.describe_account_limits()["Limits"]}
    assert limits["application-load-balancers"] == "50"
    assert limits["condition-values-per-alb-rule"] == "5"
    (policy,) = control.elb.describe_ssl_policies(Names=["ELBSecurityPolicy-2016-08"])["SslPolicies"]
    assert policy["SslProtocols"] == ["TLSv1.2", "TLSv1.1", "TLSv1"]
    assert policy["Ciphers"][0] == {"Name": "ECDHE-ECDSA-AES128-GCM-SHA256", "Priority": 1}
    assert len(control.elb.describe_ssl_policies()["SslPolicies"]) > 10
    assert refused(control.elb.describe_ssl_policies, Names=["x"]) == (
        400, "SSLPolicyNotFound", "SSL policy 'x' not found"
    )  # fmt: skip


def test_the_model_s_constraints_are_told_in_aws_s_words(control: Control) -> None:
    assert refused(control.balancer, Scheme="public") == (
        400, "ValidationError",
        "1 validation error detected: Value 'public' at 'scheme' failed to satisfy constraint: "
        "Member must satisfy enum value set: [internet-facing, internal]",
    )  # fmt: skip
