"""What Amazon SNS sends to its subscribers, and when it tries again.

"Parsing Amazon SNS message formats", "Amazon SNS message delivery retries", "Amazon SNS raw message delivery", "Using
Lambda with Amazon SNS".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

REQUEST_TIMEOUT = 15.0
"""Seconds after which a request to an HTTP endpoint has failed."""

_DEFAULT_RETRIES: Mapping[str, Any] = {
    "numRetries": 3,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "numMaxDelayRetries": 0,
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "backoffFunction": "linear",
}
_TOTAL_RETRY_TIME = 3600.0
_TYPE = "text/plain; charset=UTF-8"
_AGENT = "Amazon Simple Notification Service Agent"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message for one subscription, or, with a token, the request to confirm it.

    Attributes:
        topic_arn: The topic.
        subscription_arn: The subscription.
        protocol: "lambda", "sqs", "http" or "https".
        endpoint: An ARN or a URL.
        message_id: The same for all subscriptions.
        message: The text.
        subject: Or None.
        attributes: Message attributes: a Type and a Value, text, each.
        raw: Whether the subscription wants the message alone.
        delivery_policy: The subscription's, JSON, or "".
        topic_policy: The topic's, JSON, or "".
        dead_letters: The ARN of the subscription's dead-letter queue, or "".
        group_id: Of a FIFO topic's message.
        deduplication_id: Of a FIFO topic's message.
        token: What confirms the subscription; "" for a message.
        trace_id: The trace header of the call that published it, or "".
    """

    topic_arn: str
    subscription_arn: str
    protocol: str
    endpoint: str
    message_id: str
    message: str
    subject: str | None = None
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    raw: bool = False
    delivery_policy: str = ""
    topic_policy: str = ""
    dead_letters: str = ""
    group_id: str | None = None
    deduplication_id: str | None = None
    token: str = ""
    trace_id: str = ""

    @property
    def region(self) -> str:
        """The topic's."""
        return self.topic_arn.split(":")[3]


def text(delivery: Delivery, now: float, endpoint_url: str) -> str:
    """What a queue or an HTTP endpoint gets: the message alone, or JSON around it.

    Args:
        delivery: The message, or the request to confirm.
        now: Seconds since the epoch.
        endpoint_url: Where the links in it lead: the sandbox's AWS endpoint as the subscriber reaches it.
    """
    if delivery.raw and not delivery.token:
        return delivery.message
    signature = {
        "Timestamp": _timestamp(now),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": _certificate(delivery),
    }
    start = {"MessageId": delivery.message_id, "TopicArn": delivery.topic_arn}
    if delivery.token:
        message = (
            f"You have chosen to subscribe to the topic {delivery.topic_arn}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message."
        )
        query = f"Action=ConfirmSubscription&TopicArn={delivery.topic_arn}&Token={delivery.token}"
        body: dict[str, Any] = {
            "Type": "SubscriptionConfirmation",
            **start,
            "Token": delivery.token,
            "Message": message,
            "SubscribeURL": f"{endpoint_url}/?{query}",
            **signature,
        }
    else:
        body = {
            "Type": "Notification",
            **start,
            **({} if delivery.subject is None else {"Subject": delivery.subject}),
            "Message": delivery.message,
            **signature,
            "UnsubscribeURL": _unsubscribe(delivery, endpoint_url),
            **({"MessageAttributes": _attributes(delivery)} if delivery.attributes else {}),
        }
    return json.dumps(body, indent=2)


def lambda_event(delivery: Delivery, now: float, endpoint_url: str) -> dict[str, Any]:
    """The event that a function gets; the arguments are those of `text`."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": delivery.subscription_arn,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": delivery.message_id,
                    "TopicArn": delivery.topic_arn,
                    "Subject": delivery.subject,
                    "Message": delivery.message,
                    "Timestamp": _timestamp(now),
                    "SignatureVersion": "1",
                    "Signature": "EXAMPLE",
                    "SigningCertUrl": _certificate(delivery),
                    "UnsubscribeUrl": _unsubscribe(delivery, endpoint_url),
                    "MessageAttributes": _attributes(delivery),
                },
            }
        ]
    }


def headers(delivery: Delivery) -> dict[str, str]:
    """The headers of a request to an HTTP endpoint."""
    kind = "SubscriptionConfirmation" if delivery.token else "Notification"
    made = {
        "x-amz-sns-message-type": kind,
        "x-amz-sns-message-id": delivery.message_id,
        "x-amz-sns-topic-arn": delivery.topic_arn,
    }
    if not delivery.token:
        made["x-amz-sns-subscription-arn"] = delivery.subscription_arn
        if delivery.raw:
            made["x-amz-sns-rawdelivery"] = "true"
    chosen = _object(delivery.delivery_policy).get("requestPolicy") or {}
    made |= {"Content-Type": chosen.get("headerContentType", _TYPE), "User-Agent": _AGENT}
    return made


def is_tried_again(status: int) -> bool:
    """Whether a delivery that an HTTP endpoint answered so is tried again; 0 where it did not answer."""
    return status in {0, 429} or status >= 500


def retry_delays(delivery: Delivery) -> list[float]:
    """Seconds between the attempts at an HTTP endpoint: the phases of its delivery policy, an hour in all at most.

    Retries without delay, then at the least delay, then between the least and the greatest, then at the greatest. The
    functions in between are AWS's by name; their exact values are not documented.
    """
    topic = (_object(delivery.topic_policy).get("http") or {}) if delivery.topic_policy else {}
    own = {} if topic.get("disableSubscriptionOverrides") else _object(delivery.delivery_policy)
    policy = {
        **_DEFAULT_RETRIES,
        **(topic.get("defaultHealthyRetryPolicy") or {}),
        **(own.get("healthyRetryPolicy") or {}),
    }
    least, greatest = float(policy["minDelayTarget"]), float(policy["maxDelayTarget"])
    fixed = [0.0] * policy["numNoDelayRetries"] + [least] * policy["numMinDelayRetries"]
    last = [greatest] * policy["numMaxDelayRetries"]
    steps = max(policy["numRetries"] - len(fixed) - len(last), 0)
    delays, total = [], 0.0
    for delay in (*fixed, *_backoff(policy["backoffFunction"], least, greatest, steps), *last):
        total += delay
        if total > _TOTAL_RETRY_TIME:
            break
        delays.append(delay)
    return delays


def _backoff(function: str, least: float, greatest: float, steps: int) -> list[float]:
    if steps == 1:
        return [least]
    shares = [step / (steps - 1) for step in range(steps)]
    if function == "arithmetic":  # grows faster and faster
        shares = [share**2 for share in shares]
    elif function in {"geometric", "exponential"} and least > 0:
        power = 1.0 if function == "geometric" else 2.0
        return [least * (greatest / least) ** (share**power) for share in shares]
    return [least + (greatest - least) * share for share in shares]


def _object(policy: str) -> dict[str, Any]:
    try:
        value = json.loads(policy or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _attributes(delivery: Delivery) -> dict[str, dict[str, str]]:
    return {name: {"Type": value["Type"], "Value": value["Value"]} for name, value in delivery.attributes.items()}


def _certificate(delivery: Delivery) -> str:
    return f"https://sns.{delivery.region}.amazonaws.com/SimpleNotificationService-{'0' * 32}.pem"


def _unsubscribe(delivery: Delivery, endpoint_url: str) -> str:
    return f"{endpoint_url}/?Action=Unsubscribe&SubscriptionArn={delivery.subscription_arn}"


def _timestamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
