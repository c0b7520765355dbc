"""The Lambda API as boto3 sees it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

ECHO = "def handler(event, context):\n    return event"
FILE_SYSTEM = {
    "Arn": "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-01234567890123456",
    "LocalMountPath": "/mnt/x",
}
OTHER = "def handler(event, context):\n    return 'other'"


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_function_is_created_invoked_and_deleted(control: Any) -> None:
    client = control.aws("lambda")
    arn = control.function(ECHO, "echo", Environment={"Variables": {"COLOUR": "blue"}}, Tags={"team": "a"})
    client.get_waiter("function_active_v2").wait(FunctionName="echo", WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    shown = client.get_function(FunctionName=arn)
    assert shown["Tags"] == {"team": "a"}
    configuration = shown["Configuration"]
    assert configuration["Timeout"] == 3
    assert configuration["MemorySize"] == 128
    assert configuration["Environment"] == {"Variables": {"COLOUR": "blue"}}
    assert configuration["FunctionArn"] == arn == "arn:aws:lambda:us-east-1:123456789012:function:echo"
    answer = client.invoke(FunctionName="echo", Payload=b'{"a": "\xc3\xa9"}', LogType="Tail")
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert json.load(answer["Payload"]) == {"a": "é"}
    assert "REPORT RequestId: " in base64.b64decode(answer["LogResult"]).decode()
    assert [f["FunctionName"] for f in client.list_functions()["Functions"]] == ["echo"]
    client.delete_function(FunctionName="echo")
    assert refused(client.invoke, FunctionName="echo") == (
        "ResourceNotFoundException",
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:echo",
    )


@pytest.mark.parametrize(
    "name",
    [
        "echo",
        "echo:$LATEST",
        "123456789012:function:echo",
        "arn:aws:lambda:us-east-1:123456789012:function:echo",
        "arn:aws:lambda:us-east-1:123456789012:function:echo:$LATEST",
    ],
)
def test_the_ways_to_name_a_function(control: Any, name: str) -> None:
    control.function(ECHO, "echo")
    assert control.aws("lambda").get_function_configuration(FunctionName=name)["FunctionName"] == "echo"


def test_without_a_payload_the_event_is_empty(control: Any) -> None:
    control.function(ECHO)
    assert json.load(control.aws("lambda").invoke(FunctionName="f")["Payload"]) == {}


def test_changes_take_effect_with_the_next_invocation(control: Any) -> None:
    client = control.aws("lambda")
    control.function(ECHO)
    client.invoke(FunctionName="f")
    before = client.get_function_configuration(FunctionName="f")
    after = client.update_function_code(FunctionName="f", ZipFile=control.zipped(OTHER))
    assert after["CodeSha256"] != before["CodeSha256"]
    assert after["RevisionId"] != before["RevisionId"]
    client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    assert json.load(client.invoke(FunctionName="f")["Payload"]) == "other"
    changed = client.update_function_configuration(FunctionName="f", Timeout=9, Description="changed")
    assert (changed["Timeout"], changed["Description"], changed["Handler"]) == (9, "changed", "app.handler")
    code, _ = refused(client.update_function_configuration, FunctionName="f", Timeout=3, RevisionId="old")
    assert code == "PreconditionFailedException"


def test_an_error_of_the_handler(control: Any) -> None:
    control.function("def handler(event, context):\n    raise KeyError('x')")
    answer = control.aws("lambda").invoke(FunctionName="f")
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"])["errorType"] == "KeyError"


def test_dry_run_and_a_payload_that_is_not_json(control: Any) -> None:
    client = control.aws("lambda")
    control.function(ECHO)
    assert client.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
    assert refused(client.invoke, FunctionName="f", Payload=b"{x")[0] == "InvalidRequestContentException"
    assert not [o for o in control.timeline.since() if o.kind == "lambda.invocation"]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"Runtime": "nodejs20.x"}, "InvalidParameterValueException", "python3.x"),
        ({"Timeout": 901}, "ValidationException", "less than or equal to 900"),
        ({"Role": "nobody"}, "ValidationException", "role"),
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException", "Could not unzip uploaded file."),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException", "AWS_REGION"),
        ({"MemorySize": 10_241}, "ValidationException", "less than or equal to 10240"),
        ({"Code": {"ImageUri": "x"}}, "InvalidParameterValueException", "ImageUri"),
        ({"Code": {}}, "InvalidParameterValueException", "Please provide a source for function code."),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "InvalidParameterValueException", "SnapStart"),
        ({"FileSystemConfigs": [FILE_SYSTEM]}, "InvalidParameterValueException", "FileSystemConfigs"),
    ],
)
def test_a_function_that_cannot_be(control: Any, change: dict[str, Any], code: str, message: str) -> None:
    parameters = {
        "FunctionName": "f",
        "Runtime": "python3.12",
        "Role": "arn:aws:iam::123456789012:role/function",
        "Handler": "app.handler",
        "Code": {"ZipFile": control.zipped(ECHO)},
    }
    refusal = refused(control.aws("lambda").create_function, **{**parameters, **change})
    assert refusal[0] == code
    assert message in refusal[1]


def test_a_name_is_taken_once(control: Any) -> None:
    control.function(ECHO)
    with pytest.raises(ClientError, match=r"ResourceConflictException.*Function already exist: f"):
        control.function(ECHO)


def test_the_policy(control: Any) -> None:
    client = control.aws("lambda")
    arn = control.function(ECHO)
    assert refused(client.get_policy, FunctionName="f")[0] == "ResourceNotFoundException"
    rule = "arn:aws:events:us-east-1:123456789012:rule/r"
    permission = {
        "FunctionName": "f",
        "StatementId": "events",
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": rule,
    }
    client.add_permission(**permission)
    assert refused(client.add_permission, **permission)[0] == "ResourceConflictException"
    assert json.loads(client.get_policy(FunctionName="f")["Policy"])["Statement"] == [
        {
            "Sid": "events",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": arn,
            "Condition": {"ArnLike": {"AWS:SourceArn": rule}},
        }
    ]
    client.remove_permission(FunctionName="f", StatementId="events")
    assert refused(client.remove_permission, FunctionName="f", StatementId="events")[0] == "ResourceNotFoundException"


def test_a_function_calls_the_sandbox(control: Any) -> None:
    control.function(
        "import boto3\ndef handler(event, context):\n"
        "    return [f['FunctionName'] for f in boto3.client('lambda').list_functions()['Functions']]",
        Timeout=20,
    )
    assert json.load(control.aws("lambda").invoke(FunctionName="f")["Payload"]) == ["f"]
