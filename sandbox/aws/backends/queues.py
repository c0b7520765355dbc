"""Long polls of moto's SQS that wait.

Measured with moto 5.2.5: a long poll of a FIFO queue whose visible messages all belong to a group that is being
processed does not wait at all: it takes a whole processor until its time is up.
"""

from __future__ import annotations

from typing import Any


def wait_without_spinning() -> None:
    """Let moto's SQS wait for a message that can be received, from now on in this process. Imports moto."""
    from moto.sqs import models

    queue: Any = models.Queue
    queue.wait_for_messages = _wait_for_messages


def _wait_for_messages(queue: Any, timeout: float) -> None:
    """In place of moto's method of that name."""

    def one_is_free() -> bool:
        busy = queue.pending_message_groups if queue.fifo_queue else set()
        return any(message.group_id not in busy for message in queue.messages)

    with queue._messages_lock:
        queue._messages_lock.wait_for(one_is_free, timeout=timeout)
