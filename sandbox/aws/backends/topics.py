"""Subscriptions of moto's SNS: who gets a message, and which HTTP endpoints have confirmed that they want any.

Measured with moto 5.2.5: it invokes functions of its own Lambda, where ours are not; it posts to any URL, of the real
internet too, on the publisher's thread and once; every subscription is confirmed at once; a queue that is gone makes
Publish fail; RawMessageDelivery "false" in Subscribe means true; only a topic's first 100 subscriptions get a message.
Topics, their attributes and filter policies stay moto's.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.aws.backends.trace import TRACE_ID
from sandbox.model.sns import Delivery, text

Deliver = Callable[[Delivery], None]

_HTTP = frozenset({"http", "https"})
_DELIVERED = _HTTP | {"lambda", "sqs"}
PENDING = "PendingConfirmation"


def _to_queues(delivery: Delivery) -> None:
    """Where nobody else delivers, queues get their messages all the same."""
    if delivery.protocol == "sqs":
        attributes = delivery.attributes if delivery.raw else {}
        ids = (delivery.group_id, delivery.deduplication_id)
        with contextlib.suppress(LookupError):
            send_to_queue(delivery.endpoint, text(delivery, time.time(), ""), attributes, *ids)


_deliver: Deliver = _to_queues


def deliver_with(deliver: Deliver | None) -> None:
    """Hand each message for a function, queue or HTTP endpoint to ``deliver`` from now on, in this process.

    With None only queues get theirs.
    """
    global _deliver  # noqa: PLW0603 # moto's state is global to the process, too
    _deliver = deliver or _to_queues


def send_to_queue(
    queue_arn: str,
    body: str,
    attributes: Mapping[str, Mapping[str, str]],
    group_id: str | None = None,
    deduplication_id: str | None = None,
) -> None:
    """Put a message into a queue of moto's SQS, as SNS does. Imports moto.

    Args:
        queue_arn: The queue.
        body: The message.
        attributes: A Type and a Value each.
        group_id: For a FIFO queue.
        deduplication_id: For a FIFO queue.

    Raises:
        LookupError: The queue did not take it; the text says why.
    """
    from moto.core.exceptions import ServiceException
    from moto.sqs.models import sqs_backends

    _, _, _, region, account, name = queue_arn.split(":", 5)
    typed = {key: _sqs_attribute(value["Type"], value["Value"]) for key, value in attributes.items()}
    try:
        sqs_backends[account][region].send_message(
            name,
            body,
            message_attributes=typed,
            group_id=group_id,
            deduplication_id=deduplication_id,
            validate_group_id=False,
        )
    except ServiceException as error:
        raise LookupError(f"{getattr(error, 'code', type(error).__name__)}: {error}") from error


def correct_subscriptions() -> None:
    """Let moto's SNS deliver by ours from now on, in this process. Imports moto."""
    from moto.sns import models, responses

    topic: Any = models.Topic
    topic.publish = _publish
    backend: Any = models.SNSBackend
    backend.subscribe = _then_confirm(backend.subscribe)
    backend.list_subscriptions = _shown(backend.list_subscriptions)
    backend.list_subscriptions_by_topic = _shown(backend.list_subscriptions_by_topic)
    api: Any = responses.SNSResponse
    api.subscribe = _answer_pending(api.subscribe)
    api.confirm_subscription = _confirm_subscription


def _publish(
    topic: Any,
    message: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    message_structure: str | None = None,
) -> str:
    """In place of moto's Topic.publish."""
    from moto.moto_api._internal import mock_random

    message_id = str(mock_random.uuid4())
    texts = _texts(message) if message_structure == "json" else {"default": message}
    for subscription in list(topic.sns_backend.subscriptions.values()):
        if subscription.topic is not topic or subscription.protocol not in _DELIVERED or _is_pending(subscription):
            continue
        matcher = subscription._filter_policy_matcher
        if matcher is None or matcher.matches(message_attributes, message):
            _deliver(
                Delivery(
                    message_id=message_id,
                    message=texts.get(subscription.protocol, texts["default"]),
                    subject=subject,
                    attributes=message_attributes or {},
                    group_id=group_id,
                    deduplication_id=deduplication_id,
                    **_of(subscription),
                )
            )
    return message_id


