"""Carries events from EventBridge's rules to their targets, without ever holding up who published them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from sandbox.aws.lambda_runtime.workers import Workers
from sandbox.aws.protocol import AwsError
from sandbox.aws.services.events_state import Arrival
from sandbox.aws.services.lambda_ import LambdaService
from sandbox.model.eventbridge_input import target_input
from sandbox.model.eventbridge_transformer import InvalidJsonError
from sandbox.timeline import Timeline

_ECS_FIELDS = ("lastStatus", "desiredStatus", "version", "taskArn")


class EventDelivery:
    """One queue and one thread a target: a slow or broken function delays its own events only.

    AWS promises no order; here a target gets its events one after another as they were published, so that a run can
    be repeated. A function that fails gets the event again after Lambda's one and two minutes; that holds up nothing.

    Timeline: ``event.published``, then for each target ``event.delivered`` when it has taken the event, or
    ``event.failed`` if it cannot.

    Args:
        functions: Where Lambda targets are.
        timeline: See above.
    """

    def __init__(self, functions: LambdaService, timeline: Timeline) -> None:
        self._functions = functions
        self._timeline = timeline
        self._queues: dict[tuple[str, str], Workers] = {}
        self._lock = threading.Lock()
        self._closed = False

    def published(self, event: Mapping[str, Any], bus: str, rules: list[str]) -> None:
        """Record that ``event`` came on ``bus`` and which ``rules`` matched it."""
        detail = event["detail"]
        self._timeline.record(
            "event.published",
            id=event["id"],
            source=event["source"],
            detail_type=event["detail-type"],
            resources=list(event["resources"]),
            bus=bus,
            rules=rules,
            event=event,
            **{name: detail.get(name) for name in _ECS_FIELDS if event["source"] == "aws.ecs" and name in detail},
        )

    def deliver(self, rule_arn: str, target: Mapping[str, Any], arrival: Arrival) -> None:
        """Queue an event for a target of a rule; returns at once."""
        with self._lock:
            if self._closed:
                return
            key = (rule_arn, target["Id"])
            queue = self._queues.setdefault(key, Workers(f"events-{target['Id']}", 1))
        queue.submit(lambda: self._hand_over(rule_arn, target, arrival, queue))

    def close(self) -> None:
        """Drop what is queued. Functions under way are ended by their runtime."""
        with self._lock:
            self._closed = True
            queues = list(self._queues.values())
        for queue in queues:
            queue.close()

    def _hand_over(self, rule_arn: str, target: Mapping[str, Any], arrival: Arrival, queue: Workers) -> None:
        facts = {"id": arrival.event["id"], "rule": rule_arn.rpartition("/")[2], "target": target["Arn"]}
        try:
            self._functions.deliver(
                target["Arn"],
                target_input(target, arrival.event, rule_arn=rule_arn, ingested=arrival.at).encode(),
                trigger=f"events:{facts['rule']}",
                accepted=lambda: self._timeline.record("event.delivered", **facts),
                submit=queue.submit,
            )
        except AwsError as error:
            self._timeline.record("event.failed", **facts, error=error.code, reason=error.message)
        except InvalidJsonError as error:
            self._timeline.record("event.failed", **facts, error="INVALID_JSON", reason=str(error))
