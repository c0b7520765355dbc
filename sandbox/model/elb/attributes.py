"""Attributes of load balancers, target groups and listeners: which there are, their values, and what they mean.

API reference: "LoadBalancerAttribute", "TargetGroupAttribute", "ListenerAttribute". An attribute that would change what
clients or targets see, and is not carried out, can only be set to what it is by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.model.elb.config import Attributes, Stickiness, TargetGroup
from sandbox.model.elb.errors import not_carried_out, validation_error

Check = Callable[[str, str], None]


@dataclass(frozen=True)
class _Attribute:
    """One attribute: its default, what AWS takes, and, if that is not all of it, what the sandbox carries out."""

    default: str
    check: Check
    carried_out: tuple[str, ...] | None = None


def _one_of(*values: str) -> Check:
    def check(key: str, value: str) -> None:
        if value not in values:
            raise validation_error(f"'{key}' value '{value}' must be one of [{', '.join(values)}]")

    return check


def _between(least: int, most: int, *also: str) -> Check:
    def check(key: str, value: str) -> None:
        if value in also:
            return
        if not (value.isascii() and value.isdecimal() and len(value) < 10 and least <= int(value) <= most):
            raise validation_error(f"'{key}' value '{value}' must be between '{least}-{most}' inclusive")

    return check


def _any(key: str, value: str) -> None:
    """Any text."""


_BOOLEAN = _one_of("true", "false")
_WEEK = 604_800
_TARGETS = 1000
_MOST_CHANGES = 20  # of a load balancer's attributes at once (seen: terraform-provider-aws #46496)
_LOGS = {
    f"{kind}.s3.{name}": _Attribute(default, check)
    for kind in ("access_logs", "connection_logs", "health_check_logs")
    for name, default, check in (("enabled", "false", _BOOLEAN), ("bucket", "", _any), ("prefix", "", _any))
}

_OF_A_BALANCER: Mapping[str, _Attribute] = {
    **_LOGS,
    "client_keep_alive.seconds": _Attribute("3600", _between(60, _WEEK)),
    "deletion_protection.enabled": _Attribute("false", _BOOLEAN),
    "idle_timeout.timeout_seconds": _Attribute("60", _between(1, 4000)),
    "ipv6.deny_all_igw_traffic": _Attribute("false", _BOOLEAN),
    "load_balancing.cross_zone.enabled": _Attribute("true", _one_of("true")),
    "routing.http.desync_mitigation_mode": _Attribute(
        "defensive", _one_of("monitor", "defensive", "strictest"), ("defensive",)
    ),
    "routing.http.drop_invalid_header_fields.enabled": _Attribute("false", _BOOLEAN),
    "routing.http.preserve_host_header.enabled": _Attribute("false", _BOOLEAN),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": _Attribute("false", _BOOLEAN),
    "routing.http.xff_client_port.enabled": _Attribute("false", _BOOLEAN),
    "routing.http.xff_header_processing.mode": _Attribute("append", _one_of("append", "preserve", "remove")),
    "routing.http2.enabled": _Attribute("true", _BOOLEAN),
    "waf.fail_open.enabled": _Attribute("false", _BOOLEAN),
    "zonal_shift.config.enabled": _Attribute("false", _BOOLEAN),
}

_ROUTING = "target_group_health.unhealthy_state_routing.minimum_healthy_targets"
_DNS = "target_group_health.dns_failover.minimum_healthy_targets"
_CROSS_ZONE = "use_load_balancer_configuration"

_OF_A_GROUP: Mapping[str, _Attribute] = {
    "deregistration_delay.timeout_seconds": _Attribute("300", _between(0, 3600)),
    "load_balancing.algorithm.anomaly_mitigation": _Attribute("off", _one_of("on", "off"), ("off",)),
    "load_balancing.algorithm.type": _Attribute(
        "round_robin", _one_of("round_robin", "least_outstanding_requests", "weighted_random")
    ),
    "load_balancing.cross_zone.enabled": _Attribute(
        _CROSS_ZONE, _one_of("true", "false", _CROSS_ZONE), ("true", _CROSS_ZONE)
    ),
    "slow_start.duration_seconds": _Attribute("0", _between(30, 900, "0")),
    "stickiness.app_cookie.cookie_name": _Attribute("", _any),
    "stickiness.app_cookie.duration_seconds": _Attribute("86400", _between(1, _WEEK)),
    "stickiness.enabled": _Attribute("false", _BOOLEAN),
    "stickiness.lb_cookie.duration_seconds": _Attribute("86400", _between(1, _WEEK)),
    "stickiness.type": _Attribute("lb_cookie", _one_of("lb_cookie", "app_cookie")),
    f"{_DNS}.count": _Attribute("1", _between(1, _TARGETS, "off"), ("1",)),
    f"{_DNS}.percentage": _Attribute("off", _between(1, 100, "off"), ("off",)),
    f"{_ROUTING}.count": _Attribute("1", _between(1, _TARGETS), ("1",)),
    f"{_ROUTING}.percentage": _Attribute("off", _between(1, 100, "off"), ("off",)),
}

_ADDED_HEADERS = (
    "access_control_allow_credentials",
    "access_control_allow_headers",
    "access_control_allow_methods",
    "access_control_allow_origin",
    "access_control_expose_headers",
    "access_control_max_age",
    "content_security_policy",
    "strict_transport_security",
    "x_content_type_options",
    "x_frame_options",
)
_OF_A_LISTENER: Mapping[str, _Attribute] = {
    "routing.http.response.server.enabled": _Attribute("true", _BOOLEAN, ("true",)),
    **{f"routing.http.response.{name}.header_value": _Attribute("", _any, ("",)) for name in _ADDED_HEADERS},
}
_NAMED_HEADERS = (
    "X-Amzn-Mtls-Clientcert",
    "X-Amzn-Mtls-Clientcert-Issuer",
    "X-Amzn-Mtls-Clientcert-Leaf",
    "X-Amzn-Mtls-Clientcert-Serial-Number",
    "X-Amzn-Mtls-Clientcert-Subject",
    "X-Amzn-Mtls-Clientcert-Validity",
    "X-Amzn-Tls-Cipher-Suite",
    "X-Amzn-Tls-Version",
)
_OF_AN_HTTPS_LISTENER: Mapping[str, _Attribute] = {
    **_OF_A_LISTENER,
    **{
        f"routing.http.request.{name.lower().replace('-', '_')}.header_name": _Attribute(name, _any, (name,))
        for name in _NAMED_HEADERS
    },
}

_RESERVED_COOKIES = ("AWSALB", "AWSALBAPP", "AWSALBTG")


def balancer_attributes(scheme: str) -> Attributes:
    """Those of a new load balancer."""
    raw = _defaults(_OF_A_BALANCER)
    raw["ipv6.deny_all_igw_traffic"] = "true" if scheme == "internal" else "false"
    return _attributes(raw)


def changed_balancer_attributes(current: Attributes, changes: Sequence[Mapping[str, str]]) -> Attributes:
    """Those of a load balancer after ModifyLoadBalancerAttributes.

    Raises:
        ElbError: ValidationError, InvalidConfigurationRequest.
    """
    if len(changes) > _MOST_CHANGES:
        raise validation_error(
            f"1 validation error detected: Value at 'attributes' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_MOST_CHANGES}"
        )
    raw = _changed("Load balancer", _OF_A_BALANCER, current.raw, changes)
    for kind in ("access_logs", "connection_logs", "health_check_logs"):
        if raw[f"{kind}.s3.enabled"] == "true" and not raw[f"{kind}.s3.bucket"]:
            raise validation_error(f"The value of '{kind}.s3.bucket' cannot be empty if '{kind}.s3.enabled' is true")
    return _attributes(raw)


def _attributes(raw: Mapping[str, str]) -> Attributes:
    return Attributes(
        idle_timeout=int(raw["idle_timeout.timeout_seconds"]),
        client_keep_alive=int(raw["client_keep_alive.seconds"]),
        http2=raw["routing.http2.enabled"] == "true",
        preserve_host_header=raw["routing.http.preserve_host_header.enabled"] == "true",
        xff_header_processing_mode=raw["routing.http.xff_header_processing.mode"],
        xff_client_port=raw["routing.http.xff_client_port.enabled"] == "true",
        drop_invalid_header_fields=raw["routing.http.drop_invalid_header_fields.enabled"] == "true",
        x_amzn_tls_headers=raw["routing.http.x_amzn_tls_version_and_cipher_suite.enabled"] == "true",
        raw=raw,
    )


def with_attributes(group: TargetGroup, changes: Iterable[Mapping[str, str]]) -> TargetGroup:
    """A target group after ModifyTargetGroupAttributes; without changes: with all that it has by default.

    Raises:
        ElbError: ValidationError, InvalidConfigurationRequest.
    """
    raw = _changed("Target group", _OF_A_GROUP, {**_defaults(_OF_A_GROUP), **group.attributes}, changes)
    type_ = raw["stickiness.type"]
    stickiness = Stickiness(
        enabled=raw["stickiness.enabled"] == "true",
        type=type_,
        duration=int(raw[f"stickiness.{type_}.duration_seconds"]),
        cookie_name=raw["stickiness.app_cookie.cookie_name"] if type_ == "app_cookie" else "",
    )
    changed = replace(
        group,
        stickiness=stickiness,
        deregistration_delay=int(raw["deregistration_delay.timeout_seconds"]),
        slow_start=int(raw["slow_start.duration_seconds"]),
        algorithm=raw["load_balancing.algorithm.type"],
        attributes=raw,
    )
    _refuse_combination(changed)
    return changed


def _refuse_combination(group: TargetGroup) -> None:
    """What does not go together (guide: "Edit target group attributes", "Sticky sessions")."""
    if group.slow_start and group.algorithm != "round_robin":
        raise validation_error(
            f"Slow start cannot be enabled for a target group with the load balancing algorithm '{group.algorithm}'"
        )
    name = group.attributes["stickiness.app_cookie.cookie_name"]
    if name.upper().startswith(_RESERVED_COOKIES):
        raise validation_error(
            f"The application cookie name '{name}' is not valid: names that start with "
            f"{', '.join(_RESERVED_COOKIES)} are reserved"
        )
    if group.stickiness.enabled and group.stickiness.type == "app_cookie" and not name:
        raise validation_error("An application cookie name must be specified for stickiness of type 'app_cookie'")


def listener_attributes(protocol: str) -> dict[str, str]:
    """Those of a listener, whose values cannot be other than the default yet."""
    return _defaults(_of_a_listener(protocol))


def refuse_listener_attributes(protocol: str, changes: Iterable[Mapping[str, str]]) -> None:
    """Refuse ModifyListenerAttributes unless it changes nothing.

    Raises:
        ElbError: ValidationError for what AWS does not take, InvalidConfigurationRequest for what is not carried out.
    """
    table = _of_a_listener(protocol)
    _changed("Listener", table, _defaults(table), changes)


def _of_a_listener(protocol: str) -> Mapping[str, _Attribute]:
    return _OF_AN_HTTPS_LISTENER if protocol == "HTTPS" else _OF_A_LISTENER


def _defaults(table: Mapping[str, _Attribute]) -> dict[str, str]:
    return {key: attribute.default for key, attribute in table.items()}


def _changed(
    what: str, table: Mapping[str, _Attribute], current: Mapping[str, str], changes: Iterable[Mapping[str, str]]
) -> dict[str, str]:
    changed = dict(current)
    for change in changes:
        key, value = change.get("Key", ""), change.get("Value", "")
        attribute = table.get(key)
        if attribute is None:
            raise validation_error(f"{what} attribute key '{key}' is not recognized")
        attribute.check(key, value)
        if attribute.carried_out is not None and value not in attribute.carried_out:
            raise not_carried_out(f"{key}={value}")
        changed[key] = value
    return changed
