"""Asynchronous invocations: retries, destinations and dead-letter queues, as boto3 sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

ECHO = "def handler(event, context):\n    return {'echo': event}"
BROKEN = "def handler(event, context):\n    raise ValueError('again')"
ACCOUNT = "us-east-1:123456789012"


@pytest.fixture
def fast(start_control: Any) -> Any:
    return start_control(speed=600)


def queue(control: Any, name: str = "q") -> str:
    """A queue's ARN."""
    control.aws("sqs").create_queue(QueueName=name)
    return f"arn:aws:sqs:{ACCOUNT}:{name}"


def received(control: Any, arn: str) -> dict[str, Any]:
    """The next message of a queue."""
    sqs = control.aws("sqs")
    url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"])["Messages"]
    return dict(message)


def configure(control: Any, **settings: Any) -> dict[str, Any]:
    destinations = {
        name: {"Destination": settings.pop(name)} for name in ("OnSuccess", "OnFailure") if name in settings
    }
    if destinations:
        settings["DestinationConfig"] = destinations
    return dict(control.aws("lambda").put_function_event_invoke_config(FunctionName="f", **settings))


def invoke(control: Any, payload: bytes = b'{"a": 1}') -> None:
    control.aws("lambda").invoke(FunctionName="f", InvocationType="Event", Payload=payload)


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_an_asynchronous_invocation_is_retried_twice(start_control: Any) -> None:
    control = start_control(speed=600)
    control.function("def handler(event, context):\n    raise ValueError('again')")
    answer = control.aws("lambda").invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
    assert answer["StatusCode"] == 202
    attempts = control.invocations("f", 3)
    assert [attempt["attempt"] for attempt in attempts] == [1, 2, 3]
    assert len({attempt["request_id"] for attempt in attempts}) == 1
    # a minute and two, divided by the speed
    assert 0.1 <= attempts[1].at - attempts[0].at < 1
    assert 0.2 <= attempts[2].at - attempts[1].at < 1.1


def test_the_configuration(control: Any) -> None:
    client = control.aws("lambda")
    arn = control.function(ECHO)
    assert refused(client.get_function_event_invoke_config, FunctionName="f") == (
        "ResourceNotFoundException",
        f"The function {arn}:$LATEST doesn't have an EventInvokeConfig",
    )
    destination = queue(control)
    configure(control, MaximumRetryAttempts=1, OnFailure=destination)
    client.update_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=100)
    shown = client.get_function_event_invoke_config(FunctionName="f")
    assert (shown["MaximumRetryAttempts"], shown["MaximumEventAgeInSeconds"]) == (1, 100)
    assert shown["DestinationConfig"] == {"OnFailure": {"Destination": destination}}
    assert shown["FunctionArn"] == f"{arn}:$LATEST"
    configure(control, MaximumRetryAttempts=0)
    (only,) = client.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"]
    assert "MaximumEventAgeInSeconds" not in only
    client.delete_function_event_invoke_config(FunctionName="f")
    assert client.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"] == []


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:us-east-1:123456789012:function:f",
        "arn:aws:s3:::bucket",
        "arn:aws:sqs:us-east-1:123456789012:q.fifo",
        "arn:aws:kinesis:us-east-1:123456789012:stream/x",
    ],
)
def test_a_destination_that_cannot_be(control: Any, arn: str) -> None:
    client = control.aws("lambda")
    control.function(ECHO)
    config = {"OnSuccess": {"Destination": arn}}
    call = client.put_function_event_invoke_config
    assert refused(call, FunctionName="f", DestinationConfig=config)[0] == "InvalidParameterValueException"
    assert refused(call, FunctionName="f")[0] == "InvalidParameterValueException"
    letters = {"TargetArn": arn.replace(":function:f", ":function:g")}
    change = client.update_function_configuration
    assert refused(change, FunctionName="f", DeadLetterConfig=letters)[0] in (
        "InvalidParameterValueException",
        "ValidationException",
    )


def test_the_record_of_a_success(control: Any) -> None:
    arn = control.function(ECHO)
    destination = queue(control)
    configure(control, OnSuccess=destination)
    invoke(control)
    record = json.loads(received(control, destination)["Body"])
    request_id = record["requestContext"].pop("requestId")
    assert control.invocations("f", 1)[0]["request_id"] == request_id
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "version": "1.0",
        "requestContext": {"functionArn": f"{arn}:$LATEST", "condition": "Success", "approximateInvokeCount": 1},
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"echo": {"a": 1}},
    }


