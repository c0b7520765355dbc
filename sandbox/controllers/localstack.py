"""EventBridge and Lambda of LocalStack, as the sandbox uses and observes them.

EventBridge, Lambda and SNS are LocalStack's altogether: the sandbox puts AWS's own events on its bus, has functions run
at the edge, and is told of each invocation by the plugin in LocalStack's image. What functions call comes back through
the gateway, whoever answers it.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.backends.localstack.backend import LocalStack
from sandbox.aws.lambda_runtime.function import Result
from sandbox.aws.lambda_runtime.workers import Workers
from sandbox.aws.protocol import AwsError
from sandbox.controllers.events import ECS_FIELDS
from sandbox.controllers.serverless import Parts, Serverless
from sandbox.errors import SandboxError

log = logging.getLogger(__name__)

INVOCATIONS = "/_sandbox/invocations"
"""Where LocalStack's plugin tells of each invocation."""


class LocalStackEvents:
    """LocalStack's EventBridge.

    Timeline: ``event.published`` for each event that PutEvents took, whoever called it. ``rules`` is what LocalStack's
    TestEventPattern says for events of AWS's services, and null for others, for which it is not asked.

    Args:
        parts: See there.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._queue = Workers("events", 1)

    def publish(self, event: Mapping[str, Any]) -> None:
        """Put an event on the default bus of its region, one after another; LocalStack gives it a new id."""
        self._queue.submit(lambda: self._put(event))

    def published(
        self, entries: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]], region: str
    ) -> None:
        """Record the events that a PutEvents has put."""
        for entry, answer in zip(entries, answers, strict=False):
            if "EventId" not in answer:
                continue
            event = _event(entry, answer["EventId"], region)
            bus = str(entry.get("EventBusName") or "default").rpartition("/")[2]
            of_aws = event["source"].startswith("aws.")
            detail = event["detail"]
            self._parts.timeline.record(
                "event.published",
                id=event["id"],
                source=event["source"],
                detail_type=event["detail-type"],
                resources=event["resources"],
                bus=bus,
                rules=self._rules(event, bus, region) if of_aws else None,
                event=event,
                **{name: detail.get(name) for name in ECS_FIELDS if event["source"] == "aws.ecs" and name in detail},
            )

    def close(self) -> None:
        """Drop what is queued."""
        self._queue.close()

    def _put(self, event: Mapping[str, Any]) -> None:
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": list(event["resources"]),
            "Time": event["time"],
        }
        try:
            answer = self._parts.own("events", event["region"]).put_events(Entries=[entry])
        except (ClientError, BotoCoreError) as error:
            refusal = str(error)
        else:
            refusal = "" if not answer["FailedEntryCount"] else str(answer["Entries"])
        if refusal:
            what = f"LocalStack's events did not take an event of {event['source']}"
            self._parts.timeline.abort(SandboxError(what, state=refusal))

    def _rules(self, event: Mapping[str, Any], bus: str, region: str) -> list[str] | None:
        client = self._parts.own("events", region)
        try:
            rules = [
                rule
                for page in client.get_paginator("list_rules").paginate(EventBusName=bus)
                for rule in page["Rules"]
                if rule.get("EventPattern") and rule["State"] != "DISABLED"
            ]
            told = json.dumps(event)
            return [
                rule["Name"]
                for rule in rules
                if client.test_event_pattern(EventPattern=rule["EventPattern"], Event=told)["Result"]
            ]
        except (ClientError, BotoCoreError) as error:
            log.warning("LocalStack does not say which rules match %s: %s", event["id"], error)
            return None


class LocalStackFunctions:
    """LocalStack's Lambda.

    Timeline: ``lambda.invocation``, as told by the plugin in LocalStack's image. ``trigger`` is "" unless a function
    runs at the edge: LocalStack's Lambda does not know who has asked for an invocation.

    Args:
        parts: See there.
    """

    def __init__(self, parts: Parts) -> None:
        self.is_replicated: Callable[[str], bool] = lambda arn: False
        self._parts = parts
        self._lock = threading.Lock()
        self._at_edge: dict[str, list[str]] = {}  # the triggers of what runs there now, by the version's ARN
        self._attempts: dict[str, int] = {}

    def run_at_edge(self, arn: str, payload: bytes, trigger: str) -> Result:
        """Run a published version and wait for its result.

        Raises:
            AwsError: LocalStack refuses, or does not answer.
        """
        begun = time.monotonic()
        with self._lock:
            self._at_edge.setdefault(arn, []).append(trigger)
        try:
            answer = self._parts.own("lambda").invoke(FunctionName=arn, Payload=payload, LogType="Tail")
            content = answer["Payload"].read()
        except ClientError as error:
            told = error.response["Error"]
            raise AwsError(told["Code"], told["Message"]) from error
        except BotoCoreError as error:
            raise AwsError("ServiceException", str(error), 500) from error
        finally:
            with self._lock:  # what it did has been told of by now
                self._at_edge[arn].remove(trigger)
        text = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        request_id = answer["ResponseMetadata"].get("RequestId", "")
        taken = 1000 * (time.monotonic() - begun)
        self._log_at_edge(arn, text)
        return Result(request_id, content, "FunctionError" in answer, text, taken, None)

    def policy(self, arn: str) -> str | None:
        """The policy of a function or of one of its versions; None where there is none."""
        try:
            return str(self._parts.own("lambda", arn.split(":")[3]).get_policy(FunctionName=arn)["Policy"])
        except (ClientError, BotoCoreError):
            return None

    def edge_function(self, arn: str) -> Mapping[str, Any] | None:
        """The FunctionConfiguration of a published version by its ARN; None where there is none."""
        try:
            found: Mapping[str, Any] = self._parts.own("lambda").get_function_configuration(FunctionName=arn)
        except (ClientError, BotoCoreError):
            return None
        return found

    def invoked(self, body: bytes) -> None:
        """Record an invocation that LocalStack's plugin tells of."""
        told = json.loads(body)
        arn, name = told.pop("arn"), told.pop("function")
        with self._lock:
            trigger = next(iter(self._at_edge.get(arn, ())), "")
            attempt = self._attempts[told["request_id"]] = self._attempts.get(told["request_id"], 0) + 1
        self._parts.timeline.record(
            "lambda.invocation",
            function=_edge_name(arn) if trigger else name,
            trigger=trigger,
            attempt=attempt,
            **told,
        )

    def _log_at_edge(self, arn: str, text: str) -> None:
        """An edge location's log is in a group of its own."""
        now = self._parts.clock.now()
        stream = f"{datetime.fromtimestamp(now, UTC):%Y/%m/%d}/[{arn.rpartition(':')[2]}]{uuid.uuid4().hex}"
        lines = [(now, line) for line in text.splitlines()]
        self._parts.logs.write(f"/aws/lambda/{_edge_name(arn)}", stream, lines)


def make(backend: LocalStack) -> Callable[[Parts], Serverless]:
    """What makes LocalStack's EventBridge and Lambda from `Parts`.

    Args:
        backend: Tells of PutEvents.
    """

    def made(parts: Parts) -> Serverless:
        events, functions = LocalStackEvents(parts), LocalStackFunctions(parts)
        backend.on_events = events.published
        parts.gateway.add_receiver(INVOCATIONS, functions.invoked)
        return Serverless(events, functions, (), lambda where: None, events.close)

    return made


def _edge_name(arn: str) -> str:
    _, _, _, region, _, _, name, *_ = arn.split(":")
    return f"{region}.{name}"


def _event(entry: Mapping[str, Any], event_id: str, region: str) -> dict[str, Any]:
    """The event that an entry of PutEvents has become, but for a time that the entry does not say."""
    when = entry.get("Time")
    at = datetime.now(UTC) if when is None else datetime.fromtimestamp(float(when), UTC)
    return {
        "version": "0",
        "id": event_id,
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": ACCOUNT_ID,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": list(entry.get("Resources", ())),
        "detail": json.loads(entry["Detail"]),
    }