def _texts(message: str) -> dict[str, str]:
    """The texts by protocol of a message whose MessageStructure is "json"."""
    from moto.sns.exceptions import SNSInvalidParameter

    try:
        texts = json.loads(message)
    except ValueError as error:
        raise SNSInvalidParameter("Invalid parameter: Message Structure - JSON message body failed to parse") from error
    if not isinstance(texts, dict) or not isinstance(texts.get("default"), str):
        raise SNSInvalidParameter("Invalid parameter: Message Structure - No default entry in JSON message body")
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def _of(subscription: Any) -> dict[str, Any]:
    """What a `Delivery` says of its subscription."""
    attributes = subscription.attributes
    redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
    return {
        "topic_arn": subscription.topic.arn,
        "subscription_arn": subscription.arn,
        "protocol": subscription.protocol,
        "endpoint": subscription.endpoint,
        "raw": str(attributes.get("RawMessageDelivery", "")).lower() == "true",
        "delivery_policy": attributes.get("DeliveryPolicy") or "",
        "topic_policy": subscription.topic.delivery_policy or "",
        "dead_letters": redrive.get("deadLetterTargetArn", ""),
        "trace_id": TRACE_ID.get(),
    }


def _sqs_attribute(kind: str, value: str) -> dict[str, Any]:
    if kind.startswith("Binary"):
        return {"DataType": kind, "BinaryValue": base64.b64decode(value)}
    return {"DataType": kind, "StringValue": value}


# -- confirmation --


def _is_pending(subscription: Any) -> bool:
    return bool(subscription.attributes.get(PENDING))


def _then_confirm(subscribe: Callable[..., Any]) -> Callable[..., Any]:
    """An HTTP endpoint has to confirm; one that has not is asked again by each Subscribe."""

    def wrapped(backend: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
        known = backend._find_subscription(topic_arn, endpoint, protocol)
        subscription = subscribe(backend, topic_arn, endpoint, protocol)
        if protocol in _HTTP and (known is None or _is_pending(known)):
            subscription.attributes |= {PENDING: True, "ConfirmationWasAuthenticated": False}
            if known is None:
                subscription.sandbox_token = secrets.token_hex(96)
            confirmation = {"message_id": secrets.token_hex(16), "message": "", "token": subscription.sandbox_token}
            _deliver(Delivery(**confirmation, **_of(subscription)))
        return subscription

    return wrapped


def _answer_pending(subscribe: Callable[..., Any]) -> Callable[..., Any]:
    """Subscribe's answer has no ARN while the endpoint has not confirmed, unless ReturnSubscriptionArn asks for it."""

    def wrapped(api: Any) -> Any:
        wants_arn = str(api._get_param("ReturnSubscriptionArn")).lower() == "true"
        answer = subscribe(api)
        subscription = api.backend.subscriptions.get(answer.result["SubscriptionArn"])
        if subscription is not None and _is_pending(subscription) and not wants_arn:
            answer.result["SubscriptionArn"] = "pending confirmation"
        return answer

    return wrapped


def _confirm_subscription(api: Any) -> Any:
    """In place of moto's SNSResponse.confirm_subscription."""
    from moto.core.responses import ActionResult
    from moto.sns.exceptions import SNSInvalidParameter, SNSNotFoundError

    topic_arn, token = api._get_param("TopicArn"), api._get_param("Token")
    if topic_arn not in api.backend.topics:
        raise SNSNotFoundError("Topic does not exist")
    for subscription in list(api.backend.subscriptions.values()):
        if subscription.topic.arn == topic_arn and getattr(subscription, "sandbox_token", None) == token:
            subscription.attributes[PENDING] = False
            return ActionResult({"SubscriptionArn": subscription.arn})
    raise SNSInvalidParameter("Invalid parameter: Token")


def _shown(list_them: Callable[..., Any]) -> Callable[..., Any]:
    """A subscription that is not confirmed is listed without its ARN."""

    def wrapped(*args: Any, **options: Any) -> Any:
        found, next_token = list_them(*args, **options)
        return [_without_arn(one) if _is_pending(one) else one for one in found], next_token

    return wrapped


def _without_arn(subscription: Any) -> Any:
    shown = copy.copy(subscription)
    shown.arn = PENDING
    return shown
