"""Versions of functions as boto3 sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

SAYS = "def handler(event, context):\n    return [{!r}, context.function_version, context.invoked_function_arn]"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def invoked(client: Any, name: str, **more: Any) -> Any:
    answer = client.invoke(FunctionName=name, **more)
    return answer["ExecutedVersion"], json.load(answer["Payload"])


def test_a_published_version_stays_as_it_is(control: Any) -> None:
    client = control.aws("lambda")
    control.function(SAYS.format("old"), Description="first")
    published = client.publish_version(FunctionName="f", Description="the first one")
    assert (published["Version"], published["FunctionArn"]) == ("1", f"{ARN}:1")
    assert published["Description"] == "the first one"
    client.update_function_code(FunctionName="f", ZipFile=control.zipped(SAYS.format("new")))
    assert invoked(client, "f") == ("$LATEST", ["new", "$LATEST", ARN])
    assert invoked(client, "f:1") == ("1", ["old", "1", f"{ARN}:1"])
    assert invoked(client, "f", Qualifier="1")[0] == "1"
    assert invoked(client, f"{ARN}:1")[1][0] == "old"
    shown = client.get_function(FunctionName="f", Qualifier="1")["Configuration"]
    assert shown["CodeSha256"] == published["CodeSha256"]
    assert client.get_function_configuration(FunctionName="f")["Version"] == "$LATEST"


def test_what_has_not_changed_is_not_published_again(control: Any) -> None:
    client = control.aws("lambda")
    control.function(SAYS.format("a"))
    assert [client.publish_version(FunctionName="f")["Version"] for _ in range(2)] == ["1", "1"]
    client.update_function_configuration(FunctionName="f", Timeout=4)
    assert client.publish_version(FunctionName="f")["Version"] == "2"
    shown = client.list_versions_by_function(FunctionName="f")["Versions"]
    assert [(one["Version"], one["Timeout"]) for one in shown] == [("$LATEST", 4), ("1", 3), ("2", 4)]


def test_publishing_with_the_code(control: Any) -> None:
    client = control.aws("lambda")
    assert control.function(SAYS.format("a"), Publish=True) == ARN
    assert client.list_versions_by_function(FunctionName="f")["Versions"][-1]["FunctionArn"] == f"{ARN}:1"
    code = control.zipped(SAYS.format("b"))
    updated = client.update_function_code(FunctionName="f", ZipFile=code, Publish=True)
    assert updated["FunctionArn"] == f"{ARN}:2"
    tried = client.update_function_code(FunctionName="f", ZipFile=code, Publish=True, DryRun=True)
    assert tried["Version"] == "$LATEST"


def test_a_version_is_deleted_alone_and_with_its_function(control: Any) -> None:
    client = control.aws("lambda")
    control.function(SAYS.format("a"), Publish=True)
    client.update_function_configuration(FunctionName="f", Timeout=4)
    client.publish_version(FunctionName="f")
    client.delete_function(FunctionName="f", Qualifier="1")
    code, message = refused(client.invoke, FunctionName="f:1")
    assert (code, message) == ("ResourceNotFoundException", f"Function not found: {ARN}:1")
    assert invoked(client, "f:2")[0] == "2"
    assert refused(client.delete_function, FunctionName="f", Qualifier="$LATEST")[0] == "InvalidParameterValueException"
    client.delete_function(FunctionName="f")
    assert refused(client.invoke, FunctionName="f:2")[0] == "ResourceNotFoundException"


def test_numbers_never_come_again(control: Any) -> None:
    client = control.aws("lambda")
    control.function(SAYS.format("a"), Publish=True)
    client.delete_function(FunctionName="f", Qualifier="1")
    assert client.publish_version(FunctionName="f")["Version"] == "2"


def test_what_is_refused(control: Any) -> None:
    client = control.aws("lambda")
    control.function(SAYS.format("a"), Publish=True)
    publish = client.publish_version
    assert refused(publish, FunctionName="g")[0] == "ResourceNotFoundException"
    assert refused(publish, FunctionName="f", RevisionId="x")[0] == "PreconditionFailedException"
    code, message = refused(publish, FunctionName="f", CodeSha256="x")
    assert code == "InvalidParameterValueException"
    assert message.startswith("CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (")
    for call, more in (
        (client.invoke, {"InvocationType": "Event"}),
        (client.update_function_configuration, {"Timeout": 5}),
        (client.put_function_concurrency, {"ReservedConcurrentExecutions": 1}),
    ):
        assert "with $LATEST only, not with the version 1" in refused(call, FunctionName="f:1", **more)[1]


def test_the_log_of_a_version_names_it(control: Any) -> None:
    client = control.aws("lambda")
    control.function(SAYS.format("a"), Publish=True)
    invoked(client, "f:1")
    assert control.logs.flush()
    logs = control.aws("logs")
    (stream,) = logs.describe_log_streams(logGroupName="/aws/lambda/f")["logStreams"]
    assert "/[1]" in stream["logStreamName"]
    events = logs.filter_log_events(logGroupName="/aws/lambda/f")["events"]
    assert any(one["message"].endswith("Version: 1\n") for one in events)
