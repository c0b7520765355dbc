"""SNS's messages and retries."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.sns import Delivery, headers, is_tried_again, lambda_event, retry_delays, text

TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"
SUBSCRIPTION = f"{TOPIC}:c9135db0-26c4-47ec-8998-413945fb5a96"
URL = "http://127.0.0.1:4566"


def delivery(**more: Any) -> Delivery:
    given_fields = {
        "topic_arn": TOPIC,
        "subscription_arn": SUBSCRIPTION,
        "protocol": "http",
        "endpoint": "http://hook/",
        "message_id": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "message": "Hello world!",
        **more,
    }
    return Delivery(**given_fields)


def test_a_notification_as_documented() -> None:
    body = json.loads(text(delivery(subject="My First Message"), 1_335_990_247.9, URL))
    unsubscribe = body.pop("UnsubscribeURL")
    assert unsubscribe.startswith(f"{URL}/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:")
    assert body.pop("SigningCertURL").startswith("https://sns.us-west-2.amazonaws.com/SimpleNotificationService-")
    assert body.pop("Signature")
    assert body == {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "My First Message",
        "Message": "Hello world!",
        "Timestamp": "2012-05-02T20:24:07.900Z",
        "SignatureVersion": "1",
    }


def test_a_request_to_confirm() -> None:
    one = delivery(token="2336412f37", raw=True)
    body = json.loads(text(one, 0, URL))
    assert body["Type"] == "SubscriptionConfirmation"
    assert body["Token"] == "2336412f37"
    assert body["Message"].startswith(f"You have chosen to subscribe to the topic {TOPIC}.\nTo confirm")
    assert body["SubscribeURL"].startswith(f"{URL}/?Action=ConfirmSubscription&TopicArn=arn:aws:sns")
    assert "UnsubscribeURL" not in body
    assert "x-amz-sns-subscription-arn" not in headers(one)
    assert headers(one)["x-amz-sns-message-type"] == "SubscriptionConfirmation"


def test_headers() -> None:
    assert headers(delivery()) == {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "x-amz-sns-topic-arn": TOPIC,
        "x-amz-sns-subscription-arn": SUBSCRIPTION,
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
    }
    policy = json.dumps({"requestPolicy": {"headerContentType": "application/json"}})
    assert headers(delivery(delivery_policy=policy))["Content-Type"] == "application/json"


def test_raw_is_the_message_alone() -> None:
    one = delivery(raw=True, attributes={"a": {"Type": "String", "Value": "b"}})
    assert text(one, 0, URL) == "Hello world!"
    assert headers(one)["x-amz-sns-rawdelivery"] == "true"


def test_attributes_are_in_the_envelope() -> None:
    attributes = {"n": {"Type": "Number", "Value": "1"}}
    assert json.loads(text(delivery(attributes=attributes), 0, URL))["MessageAttributes"] == attributes


def test_a_function_s_event_as_documented() -> None:
    (record,) = lambda_event(delivery(), 0, URL)["Records"]
    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == SUBSCRIPTION
    sns = record["Sns"]
    assert list(sns) == [
        *("Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature"),
        *("SigningCertUrl", "UnsubscribeUrl", "MessageAttributes"),
    ]
    assert (sns["Subject"], sns["Message"], sns["Timestamp"]) == (None, "Hello world!", "1970-01-01T00:00:00.000Z")
    assert sns["MessageAttributes"] == {}


def policy(**members: Any) -> str:
    return json.dumps({"healthyRetryPolicy": members})


@pytest.mark.parametrize(
    ("own", "topic", "delays"),
    [
        ("", "", [20, 20, 20]),
        (policy(numRetries=0), "", []),
        (policy(numRetries=3, minDelayTarget=1, maxDelayTarget=5), "", [1, 3, 5]),
        (
            policy(
                numRetries=8,
                numNoDelayRetries=2,
                numMinDelayRetries=1,
                numMaxDelayRetries=2,
                minDelayTarget=2,
                maxDelayTarget=10,
            ),
            "",
            [0, 0, 2, 2, 6, 10, 10, 10],
        ),
        (
            policy(numRetries=3, minDelayTarget=1, maxDelayTarget=100, backoffFunction="geometric"),
            "",
            [1, pytest.approx(10), pytest.approx(100)],
        ),
        (policy(numRetries=100, minDelayTarget=600, maxDelayTarget=600), "", [600] * 6),
        ("", json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 1}}}), [20]),
        (
            policy(numRetries=9),
            json.dumps({"http": {"disableSubscriptionOverrides": True}}),
            [20, 20, 20],
        ),
        ("no json", "", [20, 20, 20]),
    ],
)
def test_the_phases_of_a_delivery_policy(own: str, topic: str, delays: list[float]) -> None:
    assert retry_delays(delivery(delivery_policy=own, topic_policy=topic)) == delays


@given(
    st.integers(0, 100),
    st.integers(0, 10),
    st.integers(0, 10),
    st.integers(0, 10),
    st.integers(1, 50),
    st.integers(0, 3550),
    st.sampled_from(["linear", "arithmetic", "geometric", "exponential"]),
)
def test_retries_end_within_an_hour_and_never_grow_shorter(
    count: int, none: int, least: int, most: int, low: int, more: int, function: str
) -> None:
    made = policy(
        numRetries=count,
        numNoDelayRetries=none,
        numMinDelayRetries=least,
        numMaxDelayRetries=most,
        minDelayTarget=low,
        maxDelayTarget=low + more,
        backoffFunction=function,
    )
    delays = retry_delays(delivery(delivery_policy=made))
    assert sum(delays) <= 3600
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(delays))


@pytest.mark.parametrize(
    ("status", "again"), [(0, True), (500, True), (503, True), (429, True), (400, False), (404, False), (301, False)]
)
def test_what_is_tried_again(status: int, again: bool) -> None:
    assert is_tried_again(status) is again
