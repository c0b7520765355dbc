"""Attributes of load balancers, target groups and listeners."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.model.elb.attributes import (
    balancer_attributes,
    changed_balancer_attributes,
    listener_attributes,
    refuse_listener_attributes,
    with_attributes,
)
from sandbox.model.elb.config import Attributes, Stickiness, TargetGroup
from sandbox.model.elb.errors import ElbError

PLAIN = with_attributes(TargetGroup("arn", "blue", "HTTP", 80, "ip", "vpc-1"), ())


def pairs(given: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def refusal(call: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(ElbError) as caught:
        call(*arguments)
    return caught.value.code, caught.value.message


def test_a_new_load_balancer_has_aws_s_defaults() -> None:
    made = balancer_attributes("internet-facing")
    assert made == Attributes(raw=made.raw)
    assert made.raw["ipv6.deny_all_igw_traffic"] == "false"
    assert balancer_attributes("internal").raw["ipv6.deny_all_igw_traffic"] == "true"
    assert made.raw["deletion_protection.enabled"] == "false"
    assert len(made.raw) == 23


def test_attributes_that_traffic_shows() -> None:
    changes = {
        "idle_timeout.timeout_seconds": "4000",
        "client_keep_alive.seconds": "60",
        "routing.http2.enabled": "false",
        "routing.http.preserve_host_header.enabled": "true",
        "routing.http.xff_header_processing.mode": "remove",
        "routing.http.xff_client_port.enabled": "true",
        "routing.http.drop_invalid_header_fields.enabled": "true",
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "true",
    }
    old = balancer_attributes("internal")
    changed = changed_balancer_attributes(old, pairs(changes))
    assert changed == Attributes(4000, 60, False, True, "remove", True, True, True, {**old.raw, **changes})


@pytest.mark.parametrize(
    ("key", "value", "code", "message"),
    [
        (
            "idle_timeout.timeout_seconds", "4001", "ValidationError",
            "'idle_timeout.timeout_seconds' value '4001' must be between '1-4000' inclusive",
        ),
        ("idle_timeout.timeout_seconds", "0", "ValidationError", "'idle_timeout"),
        ("idle_timeout.timeout_seconds", "soon", "ValidationError", "'idle_timeout"),
        ("idle_timeout.timeout_seconds", "9" * 5000, "ValidationError", "'idle_timeout"),
        ("idle_timeout.timeout_seconds", "٣٠", "ValidationError", "'idle_timeout"),
        ("routing.http2.enabled", "yes", "ValidationError", "'routing.http2.enabled' value 'yes' must be one of"),
        ("load_balancing.cross_zone.enabled", "false", "ValidationError", "'load_balancing"),
        ("colour", "blue", "ValidationError", "Load balancer attribute key 'colour' is not recognized"),
        ("access_logs.s3.enabled", "true", "ValidationError", "The value of 'access_logs.s3.bucket' cannot be empty"),
        (
            "routing.http.desync_mitigation_mode", "strictest", "InvalidConfigurationRequest",
            "The sandbox does not carry out routing.http.desync_mitigation_mode=strictest yet",
        ),
    ],
)  # fmt: skip
def test_what_a_load_balancer_cannot_have(key: str, value: str, code: str, message: str) -> None:
    told = refusal(changed_balancer_attributes, balancer_attributes("internal"), pairs({key: value}))
    assert told[0] == code
    assert told[1].startswith(message)


def test_twenty_changes_at_once() -> None:
    old = balancer_attributes("internal")
    same = pairs(dict(list(old.raw.items())[:20]))
    assert changed_balancer_attributes(old, same) == old
    code, message = refusal(changed_balancer_attributes, old, pairs(dict(old.raw)))
    assert code == "ValidationError"
    assert message.endswith("Member must have length less than or equal to 20")


def test_a_new_target_group_has_aws_s_defaults() -> None:
    assert PLAIN.stickiness == Stickiness()
    assert (PLAIN.deregistration_delay, PLAIN.slow_start, PLAIN.algorithm) == (300, 0, "round_robin")
    assert PLAIN.attributes["target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"] == "1"
    assert len(PLAIN.attributes) == 14


def test_stickiness_has_the_duration_of_its_type() -> None:
    changes = {
        "stickiness.enabled": "true",
        "stickiness.lb_cookie.duration_seconds": "60",
        "stickiness.app_cookie.duration_seconds": "90",
        "stickiness.app_cookie.cookie_name": "session",
    }
    lb_cookie = with_attributes(PLAIN, pairs(changes))
    assert lb_cookie.stickiness == Stickiness(True, "lb_cookie", 60)
    app_cookie = with_attributes(lb_cookie, pairs({"stickiness.type": "app_cookie"}))
    assert app_cookie.stickiness == Stickiness(True, "app_cookie", 90, "session")
    assert app_cookie.attributes["stickiness.lb_cookie.duration_seconds"] == "60"


def test_draining_slow_start_and_the_algorithm() -> None:
    changed = with_attributes(
        PLAIN, pairs({"deregistration_delay.timeout_seconds": "0", "slow_start.duration_seconds": "30"})
    )
    assert (changed.deregistration_delay, changed.slow_start) == (0, 30)
    assert with_attributes(PLAIN, pairs({"load_balancing.algorithm.type": "least_outstanding_requests"})).algorithm == (
        "least_outstanding_requests"
    )


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        (
            {"deregistration_delay.timeout_seconds": "3601"}, "ValidationError",
            "'deregistration_delay.timeout_seconds' value '3601' must be between '0-3600' inclusive",
        ),
        ({"slow_start.duration_seconds": "29"}, "ValidationError", "'slow_start.duration_seconds' value '29'"),
        ({"stickiness.lb_cookie.duration_seconds": "604801"}, "ValidationError", "'stickiness.lb_cookie"),
        ({"stickiness.type": "source_ip"}, "ValidationError", "'stickiness.type' value 'source_ip'"),
        ({"preserve_client_ip.enabled": "true"}, "ValidationError", "Target group attribute key 'preserve_client_ip"),
        (
            {"slow_start.duration_seconds": "30", "load_balancing.algorithm.type": "least_outstanding_requests"},
            "ValidationError", "Slow start cannot be enabled",
        ),
        (
            {"stickiness.enabled": "true", "stickiness.type": "app_cookie"}, "ValidationError",
            "An application cookie name must be specified",
        ),
        ({"stickiness.app_cookie.cookie_name": "AWSALBAPP-0"}, "ValidationError", "The application cookie name"),
        (
            {"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "2"},
            "InvalidConfigurationRequest", "The sandbox does not carry out target_group_health.unhealthy_state_routing",
        ),
        ({"load_balancing.cross_zone.enabled": "false"}, "InvalidConfigurationRequest", "The sandbox does not carry"),
    ],
)  # fmt: skip
def test_what_a_target_group_cannot_have(changes: dict[str, str], code: str, message: str) -> None:
    told = refusal(with_attributes, PLAIN, pairs(changes))
    assert told[0] == code
    assert told[1].startswith(message)


def test_a_listener_s_headers_stay_as_they_are() -> None:
    assert listener_attributes("HTTP")["routing.http.response.server.enabled"] == "true"
    named = "routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name"
    assert listener_attributes("HTTPS")[named] == "X-Amzn-Mtls-Clientcert-Serial-Number"
    assert named not in listener_attributes("HTTP")
    refuse_listener_attributes("HTTP", pairs({"routing.http.response.server.enabled": "true"}))
    assert refusal(refuse_listener_attributes, "HTTP", pairs({"routing.http.response.server.enabled": "false"})) == (
        "InvalidConfigurationRequest",
        "The sandbox does not carry out routing.http.response.server.enabled=false yet; see docs/fidelity.md.",
    )
    assert refusal(refuse_listener_attributes, "HTTP", pairs({"tcp.idle_timeout.seconds": "60"})) == (
        "ValidationError",
        "Listener attribute key 'tcp.idle_timeout.seconds' is not recognized",
    )
