"""What requests to the Lambda API say, checked in AWS's words."""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from dataclasses import replace
from typing import Any

from sandbox.aws.lambda_runtime.function import RESPONSE_LIMIT, FunctionConfig
from sandbox.aws.protocol import AwsError, RequestContext

Request = dict[str, Any]

# "Lambda quotas": invocation payload.
_REQUEST_LIMITS = {"RequestResponse": RESPONSE_LIMIT - 100, "Event": 1_048_576}
_NAME = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_.-]+)(?::(?P<qualifier>[$A-Za-z0-9_.-]+))?"
)
# "Defined runtime environment variables": those that cannot be set in the function's configuration.
_RESERVED = frozenset(
    {"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "LAMBDA_TASK_ROOT"}
    | {"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"}
    | {"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"}
    | {"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API"}
    | {"LAMBDA_RUNTIME_DIR"}
)
_NOT_CARRIED_OUT = (
    *("FileSystemConfigs", "ImageConfig", "CapacityProviderConfig", "CodeSigningConfigArn"),
    *("TenancyConfig", "DurableConfig", "RuntimeConfig", "AcceleratorConfig", "PublishTo"),
)
_SHOWN = ("Description", "Role", "VpcConfig", "KMSKeyArn", "TracingConfig", "EphemeralStorage")
# "Lambda quotas"; the API's model allows more.
_LIMITS = {"Timeout": 900, "MemorySize": 10_240}


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message)


def not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404)


def parse_name(function_name: str, context: RequestContext) -> tuple[str, str]:
    """The unqualified ARN for a name, a partial ARN or an ARN; and its qualifier."""
    match = _NAME.fullmatch(function_name)
    if match is None:
        raise invalid(f"{function_name} is not a function's name or ARN")
    arn = f"arn:aws:lambda:{match['region'] or context.region}:{match['account'] or context.account_id}"
    return f"{arn}:function:{match['name']}", match["qualifier"] or "$LATEST"


def configured(config: FunctionConfig, request: Request) -> FunctionConfig:
    """``config`` with what the request says, and a revision of its own."""
    for name in _NOT_CARRIED_OUT:
        if request.get(name):
            raise invalid(f"{name} is not implemented by the sandbox yet.")
    if request.get("LoggingConfig", {}).get("LogFormat", "Text") != "Text":
        raise invalid("LoggingConfig's LogFormat JSON is not implemented by the sandbox yet.")
    runtime = request.get("Runtime", config.runtime)
    if not runtime.startswith("python3."):
        raise invalid(f"The sandbox runs functions of the runtimes python3.x only, not {runtime}.")
    if request.get("SnapStart", {}).get("ApplyOn", "None") != "None":
        raise invalid("SnapStart is not implemented by the sandbox yet.")
    for name, limit in _LIMITS.items():
        if request.get(name, 0) > limit:
            told = f"Value '{request[name]}' at '{name[0].lower()}{name[1:]}' failed to satisfy constraint"
            what = f"Member must have value less than or equal to {limit}"
            raise AwsError("ValidationException", f"1 validation error detected: {told}: {what}")
    variables = config.environment
    if "Environment" in request:
        variables = dict(request["Environment"].get("Variables", {}))
    if reserved := sorted(_RESERVED & variables.keys()):
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    return replace(
        config,
        revision=str(uuid.uuid4()),
        handler=request.get("Handler", config.handler),
        runtime=runtime,
        timeout=request.get("Timeout", config.timeout),
        memory_size=request.get("MemorySize", config.memory_size),
        environment=variables,
        dead_letter_target=request.get("DeadLetterConfig", {}).get("TargetArn", config.dead_letter_target),
        log_group=request.get("LoggingConfig", {}).get("LogGroup", config.log_group),
        role=request.get("Role", config.role),
    )


def shown_only(request: Request) -> dict[str, Any]:
    return {name: request[name] for name in _SHOWN if name in request}


def check_event(payload: bytes, kind: str = "RequestResponse") -> None:
    limit = _REQUEST_LIMITS.get(kind)
    if limit is not None and len(payload) > limit:
        raise AwsError(
            "RequestEntityTooLargeException",
            f"{len(payload)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
            413,
        )
    try:
        json.loads(payload)
    except ValueError as error:
        raise AwsError("InvalidRequestContentException", f"Could not parse request body into json: {error}") from error


def client_context(request: Request) -> str | None:
    if "ClientContext" not in request:
        return None
    try:
        return base64.b64decode(request["ClientContext"], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise AwsError("InvalidRequestContentException", "Client context must be a valid Base64 string") from error


def policy_statement(request: Request, arn: str) -> dict[str, Any]:
    principal = request["Principal"]
    if principal != "*":
        principal = {"Service" if principal.endswith(".amazonaws.com") else "AWS": principal}
    statement = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": principal,
        "Action": request["Action"],
        "Resource": arn,
    }
    condition = {}
    if "SourceAccount" in request:
        condition["StringEquals"] = {"AWS:SourceAccount": request["SourceAccount"]}
    if "SourceArn" in request:
        condition["ArnLike"] = {"AWS:SourceArn": request["SourceArn"]}
    return {**statement, "Condition": condition} if condition else statement
