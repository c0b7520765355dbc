"""Functions that cause their own invocation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.aws.lambda_runtime.runtime import PROCESSES
from sandbox.model.lambda_recursion import LIMIT

SELF = (
    "import boto3\nclient = boto3.client('lambda')\n"
    "def handler(event, context):\n"
    "    client.invoke(FunctionName=context.function_name, InvocationType='Event')"
)
# answers how deep it got
DEEP = (
    "import boto3, json\nclient = boto3.client('lambda')\n"
    "def handler(depth, context):\n"
    "    try:\n"
    "        answer = client.invoke(FunctionName=context.function_name, Payload=json.dumps(depth + 1))\n"
    "    except client.exceptions.RecursiveInvocationException:\n"
    "        return depth\n"
    "    return json.load(answer['Payload'])"
)
TO_QUEUE = (
    "import boto3, os\nsqs = boto3.client('sqs')\n"
    "def handler(event, context):\n"
    "    sqs.send_message(QueueUrl=os.environ['QUEUE'], MessageBody='again')"
)
IDLE = "def handler(event, context):\n    pass"


def ran(control: Any, times: int, name: str = "f") -> bool:
    """Whether a function ran so often and no more; waits for it to."""
    control.invocations(name, times)
    seen = [o for o in control.timeline.since() if o.kind == "lambda.invocation" and o["function"] == name]
    return len(seen) == times


def stopped(control: Any) -> Any:
    return control.timeline.wait_for("the end of the loop", lambda o: o.kind == "lambda.recursion", within=30)


def test_a_function_that_invokes_itself_is_stopped(control: Any) -> None:
    sqs = control.aws("sqs")
    url = sqs.create_queue(QueueName="letters")["QueueUrl"]
    letters = "arn:aws:sqs:us-east-1:123456789012:letters"
    control.function(SELF, Timeout=20, DeadLetterConfig={"TargetArn": letters})
    control.aws("lambda").invoke(FunctionName="f", InvocationType="Event")
    assert stopped(control)["trigger"] == "invoke"
    assert ran(control, 16)
    (letter,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert letter["Body"] == "{}"


def test_a_synchronous_loop_gets_an_error(control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.aws.services.lambda_recursion.LIMIT", 4)  # each is a process of its own
    control.function(DEEP, Timeout=60)
    assert json.load(control.aws("lambda").invoke(FunctionName="f", Payload=b"1")["Payload"]) == 4


def test_no_loop_waits_for_itself() -> None:
    assert LIMIT < PROCESSES


def test_loops_may_be_allowed(control: Any) -> None:
    client = control.aws("lambda")
    control.function(SELF, Timeout=20)
    assert client.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Terminate"
    client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    client.invoke(FunctionName="f", InvocationType="Event")
    control.invocations("f", 20)
    client.delete_function(FunctionName="f")
    assert not [o for o in control.timeline.since() if o.kind == "lambda.recursion"]


def test_a_loop_through_a_queue_is_stopped(control: Any, until: Callable[..., None]) -> None:
    sqs = control.aws("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 1}
    attributes = {"VisibilityTimeout": "3", "RedrivePolicy": json.dumps(redrive)}
    url = sqs.create_queue(QueueName="q", Attributes=attributes)["QueueUrl"]
    control.function(TO_QUEUE, Environment={"Variables": {"QUEUE": url}})
    arn = "arn:aws:sqs:us-east-1:123456789012:q"
    control.aws("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName="f")
    sqs.send_message(QueueUrl=url, MessageBody="first")
    told = control.timeline.wait_for("the end", lambda o: o.kind == "lambda.event_source", within=30)
    assert told["error"].startswith("RecursiveInvocationException")
    assert ran(control, 16)
    (message,) = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20)["Messages"]
    assert message["Body"] == "again"


def test_a_loop_of_destinations_is_stopped(control: Any) -> None:
    client = control.aws("lambda")
    for name, other in (("f", "g"), ("g", "f")):
        arn = f"arn:aws:lambda:us-east-1:123456789012:function:{other}"
        control.function(IDLE, name)
        client.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn}}
        )
    client.invoke(FunctionName="f", InvocationType="Event")
    assert stopped(control)["trigger"] == "destination"
    assert ran(control, 16, "f")
    assert ran(control, 16, "g")
