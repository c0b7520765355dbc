"""Commands and invocations as the API shows them, and what lists of them leave out.

Source: API reference of Systems Manager: Command, CommandInvocation, CommandPlugin, CommandFilter,
GetCommandInvocation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sandbox.model.ssm.command import Command
from sandbox.model.ssm.errors import SsmError
from sandbox.model.ssm.invocation import NOT_STARTED, Invocation, StepResult

_REPEATED = (
    "Comment",
    "Parameters",
    "InstanceIds",
    "Targets",
    "OutputS3Region",
    "OutputS3BucketName",
    "OutputS3KeyPrefix",
    "NotificationConfig",
    "CloudWatchOutputConfig",
)
_EMPTY: Mapping[str, Any] = {
    "Comment": "",
    "InstanceIds": [],
    "Targets": [],
    "Parameters": {},
    "OutputS3BucketName": "",
    "OutputS3KeyPrefix": "",
    "NotificationConfig": {"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""},
    "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False},
}
_TIMED_OUT = frozenset({"DeliveryTimedOut", "ExecutionTimedOut"})


def command(one: Command) -> dict[str, Any]:
    """As SendCommand and ListCommands show it."""
    return {
        **{name: one.request.get(name, _EMPTY.get(name)) for name in _REPEATED if name in {*one.request, *_EMPTY}},
        "CommandId": one.id,
        "DocumentName": one.document,
        "DocumentVersion": one.version,
        "RequestedDateTime": one.requested,
        "ExpiresAfter": one.expires,
        "Status": one.status,
        "StatusDetails": one.detail,
        "MaxConcurrency": one.max_concurrency,
        "MaxErrors": one.max_errors,
        "TargetCount": len(one.invocations),
        "CompletedCount": one.completed_count(),
        "ErrorCount": one.error_count(),
        "DeliveryTimedOutCount": one.count("DeliveryTimedOut"),
        "ServiceRole": one.request.get("ServiceRoleArn", ""),
        "TimeoutSeconds": one.delivery,
    }


def invocation(of: Command, one: Invocation, *, details: bool) -> dict[str, Any]:
    """As ListCommandInvocations shows it; with ``details`` what its steps gave."""
    only = one.steps[0] if len(one.steps) == 1 else None
    return {
        "CommandId": of.id,
        "InstanceId": one.instance_id,
        "InstanceName": one.name,
        "Comment": of.request.get("Comment", ""),
        "DocumentName": of.document,
        "DocumentVersion": of.version,
        "RequestedDateTime": one.requested,
        "Status": one.status,
        "StatusDetails": one.detail,
        "StandardOutputUrl": _url(of, one, only, "stdout") if only else "",
        "StandardErrorUrl": _url(of, one, only, "stderr") if only else "",
        "CommandPlugins": [_plugin(of, one, step) for step in one.steps] if details else [],
        "ServiceRole": of.request.get("ServiceRoleArn", ""),
        "NotificationConfig": of.request.get("NotificationConfig", _EMPTY["NotificationConfig"]),
        "CloudWatchOutputConfig": of.request.get("CloudWatchOutputConfig", _EMPTY["CloudWatchOutputConfig"]),
    }


def step(of: Command, one: Invocation, name: str) -> dict[str, Any]:
    """As GetCommandInvocation shows a step of an invocation.

    Raises:
        SsmError: InvalidPluginName.
    """
    found = one.step(name)
    if name and found is None:
        raise SsmError("InvalidPluginName", f"{name} is no step of command {of.id}")
    shown: dict[str, Any] = {
        "CommandId": of.id,
        "InstanceId": one.instance_id,
        "Comment": of.request.get("Comment", ""),
        "DocumentName": of.document,
        "DocumentVersion": of.version,
        "PluginName": found.name if found else "",
        "ResponseCode": NOT_STARTED,
        "ExecutionStartDateTime": "",
        "ExecutionElapsedTime": "",
        "ExecutionEndDateTime": "",
        "Status": one.status,
        "StatusDetails": one.detail,
        "StandardOutputContent": "",
        "StandardOutputUrl": "",
        "StandardErrorContent": "",
        "StandardErrorUrl": "",
        "CloudWatchOutputConfig": of.request.get("CloudWatchOutputConfig", _EMPTY["CloudWatchOutputConfig"]),
    }
    if found is None:
        return shown
    shown["ResponseCode"] = found.code
    if found.started is not None:
        shown["ExecutionStartDateTime"] = iso(found.started)
    if found.started is not None and found.ended is not None:
        shown["ExecutionEndDateTime"] = iso(found.ended)
        shown["ExecutionElapsedTime"] = _elapsed(found.ended - found.started)
        shown["StandardOutputContent"] = found.stdout
        shown["StandardErrorContent"] = found.stderr
        shown["StandardOutputUrl"] = _url(of, one, found, "stdout")
        shown["StandardErrorUrl"] = _url(of, one, found, "stderr")
    return shown


def output_key(of: Command, one: Invocation, step_name: str, plugin: str, stream: str) -> str:
    """The key in S3 of a step's standard output or error.

    Seen in buckets: PREFIX/COMMAND/INSTANCE/awsrunShellScript/STEP/stdout, where the step of a document with schema
    1.2 is 0.awsrunShellScript.
    """
    folder = plugin.replace(":", "")
    name = f"0.{folder}" if step_name == plugin else step_name
    prefix = str(of.request.get("OutputS3KeyPrefix", "")).strip("/")
    return "/".join(part for part in (prefix, of.id, one.instance_id, folder, name, stream) if part)


def _url(of: Command, one: Invocation, result: StepResult, stream: str) -> str:
    bucket = of.request.get("OutputS3BucketName")
    if not bucket or result.ended is None:
        return ""
    return f"https://s3.us-east-1.amazonaws.com/{bucket}/{output_key(of, one, result.name, result.plugin, stream)}"


def _plugin(of: Command, one: Invocation, result: StepResult) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Name": result.name,
        "Status": "TimedOut" if result.detail in _TIMED_OUT else result.detail,
        "StatusDetails": result.detail,
        "ResponseCode": result.code,
        "Output": result.output if result.ended is not None else "",
        "StandardOutputUrl": _url(of, one, result, "stdout"),
        "StandardErrorUrl": _url(of, one, result, "stderr"),
        "OutputS3BucketName": of.request.get("OutputS3BucketName", ""),
        "OutputS3KeyPrefix": of.request.get("OutputS3KeyPrefix", ""),
    }
    if result.started is not None:
        shown["ResponseStartDateTime"] = result.started
    if result.ended is not None:
        shown["ResponseFinishDateTime"] = result.ended
    return shown


# -- filters --


def passes_command(one: Command, filters: Sequence[Mapping[str, str]]) -> bool:
    """Whether ListCommands shows a command.

    Raises:
        SsmError: InvalidFilterKey, or FilterValue that says no time.
    """
    return all(
        _stage(one, item["value"]) if item["key"] == "ExecutionStage" else _passes(item, one, one.status, one.detail)
        for item in filters
    )


def passes_invocation(of: Command, one: Invocation, filters: Sequence[Mapping[str, str]]) -> bool:
    """Whether ListCommandInvocations shows an invocation.

    Raises:
        SsmError: InvalidFilterKey: ExecutionStage is for ListCommands alone.
    """
    for item in filters:
        if item["key"] == "ExecutionStage":
            raise SsmError("InvalidFilterKey", "The filter key ExecutionStage can't be used with this operation.")
        if not _passes(item, of, one.status, one.detail):
            return False
    return True


def _passes(item: Mapping[str, str], of: Command, status: str, detail: str) -> bool:
    key, value = item["key"], item["value"]
    if key == "Status":
        return value in {status, detail}
    if key == "DocumentName":
        return value == of.document
    at = _time(value)
    return of.requested >= at if key == "InvokedAfter" else of.requested <= at


def _stage(one: Command, value: str) -> bool:
    return one.is_over if value == "Complete" else not one.is_over


def _time(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise SsmError("InvalidFilterKey", f"{text!r} is no time such as 2024-07-07T00:00:00Z") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def iso(seconds: float) -> str:
    """A time as GetCommandInvocation writes it, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _elapsed(seconds: float) -> str:
    """A duration as GetCommandInvocation writes it: PT1M2.345S."""
    whole, rest = divmod(max(seconds, 0.0), 60)
    hours, minutes = divmod(int(whole), 60)
    parts = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    return f"PT{parts}{round(rest, 3):g}S"


def invocations(commands: Iterable[Command]) -> list[tuple[Command, Invocation]]:
    """All invocations of commands, each with its own."""
    return [(of, one) for of in commands for one in of.invocations.values()]
