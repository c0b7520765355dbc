"""Target groups from requests."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.model.elb.config import HealthCheck
from sandbox.model.elb.errors import ElbError
from sandbox.model.elb.groups import changed_group, new_group

REQUEST: dict[str, Any] = {"Name": "blue", "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1"}


def refused(**more: Any) -> tuple[str, str]:
    request = {name: value for name, value in {**REQUEST, **more}.items() if value is not None}
    with pytest.raises(ElbError) as caught:
        new_group(request, "arn")
    return caught.value.code, caught.value.message


def test_a_group_has_aws_s_defaults() -> None:
    made = new_group(REQUEST, "arn")
    assert (made.arn, made.name, made.protocol, made.port, made.vpc_id) == ("arn", "blue", "HTTP", 80, "vpc-1")
    assert made.target_type == "instance"
    assert made.health_check == HealthCheck(True, "HTTP", "traffic-port", "/", 30, 5, 5, 2, "200")


def test_how_targets_are_checked() -> None:
    checks = {
        "HealthCheckProtocol": "HTTPS",
        "HealthCheckPort": "8081",
        "HealthCheckPath": "/health?deep=1",
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 2,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 3,
        "Matcher": {"HttpCode": "200-299,301"},
    }
    expected = HealthCheck(True, "HTTPS", "8081", "/health?deep=1", 10, 2, 2, 3, "200-299,301")
    made = new_group({**REQUEST, **checks, "TargetType": "ip"}, "arn")
    assert made.health_check == expected
    assert changed_group(new_group(REQUEST, "arn"), checks).health_check == expected
    changed = changed_group(made, {"HealthCheckPath": "/"})
    assert changed.health_check.path == "/"
    assert changed.health_check.interval == 10


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ({"Name": ""}, "ValidationError", "Target group name cannot be empty"),
        ({"Name": "a" * 33}, "ValidationError", f"Target group name '{'a' * 33}' cannot be longer than '32'"),
        ({"Name": "a_b"}, "ValidationError", "Target group name 'a_b' can only contain characters that are"),
        ({"Name": "-a"}, "ValidationError", "Target group name '-a' cannot begin or end with '-'"),
        ({"Protocol": None}, "ValidationError", "A protocol must be specified"),
        ({"Port": None}, "ValidationError", "A port must be specified"),
        ({"VpcId": None}, "ValidationError", "A VPC ID must be specified"),
        ({"TargetType": "lambda"}, "InvalidConfigurationRequest", "The sandbox does not carry out target groups with"),
        ({"TargetType": "alb"}, "InvalidConfigurationRequest", "The sandbox does not carry out target groups with"),
        ({"Protocol": "TCP"}, "InvalidConfigurationRequest", "The sandbox does not carry out target groups with"),
        ({"ProtocolVersion": "GRPC"}, "InvalidConfigurationRequest", "The sandbox does not carry out ProtocolVersion"),
        ({"ProtocolVersion": "HTTP3"}, "ValidationError", "Protocol version 'HTTP3' must be one of"),
        ({"IpAddressType": "ipv6"}, "InvalidConfigurationRequest", "The sandbox does not carry out IpAddressType"),
        ({"TargetControlPort": 3000}, "InvalidConfigurationRequest", "The sandbox does not carry out TargetControl"),
        ({"HealthCheckEnabled": False}, "ValidationError", "Health check enabled must be true for target groups with"),
        ({"HealthCheckProtocol": "TCP"}, "ValidationError", "Health check protocol 'TCP' must be one of"),
        ({"HealthCheckPort": "0"}, "ValidationError", "Health check port '0' must be either 'traffic-port' or"),
        ({"HealthCheckPort": "http"}, "ValidationError", "Health check port 'http' must be either"),
        ({"HealthCheckPath": "health"}, "ValidationError", "Health check path 'health' must start with a '/'"),
        (
            {"HealthCheckTimeoutSeconds": 5, "HealthCheckIntervalSeconds": 5}, "ValidationError",
            "Health check interval must be greater than the timeout.",
        ),
        ({"Matcher": {"HttpCode": "2xx"}}, "ValidationError", "Health check matcher HTTP code '2xx' is not valid"),
        ({"Matcher": {"HttpCode": "200,500"}}, "ValidationError", "Health check matcher HTTP code '500' must be"),
        ({"Matcher": {"HttpCode": "299-200"}}, "ValidationError", "Health check matcher HTTP code '299-200' must be"),
        ({"Matcher": {"GrpcCode": "0"}}, "ValidationError", "GRPC codes can only be specified"),
    ],
)  # fmt: skip
def test_what_is_no_target_group_is_refused(more: dict[str, Any], code: str, message: str) -> None:
    told = refused(**more)
    assert told[0] == code
    assert told[1].startswith(message)
