"""Lambda@Edge: which functions a cache behaviour may be associated with.

Amazon CloudFront Developer Guide, "Restrictions on Lambda@Edge", "Restrictions on all edge functions", "Quotas on
Lambda@Edge"; API reference, LambdaFunctionAssociation. What functions are told is in `lambda_events`, what they may
answer in `lambda_results`, and which one runs when in `lambda_exchange`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.model.cloudfront.errors import CloudFrontError, not_carried_out
from sandbox.model.cloudfront.policies import items

Trigger = Literal["viewer-request", "origin-request", "origin-response", "viewer-response"]

TRIGGERS: tuple[Trigger, ...] = ("viewer-request", "origin-request", "origin-response", "viewer-response")
REGION = "us-east-1"
PRINCIPALS = frozenset(("lambda.amazonaws.com", "edgelambda.amazonaws.com"))
_ARN = re.compile(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):(\d{12}):function:([A-Za-z0-9_-]+)(?::([$A-Za-z0-9_-]+))?")
_EPHEMERAL = 512  # MB


@dataclass(frozen=True, slots=True)
class Quota:
    """What "Quotas that differ by event type" says.

    Attributes:
        memory: MB of a function's memory; None: as Lambda's own.
        timeout: Seconds.
        package: Bytes of the function with its libraries, compressed.
        response: Bytes of a generated response, headers and body.
        body: Bytes of a request's body that a function sees, or gives as text.
    """

    memory: int | None
    timeout: int
    package: int
    response: int
    body: int


_VIEWER = Quota(128, 5, 1 << 20, 40 << 10, 40 << 10)
_ORIGIN = Quota(None, 30, 50 << 20, 1 << 20, 1 << 20)


def quota(trigger: Trigger) -> Quota:
    """The quotas of an event type."""
    return _VIEWER if trigger.startswith("viewer") else _ORIGIN


@dataclass(frozen=True, slots=True)
class Association:
    """A LambdaFunctionAssociation.

    Attributes:
        arn: Of a version of a function.
        include_body: Whether the function sees the request's body.
    """

    trigger: Trigger
    arn: str
    include_body: bool = False


@dataclass(frozen=True, slots=True)
class EdgeFunction:
    """What Lambda says of a version of a function.

    Attributes:
        runtime: "python3.12".
        memory: MB.
        timeout: Seconds.
        package: Bytes of its ZIP file.
        variables: Whether it has environment variables.
        layers, dead_letters, in_vpc, traced: Whether it has layers, a dead-letter queue, a VPC, X-Ray.
        architecture: "x86_64" or "arm64".
        storage: MB of /tmp.
        role: Its execution role's ARN.
        principals: The services that may assume that role; None where there is no such role to be looked at.
    """

    runtime: str = "python3.12"
    memory: int = 128
    timeout: int = 3
    package: int = 0
    variables: bool = False
    layers: bool = False
    dead_letters: bool = False
    in_vpc: bool = False
    traced: bool = False
    architecture: str = "x86_64"
    storage: int = 512
    role: str = ""
    principals: frozenset[str] | None = None


def associations(behavior: Mapping[str, Any]) -> dict[Trigger, Association]:
    """A cache behaviour's associations by event type.

    Raises:
        CloudFrontError: InvalidLambdaFunctionAssociation, or the sandbox cannot carry one out.
    """
    found: dict[Trigger, Association] = {}
    for one in items(behavior.get("LambdaFunctionAssociations")):
        trigger, arn = one["EventType"], one["LambdaFunctionARN"]
        include_body = bool(one.get("IncludeBody"))
        if trigger in found:
            raise _invalid(f"The event type {trigger} can have one Lambda function association only.")
        _check_arn(arn)
        if include_body and not trigger.endswith("request"):
            raise _invalid(f"IncludeBody is not allowed for the event type {trigger}.")
        found[trigger] = Association(trigger, arn, include_body)
    return found


def _check_arn(arn: str) -> None:
    match = _ARN.fullmatch(arn)
    if match is None:
        raise _invalid(f"The function ARN is not valid. ARN: {arn}")
    region, _, _, version = match.groups()
    if version is None or not version.isdecimal():
        raise _invalid(
            "The function ARN must reference a specific function version. (The ARN must end with the version number.) "
            f"ARN: {arn}"
        )
    if region != REGION:
        raise _invalid(f"The function must be in region '{REGION}'. ARN: {arn}")


def check_function(association: Association, function: EdgeFunction | None) -> None:
    """Refuse a function that cannot run at the edge for this event type.

    Args:
        association: Of a distribution that is to be created or updated.
        function: The version that its ARN names; None where there is none.

    Raises:
        CloudFrontError: InvalidLambdaFunctionAssociation. The words for environment variables, layers and roles have
            been seen; the others are made like them.
    """
    arn, limits = association.arn, quota(association.trigger)
    if function is None:
        raise _invalid(f"The function does not exist. Function: {arn}")
    if not function.runtime.startswith("python3."):
        raise not_carried_out(f"a Lambda@Edge function with the runtime {function.runtime}")
    features = {
        "environment variables": function.variables,
        "a layer": function.layers,
        "a dead letter queue": function.dead_letters,
        "a VPC configuration": function.in_vpc,
        "X-Ray tracing": function.traced,
        "the arm64 architecture": function.architecture == "arm64",
        f"more than {_EPHEMERAL} MB of ephemeral storage": function.storage > _EPHEMERAL,
    }
    for feature, has in features.items():
        if has:
            raise _invalid(f"The function cannot have {feature}. Function: {arn}")
    sizes = {
        "memory size": (function.memory, limits.memory, "MB"),
        "timeout": (function.timeout, limits.timeout, "seconds"),
        "compressed size": (function.package, limits.package, "bytes"),
    }
    for name, (value, most, unit) in sizes.items():
        if most is not None and value > most:
            raise _invalid(
                f"The function {name} is larger than the {most} {unit} allowed for functions that are triggered by a "
                f"CloudFront {association.trigger} event: {value}. Function: {arn}"
            )
    if function.principals is not None and not function.principals >= PRINCIPALS:
        raise _invalid(
            "The function execution role must be assumable with edgelambda.amazonaws.com as well as "
            f"lambda.amazonaws.com principals. Update the IAM role and try again. Role: {function.role}"
        )


def _invalid(message: str) -> CloudFrontError:
    return CloudFrontError("InvalidLambdaFunctionAssociation", message)
