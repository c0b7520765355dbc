"""The health checks that moto's Route 53 holds, and their statuses, of which moto itself has none."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.aws.account import ACCOUNT_ID
from sandbox.model.cloudmap_messages import PutHealthCheck
from sandbox.model.route53_health import DEFAULT_INTERVAL, DEFAULT_THRESHOLD, ENDPOINT_TYPES, EndpointCheck

Observe = Callable[[str], tuple[str, float] | None]
"""A health check's id -> what its checker has found last ("": a success) and when; None: nothing yet."""


def correct_health_checks() -> None:
    """Let a health check with HTTPS have port 443 where none is given, from now on in this process; moto has 80."""
    from moto.route53.models import HealthCheck

    health_check: Any = HealthCheck
    begin = health_check.__init__

    def with_port(self: Any, health_check_id: str, caller_reference: str, health_check_args: dict[str, Any]) -> None:
        begin(self, health_check_id, caller_reference, health_check_args)
        if not health_check_args.get("port") and str(self.type_).startswith("HTTPS"):
            self.port = 443

    health_check.__init__ = with_port


def endpoint_checks() -> Mapping[str, EndpointCheck]:
    """The health checks of endpoints, by id; those of other types are stored, and are nothing to carry out."""
    held = list(_backend().health_checks.values())
    return {one.id: _endpoint_check(one) for one in held if one.type_ in ENDPOINT_TYPES}


def put_health_check(wanted: PutHealthCheck) -> None:
    """Let Route 53 have a health check of Cloud Map's."""
    from moto.route53.models import HealthCheck

    config = wanted.config
    make: Any = HealthCheck  # its CloudFormation half is abstract in moto, and unused
    _backend().health_checks[wanted.id] = make(
        wanted.id,
        wanted.id,
        {
            "type": config.type,
            "ip_address": wanted.address,
            "port": wanted.port,
            "fqdn": wanted.host,
            "resource_path": None if config.type == "TCP" else config.path or "/",
            "failure_threshold": config.threshold,
            "enable_sni": config.type == "HTTPS",
        },
    )


def remove_health_check(health_check_id: str) -> None:
    """A health check goes away; one that is gone is fine."""
    _backend().health_checks.pop(health_check_id, None)


def show_statuses(observe: Observe) -> None:
    """Let GetHealthCheckStatus answer with what was found, from now on in this process."""
    from moto.core.responses import ActionResult
    from moto.route53.responses import Route53

    def status(self: Any) -> Any:
        return ActionResult({"HealthCheckObservations": _observations(self, observe)})

    responses: Any = Route53
    responses.get_health_check_status = status


def _observations(responses: Any, observe: Observe) -> list[dict[str, Any]]:
    held = responses.backend.get_health_check(responses._get_param("HealthCheckId"))
    found = observe(held.id)
    if found is None:
        return []
    failure, at = found
    report = {
        "Status": f"Failure: {failure}" if failure else "Success",
        "CheckedTime": datetime.datetime.fromtimestamp(at, datetime.UTC),
    }
    return [{"Region": "us-east-1", "IPAddress": held.ip_address, "StatusReport": report}]


def _endpoint_check(held: Any) -> EndpointCheck:
    return EndpointCheck(
        type=held.type_,
        address=held.ip_address or "",
        port=int(held.port),
        host=held.fqdn or "",
        path=held.resource_path or "/",
        search=held.search_string or "",
        interval=float(held.request_interval or DEFAULT_INTERVAL),
        threshold=int(held.failure_threshold or DEFAULT_THRESHOLD),
        inverted=_is_true(held.inverted),
        disabled=_is_true(held.disabled),
        names_host=_is_true(held.enable_sni),
    )


def _is_true(value: Any) -> bool:
    """Moto keeps what the request's XML says, or its own default."""
    return value is True or value == "true"


def _backend() -> Any:
    from sandbox.aws.backends.moto_app import load

    return load("route53")[ACCOUNT_ID]["aws"]
