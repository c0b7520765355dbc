"""AWS::EC2: networks, security groups and launch templates; AWS::AutoScaling's groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.model.cloudformation.document import Path
from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind
from sandbox.model.cloudformation.shapes import Given, PropertyError, UnsupportedError, text_or_kind
from sandbox.model.cloudformation.values import apply, decoded, is_known, joined, text_of
from sandbox.model.own.step import Reference

_EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
_RULE = "CidrIp CidrIpv6 Description FromPort IpProtocol ToPort"
_SOURCES = f"{_RULE} SourcePrefixListId SourceSecurityGroupId SourceSecurityGroupName"
_DESTINATIONS = f"{_RULE} DestinationPrefixListId DestinationSecurityGroupId"


def _tagged(r: Resource, kind_of_resource: str) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in r.tags().items()]
    return {"TagSpecifications": [{"ResourceType": kind_of_resource, "Tags": tags}]} if tags else {}


def _vpc(r: Resource) -> Made:
    answer = r.call("ec2.create_vpc", {**r.given("CidrBlock", "InstanceTenancy"), **_tagged(r, "vpc")})
    vpc = answer("Vpc.VpcId")
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        for given in r.given(name).values():
            r.call("ec2.modify_vpc_attribute", {"VpcId": vpc, name: Given({"Value": given.value}, given.path)})
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    group = r.call("ec2.describe_security_groups", {"Filters": filters})("SecurityGroups.0.GroupId")
    return Made(vpc, {"CidrBlock": r.get("CidrBlock"), "DefaultSecurityGroup": group, "VpcId": vpc})


def _subnet(r: Resource) -> Made:
    answer = r.call("ec2.create_subnet", {**r.given("AvailabilityZone", "CidrBlock", "VpcId"), **_tagged(r, "subnet")})
    subnet = answer("Subnet.SubnetId")
    for given in r.given("MapPublicIpOnLaunch").values():
        value = Given({"Value": given.value}, given.path)
        r.call("ec2.modify_subnet_attribute", {"SubnetId": subnet, "MapPublicIpOnLaunch": value})
    return Made(
        subnet,
        {
            "AvailabilityZone": answer("Subnet.AvailabilityZone"),
            "CidrBlock": r.get("CidrBlock"),
            "SubnetId": subnet,
            "VpcId": r.get("VpcId"),
        },
    )


def _security_group(r: Resource) -> Made:
    vpc = r.get("VpcId", Reference("sandbox.vpc"))  # the sandbox's own is the default one
    answer = r.call(
        "ec2.create_security_group",
        {
            "GroupName": r.named("GroupName"),
            "VpcId": vpc,
            **r.given(GroupDescription="Description"),
            **_tagged(r, "security-group"),
        },
    )
    group = answer("GroupId")
    incoming = [_permission(one, path, _SOURCES) for one, path in r.mappings("SecurityGroupIngress")]
    outgoing = [_permission(one, path, _DESTINATIONS) for one, path in r.mappings("SecurityGroupEgress")]
    if incoming:
        r.call("ec2.authorize_security_group_ingress", {"GroupId": group, "IpPermissions": incoming})
    if outgoing:
        # A rule of the template takes the place of the one that every group begins with.
        r.call("ec2.revoke_security_group_egress", {"GroupId": group, "IpPermissions": [_EVERYTHING]})
        r.call("ec2.authorize_security_group_egress", {"GroupId": group, "IpPermissions": outgoing})
    return Made(group, {"GroupId": group, "VpcId": vpc})


def _permission(rule: Mapping[str, Any], path: Path, known: str) -> dict[str, Any]:
    """A rule as EC2's API has it: its sources are lists of their own."""
    for name in rule:
        if name not in known.split():
            raise UnsupportedError((*path, name), known.split())

    def given(*names: str, **members: str) -> dict[str, Any]:
        wanted = {**{name: name for name in names}, **members}
        return {member: Given(rule[name], (*path, name)) for name, member in wanted.items() if name in rule}

    made: dict[str, Any] = given("IpProtocol", "FromPort", "ToPort")
    text = given("Description")
    groups = given(SourceSecurityGroupId="GroupId", DestinationSecurityGroupId="GroupId")
    for member, found in (
        ("IpRanges", given("CidrIp")),
        ("Ipv6Ranges", given("CidrIpv6")),
        ("UserIdGroupPairs", groups or given(SourceSecurityGroupName="GroupName")),
        ("PrefixListIds", given(SourcePrefixListId="PrefixListId", DestinationPrefixListId="PrefixListId")),
    ):
        if found:
            made[member] = [{**found, **text}]
    return made


