"""AWS::SNS and AWS::SQS."""

from __future__ import annotations

from typing import Any

from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind
from sandbox.model.cloudformation.shapes import Given
from sandbox.model.cloudformation.values import apply, json_text, text, text_of

_FIFO = ".fifo"


def _texts(r: Resource, names: str) -> dict[str, Any]:
    """Attributes, whose values the API takes as texts."""
    return {name: apply(text_of, one.value) for name, one in r.given(*names.split()).items()}


def _fifo_name(r: Resource, name: str, most: int) -> Any:
    fifo = str(r.get("FifoTopic", r.get("FifoQueue", False))).lower() == "true"
    return r.get(name) or (r.name(most - len(_FIFO)) + _FIFO if fifo else r.name(most))


_TOPIC = "ContentBasedDeduplication DisplayName FifoTopic KmsMasterKeyId SignatureVersion TracingConfig"


def _topic(r: Resource) -> Made:
    name = _fifo_name(r, "TopicName", 256)
    answer = r.call("sns.create_topic", {"Name": name, "Attributes": _texts(r, _TOPIC), **r.given("Tags")})
    arn = answer("TopicArn")
    for one, path in r.mappings("Subscription"):
        r.call("sns.subscribe", {"TopicArn": arn, **{key: Given(value, (*path, key)) for key, value in one.items()}})
    return Made(arn, {"TopicArn": arn, "TopicName": name})


_SUBSCRIPTION = "DeliveryPolicy FilterPolicy RedrivePolicy"


def _subscription(r: Resource) -> Made:
    attributes = {**r.as_json(*_SUBSCRIPTION.split()), **_texts(r, "FilterPolicyScope RawMessageDelivery")}
    answer = r.call(
        "sns.subscribe",
        {"ReturnSubscriptionArn": True, "Attributes": attributes, **r.given("Endpoint", "Protocol", "TopicArn")},
    )
    return Made(answer("SubscriptionArn"), {"Arn": answer("SubscriptionArn")})


def _topic_policy(r: Resource) -> Made:
    for one in r.items("Topics"):
        policy = apply(json_text, r.need("PolicyDocument"))
        r.call("sns.set_topic_attributes", {"TopicArn": one, "AttributeName": "Policy", "AttributeValue": policy})
    return Made(r.name())


_QUEUE = (
    "ContentBasedDeduplication DeduplicationScope DelaySeconds FifoQueue FifoThroughputLimit "
    "KmsDataKeyReusePeriodSeconds KmsMasterKeyId MaximumMessageSize MessageRetentionPeriod "
    "ReceiveMessageWaitTimeSeconds SqsManagedSseEnabled VisibilityTimeout"
)


def _queue(r: Resource) -> Made:
    name = _fifo_name(r, "QueueName", 80)
    attributes = {**_texts(r, _QUEUE), **r.as_json("RedriveAllowPolicy", "RedrivePolicy")}
    answer = r.call("sqs.create_queue", {"QueueName": name, "Attributes": attributes, "tags": r.tags()})
    return Made(
        answer("QueueUrl"), {"Arn": r.arn("sqs", text([name])), "QueueName": name, "QueueUrl": answer("QueueUrl")}
    )


def _queue_policy(r: Resource) -> Made:
    for one in r.items("Queues"):
        policy = apply(json_text, r.need("PolicyDocument"))
        r.call("sqs.set_queue_attributes", {"QueueUrl": one, "Attributes": {"Policy": policy}})
    return Made(r.name())


KINDS: dict[str, Kind] = {
    "AWS::SNS::Subscription": kind(
        f"{_SUBSCRIPTION} Endpoint FilterPolicyScope Protocol RawMessageDelivery TopicArn", "Arn", _subscription
    ),
    "AWS::SNS::Topic": kind(f"{_TOPIC} Subscription Tags TopicName", "TopicArn TopicName", _topic),
    "AWS::SNS::TopicPolicy": kind("PolicyDocument Topics", "", _topic_policy),
    "AWS::SQS::Queue": kind(
        f"{_QUEUE} QueueName RedriveAllowPolicy RedrivePolicy Tags", "Arn QueueName QueueUrl", _queue
    ),
    "AWS::SQS::QueuePolicy": kind("PolicyDocument Queues", "", _queue_policy),
}
