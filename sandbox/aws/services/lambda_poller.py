"""Takes messages from a queue to a function: one poller for each event source mapping.

"Using Lambda with Amazon SQS". Messages stay invisible while their batch is at work; those of a batch that succeeded
are deleted, the others come again when the queue's visibility time-out is over, and end in its dead-letter queue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.clients import Clients
from sandbox.aws.lambda_runtime.function import Result
from sandbox.aws.lambda_runtime.workers import Workers
from sandbox.aws.protocol import AwsError
from sandbox.aws.services.lambda_recursion import RECURSIVE
from sandbox.clock import Clock
from sandbox.model.lambda_async import FIRST_BACK_OFF, LONGEST_BACK_OFF
from sandbox.model.lambda_recursion import deepest
from sandbox.model.lambda_sqs import Filters, Record, events, failed_items, record
from sandbox.timeline import Timeline

_RECEIVE_LIMIT = 10  # messages of one ReceiveMessage, and of one DeleteMessageBatch
_LONG_POLL = 20  # seconds; SQS's longest
# moto's long poll of a FIFO queue does not notice that a group has become free
_FIFO_POLL = 1
_AFTER_ERROR = 5.0  # seconds until a queue that cannot be read is tried again


@dataclass(frozen=True)
class PollerSettings:
    """What a mapping says.

    Attributes:
        uuid: The mapping's.
        queue_arn: The queue.
        function_arn: The function, without a qualifier.
        batch_size: The most messages of an event.
        window: The most seconds for which messages are gathered.
        filters: Which messages go to the function.
        report_failures: Whether the function's answer names the messages that failed.
        at_once: How many batches are at work at the same time.
    """

    uuid: str
    queue_arn: str
    function_arn: str
    batch_size: int
    window: float
    filters: Filters
    report_failures: bool
    at_once: int

    @property
    def queue(self) -> str:
        """The queue's name."""
        return self.queue_arn.rpartition(":")[2]


Invoke = Callable[[str, bytes, str, str], Result | None]
"""Invokes a function synchronously: its ARN, the event, who invokes, and the trace header; None if there is no such
function. Raises AwsError where it is throttled, or goes round in circles."""