def _ingress(r: Resource) -> Made:
    return _rule(r, "ec2.authorize_security_group_ingress", _SOURCES)


def _egress(r: Resource) -> Made:
    return _rule(r, "ec2.authorize_security_group_egress", _DESTINATIONS)


def _rule(r: Resource, operation: str, known: str) -> Made:
    names = {"GroupId", "GroupName"}
    rule = {name: one for name, one in r.properties.items() if name not in names}
    permission = _permission(rule, r.path, known)
    r.call(operation, {**r.given("GroupId", "GroupName"), "IpPermissions": [permission]})
    return Made(r.name())


def _internet_gateway(r: Resource) -> Made:
    gateway = r.call("ec2.create_internet_gateway", _tagged(r, "internet-gateway"))("InternetGateway.InternetGatewayId")
    return Made(gateway, {"InternetGatewayId": gateway})


def _attachment(r: Resource) -> Made:
    r.call("ec2.attach_internet_gateway", r.given("InternetGatewayId", "VpcId"))
    return Made(r.name())


def _route_table(r: Resource) -> Made:
    table = r.call("ec2.create_route_table", {**r.given("VpcId"), **_tagged(r, "route-table")})(
        "RouteTable.RouteTableId"
    )
    return Made(table, {"RouteTableId": table})


_ROUTE = "DestinationCidrBlock DestinationIpv6CidrBlock GatewayId NatGatewayId RouteTableId"


def _route(r: Resource) -> Made:
    r.call("ec2.create_route", r.given(*_ROUTE.split()))
    return Made(r.name(), {"CidrBlock": r.get("DestinationCidrBlock")})


def _association(r: Resource) -> Made:
    answer = r.call("ec2.associate_route_table", r.given("RouteTableId", "SubnetId"))
    return Made(answer("AssociationId"), {"Id": answer("AssociationId")})


def _address(r: Resource) -> Made:
    answer = r.call("ec2.allocate_address", {"Domain": "vpc", **r.given("Domain"), **_tagged(r, "elastic-ip")})
    return Made(answer("PublicIp"), {"AllocationId": answer("AllocationId"), "PublicIp": answer("PublicIp")})


def _nat_gateway(r: Resource) -> Made:
    answer = r.call(
        "ec2.create_nat_gateway",
        {**r.given("AllocationId", "ConnectivityType", "SubnetId"), **_tagged(r, "natgateway")},
    )
    gateway = answer("NatGateway.NatGatewayId")
    r.note("it carries nothing: tasks reach the internet with public addresses alone (AssignPublicIp: ENABLED)")
    return Made(gateway, {"NatGatewayId": gateway})


_ENDPOINT = "PrivateDnsEnabled RouteTableIds SecurityGroupIds ServiceName SubnetIds VpcEndpointType VpcId"


def _endpoint(r: Resource) -> Made:
    answer = r.call(
        "ec2.create_vpc_endpoint",
        {**r.given(*_ENDPOINT.split()), **r.as_json("PolicyDocument"), **_tagged(r, "vpc-endpoint")},
    )
    r.note("it changes nothing: AWS's endpoint is reached from every subnet")
    return Made(answer("VpcEndpoint.VpcEndpointId"), {"Id": answer("VpcEndpoint.VpcEndpointId")})


def _launch_template(r: Resource) -> Made:
    answer = r.call(
        "ec2.create_launch_template",
        {
            "LaunchTemplateName": r.named("LaunchTemplateName", 128),
            **r.given("LaunchTemplateData", "TagSpecifications", "VersionDescription"),
        },
    )
    template = answer("LaunchTemplate.LaunchTemplateId")
    return Made(
        template,
        {
            "DefaultVersionNumber": apply(text_of, answer("LaunchTemplate.DefaultVersionNumber")),
            "LatestVersionNumber": apply(text_of, answer("LaunchTemplate.LatestVersionNumber")),
            "LaunchTemplateId": template,
        },
    )


_LAUNCH = (
    "AssociatePublicIpAddress BlockDeviceMappings EbsOptimized IamInstanceProfile ImageId InstanceType KeyName "
    "SecurityGroups SpotPrice"
)


