"""What PutTargets takes: each target judged before a rule has it.

"Event bus targets in Amazon EventBridge" and the Target type of the API reference. AWS's own words where users have
seen them.
"""

from __future__ import annotations

import json
import re

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.services.events_state import Request, invalid, not_carried_out
from sandbox.model.eventbridge_input import UnsupportedInputPathError, parse_path
from sandbox.model.eventbridge_transformer import InvalidTemplateError, transformer_of

_ARN = re.compile(r"arn:aws[\w-]*:(?P<service>[\w-]+):(?P<region>[\w-]*):(?P<account>\d*):(?P<resource>.+)")
_INPUTS = ("Input", "InputPath", "InputTransformer")
_MEMBERS = frozenset({"Id", "Arn", "RoleArn", *_INPUTS, "RetryPolicy", "DeadLetterConfig"})
_KINDS = {
    "lambda": "function:",
    "sns": "",
    "sqs": "",
    "logs": "log-group:",
    "events": "event-bus/",
    "ecs": "cluster/",
    "codepipeline": "",
}
_PARAMETERS = {"sqs": "SqsParameters", "ecs": "EcsParameters"}
_WITH_ROLE = {"events", "ecs", "codepipeline"}  # the others are allowed to by a policy of their own


def check_target(target: Request) -> None:
    """Make sure that a Target of the API can be carried out as AWS would.

    Raises:
        AwsError: ValidationException, in AWS's words or naming what the sandbox does not carry out.
    """
    arn = target["Arn"]
    parsed = _ARN.fullmatch(arn)
    if parsed is None:
        raise invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
    service = parsed["service"]
    if not parsed["resource"].startswith(_KINDS.get(service, "\0")):
        raise not_carried_out(f"A target of this kind ({arn})")
    if parsed["account"] != ACCOUNT_ID:
        raise not_carried_out(f"A target in another account ({arn})")
    own = _PARAMETERS.get(service, "")
    if more := sorted(target.keys() - _MEMBERS - {own}):
        raise not_carried_out(f"The {more[0]} of a target {arn}")
    if service in _WITH_ROLE and not target.get("RoleArn"):
        raise invalid(f"RoleArn is required for target {arn}.")
    if own and not target.get(own) and (service == "ecs" or arn.endswith(".fifo")):
        raise invalid(f"Parameter(s) {own} must be specified for target: {target['Id']}.")
    if service == "events" and any(member in target for member in _INPUTS):
        raise invalid(f"Modifying the input for target {target['Id']} is not supported.")
    _check_dead_letter_queue(target)
    _check_input(target)


def _check_dead_letter_queue(target: Request) -> None:
    if "Arn" not in target.get("DeadLetterConfig", {}):
        return
    arn = target["DeadLetterConfig"]["Arn"]
    parsed = _ARN.fullmatch(arn)
    if parsed is None or parsed["service"] != "sqs" or arn.endswith(".fifo"):
        raise invalid(f"The dead-letter queue of target {target['Id']} must be a standard SQS queue, not {arn}.")


def _check_input(target: Request) -> None:
    name = target["Id"]
    if sum(member in target for member in _INPUTS) > 1:
        raise invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {name}.")
    try:
        json.loads(target.get("Input", "null"))
    except (ValueError, RecursionError) as error:
        raise invalid(f"Invalid Input for target {name}.") from error
    transformer = target.get("InputTransformer", {})
    paths = transformer.get("InputPathsMap", {})
    for path in (target.get("InputPath", "$"), *paths.values()):
        try:
            parse_path(path)
        except UnsupportedInputPathError as error:
            raise not_carried_out(f"The JSONPath {path}") from error
    try:
        transformer_of(transformer.get("InputTemplate", "")).check(paths)
    except InvalidTemplateError as error:
        if error.placeholder is None:
            raise invalid(f"Invalid InputTemplate for target {name}.") from error
        placeholder = error.placeholder
        raise invalid(f"InputTemplate for target {name} contains invalid placeholder {placeholder}.") from error
