"""Queues that invoke functions, as boto3 sees them."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

SHOW = "def handler(event, context):\n    for r in event['Records']: print('body:' + r['body'])\n"
BROKEN = f"{SHOW}    raise ValueError('no')"
# fails for each message whose body is "bad", and says so
PARTLY = (
    f"{SHOW}"
    "    bad = [r['messageId'] for r in event['Records'] if r['body'] == 'bad']\n"
    "    return {'batchItemFailures': [{'itemIdentifier': i} for i in bad]}"
)


class Queue:
    """A queue with its API."""

    def __init__(self, control: Any, name: str = "q", **attributes: Any) -> None:
        self._sqs = control.aws("sqs")
        attributes.setdefault("VisibilityTimeout", 30)
        texts = {key: str(value) for key, value in attributes.items()}
        self.url = self._sqs.create_queue(QueueName=name, Attributes=texts)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"

    def send(self, *bodies: str, **more: Any) -> list[str]:
        return [self._sqs.send_message(QueueUrl=self.url, MessageBody=body, **more)["MessageId"] for body in bodies]

    def left(self) -> int:
        """Messages that are visible or at work."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(map(int, found.values()))

    def receive(self) -> list[str]:
        answer = self._sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=20)
        return [message["Body"] for message in answer.get("Messages", [])]


def mapped(control: Any, queue: Queue, source: str = SHOW, name: str = "f", **settings: Any) -> str:
    """The id of a new mapping to a new function."""
    timeout = settings.pop("Timeout", 3)
    control.function(source, name, Timeout=timeout)
    client = control.aws("lambda")
    made = client.create_event_source_mapping(EventSourceArn=queue.arn, FunctionName=name, **settings)
    return str(made["UUID"])


def bodies(invocation: Any) -> list[str]:
    """What the function has printed; the timeline has only the beginning of an event."""
    return [line.removeprefix("body:") for line in invocation["log"] if line.startswith("body:")]


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_message_invokes_the_function_and_is_deleted(control: Any, until: Callable[..., None]) -> None:
    queue = Queue(control)
    mapped(control, queue)
    attribute = {"colour": {"DataType": "String", "StringValue": "blue"}}
    (message_id,) = queue.send("hello", MessageAttributes=attribute)
    (seen,) = control.invocations("f", 1)
    assert (seen["trigger"], seen["status"]) == ("sqs:q", "Success")
    (one,) = json.loads(seen["payload"])["Records"]
    assert (one["messageId"], one["body"], one["eventSourceARN"]) == (message_id, "hello", queue.arn)
    assert one["messageAttributes"]["colour"]["stringValue"] == "blue"
    assert one["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= one["attributes"].keys()
    until(lambda: queue.left() == 0)


def test_messages_come_in_batches(control: Any, until: Callable[..., None]) -> None:
    queue = Queue(control)
    queue.send(*map(str, range(25)))
    mapped(control, queue)
    seen = control.invocations("f", 3)
    assert sorted(len(bodies(one)) for one in seen) == [5, 10, 10]
    assert sorted(int(body) for one in seen for body in bodies(one)) == list(range(25))
    until(lambda: queue.left() == 0)


def test_a_window_gathers_more_than_one_receive_gives(control: Any) -> None:
    queue = Queue(control)
    queue.send(*map(str, range(12)))
    mapped(control, queue, BatchSize=12, MaximumBatchingWindowInSeconds=60)
    started = time.monotonic()
    assert len(bodies(control.invocations("f", 1)[0])) == 12
    assert time.monotonic() - started < 20  # full before the window is over


def test_a_window_ends(start_control: Any) -> None:
    control = start_control(speed=10)
    queue = Queue(control)
    queue.send("a", "b")
    mapped(control, queue, BatchSize=100, MaximumBatchingWindowInSeconds=10)
    assert bodies(control.invocations("f", 1)[0]) == ["a", "b"]


def test_a_failed_batch_comes_again_and_ends_in_the_dead_letter_queue(control: Any) -> None:
    dead = Queue(control, "dead")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2})
    queue = Queue(control, VisibilityTimeout=3, RedrivePolicy=redrive)
    mapped(control, queue, BROKEN, Timeout=1)
    queue.send("bad")
    first, second = control.invocations("f", 2)
    counts = [
        json.loads(seen["payload"])["Records"][0]["attributes"]["ApproximateReceiveCount"] for seen in (first, second)
    ]
    assert counts == ["1", "2"]
    assert dead.receive() == ["bad"]
    assert len([o for o in control.timeline.since() if o.kind == "lambda.invocation"]) == 2


def test_messages_that_failed_alone_come_again(control: Any) -> None:
    queue = Queue(control, VisibilityTimeout=3)
    queue.send("good", "bad")
    mapped(control, queue, PARTLY, Timeout=1, FunctionResponseTypes=["ReportBatchItemFailures"])
    first, second = control.invocations("f", 2)
    assert bodies(first) == ["good", "bad"]
    assert bodies(second) == ["bad"]


def test_without_report_batch_item_failures_the_answer_means_nothing(control: Any, until: Callable[..., None]) -> None:
    queue = Queue(control, VisibilityTimeout=1)
    queue.send("bad")
    mapped(control, queue, PARTLY, Timeout=1)
    control.invocations("f", 1)
    until(lambda: queue.left() == 0)


def test_filtered_messages_are_deleted(control: Any, until: Callable[..., None]) -> None:
    queue = Queue(control)
    criteria = {"Filters": [{"Pattern": '{"body": {"kind": ["wanted"]}}'}]}
    mapped(control, queue, FilterCriteria=criteria)
    queue.send('{"kind": "other"}', "plain", '{"kind": "wanted"}')
    (seen,) = control.invocations("f", 1)
    assert bodies(seen) == ['{"kind": "wanted"}']
    until(lambda: queue.left() == 0)


