"""Carries events from EventBridge's rules to their targets, without ever holding up who published them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.lambda_runtime.workers import Workers
from sandbox.aws.services.events_state import Arrival
from sandbox.clock import Clock
from sandbox.controllers.event_targets import EventTargets, Job, TargetError
from sandbox.model.eventbridge_entries import as_json
from sandbox.model.eventbridge_recursion import Lineage, Recursion
from sandbox.model.eventbridge_retry import Failure, Retry, RetryPolicy, dead_letter_attributes
from sandbox.timeline import Timeline

ECS_FIELDS = ("lastStatus", "desiredStatus", "version", "taskArn")
_GOES_ROUND = Failure(
    "RECURSION",
    "The sandbox stops rules that cause the events which they match; on AWS they would go on, and be paid for.",
    retryable=False,
)

Disturbance = Callable[[str, list[float]], list[float]]
"""A rule's name, and when an event would be handed over to one of its targets -> when it is (see `disturb`)."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One of the attempts to deliver.

    Attributes:
        job: What goes where.
        queue: The target's.
        retries: How many attempts there were before.
        waited: How long it was waited between them, in AWS's seconds.
        lineage: How the event came to be; None until the first attempt.
    """

    job: Job
    queue: Workers
    retries: int = 0
    waited: float = 0.0
    lineage: Lineage | None = None

    def facts(self) -> dict[str, Any]:
        return {"id": self.job.arrival.event["id"], "rule": self.job.rule, "target": self.job.arn}


class EventDelivery:
    """One queue and one thread a target: a slow or broken one delays its own events only.

    AWS promises no order; here a target gets its events one after another as they were published, so that a run can
    be repeated. An event that is tried again comes after those that are in the queue by then, and holds up nothing: so
    does one that a function failed on, after Lambda's own one and two minutes. Events that cause themselves again and
    again are given up in the end (see `Recursion`).

    Timeline: ``event.published``, then for each target ``event.delivered`` when it has taken the event, ``event.retry``
    for each time that it has not and is tried again, ``event.failed`` when it is given up, and ``event.deadletter``
    when it went to the target's dead-letter queue instead. ``event.disturbed`` where a fault has it come late, twice or
    never.

    Args:
        targets: Call the targets.
        timeline: See above.
        clock: Times the retries; the age of an event is the sum of their delays.
        recursion: Stops loops of rules.
        seed: Of the jitter.
    """

    def __init__(
        self,
        targets: EventTargets,
        timeline: Timeline,
        clock: Clock,
        *,
        recursion: Recursion | None = None,
        seed: int = 0,
    ) -> None:
        self._targets = targets
        self._timeline = timeline
        self._clock = clock
        self._recursion = recursion or Recursion()
        self._random = random.Random(seed)
        self._queues: dict[tuple[str, str], Workers] = {}
        self._disturbances: list[Disturbance] = []
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
            **{name: detail.get(name) for name in ECS_FIELDS if event["source"] == "aws.ecs" and name in detail},
        )

    def deliver(self, rule_arn: str, target: Mapping[str, Any], arrival: Arrival) -> None:
        """Queue an event for a target of a rule; returns at once."""
        with self._lock:
            if self._closed:
                return
            key = (rule_arn, target["Id"])
            queue = self._queues.setdefault(key, Workers(f"events-{target['Id']}", 1))
        attempt = _Attempt(Job(rule_arn, target, arrival), queue)
        for delay in self._delays(attempt):
            if delay:
                self._clock.call_later(delay, lambda: self._submit(attempt))
            else:
                self._submit(attempt)

    def disturb(self, disturbance: Disturbance) -> Callable[[], None]:
        """Have a fault decide from now on when events come to targets; the returned function ends that."""
        with self._lock:
            self._disturbances.append(disturbance)

        def end() -> None:
            with self._lock:
                self._disturbances.remove(disturbance)

        return end

    def close(self) -> None:
        """Drop what is queued. Functions under way are ended by their runtime."""
        with self._lock:
            self._closed = True
            queues = list(self._queues.values())
        for queue in queues:
            queue.close()

    def _delays(self, attempt: _Attempt) -> list[float]:
        """When it is to be handed over, in AWS seconds from now: at once, where nothing is disturbed."""
        with self._lock:
            disturbances = list(self._disturbances)
        delays = [0.0]
        for disturbance in disturbances:
            delays = disturbance(attempt.job.rule, delays)
        if delays != [0.0]:
            self._timeline.record("event.disturbed", **attempt.facts(), delays=delays)
        return delays

    def _submit(self, attempt: _Attempt) -> None:
        attempt.queue.submit(lambda: self._hand_over(attempt))

    def _hand_over(self, attempt: _Attempt) -> None:
        lineage = attempt.lineage or self._lineage(attempt.job)
        if lineage is None:
            self._not_taken(attempt, _GOES_ROUND)
            return
        attempt = replace(attempt, lineage=lineage)
        try:
            self._targets.invoke(
                attempt.job,
                lineage,
                accepted=lambda: self._timeline.record("event.delivered", **attempt.facts()),
                submit=attempt.queue.submit,
            )
        except TargetError as error:
            if not self._closed:
                self._not_taken(attempt, error.failure)

    def _lineage(self, job: Job) -> Lineage | None:
        with self._lock:
            return self._recursion.admit(job.arrival.event, job.arrival.trace_id, job.rule, job.service)

    def _not_taken(self, attempt: _Attempt, failure: Failure) -> None:
        policy = RetryPolicy.of(attempt.job.target)
        with self._lock:
            jitter = self._random.random()
        decision = policy.after(failure, retries=attempt.retries, age=attempt.waited, jitter=jitter)
        told = {**attempt.facts(), "error": failure.code, "reason": failure.message}
        if isinstance(decision, Retry):
            self._timeline.record("event.retry", **told, retry=attempt.retries + 1, delay=round(decision.delay, 3))
            following = replace(attempt, retries=attempt.retries + 1, waited=attempt.waited + decision.delay)
            self._clock.call_later(decision.delay, lambda: self._submit(following))
            return
        self._timeline.record("event.failed", **told, retries=attempt.retries, exhausted=decision.condition)
        queue_arn = attempt.job.target.get("DeadLetterConfig", {}).get("Arn")
        if queue_arn:
            self._bury(attempt, queue_arn, failure, decision.condition)

    def _bury(self, attempt: _Attempt, queue_arn: str, failure: Failure, condition: str | None) -> None:
        job = attempt.job
        attributes = dead_letter_attributes(job.rule_arn, job.arn, failure, condition, attempt.retries)
        typed = {name: {"DataType": "String", "StringValue": text or "-"} for name, text in attributes.items()}
        reason = ""
        try:
            self._targets.send_to_queue(queue_arn, as_json(job.arrival.event), MessageAttributes=typed)
        except (ClientError, BotoCoreError) as error:
            reason = str(error)
        self._timeline.record("event.deadletter", **attempt.facts(), queue=queue_arn, error=reason)