class SqsPoller:
    """Polls from its creation until it is ended.

    Args:
        settings: What the mapping says.
        clients: Of the sandbox's endpoint.
        invoke: Invokes the function.
        clock: Times the batching window and the retries of throttled invocations.
        timeline: Gets a ``lambda.event_source`` when the queue cannot be read, or the function is not there.
    """

    def __init__(
        self, settings: PollerSettings, clients: Clients, invoke: Invoke, clock: Clock, timeline: Timeline
    ) -> None:
        self._settings = settings
        self._invoke = invoke
        self._clock = clock
        self._timeline = timeline
        self._sqs = clients("sqs", settings.queue_arn.split(":")[3])
        self._url = ""
        self._told = ""
        self._ended = threading.Event()
        self._free = threading.Semaphore(settings.at_once)
        self._workers = Workers(f"lambda-sqs-{settings.queue}", settings.at_once)
        threading.Thread(target=self._poll, name=f"poll-{settings.queue}", daemon=True).start()

    def end(self) -> None:
        """Take no more messages. What is at work goes on."""
        self._ended.set()
        self._free.release()
        self._workers.close()

    def _poll(self) -> None:
        while True:
            self._free.acquire()
            if self._ended.is_set():
                return
            try:
                batch = self._gather()
            except (ClientError, BotoCoreError) as error:
                self._tell(str(error))
                batch = []
                self._ended.wait(_AFTER_ERROR)
            if batch:
                self._workers.submit(partial(self._work, batch))
            else:
                self._free.release()

    def _gather(self) -> list[Record]:
        """A batch: what comes until it is full, or until the window, which begins with the first message, is over."""
        batch: list[Record] = []
        until = 0.0
        while len(batch) < self._settings.batch_size and not self._ended.is_set():
            left = until - time.monotonic() if batch else _LONG_POLL
            if left <= 0:
                break
            received = self._receive(self._settings.batch_size - len(batch), left)
            if received and not batch:
                until = time.monotonic() + self._clock.real_seconds(self._settings.window)
            batch += received
            if not batch:
                break
        if self._ended.is_set() and batch:  # nobody will work at them
            self._give_back(batch)
            return []
        return batch

    def _receive(self, count: int, left: float) -> list[Record]:
        longest = _FIFO_POLL if self._settings.queue.endswith(".fifo") else _LONG_POLL
        if not self._url:
            account = self._settings.queue_arn.split(":")[4]
            found = self._sqs.get_queue_url(QueueName=self._settings.queue, QueueOwnerAWSAccountId=account)
            self._url = found["QueueUrl"]
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=min(count, _RECEIVE_LIMIT),
            WaitTimeSeconds=max(min(int(left), longest), 1),
        )
        self._told = ""
        return [record(message, self._settings.queue_arn) for message in answer.get("Messages", [])]

    def _work(self, batch: list[Record]) -> None:
        try:
            wanted = [one for one in batch if self._settings.filters.passes(one)]
            self._delete(one for one in batch if one not in wanted)
            for records, payload in events(wanted):
                self._delete(self._succeeded(records, payload))
        except (ClientError, BotoCoreError) as error:
            self._tell(str(error))
        finally:
            self._free.release()

    def _succeeded(self, records: list[Record], payload: bytes) -> list[Record]:
        """Those of an event's records that are done."""
        headers = [one["attributes"].get("AWSTraceHeader", "") for one in records]
        result = self._run(payload, deepest(headers, self._settings.function_arn.rpartition(":")[2]))
        if result is None or result.failed:
            return []
        if not self._settings.report_failures:
            return records
        failed = failed_items(result.payload, [one["messageId"] for one in records])
        return [one for one in records if one["messageId"] not in failed]

    def _run(self, payload: bytes, trace_id: str) -> Result | None:
        """Invoke the function; while it is throttled, until the messages can be seen again."""
        delay = FIRST_BACK_OFF
        until = time.monotonic() + self._visibility_timeout()
        while not self._ended.is_set():
            try:
                trigger = f"sqs:{self._settings.queue}"
                result = self._invoke(self._settings.function_arn, payload, trigger, trace_id)
            except AwsError as throttle:  # or this machine cannot run the function now
                if throttle.code == RECURSIVE:
                    self._tell(f"{throttle.code}: {throttle.message}")
                    return None
                wait = self._clock.real_seconds(delay)
                if time.monotonic() + wait > until:
                    return None
                self._tell(f"{throttle.code}: {throttle.message}")
                self._ended.wait(wait)
                delay = min(delay * 2, LONGEST_BACK_OFF)
            else:
                if result is None:
                    self._tell(f"ResourceNotFoundException: Function not found: {self._settings.function_arn}")
                return result
        return None

    def _visibility_timeout(self) -> float:
        wanted = ["VisibilityTimeout"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=wanted)["Attributes"]
        return float(attributes["VisibilityTimeout"])

    def _delete(self, records: Iterable[Record]) -> None:
        done = list(records)
        for first in range(0, len(done), _RECEIVE_LIMIT):
            entries = [
                {"Id": str(number), "ReceiptHandle": one["receiptHandle"]}
                for number, one in enumerate(done[first : first + _RECEIVE_LIMIT])
            ]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)

    def _give_back(self, records: list[Record]) -> None:
        for one in records:
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=one["receiptHandle"], VisibilityTimeout=0
            )

    def _tell(self, error: str) -> None:
        """Record an error, once as long as it stays the same."""
        if self._ended.is_set() or error == self._told:
            return
        self._told = error
        function = self._settings.function_arn.rpartition(":")[2]
        self._timeline.record("lambda.event_source", function=function, queue=self._settings.queue, error=error)
