"""What PutTargets takes: each target judged before a rule has it."""

from __future__ import annotations

import json

from sandbox.aws.services.events_state import Request, invalid, not_carried_out
from sandbox.model.eventbridge_input import UnsupportedInputPathError, parse_path
from sandbox.model.eventbridge_transformer import InvalidTemplateError, transformer_of

_INPUTS = ("Input", "InputPath", "InputTransformer")
_MEMBERS = frozenset({"Id", "Arn", "RoleArn", *_INPUTS})


def check_target(target: Request) -> None:
    """Make sure that a Target of the API can be carried out as AWS would.

    Raises:
        AwsError: ValidationException, in AWS's words or naming what the sandbox does not carry out.
    """
    if more := sorted(target.keys() - _MEMBERS):
        raise not_carried_out(f"A target's {more[0]}")
    if not target["Arn"].startswith("arn:aws:lambda:"):
        raise not_carried_out(f"A target other than a Lambda function ({target['Arn']})")
    _check_input(target)


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
