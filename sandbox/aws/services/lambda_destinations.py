"""Takes what became of asynchronous invocations to destinations and dead-letter queues.

"Capturing records of Lambda asynchronous invocations". Everything goes through the sandbox's own endpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.clients import Clients
from sandbox.aws.lambda_runtime.function import Result
from sandbox.aws.protocol import AwsError
from sandbox.aws.services.lambda_requests import invalid
from sandbox.model.lambda_async import NOTHING_RESERVED, RECURSION
from sandbox.timeline import Timeline

DEAD_LETTER_SERVICES = frozenset({"sqs", "sns"})
DESTINATION_SERVICES = DEAD_LETTER_SERVICES | {"lambda", "events"}

_ERROR_MESSAGE = 1024  # characters of a dead letter's ErrorMessage


def check_target(arn: str, services: frozenset[str], function_arn: str) -> None:
    """Refuse a destination or dead-letter queue that cannot be one.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    service = arn.split(":")[2] if arn.count(":") >= 5 else ""
    if service not in services:
        raise invalid(f"The sandbox has no destination {arn}: it takes those of {', '.join(sorted(services))}.")
    if arn.endswith(".fifo"):
        raise invalid(f"{arn} is FIFO; only standard queues and topics are supported here.")
    if arn == function_arn:
        raise invalid("You can't specify the function as a destination for itself.")


def invocation_record(
    function_arn: str, request_id: str, payload: bytes, condition: str, invoked: int, result: Result | None
) -> dict[str, Any]:
    """The record that a destination gets.

    Args:
        function_arn: Without a qualifier.
        request_id: Of the invocation.
        payload: The event, JSON.
        condition: "Success", or why the event was given up.
        invoked: How often the function ran.
        result: Of its last run; None if it never ran.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": now,
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function_arn}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": invoked,
        },
        "requestPayload": json.loads(payload),
    }
    if result is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": "$LATEST"}
        if result.failed:
            context["functionError"] = "Unhandled"
        record |= {"responseContext": context, "responsePayload": json.loads(result.payload or b"null")}
    return record


def dead_letter_attributes(request_id: str, condition: str, result: Result | None) -> dict[str, str]:
    """RequestID, ErrorCode and ErrorMessage of a dead letter."""
    if result is not None:
        code, message = "200", str(result.error().get("errorMessage", ""))
    elif condition == RECURSION:
        code, message = "400", "Lambda has detected your function being invoked in a recursive loop."
    elif condition == NOTHING_RESERVED:
        code = "429"
        message = "Function not invoked. Function is configured with zero reserved concurrent executions"
    else:
        code, message = "429", "Rate Exceeded."
    return {"RequestID": request_id, "ErrorCode": code, "ErrorMessage": message[:_ERROR_MESSAGE] or "Unknown"}


class Destinations:
    """Sends records and dead letters.

    Args:
        clients: Of the sandbox's endpoint; None where there are no other services: then nothing is sent.
        invoke: Invokes another function: its ARN, the event, and the trace header.
        timeline: Gets a ``lambda.destination`` for each.
    """

    def __init__(
        self, clients: Clients | None, invoke: Callable[[str, bytes, str], object], timeline: Timeline
    ) -> None:
        self._clients = clients
        self._invoke = invoke
        self._timeline = timeline

    def send_record(self, arn: str, record: Mapping[str, Any], trace_id: str) -> None:
        """Send an invocation's record; what goes wrong is on the timeline only, as on AWS it is a metric."""
        context = record["requestContext"]
        function = context["functionArn"].split(":")[6]
        send = partial(self._record, arn, record, trace_id)
        self._send(arn, function, context["requestId"], context["condition"], send)

    def send_dead_letter(
        self, arn: str, function: str, condition: str, payload: bytes, attributes: Mapping[str, str]
    ) -> None:
        """Send an event that was given up to the dead-letter queue."""
        typed = {
            name: {"DataType": "Number" if name == "ErrorCode" else "String", "StringValue": value}
            for name, value in attributes.items()
        }
        self._send(
            arn, function, attributes["RequestID"], condition, lambda: self._message(arn, payload.decode(), typed)
        )

    def _send(self, arn: str, function: str, request_id: str, condition: str, send: Callable[[], object]) -> None:
        error = None
        try:
            send()
        except (AwsError, ClientError, BotoCoreError) as failure:
            error = str(failure)
        self._timeline.record(
            "lambda.destination",
            function=function,
            request_id=request_id,
            condition=condition,
            destination=arn,
            error=error,
        )

    def _record(self, arn: str, record: Mapping[str, Any], trace_id: str) -> None:
        service = arn.split(":")[2]
        text = json.dumps(record)
        if service == "lambda":
            self._invoke(arn, text.encode(), trace_id)
        elif service == "events":
            self._put_event(arn, record, text)
        else:
            self._message(arn, text, {})

    def _put_event(self, arn: str, record: Mapping[str, Any], text: str) -> None:
        if self._clients is None:
            return
        context = record["requestContext"]
        kind = "Success" if context["condition"] == "Success" else "Failure"
        self._clients("events", arn.split(":")[3]).put_events(
            Entries=[
                {
                    "Source": "lambda",
                    "DetailType": f"Lambda Function Invocation Result - {kind}",
                    "Resources": [context["functionArn"], arn],
                    "Detail": text,
                    "EventBusName": arn,
                }
            ]
        )

    def _message(self, arn: str, text: str, attributes: Mapping[str, Any]) -> None:
        if self._clients is None:
            return
        _, _, service, region, account, name = arn.split(":", 5)
        client = self._clients(service, region)
        if service == "sns":
            client.publish(TopicArn=arn, Message=text, MessageAttributes=attributes)
        else:
            url = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=attributes)
