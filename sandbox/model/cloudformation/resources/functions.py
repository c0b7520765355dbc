"""AWS::Lambda's functions and what invokes them, and AWS::Events."""

from __future__ import annotations

from typing import Any

from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind
from sandbox.model.cloudformation.shapes import Given, PropertyError
from sandbox.model.cloudformation.values import apply, zip_of
from sandbox.model.own.step import Archive

_INLINE = "index.py"  # the file that inline code is in
_FUNCTION = (
    "Architectures DeadLetterConfig Description Environment EphemeralStorage Handler Layers LoggingConfig MemorySize "
    "PackageType Role Runtime Timeout TracingConfig VpcConfig"
)


def _function(r: Resource) -> Made:
    name = r.named("FunctionName", 64)
    answer = r.call(
        "lambda.create_function",
        {"FunctionName": name, "Code": _code(r), "Tags": r.tags(), **r.given(*_FUNCTION.split())},
    )
    for given in r.given("ReservedConcurrentExecutions").values():
        r.call("lambda.put_function_concurrency", {"FunctionName": name, "ReservedConcurrentExecutions": given})
    return Made(name, {"Arn": answer("FunctionArn")})


def _code(r: Resource) -> Any:
    """A function's code: a folder's files, those of the text, or what is in S3.

    A text in the place of the code is a folder, as ``aws cloudformation package`` takes it.
    """
    path = (*r.path, "Code")
    given = r.around.code(r.label)
    code = r.need("Code")
    if given:
        return {"ZipFile": Archive(given)}
    if isinstance(code, str):
        return {"ZipFile": Archive(r.around.folder(code))}
    if not isinstance(code, dict):
        raise PropertyError(path, "Code is a mapping, or the path of a folder")
    if "ZipFile" not in code:
        return Given(code, path)
    return Given({**code, "ZipFile": apply(zip_of, _INLINE, code["ZipFile"])}, path)


def _permission(r: Resource) -> Made:
    statement = r.name(100)
    r.call(
        "lambda.add_permission",
        {
            "StatementId": statement,
            **r.given("Action", "EventSourceToken", "FunctionName", "Principal", "SourceAccount", "SourceArn"),
        },
    )
    return Made(statement, {"Id": statement})


_MAPPING = (
    "BatchSize Enabled EventSourceArn FilterCriteria FunctionName FunctionResponseTypes MaximumBatchingWindowInSeconds "
    "ScalingConfig"
)


def _event_source(r: Resource) -> Made:
    answer = r.call("lambda.create_event_source_mapping", r.given(*_MAPPING.split()))
    return Made(answer("UUID"), {"Id": answer("UUID")})


def _version(r: Resource) -> Made:
    answer = r.call("lambda.publish_version", r.given("CodeSha256", "Description", "FunctionName"))
    arn = answer("FunctionArn")
    return Made(arn, {"FunctionArn": arn, "Version": answer("Version")})


def _rule(r: Resource) -> Made:
    name = r.named("Name", 64)
    bus = r.given("EventBusName")
    answer = r.call(
        "events.put_rule",
        {
            "Name": name,
            **bus,
            **r.as_json("EventPattern"),
            **r.given("Description", "RoleArn", "ScheduleExpression", "State", "Tags"),
        },
    )
    if r.get("Targets"):
        r.call("events.put_targets", {"Rule": name, **bus, **r.given("Targets")})
    return Made(name, {"Arn": answer("RuleArn")})


def _bus(r: Resource) -> Made:
    name = r.need("Name")
    answer = r.call("events.create_event_bus", r.given("Description", "Name", "Tags"))
    return Made(name, {"Arn": answer("EventBusArn"), "Name": name})


KINDS: dict[str, Kind] = {
    "AWS::Events::EventBus": kind("Description Name Tags", "Arn Name", _bus),
    "AWS::Events::Rule": kind(
        "Description EventBusName EventPattern Name RoleArn ScheduleExpression State Tags Targets", "Arn", _rule
    ),
    "AWS::Lambda::EventSourceMapping": kind(_MAPPING, "Id", _event_source),
    "AWS::Lambda::Function": kind(f"{_FUNCTION} Code FunctionName ReservedConcurrentExecutions Tags", "Arn", _function),
    "AWS::Lambda::Permission": kind(
        "Action EventSourceToken FunctionName Principal SourceAccount SourceArn", "Id", _permission
    ),
    "AWS::Lambda::Version": kind("CodeSha256 Description FunctionName", "FunctionArn Version", _version),
}