def test_the_record_of_a_failure(fast: Any) -> None:
    fast.function(BROKEN)
    destination = queue(fast)
    configure(fast, OnFailure=destination, MaximumRetryAttempts=1)
    invoke(fast)
    record = json.loads(received(fast, destination)["Body"])
    context = record["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 2)
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "again"


def test_an_event_that_grew_too_old(fast: Any) -> None:
    fast.function(BROKEN)
    destination = queue(fast)
    configure(fast, OnFailure=destination, MaximumEventAgeInSeconds=60)
    invoke(fast)
    context = json.loads(received(fast, destination)["Body"])["requestContext"]
    assert context["condition"] == "EventAgeExceeded"
    assert context["approximateInvokeCount"] < 3


def test_without_concurrency_an_event_is_not_tried(control: Any) -> None:
    control.function(ECHO)
    destination, letters = queue(control), queue(control, "letters")
    client = control.aws("lambda")
    client.update_function_configuration(FunctionName="f", DeadLetterConfig={"TargetArn": letters})
    configure(control, OnFailure=destination)
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    invoke(control)
    record = json.loads(received(control, destination)["Body"])
    context = record["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("ZeroReservedConcurrency", 0)
    assert "responseContext" not in record
    assert received(control, letters)["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"


def test_a_dead_letter(fast: Any) -> None:
    letters = queue(fast)
    fast.function(BROKEN, DeadLetterConfig={"TargetArn": letters})
    shown = fast.aws("lambda").get_function_configuration(FunctionName="f")
    assert shown["DeadLetterConfig"] == {"TargetArn": letters}
    configure(fast, MaximumRetryAttempts=0)
    invoke(fast, b'{"a":  1}')
    message = received(fast, letters)
    assert message["Body"] == '{"a":  1}'
    attributes = {name: (a["DataType"], a["StringValue"]) for name, a in message["MessageAttributes"].items()}
    assert attributes == {
        "RequestID": ("String", fast.invocations("f", 1)[0]["request_id"]),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "again"),
    }
    fast.aws("lambda").update_function_configuration(FunctionName="f", DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in fast.aws("lambda").get_function_configuration(FunctionName="f")


def test_a_function_is_a_destination(control: Any) -> None:
    control.function(ECHO)
    configure(control, OnSuccess=control.function(ECHO, "next"))
    invoke(control)
    (seen,) = control.invocations("next", 1)
    assert json.loads(seen["payload"])["responsePayload"] == {"echo": {"a": 1}}


def test_a_topic_is_a_destination(control: Any) -> None:
    sns = control.aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    behind = queue(control)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=behind, Attributes={"RawMessageDelivery": "true"})
    control.function(ECHO)
    configure(control, OnSuccess=topic)
    invoke(control)
    assert json.loads(received(control, behind)["Body"])["requestContext"]["condition"] == "Success"


def test_an_event_bus_is_a_destination(control: Any) -> None:
    arn = control.function(ECHO)
    events = control.aws("events")
    pattern = {"source": ["lambda"], "detail-type": ["Lambda Function Invocation Result - Success"]}
    events.put_rule(Name="r", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": control.function(ECHO, "next")}])
    bus = f"arn:aws:events:{ACCOUNT}:event-bus/default"
    configure(control, OnSuccess=bus)
    invoke(control)
    event = json.loads(control.invocations("next", 1)[0]["payload"])
    assert event["resources"] == [f"{arn}:$LATEST", bus]
    assert event["detail"]["responsePayload"] == {"echo": {"a": 1}}


def test_a_destination_that_is_gone_is_told(control: Any) -> None:
    control.function(ECHO)
    configure(control, OnSuccess=f"arn:aws:sqs:{ACCOUNT}:nowhere")
    invoke(control)
    told = control.timeline.wait_for("the failure", lambda o: o.kind == "lambda.destination", within=20)
    assert "NonExistentQueue" in told["error"]
    assert (told["function"], told["condition"]) == ("f", "Success")


def test_a_function_that_is_gone_as_a_destination_is_told(control: Any) -> None:
    control.function(ECHO)
    configure(control, OnSuccess=f"arn:aws:lambda:{ACCOUNT}:function:nobody")
    invoke(control)
    told = control.timeline.wait_for("the failure", lambda o: o.kind == "lambda.destination", within=20)
    assert told["error"].startswith("ResourceNotFoundException")


def test_an_event_waits_for_a_machine_that_cannot_run_it(fast: Any) -> None:
    fast.function(ECHO)
    place = fast.functions_folder
    aside = place.rename(place.with_name(place.name + "-aside"))  # no files can be made, as on a full disk
    with pytest.raises(ClientError, match=r"ServiceException.*the sandbox cannot run f: "):
        fast.aws("lambda").invoke(FunctionName="f")
    invoke(fast)
    told = fast.timeline.wait_for("an attempt", lambda o: o.kind == "lambda.throttled", within=20)
    assert told["reason"].startswith("ServiceException")
    aside.rename(place)
    assert fast.invocations("f", 1)[0]["status"] == "Success"


def test_too_large_an_event(control: Any) -> None:
    control.function(ECHO)
    code, message = refused(
        control.aws("lambda").invoke, FunctionName="f", InvocationType="Event", Payload=b'"' + b"x" * 2**20 + b'"'
    )
    assert code == "RequestEntityTooLargeException"
    assert message.endswith("too large for the Event invocation type (limit 1048576 bytes)")
