"""moto's SQS where it needs correction.

Measured with moto 5.2.5: a long poll of a FIFO queue whose visible messages all belong to a group that is being
processed does not wait at all: it takes a whole processor until its time is up. And a message does not keep the trace
header of the request that sent it ("Amazon SQS and AWS X-Ray").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.aws.backends.trace import TRACE_ID


def correct_queues() -> None:
    """Let moto's SQS wait, and keep trace headers, from now on in this process. Imports moto."""
    from moto.sqs import models

    queue: Any = models.Queue
    queue.wait_for_messages = _wait_for_messages
    backend: Any = models.SQSBackend
    backend.send_message = _with_trace_header(backend.send_message)


def _with_trace_header(send: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, system_attributes: dict[str, Any] | None = None, **options: Any) -> Any:
        trace_id = TRACE_ID.get()
        if trace_id and not (system_attributes or {}).get("AWSTraceHeader"):
            header = {"DataType": "String", "StringValue": trace_id}
            system_attributes = {**(system_attributes or {}), "AWSTraceHeader": header}
        return send(*args, system_attributes=system_attributes, **options)

    return wrapped


def _wait_for_messages(queue: Any, timeout: float) -> None:
    """In place of moto's method of that name."""

    def one_is_free() -> bool:
        busy = queue.pending_message_groups if queue.fifo_queue else set()
        return any(message.group_id not in busy for message in queue.messages)

    with queue._messages_lock:
        queue._messages_lock.wait_for(one_is_free, timeout=timeout)
