"""The action of a rule, from the API's form and back (API reference: "Action" and what it refers to).

Guide: "Action types for listener rules". A rule has one action here: those that would come before it, to authenticate,
are not carried out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.model.elb.arns import require
from sandbox.model.elb.config import Action, FixedResponse, Forward, Redirect
from sandbox.model.elb.errors import ElbError, invalid_action, not_carried_out, validation_error
from sandbox.model.elb.limits import GROUPS_OF_AN_ACTION

Given = Mapping[str, Any]

_CONFIGS = {"forward": "ForwardConfig", "redirect": "RedirectConfig", "fixed-response": "FixedResponseConfig"}
_HEAVIEST = 999
_LONGEST_STICKINESS = 604_800  # seconds: 7 days
_CONTENT_TYPES = ("text/html", "application/json", "application/javascript", "text/css", "text/plain")
_KEYWORD = re.compile(r"#\{([^}]*)\}")
_KEYWORDS = {
    "Host": ("host",),
    "Port": ("port",),
    "Path": ("host", "port", "path"),
    "Query": ("protocol", "host", "port", "path", "query"),
}
_HIGHEST_PORT = 65_535


def parse_action(given: Sequence[Given], protocol: str, port: int) -> Action:
    """What a rule does.

    Args:
        given: The API's actions.
        protocol: The listener's: where a redirect may lead depends on it.
        port: The listener's.

    Raises:
        ElbError: ValidationError, InvalidLoadBalancerAction, TooManyTargetGroups, or InvalidConfigurationRequest for
            what is not carried out.
    """
    for one in given:
        if one["Type"] not in _CONFIGS:
            raise not_carried_out(f"actions of type '{one['Type']}'")
    if not given:
        raise validation_error("An action must be specified")
    if len(given) > 1:
        raise invalid_action(f"You cannot specify multiple of the following action types: '{','.join(_CONFIGS)}'")
    action = given[0]
    kind = action["Type"]
    for other, name in _CONFIGS.items():
        if name in action and other != kind:
            raise invalid_action(f"'{name}' cannot be specified for actions of type '{kind}'")
    if kind == "forward":
        return _forward(action)
    if "TargetGroupArn" in action:
        raise invalid_action(f"'TargetGroupArn' cannot be specified for actions of type '{kind}'")
    config = action.get(_CONFIGS[kind])
    if config is None:
        raise _missing(kind, _CONFIGS[kind])
    return _redirect(config, protocol, port) if kind == "redirect" else _fixed_response(config)


def shown_action(action: Action) -> dict[str, Any]:
    """As DescribeRules and DescribeListeners show it."""
    if isinstance(action, Forward):
        return _shown_forward(action)
    config: dict[str, Any]
    if isinstance(action, Redirect):
        config = {
            "Protocol": action.protocol,
            "Port": action.port,
            "Host": action.host,
            "Path": action.path,
            "Query": action.query,
            "StatusCode": f"HTTP_{action.status}",
        }
        return {"Type": "redirect", "Order": 1, "RedirectConfig": config}
    config = {
        "StatusCode": str(action.status),
        "ContentType": action.content_type or None,
        "MessageBody": action.body or None,
    }
    return {"Type": "fixed-response", "Order": 1, "FixedResponseConfig": config}


def _shown_forward(action: Forward) -> dict[str, Any]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in action.groups]
    enabled = action.stickiness is not None
    stickiness = {"Enabled": enabled, "DurationSeconds": action.stickiness or action.duration}
    return {
        "Type": "forward",
        "Order": 1,
        "TargetGroupArn": action.groups[0][0] if len(action.groups) == 1 else None,
        "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": stickiness},
    }


def _missing(kind: str, field: str) -> ElbError:
    return invalid_action(f"For actions of type '{kind}', you must specify the following fields: '{field}'")


def _forward(action: Given) -> Forward:
    config = action.get("ForwardConfig", {})
    listed = config.get("TargetGroups", [])
    single = action.get("TargetGroupArn")
    if not listed and not single:
        raise _missing("forward", "TargetGroupArn")
    if single and listed and [one.get("TargetGroupArn") for one in listed] != [single]:
        raise invalid_action("The target group ARN must be the only target group of 'ForwardConfig'")
    given = listed or [{"TargetGroupArn": single}]
    if len(given) > GROUPS_OF_AN_ACTION:
        raise ElbError("TooManyTargetGroups", f"An action can only have '{GROUPS_OF_AN_ACTION}' target groups")
    groups = tuple(_weighted(one) for one in given)
    if len({arn for arn, _ in groups}) < len(groups):
        raise invalid_action("A target group was specified more than once in an action")
    stickiness = config.get("TargetGroupStickinessConfig", {})
    return Forward(groups, _group_stickiness(stickiness), stickiness.get("DurationSeconds"))


def _weighted(given: Given) -> tuple[str, int]:
    weight = given.get("Weight", 1)
    if not 0 <= weight <= _HEAVIEST:
        raise validation_error(f"Target group weight '{weight}' must be between '0' and '{_HEAVIEST}'")
    return require(given.get("TargetGroupArn", ""), "target group"), weight


def _group_stickiness(given: Given) -> int | None:
    if not given.get("Enabled", False):
        return None
    duration = given.get("DurationSeconds")
    if duration is None:
        raise validation_error("A duration must be specified when target group stickiness is enabled")
    if not 1 <= duration <= _LONGEST_STICKINESS:
        raise validation_error(
            f"Target group stickiness duration '{duration}' must be between '1' and '{_LONGEST_STICKINESS}' seconds"
        )
    return int(duration)


def _redirect(config: Given, protocol: str, port: int) -> Redirect:
    redirect = Redirect(
        int(config["StatusCode"].removeprefix("HTTP_")),
        config.get("Protocol", Redirect.protocol),
        config.get("Host", Redirect.host),
        config.get("Port", Redirect.port),
        config.get("Path", Redirect.path),
        config.get("Query", Redirect.query),
    )
    for part, allowed in _KEYWORDS.items():
        for keyword in _KEYWORD.findall(config.get(part, "")):
            if keyword not in allowed:
                raise invalid_action(f"The redirect {part.lower()} cannot contain '#{{{keyword}}}'")
    if redirect.port != Redirect.port and not _is_port(redirect.port):
        raise invalid_action(f"The redirect port '{redirect.port}' must be between '1' and '{_HIGHEST_PORT}'")
    if not redirect.path.startswith("/"):
        raise invalid_action(f"The redirect path '{redirect.path}' must start with '/'")
    if protocol == "HTTPS" and redirect.protocol == "HTTP":
        raise invalid_action("You cannot redirect HTTPS to HTTP")
    if _leads_back(redirect, protocol, port):
        raise invalid_action("The redirect configuration is not valid because it creates a loop.")
    return redirect


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= _HIGHEST_PORT


def _leads_back(redirect: Redirect, protocol: str, port: int) -> bool:
    return (
        redirect.protocol in (Redirect.protocol, protocol)
        and redirect.port in (Redirect.port, str(port))
        and redirect.host == Redirect.host
        and redirect.path == Redirect.path
    )


def _fixed_response(config: Given) -> FixedResponse:
    content_type = config.get("ContentType", "")
    if content_type and content_type not in _CONTENT_TYPES:
        listed = ", ".join(f"'{one}'" for one in _CONTENT_TYPES)
        raise invalid_action(f"The ContentType must be one of:{listed}")
    return FixedResponse(int(config["StatusCode"]), content_type, config.get("MessageBody", ""))
