"""What PutTargets takes: each target judged before a rule has it."""

from __future__ import annotations

import json

from sandbox.aws.services.events_state import Request, invalid, not_carried_out
from sandbox.model.eventbridge_input import UnsupportedInputPathError, parse_path

_MEMBERS = frozenset({"Id", "Arn", "RoleArn", "Input", "InputPath"})


def check_target(target: Request) -> None:
    """Make sure that a Target of the API can be carried out as AWS would.

    Raises:
        AwsError: ValidationException, in AWS's words or naming what the sandbox does not carry out.
    """
    if more := sorted(target.keys() - _MEMBERS):
        raise not_carried_out(f"A target's {more[0]}")
    if not target["Arn"].startswith("arn:aws:lambda:"):
        raise not_carried_out(f"A target other than a Lambda function ({target['Arn']})")
    if "Input" in target and "InputPath" in target:
        raise invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}.")
    try:
        json.loads(target.get("Input", "null"))
    except ValueError as error:
        raise invalid(f"Invalid Input for target {target['Id']}.") from error
    try:
        parse_path(target.get("InputPath", "$"))
    except UnsupportedInputPathError as error:
        raise not_carried_out(f"The InputPath {target['InputPath']}") from error
