"""Long polls of moto's queues."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway


@pytest.fixture
def sqs() -> Iterator[Any]:
    backend = Embedded()
    with Gateway([], backend) as gateway:
        yield Clients(gateway.url)("sqs")
    backend.reset()


def test_a_group_that_is_being_processed_costs_nothing(sqs: Any) -> None:
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(QueueName="q.fifo", Attributes=attributes)["QueueUrl"]
    for body in "ab":
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1
    before = time.process_time()
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert time.process_time() - before < 0.3


def test_a_message_ends_a_long_poll_at_once(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    threading.Timer(0.3, sqs.send_message, kwargs={"QueueUrl": url, "MessageBody": "x"}).start()
    started = time.monotonic()
    assert len(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]) == 1
    assert time.monotonic() - started < 1
