"""Elastic Load Balancing's actions on load balancers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.backends.ec2_records import Subnet
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.elbv2_shown import shown_attributes, shown_balancer, shown_zones
from sandbox.aws.services.elbv2_state import Answer, ElbActions, Request, new_id, paged, tag_map
from sandbox.model.elb.arns import balancer_arn, dns_name, require
from sandbox.model.elb.attributes import balancer_attributes, changed_balancer_attributes
from sandbox.model.elb.config import LoadBalancer
from sandbox.model.elb.errors import not_carried_out
from sandbox.model.elb.names import check_balancer_name
from sandbox.model.elb.records import HeldBalancer, Records

_FREE_ADDRESSES = 8  # that a load balancer needs in each of its subnets
_NOT_CARRIED_OUT: dict[str, Callable[[Any], bool]] = {
    "IpAddressType": lambda value: value != "ipv4",
    "CustomerOwnedIpv4Pool": bool,
    "IpamPools": bool,
    "EnablePrefixForIpv6SourceNat": lambda value: value != "off",
    "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": bool,
}


class BalancerActions(ElbActions):
    """Actions on load balancers and their attributes."""

    def create_load_balancer(self, request: Request, context: RequestContext) -> Answer:
        """CreateLoadBalancer: the same call once more answers with what is there."""
        with self._change() as records:
            if request.get("Type", "application") != "application":
                raise not_carried_out(f"load balancers of type '{request['Type']}'")
            _refuse(request)
            name, tags = request["Name"], tag_map(request.get("Tags", []))
            check_balancer_name(name)
            made = self._made(request, name)
            known = next((held for held in records.balancers.values() if held.balancer.name == name), None)
            if known is not None:
                return self._same(records, known, made, tags)
            arn = made.balancer.arn
            self._state.commit(records.with_new_balancer(made).with_tags(arn, tags))
            return {"LoadBalancers": [shown_balancer(made, "provisioning")]}

    def _made(self, request: Request, name: str) -> HeldBalancer:
        scheme = request.get("Scheme", "internet-facing")
        subnets = self._subnets(request)
        vpc_id = subnets[0].vpc_id
        vpc = self._state.backend.ec2_records().vpc(vpc_id)
        if scheme == "internet-facing" and vpc is not None and not vpc.has_internet_gateway:
            raise AwsError("InvalidSubnet", f"VPC {vpc_id} has no internet gateway")
        balancer = LoadBalancer(
            arn=balancer_arn(REGION, ACCOUNT_ID, name, new_id()),
            name=name,
            dns_name=dns_name(name, secrets.randbelow(2 * 10**9) + 10**8, REGION, scheme),
            scheme=scheme,
            vpc_id=vpc_id,
            subnets=tuple(subnet.id for subnet in subnets),
            security_groups=self._security_groups(request.get("SecurityGroups", []), vpc_id),
            attributes=balancer_attributes(scheme),
        )
        return HeldBalancer(balancer, _zones(subnets), self._state.now())

    def _same(self, records: Records, known: HeldBalancer, made: HeldBalancer, tags: dict[str, str]) -> Answer:
        name = made.balancer.name
        if known.settings() != made.settings() or (tags and tags != records.tags[known.balancer.arn]):
            raise AwsError(
                "DuplicateLoadBalancerName",
                f"A load balancer with the same name '{name}' exists, but with different settings",
            )
        return {"LoadBalancers": [shown_balancer(known)]}

    def _subnets(self, request: Request) -> list[Subnet]:
        """The subnets that a request names: one in each of two zones at least, of one VPC, with free addresses."""
        mappings = request.get("SubnetMappings", [])
        for mapping in mappings:
            for member in mapping:
                if member != "SubnetId":
                    raise not_carried_out(f"SubnetMappings with {member}")
        if mappings and request.get("Subnets"):
            raise AwsError("ValidationError", "You must specify either subnets or subnet mappings, but not both")
        ids = [mapping.get("SubnetId", "") for mapping in mappings] or request.get("Subnets", [])
        ec2, subnets = self._state.backend.ec2_records(), []
        for subnet_id in dict.fromkeys(ids):
            subnet = ec2.subnet(subnet_id)
            if subnet is None:
                raise AwsError("SubnetNotFound", f"The subnet ID '{subnet_id}' does not exist")
            subnets.append(subnet)
        _check_zones(subnets)
        for subnet in subnets:
            if ec2.free_addresses(subnet) < _FREE_ADDRESSES:
                raise AwsError(
                    "InvalidSubnet",
                    f"Not enough IP space available in {subnet.id}. "
                    f"ELB requires at least {_FREE_ADDRESSES} free IP addresses in each subnet.",
                )
        return subnets

    def _security_groups(self, ids: Sequence[str], vpc_id: str) -> tuple[str, ...]:
        ec2 = self._state.backend.ec2_records()
        if not ids:
            default = ec2.default_security_group(vpc_id)
            return (default,) if default else ()
        if any(ec2.security_group_vpc(one) != vpc_id for one in ids):
            raise AwsError("InvalidSecurityGroup", "One or more security groups are invalid")
        return tuple(dict.fromkeys(ids))

    def describe_load_balancers(self, request: Request, context: RequestContext) -> Answer:
        """DescribeLoadBalancers: all, or those of given ARNs or names."""
        with self._read() as records:
            arns, names = request.get("LoadBalancerArns", []), request.get("Names", [])
            if arns and names:
                raise AwsError(
                    "ValidationError", "Load balancer names and load balancer ARNs cannot be specified at the same time"
                )
            found = list(records.balancers.values())
            if arns:
                missing = [arn for arn in arns if require(arn, "load balancer") not in records.balancers]
                if missing:
                    raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
                found = [held for held in found if held.balancer.arn in arns]
            if names:
                missing = sorted(set(names) - {held.balancer.name for held in found})
                if missing:
                    raise AwsError("LoadBalancerNotFound", f"Load balancers '[{', '.join(missing)}]' not found")
                found = [held for held in found if held.balancer.name in names]
            return paged([shown_balancer(held) for held in found], request, "LoadBalancers")

    def delete_load_balancer(self, request: Request, context: RequestContext) -> Answer:
        """DeleteLoadBalancer, with its listeners; one that is not there is gone already."""
        with self._change() as records:
            arn = require(request["LoadBalancerArn"], "load balancer")
            if arn in records.balancers:
                self._state.commit(records.without_balancer(arn))
        return {}

    def describe_load_balancer_attributes(self, request: Request, context: RequestContext) -> Answer:
        """DescribeLoadBalancerAttributes."""
        with self._read() as records:
            return {"Attributes": shown_attributes(records.balancer(request["LoadBalancerArn"]).attributes.raw)}

    def modify_load_balancer_attributes(self, request: Request, context: RequestContext) -> Answer:
        """ModifyLoadBalancerAttributes: all of them or none."""
        with self._change() as records:
            balancer = records.balancer(request["LoadBalancerArn"])
            attributes = changed_balancer_attributes(balancer.attributes, request["Attributes"])
            self._state.commit(records.with_balancer(replace(balancer, attributes=attributes)))
            return {"Attributes": shown_attributes(attributes.raw)}

    def describe_capacity_reservation(self, request: Request, context: RequestContext) -> Answer:
        """DescribeCapacityReservation: nobody can reserve any."""
        with self._read() as records:
            records.balancer(request["LoadBalancerArn"])
            return {"DecreaseRequestsRemaining": 2, "CapacityReservationState": []}

    def set_security_groups(self, request: Request, context: RequestContext) -> Answer:
        """SetSecurityGroups: these instead of those before."""
        with self._change() as records:
            _refuse(request)
            balancer = records.balancer(request["LoadBalancerArn"])
            if not request["SecurityGroups"]:
                raise AwsError("ValidationError", "At least one security group must be specified")
            groups = self._security_groups(request["SecurityGroups"], balancer.vpc_id)
            self._state.commit(records.with_balancer(replace(balancer, security_groups=groups)))
            return {"SecurityGroupIds": list(groups)}

    def set_subnets(self, request: Request, context: RequestContext) -> Answer:
        """SetSubnets: these instead of those before."""
        with self._change() as records:
            _refuse(request)
            held = records.held(request["LoadBalancerArn"])
            subnets = self._subnets(request)
            if subnets[0].vpc_id != held.balancer.vpc_id:
                raise AwsError("InvalidSubnet", f"All subnets must belong to the VPC '{held.balancer.vpc_id}'")
            balancer = replace(held.balancer, subnets=tuple(subnet.id for subnet in subnets))
            changed = replace(held, balancer=balancer, zones=_zones(subnets))
            balancers = {**records.balancers, balancer.arn: changed}
            self._state.commit(replace(records, balancers=balancers))
            return {"AvailabilityZones": shown_zones(changed), "IpAddressType": "ipv4"}

    def set_ip_address_type(self, request: Request, context: RequestContext) -> Answer:
        """SetIpAddressType: ipv4, which is what there is."""
        with self._read() as records:
            _refuse(request)
            records.balancer(request["LoadBalancerArn"])
            return {"IpAddressType": "ipv4"}


def _refuse(request: Request) -> None:
    for name, changes_behaviour in _NOT_CARRIED_OUT.items():
        if name in request and changes_behaviour(request[name]):
            raise not_carried_out(f"{name} {request[name]}")


def _check_zones(subnets: Sequence[Subnet]) -> None:
    zones = {subnet.availability_zone for subnet in subnets}
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise AwsError("InvalidConfigurationRequest", "All subnets must belong to the same VPC")
    if len(zones) < len(subnets):
        raise AwsError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if len(zones) < 2:
        raise AwsError("ValidationError", "At least two subnets in two different Availability Zones must be specified")


def _zones(subnets: Sequence[Subnet]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((subnet.availability_zone, subnet.id) for subnet in subnets))
