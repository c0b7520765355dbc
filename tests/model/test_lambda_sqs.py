"""SQS's messages as Lambda's events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.eventbridge_operators import InvalidEventPatternError
from sandbox.model.lambda_sqs import EVENT_LIMIT, Filters, events, failed_items, record

QUEUE = "arn:aws:sqs:us-east-2:123456789012:my-queue"
IDS = ["a", "b", "c"]


def message(body: str = "Test message.", number: int = 1) -> dict[str, Any]:
    return {"MessageId": f"m{number}", "ReceiptHandle": "AQEB", "Body": body, "MD5OfBody": "e4e68fb7bd0e697a0ae8f1bb"}


def test_a_record_as_documented() -> None:
    attributes = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    }
    given_attributes = {
        "myAttribute": {"StringValue": "myValue", "DataType": "String"},
        "raw": {"BinaryValue": b"\x00", "DataType": "Binary"},
    }
    made = record({**message(), "Attributes": attributes, "MessageAttributes": given_attributes}, QUEUE)
    assert made == {
        "messageId": "m1",
        "receiptHandle": "AQEB",
        "body": "Test message.",
        "attributes": attributes,
        "messageAttributes": {
            "myAttribute": {
                "stringValue": "myValue",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            },
            "raw": {"binaryValue": "AA==", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
        },
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
        "awsRegion": "us-east-2",
    }


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        (b"null", set()),
        (b"", set()),
        (b"{}", set()),
        (b'{"statusCode": 200}', set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', {"b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', set(IDS)),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', set(IDS)),
        (b'{"batchItemFailures": [{"itemIdentifer": "b"}]}', set(IDS)),
        (b'{"batchItemFailures": [{"itemIdentifier": "z"}]}', set(IDS)),
        (b'{"batchItemFailures": "b"}', set(IDS)),
        (b'"fine"', set(IDS)),
        (b"{not json", set(IDS)),
    ],
)
def test_what_an_answer_says_of_its_batch(response: bytes, failed: set[str]) -> None:
    assert failed_items(response, IDS) == failed


@pytest.mark.parametrize(
    ("patterns", "body", "passes"),
    [
        ([], "anything", True),
        (['{"body": {"RequestCode": ["BBBB"]}}'], '{"RequestCode": "BBBB"}', True),
        (['{"body": {"RequestCode": ["BBBB"]}}'], '{"RequestCode": "AAAA"}', False),
        (['{"body": {"RequestCode": ["BBBB"]}}'], "plain", False),
        (['{"body": ["plain"]}'], "plain", True),
        (['{"body": ["plain"]}'], '{"RequestCode": "BBBB"}', False),
        (['{"body": {"n": [{"numeric": [">", 1]}]}}', '{"body": {"x": [true]}}'], '{"x": true}', True),
        (['{"eventSource": ["aws:sqs"]}'], "plain", True),
    ],
)
def test_filters(patterns: list[str], body: str, passes: bool) -> None:
    assert Filters(patterns).passes(record(message(body), QUEUE)) is passes


def test_a_malformed_filter() -> None:
    with pytest.raises(InvalidEventPatternError):
        Filters(['{"body": "x"}'])


@given(st.lists(st.integers(0, 2_000_000), max_size=12))
def test_events_are_small_enough_and_lose_nothing(sizes: list[int]) -> None:
    records = [record(message("x" * size, number), QUEUE) for number, size in enumerate(sizes)]
    made = list(events(records))
    assert [one for batch, _ in made for one in batch] == records
    for batch, payload in made:
        assert json.loads(payload) == {"Records": batch}
        assert len(payload) <= EVENT_LIMIT
