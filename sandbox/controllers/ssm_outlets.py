"""Where Run Command sends what it has to tell: EventBridge, SNS, S3."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.clients import Clients
from sandbox.timeline import Timeline

REFUSED = "ssm.refused"


class Outlets:
    """The outlets of one sandbox. Messages of a command reach SNS in the order in which they were told.

    Timeline: ``ssm.refused`` (what, where, reason) for what was not taken. AWS says nothing of it either: a
    notification that the service role may not publish simply does not come.

    Args:
        aws: Clients of the endpoint.
        publish: Puts an event on EventBridge's default bus.
        timeline: See above.

    Attributes:
        may_publish: Asked before each notification, with the service role's ARN and the topic's: why the role may not
            ("": it may). The one place where the role's permission for sns:Publish counts.
    """

    def __init__(self, aws: Clients, publish: Callable[[dict[str, Any]], None], timeline: Timeline) -> None:
        self.may_publish: Callable[[str, str], str] = lambda role_arn, topic_arn: ""
        self.publish = publish
        self._aws = aws
        self._timeline = timeline
        self._in_turn = ThreadPoolExecutor(1, thread_name_prefix="ssm-notifications")

    def notify(self, topic_arn: str, message: str, service_role_arn: str) -> None:
        """Publish a message to a topic, as the service role. Returns at once."""
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._in_turn.submit(self._notify, topic_arn, message, service_role_arn)

    def store(self, bucket: str, key: str, content: IO[bytes]) -> None:
        """Put an output into S3."""
        try:
            self._aws("s3").put_object(Bucket=bucket, Key=key, Body=content)
        except (ClientError, BotoCoreError) as error:
            self._timeline.record(REFUSED, what="output", where=f"s3://{bucket}/{key}", reason=str(error))

    def close(self) -> None:
        """Drop what has not been published."""
        self._in_turn.shutdown(wait=False, cancel_futures=True)

    def _notify(self, topic_arn: str, message: str, service_role_arn: str) -> None:
        reason = self.may_publish(service_role_arn, topic_arn)
        if not reason:
            try:
                self._aws("sns").publish(TopicArn=topic_arn, Message=message)
            except (ClientError, BotoCoreError) as error:
                reason = str(error)
        if reason:
            self._timeline.record(REFUSED, what="notification", where=topic_arn, reason=reason)