def test_throttled_messages_are_tried_until_they_run(start_control: Any, until: Callable[..., None]) -> None:
    control = start_control(speed=100)
    queue = Queue(control)
    client = control.aws("lambda")
    control.function(SHOW)
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    client.create_event_source_mapping(EventSourceArn=queue.arn, FunctionName="f")
    queue.send("patient")
    told = control.timeline.wait_for("throttling", lambda o: o.kind == "lambda.event_source", within=20)
    assert told["error"] == "TooManyRequestsException: Rate Exceeded."
    client.delete_function_concurrency(FunctionName="f")
    assert bodies(control.invocations("f", 1)[0]) == ["patient"]
    until(lambda: queue.left() == 0)


def test_a_fifo_group_keeps_its_order_and_nothing_spins(control: Any) -> None:
    queue = Queue(control, "q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    source = f"{SHOW}    __import__('time').sleep(1)"
    mapped(control, queue, source, BatchSize=1)
    before = time.process_time()
    queue.send(*"abc", MessageGroupId="g")
    seen = control.invocations("f", 3)
    assert [bodies(one) for one in seen] == [["a"], ["b"], ["c"]]
    assert all(later.at - earlier.at >= 1 for earlier, later in itertools.pairwise(seen))
    assert time.process_time() - before < 1.5


def test_an_idle_queue_costs_nothing(control: Any) -> None:
    queue = Queue(control)
    mapped(control, queue)
    queue.send("first")
    control.invocations("f", 1)
    before = time.process_time()
    threading.Event().wait(1.0)  # time in which nothing happens is what is measured
    assert time.process_time() - before < 0.3


def test_a_slow_function_holds_up_no_other_queue(control: Any) -> None:
    slow, quick = Queue(control, "slow", VisibilityTimeout=900), Queue(control, "quick")
    mapped(control, slow, "def handler(e, c):\n    while True: pass", "slow", Timeout=900)
    slow.send("a")
    mapped(control, quick, name="quick")
    quick.send("b")
    assert bodies(control.invocations("quick", 1)[0]) == ["b"]


def test_a_mapping_s_life(control: Any) -> None:
    client, queue = control.aws("lambda"), Queue(control)
    arn = control.function(SHOW)
    made = client.create_event_source_mapping(EventSourceArn=queue.arn, FunctionName="f", Enabled=False)
    assert (made["State"], made["BatchSize"], made["FunctionArn"]) == ("Creating", 10, arn)
    assert made["EventSourceMappingArn"].endswith(f":event-source-mapping:{made['UUID']}")
    assert client.get_event_source_mapping(UUID=made["UUID"])["State"] == "Disabled"
    queue.send("waits")
    code, message = refused(client.create_event_source_mapping, EventSourceArn=queue.arn, FunctionName="f")
    assert (code, message.endswith(f"mapping with UUID {made['UUID']}")) == ("ResourceConflictException", True)
    assert not [o for o in control.timeline.since() if o.kind == "lambda.invocation"]
    client.update_event_source_mapping(UUID=made["UUID"], Enabled=True, BatchSize=5)
    shown = client.get_event_source_mapping(UUID=made["UUID"])
    assert (shown["State"], shown["BatchSize"]) == ("Enabled", 5)
    assert bodies(control.invocations("f", 1)[0]) == ["waits"]
    found = client.list_event_source_mappings(FunctionName="f", EventSourceArn=queue.arn)["EventSourceMappings"]
    assert [mapping["UUID"] for mapping in found] == [made["UUID"]]
    assert client.list_event_source_mappings(FunctionName="g")["EventSourceMappings"] == []
    assert client.delete_event_source_mapping(UUID=made["UUID"])["State"] == "Deleting"
    assert refused(client.get_event_source_mapping, UUID=made["UUID"])[0] == "ResourceNotFoundException"
    mark = control.timeline.mark()
    queue.send("stays")
    assert queue.receive() == ["stays"]
    assert not [o for o in control.timeline.since(mark) if o.kind == "lambda.invocation"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, "SQS only yet"),
        ({"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:none"}, "NonExistentQueue"),
        ({"EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:q"}, "is not in the function's region"),
        ({"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "Invalid filter pattern definition."),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}}, "5 filters"),
        ({"ParallelizationFactor": 2}, "ParallelizationFactor"),
    ],
)
def test_a_mapping_that_cannot_be(control: Any, settings: dict[str, Any], message: str) -> None:
    control.function(SHOW)
    given = {"EventSourceArn": Queue(control).arn, "FunctionName": "f", **settings}
    code, told = refused(control.aws("lambda").create_event_source_mapping, **given)
    assert code == "InvalidParameterValueException"
    assert message in told


def test_the_queue_must_hide_messages_as_long_as_the_function_may_take(control: Any) -> None:
    control.function(SHOW, Timeout=60)
    call = control.aws("lambda").create_event_source_mapping
    assert refused(call, EventSourceArn=Queue(control).arn, FunctionName="f") == (
        "InvalidParameterValueException",
        "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds",
    )


def test_a_queue_that_goes_is_told(control: Any) -> None:
    queue = Queue(control, "q.fifo", FifoQueue="true")  # whose polls are short
    mapped(control, queue)
    control.aws("sqs").delete_queue(QueueUrl=queue.url)
    told = control.timeline.wait_for("the error", lambda o: o.kind == "lambda.event_source", within=30)
    assert (told["function"], told["queue"]) == ("f", "q.fifo")
    assert "NonExistentQueue" in told["error"]
