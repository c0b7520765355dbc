"""Target groups from the API's requests (API reference: CreateTargetGroup, ModifyTargetGroup, "Matcher")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.model.elb.attributes import with_attributes
from sandbox.model.elb.config import HealthCheck, TargetGroup
from sandbox.model.elb.errors import not_carried_out, validation_error
from sandbox.model.elb.names import check_name

Request = Mapping[str, Any]

_PROTOCOLS = ("HTTP", "HTTPS")
_HEALTH = {
    "HealthCheckEnabled": "enabled",
    "HealthCheckProtocol": "protocol",
    "HealthCheckPort": "port",
    "HealthCheckPath": "path",
    "HealthCheckIntervalSeconds": "interval",
    "HealthCheckTimeoutSeconds": "timeout",
    "HealthyThresholdCount": "healthy_threshold",
    "UnhealthyThresholdCount": "unhealthy_threshold",
}
_LEAST_STATUS, _MOST_STATUS = 200, 499
_MATCHER = re.compile(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*")
_HIGHEST_PORT = 65_535


def new_group(request: Request, arn: str) -> TargetGroup:
    """What CreateTargetGroup makes; that its VPC exists is for the caller to see to.

    Raises:
        ElbError: ValidationError, or InvalidConfigurationRequest for what is not carried out.
    """
    check_name("Target group", request["Name"])
    target_type = request.get("TargetType", "instance")
    if target_type not in ("instance", "ip"):
        raise not_carried_out(f"target groups with target type '{target_type}'")
    for name, told in (("Protocol", "protocol"), ("Port", "port"), ("VpcId", "VPC ID")):
        if name not in request:
            raise validation_error(f"A {told} must be specified")
    if request["Protocol"] not in _PROTOCOLS:
        raise not_carried_out(
            f"target groups with protocol '{request['Protocol']}' (Network and Gateway Load Balancers)"
        )
    version = request.get("ProtocolVersion") or "HTTP1"  # Terraform sends an empty one
    if version not in ("HTTP1", "HTTP2", "GRPC"):
        raise validation_error(f"Protocol version '{version}' must be one of 'GRPC, HTTP1, HTTP2'")
    if version != "HTTP1":
        raise not_carried_out(f"ProtocolVersion {version}")
    if request.get("IpAddressType", "ipv4") != "ipv4":
        raise not_carried_out(f"IpAddressType {request['IpAddressType']} of target groups")
    if "TargetControlPort" in request:
        raise not_carried_out("TargetControlPort")
    group = TargetGroup(
        arn=arn,
        name=request["Name"],
        protocol=request["Protocol"],
        port=request["Port"],
        target_type=target_type,
        vpc_id=request["VpcId"],
        health_check=_health_check(HealthCheck(), request, target_type),
    )
    return with_attributes(group, ())


def changed_group(group: TargetGroup, request: Request) -> TargetGroup:
    """What ModifyTargetGroup makes of a group.

    Raises:
        ElbError: ValidationError, or InvalidConfigurationRequest for what is not carried out.
    """
    return replace(group, health_check=_health_check(group.health_check, request, group.target_type))


def _health_check(current: HealthCheck, request: Request, target_type: str) -> HealthCheck:
    changes = {own: request[name] for name, own in _HEALTH.items() if name in request}
    matcher = request.get("Matcher", {})
    if "GrpcCode" in matcher:
        raise validation_error("GRPC codes can only be specified for target groups with protocol version 'GRPC'")
    if "HttpCode" in matcher:
        changes["matcher"] = matcher["HttpCode"]
    check = replace(current, **changes)
    if not check.enabled:
        raise validation_error(f"Health check enabled must be true for target groups with target type '{target_type}'")
    if check.protocol not in _PROTOCOLS:
        raise validation_error(f"Health check protocol '{check.protocol}' must be one of '{', '.join(_PROTOCOLS)}'")
    if check.port != "traffic-port" and not _is_port(check.port):
        raise validation_error(
            f"Health check port '{check.port}' must be either 'traffic-port' or in the range '1-{_HIGHEST_PORT}'"
        )
    if not check.path.startswith("/"):
        raise validation_error(f"Health check path '{check.path}' must start with a '/'")
    if check.timeout >= check.interval:
        raise validation_error("Health check interval must be greater than the timeout.")
    _check_matcher(check.matcher)
    return check


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= _HIGHEST_PORT


def _check_matcher(matcher: str) -> None:
    if not _MATCHER.fullmatch(matcher):
        raise validation_error(f"Health check matcher HTTP code '{matcher}' is not valid")
    for part in matcher.split(","):
        first, _, last = part.partition("-")
        last = last or first
        if not _LEAST_STATUS <= int(first) <= int(last) <= _MOST_STATUS:
            raise validation_error(
                f"Health check matcher HTTP code '{part}' must be within '{_LEAST_STATUS}-{_MOST_STATUS}' inclusive"
            )
