"""Elastic Load Balancing's actions on targets.

Guide: "Register targets with your Application Load Balancer target group"; API reference: "TargetDescription".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.aws.backends.ec2_records import Subnet
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.elbv2_state import Answer, ElbActions, Request
from sandbox.model.elb import limits
from sandbox.model.elb.config import TargetGroup
from sandbox.model.elb.errors import not_carried_out
from sandbox.model.elb.target import Target, TargetHealth

_ANYWHERE = "all"
_OUTSIDE = tuple(
    ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
"""Where targets may be that are not in the VPC (RFC 1918, RFC 6598)."""
_NOT_REGISTERED = TargetHealth("unused", "Target.NotRegistered", "Target is not registered to the target group")


class TargetActions(ElbActions):
    """Actions on targets. Which there are, and how they are, is known to who carries traffic alone."""

    def register_targets(self, request: Request, context: RequestContext) -> Answer:
        """RegisterTargets: all of them or none."""
        with self._change() as records:
            group = records.group(request["TargetGroupArn"])
            given = _given(request["Targets"], group)
            zones = self._zones(given, group)
            known = self._state.balancing.health(group.arn)
            staying = {target for target, health in known.items() if health.state != "draining"}
            if len(staying | set(given)) > limits.TARGETS_OF_A_GROUP:
                raise AwsError(
                    "TooManyTargets", f"The maximum number of targets has been reached on target group '{group.arn}'"
                )
            self._state.balancing.register(group.arn, list(given))
            self._state.target_zones.update({(group.arn, target): zone for target, zone in zones.items()})
        return {}

    def _zones(self, given: Mapping[Target, str | None], group: TargetGroup) -> dict[Target, str]:
        """The zones of targets that are addresses outside the VPC; all targets are checked."""
        if group.target_type == "instance":
            self._check_instances(given, group)
            return {}
        zones, subnets = {}, self._target_subnets(group)
        for target, zone in given.items():
            found = _zone_of(target, subnets)
            if found is None:
                zones[target] = _zone_outside(target, zone)
            elif zone not in (None, found):
                raise AwsError(
                    "ValidationError",
                    f"The IP address '{target.id}' is within the VPC, and cannot have its Availability Zone "
                    f"overridden to '{zone}' from '{found}'",
                )
        return zones

    def _check_instances(self, given: Mapping[Target, str | None], group: TargetGroup) -> None:
        ec2, idle = self._state.backend.ec2_records(), []
        for target, zone in given.items():
            if zone is not None:
                raise AwsError(
                    "ValidationError",
                    f"You cannot specify an Availability Zone for the target '{target.id}', an instance",
                )
            instance = ec2.instance(target.id)
            if instance is None:
                raise AwsError("InvalidTarget", f"The following targets do not exist: '{target.id}'")
            if instance.vpc_id != group.vpc_id:
                raise AwsError(
                    "InvalidTarget",
                    f"The following targets are not in the target group VPC '{group.vpc_id}': '{target.id}'",
                )
            if instance.state != "running":
                idle.append(f"'{target.id}'")
        if idle:
            told = ", ".join(dict.fromkeys(idle))
            raise AwsError(
                "InvalidTarget", f"The following targets are not in a running state and cannot be registered: {told}"
            )

    def _target_subnets(self, group: TargetGroup) -> Sequence[Subnet]:
        """Where addresses of a group's targets may be; instances have their own."""
        return self._state.backend.ec2_records().subnets_of(group.vpc_id) if group.target_type == "ip" else []

    def deregister_targets(self, request: Request, context: RequestContext) -> Answer:
        """DeregisterTargets; those that are not registered, perhaps with another port, do not matter (seen)."""
        with self._change() as records:
            group = records.group(request["TargetGroupArn"])
            known = self._state.balancing.health(group.arn)
            leaving = [target for target in _given(request["Targets"], group) if target in known]
            if leaving:
                self._state.balancing.deregister(group.arn, leaving)
        return {}

    def describe_target_health(self, request: Request, context: RequestContext) -> Answer:
        """DescribeTargetHealth: of all targets, or of given ones, which need not be registered."""
        with self._read() as records:
            group = records.group(request["TargetGroupArn"])
            if request.get("Include"):
                raise not_carried_out(f"Include {', '.join(request['Include'])}")
            known = self._state.balancing.health(group.arn)
            asked = list(_given(request["Targets"], group)) if request.get("Targets") else sorted(known)
            subnets, shown = self._target_subnets(group), []
            for target in asked:
                zone = self._state.target_zones.get((group.arn, target)) or _zone_of(target, subnets)
                shown.append(_shown(target, zone, known.get(target, _NOT_REGISTERED), group))
            return {"TargetHealthDescriptions": shown}


def _given(descriptions: Sequence[Mapping[str, Any]], group: TargetGroup) -> dict[Target, str | None]:
    """Targets, each with the zone that is given for it; without a port they have their group's.

    Raises:
        AwsError: ValidationError for what is no target of such a group.
    """
    if not descriptions:
        raise AwsError("ValidationError", "At least one target must be specified")
    given = {}
    for one in descriptions:
        if "QuicServerId" in one:
            raise not_carried_out("QuicServerId")
        _check_id(one["Id"], group)
        given[Target(one["Id"], one.get("Port", group.port))] = one.get("AvailabilityZone")
    return given


def _check_id(id_: str, group: TargetGroup) -> None:
    if group.target_type == "instance":
        if not id_.startswith("i-"):
            raise AwsError("ValidationError", f"Instance ID '{id_}' is not valid")
        return
    try:
        ipaddress.IPv4Address(id_)
    except ValueError:
        raise AwsError("ValidationError", f"The IP address '{id_}' is not a valid IPv4 address") from None


def _zone_of(target: Target, subnets: Sequence[Subnet]) -> str | None:
    """The zone of the subnet that an address is in."""
    if not subnets:
        return None
    address = ipaddress.IPv4Address(target.id)
    return next((subnet.availability_zone for subnet in subnets if address in subnet.network), None)


def _shown(target: Target, zone: str | None, health: TargetHealth, group: TargetGroup) -> Answer:
    port = group.health_check.port
    return {
        "Target": {"Id": target.id, "Port": target.port, "AvailabilityZone": zone},
        "HealthCheckPort": str(target.port) if port == "traffic-port" else port,
        "TargetHealth": {
            "State": health.state,
            "Reason": health.reason or None,
            "Description": health.description or None,
        },
    }


def _zone_outside(target: Target, zone: str | None) -> str:
    """The zone for an address outside the VPC."""
    if not any(ipaddress.IPv4Address(target.id) in block for block in _OUTSIDE):
        raise AwsError(
            "InvalidTarget",
            f"The IP address '{target.id}' is not within the VPC, and not in an allowed range "
            f"({', '.join(map(str, _OUTSIDE))})",
        )
    if zone is None:
        raise AwsError(
            "ValidationError",
            f"The Availability Zone is required for IP address '{target.id}' because it is not in the VPC",
        )
    return zone
