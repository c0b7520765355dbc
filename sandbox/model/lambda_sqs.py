"""SQS as an event source of Lambda functions: the event's form, filters, and what a function's answer says of a batch.

"Using Lambda with Amazon SQS", "Handling errors for an SQS event source in Lambda", "Using event filtering with an
Amazon SQS event source".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sandbox.model.eventbridge import Pattern, compile_pattern

EVENT_LIMIT = 6 * 2**20
"""Bytes of an event; a batch that is larger becomes several."""

Record = dict[str, Any]


def record(message: Mapping[str, Any], queue_arn: str) -> Record:
    """A message, as ReceiveMessage gives it, as a record of an event."""
    made: Record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }
    if "MD5OfMessageAttributes" in message:
        made["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return made


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        made["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        made["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return made


def events(records: Sequence[Record]) -> Iterator[tuple[list[Record], bytes]]:
    """The records in events that are small enough, each with its payload."""
    batch: list[Record] = []
    size = 0
    for one in records:
        cost = len(json.dumps(one)) + 2
        if batch and size + cost > EVENT_LIMIT - len('{"Records": []}'):
            yield batch, json.dumps({"Records": batch}).encode()
            batch, size = [], 0
        batch.append(one)
        size += cost
    if batch:
        yield batch, json.dumps({"Records": batch}).encode()


class Filters:
    """FilterCriteria: a record passes if one of the patterns matches it, or if there is none.

    Args:
        patterns: Each JSON, in the language of EventBridge's patterns. ``body`` is matched as JSON if it is an object.

    Raises:
        InvalidEventPatternError: A pattern is malformed.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._patterns: list[Pattern] = [compile_pattern(pattern) for pattern in patterns]

    def passes(self, one: Record) -> bool:
        """Whether a record goes to the function; one that does not is deleted from its queue."""
        if not self._patterns:
            return True
        try:
            body = json.loads(one["body"])
        except ValueError:
            body = None
        seen = {**one, "body": body} if isinstance(body, dict) else one
        return any(pattern.matches(seen) for pattern in self._patterns)


def failed_items(response: bytes, message_ids: Iterable[str]) -> frozenset[str]:
    """The messages that failed, by what a function answered that reports batch item failures.

    An answer without a list of failures is a success; one that cannot be understood, or names a message which is not
    in the batch, means that all failed.
    """
    everything = frozenset(message_ids)
    try:
        answer = json.loads(response or b"null")
        if answer is None:
            return frozenset()
        items = answer.get("batchItemFailures") or []
        failed = frozenset(item["itemIdentifier"] for item in items)
    except (ValueError, AttributeError, KeyError, TypeError):
        return everything
    return failed if failed <= everything else everything