def _launch_configuration(r: Resource) -> Made:
    name = r.named("LaunchConfigurationName")
    monitoring = Given({"Enabled": r.get("InstanceMonitoring")}, (*r.path, "InstanceMonitoring"))
    r.call(
        "autoscaling.create_launch_configuration",
        {
            "LaunchConfigurationName": name,
            **r.given(*_LAUNCH.split()),
            **({"InstanceMonitoring": monitoring} if "InstanceMonitoring" in r.properties else {}),
            # boto3 encodes it, as it does for no launch template.
            **({"UserData": apply(decoded, r.get("UserData"))} if "UserData" in r.properties else {}),
        },
    )
    return Made(name)


_SCALING = (
    "AvailabilityZones CapacityRebalance DesiredCapacity HealthCheckGracePeriod HealthCheckType "
    "LaunchConfigurationName LaunchTemplate MaxInstanceLifetime MaxSize MinSize NewInstancesProtectedFromScaleIn "
    "PlacementGroup Tags TargetGroupARNs TerminationPolicies"
)


def _scaling_group(r: Resource) -> Made:
    name = r.named("AutoScalingGroupName")
    r.call(
        "autoscaling.create_auto_scaling_group",
        {
            "AutoScalingGroupName": name,
            **r.given(*_SCALING.split(), Cooldown="DefaultCooldown"),
            **({"VPCZoneIdentifier": _joined(r, "VPCZoneIdentifier")} if "VPCZoneIdentifier" in r.properties else {}),
        },
    )
    return Made(name)


def _joined(r: Resource, name: str) -> Any:
    """A list as the text that Auto Scaling's API wants."""
    found = r.get(name)
    if is_known(found) and not isinstance(found, list):
        raise PropertyError((*r.path, name), f"{name} is a list, and not {text_or_kind(found)}")
    return apply(joined, ",", found)


KINDS: dict[str, Kind] = {
    "AWS::AutoScaling::AutoScalingGroup": kind(
        f"{_SCALING} AutoScalingGroupName Cooldown VPCZoneIdentifier", "", _scaling_group
    ),
    "AWS::AutoScaling::LaunchConfiguration": kind(
        f"{_LAUNCH} InstanceMonitoring LaunchConfigurationName UserData", "", _launch_configuration
    ),
    "AWS::EC2::EIP": kind("Domain Tags", "AllocationId PublicIp", _address),
    "AWS::EC2::InternetGateway": kind("Tags", "InternetGatewayId", _internet_gateway),
    "AWS::EC2::LaunchTemplate": kind(
        "LaunchTemplateData LaunchTemplateName TagSpecifications VersionDescription",
        "DefaultVersionNumber LatestVersionNumber LaunchTemplateId",
        _launch_template,
    ),
    "AWS::EC2::NatGateway": kind("AllocationId ConnectivityType SubnetId Tags", "NatGatewayId", _nat_gateway),
    "AWS::EC2::Route": kind(_ROUTE, "CidrBlock", _route),
    "AWS::EC2::RouteTable": kind("Tags VpcId", "RouteTableId", _route_table),
    "AWS::EC2::SecurityGroup": kind(
        "GroupDescription GroupName SecurityGroupEgress SecurityGroupIngress Tags VpcId",
        "GroupId VpcId",
        _security_group,
    ),
    "AWS::EC2::SecurityGroupEgress": kind(f"{_DESTINATIONS} GroupId", "", _egress),
    "AWS::EC2::SecurityGroupIngress": kind(f"{_SOURCES} GroupId GroupName", "", _ingress),
    "AWS::EC2::Subnet": kind(
        "AvailabilityZone CidrBlock MapPublicIpOnLaunch Tags VpcId",
        "AvailabilityZone CidrBlock SubnetId VpcId",
        _subnet,
    ),
    "AWS::EC2::SubnetRouteTableAssociation": kind("RouteTableId SubnetId", "Id", _association),
    "AWS::EC2::VPC": kind(
        "CidrBlock EnableDnsHostnames EnableDnsSupport InstanceTenancy Tags",
        "CidrBlock DefaultSecurityGroup VpcId",
        _vpc,
    ),
    "AWS::EC2::VPCEndpoint": kind(f"{_ENDPOINT} PolicyDocument Tags", "Id", _endpoint),
    "AWS::EC2::VPCGatewayAttachment": kind("InternetGatewayId VpcId", "", _attachment),
}
