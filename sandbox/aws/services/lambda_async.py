"""Asynchronous invocations of the Lambda API: the queue of events, their retries, and what becomes of them at last."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.clients import Clients
from sandbox.aws.lambda_runtime.function import Result
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.aws.lambda_runtime.workers import Workers
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.lambda_concurrency import ConcurrencyOperations
from sandbox.aws.services.lambda_destinations import (
    DESTINATION_SERVICES,
    Destinations,
    check_target,
    dead_letter_attributes,
    invocation_record,
)
from sandbox.aws.services.lambda_functions import Function, FunctionStore
from sandbox.aws.services.lambda_recursion import RecursionOperations
from sandbox.aws.services.lambda_requests import check_event, invalid, not_found
from sandbox.clock import Clock, aws_seconds
from sandbox.model.lambda_async import RECURSION, Attempts, GivenUp, Outcome, Policy, Retry, after
from sandbox.timeline import Timeline

Request = dict[str, Any]
Answer = dict[str, Any]

_AT_ONCE = 10  # events of one function; the others wait in its queue
_SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


@dataclass
class _Event:
    """An event in Lambda's queue."""

    function_arn: str
    payload: bytes
    trigger: str
    accepted_at: float
    submit: Callable[[Callable[[], None]], None]
    lineage: str = ""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: Attempts = field(default_factory=Attempts)
    result: Result | None = None  # of the last time that the function ran


class AsyncOperations(ConcurrencyOperations, RecursionOperations):
    """The API's operations on asynchronous invocation, and its queue.

    Args:
        store: The functions.
        runtime: Runs them.
        timeline: Gets a ``lambda.throttled`` for each attempt that is, and what `Destinations` says.
        clock: Times the retries.
        clients: Of the sandbox's endpoint, for destinations.
    """

    def __init__(
        self,
        store: FunctionStore,
        runtime: FunctionRuntime,
        timeline: Timeline,
        clock: Clock,
        clients: Clients | None,
    ) -> None:
        ConcurrencyOperations.__init__(self, store)
        RecursionOperations.__init__(self, store)
        self._runtime = runtime
        self._timeline = timeline
        self._clock = clock
        self._destinations = Destinations(
            clients,
            lambda arn, event, trace_id: self.accept(arn, event, trigger="destination", trace_id=trace_id),
            timeline,
        )
        self._queues: dict[str, Workers] = {}
        self._queues_lock = threading.Lock()

    def close(self) -> None:
        """Drop the events that wait, and the retries."""
        with self._queues_lock:
            queues = list(self._queues.values())
        for queue in queues:
            queue.close()

    # -- what is configured --

    def put_function_event_invoke_config(self, request: Request, context: RequestContext) -> Answer:
        """PutFunctionEventInvokeConfig; what it leaves out is at its default again."""
        return self._configure(request, context, keep=False)

    def update_function_event_invoke_config(self, request: Request, context: RequestContext) -> Answer:
        """UpdateFunctionEventInvokeConfig; what it leaves out stays."""
        self.get_function_event_invoke_config(request, context)
        return self._configure(request, context, keep=True)

    def get_function_event_invoke_config(self, request: Request, context: RequestContext) -> Answer:
        """GetFunctionEventInvokeConfig."""
        function = self._store.find(request, context)
        if function.event_invoke is None:
            raise not_found(f"The function {function.config.arn}:$LATEST doesn't have an EventInvokeConfig")
        return function.event_invoke

    def delete_function_event_invoke_config(self, request: Request, context: RequestContext) -> Answer:
        """DeleteFunctionEventInvokeConfig."""
        self.get_function_event_invoke_config(request, context)
        self._store.find(request, context).event_invoke = None
        return {}

    def list_function_event_invoke_configs(self, request: Request, context: RequestContext) -> Answer:
        """ListFunctionEventInvokeConfigs: one at most, there are no versions."""
        found = self._store.find(request, context).event_invoke
        return {"FunctionEventInvokeConfigs": [found] if found else []}

    def _configure(self, request: Request, context: RequestContext, *, keep: bool) -> Answer:
        function = self._store.find(request, context)
        given = {name: request[name] for name in _SETTINGS if name in request}
        if not given:
            raise invalid("You must specify at least one of error handling or destination setting.")
        for destination in given.get("DestinationConfig", {}).values():
            if destination.get("Destination"):
                check_target(destination["Destination"], DESTINATION_SERVICES, function.config.arn)
        with self._store.lock:
            function.event_invoke = {
                "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
                **((function.event_invoke or {}) if keep else {}),
                **given,
                "FunctionArn": f"{function.config.arn}:$LATEST",
                "LastModified": self._clock.now(),
            }
            return function.event_invoke

    # -- events --

    def accept(self, function_arn: str, payload: bytes, *, trigger: str, trace_id: str = "") -> None:
        """Take an event for a function; it runs, and is tried again, while the caller goes on.

        Args:
            function_arn: The function.
            payload: The event, JSON.
            trigger: Who invokes, for the timeline.
            trace_id: The trace header of the call that invokes, or "". An event that goes round in circles is given up.

        Raises:
            AwsError: ResourceNotFoundException: there is no such function. RequestEntityTooLargeException.
        """
        check_event(payload, "Event")
        function = self._existing(function_arn)
        arn, name = function.config.arn, function.config.name
        with self._queues_lock:
            queue = self._queues.setdefault(arn, Workers(f"lambda-async-{name}", _AT_ONCE))
        event = _Event(arn, payload, trigger, self._clock.now(), queue.submit)
        try:
            event.lineage = self._entered(function, trace_id)
        except AwsError:
            self._timeline.record("lambda.recursion", function=name, request_id=event.request_id, trigger=trigger)
            queue.submit(lambda: self._end(function, event, RECURSION))
        else:
            queue.submit(lambda: self._attempt(event))

    def deliver(
        self,
        function_arn: str,
        payload: bytes,
        *,
        trigger: str,
        accepted: Callable[[], object],
        submit: Callable[[Callable[[], None]], None],
        lineage: str = "",
    ) -> None:
        """As `accept`, but the first attempt runs on the caller's thread, so that callers can keep an order.

        Args:
            function_arn: The function.
            payload: The event, JSON.
            trigger: Who invokes, for the timeline.
            accepted: Called once Lambda has taken the event, before it runs.
            submit: Is given the retries when they are due, to be run on a thread of the caller's.
            lineage: See `FunctionRuntime.invoke`; the chain of invocations begins anew.

        Raises:
            AwsError: ResourceNotFoundException: there is no such function.
        """
        function = self._existing(function_arn)
        lineage = self._entered(function, lineage)
        event = _Event(function.config.arn, payload, trigger, self._clock.now(), submit, lineage)
        accepted()
        self._attempt(event)

    def _existing(self, function_arn: str) -> Function:
        region = function_arn.split(":")[3] if function_arn.startswith("arn:") else RequestContext().region
        return self._store.find({"FunctionName": function_arn}, RequestContext(region=region))

    def _attempt(self, event: _Event) -> None:
        function = self._store.get(event.function_arn)
        if function is None or self._runtime.closed:
            return
        outcome = self._run(function, event)
        policy = _policy(function)
        age = aws_seconds(self._clock, self._clock.now() - event.accepted_at)
        event.attempts, decision = after(
            event.attempts, outcome, policy, age, nothing_reserved=self._reserved(function.config) == 0
        )
        if isinstance(decision, Retry):
            self._clock.call_later(decision.delay, lambda: event.submit(lambda: self._attempt(event)))
        elif isinstance(decision, GivenUp):
            self._end(function, event, decision.condition)
        else:
            self._end(function, event, "Success")

    def _run(self, function: Function, event: _Event) -> Outcome:
        try:
            with self._admitted(function.config):
                event.result = self._runtime.invoke(
                    function.config,
                    event.payload,
                    trigger=event.trigger,
                    request_id=event.request_id,
                    attempt=event.attempts.invoked + 1,
                    lineage=event.lineage,
                )
        except AwsError as refusal:  # throttled, or this machine cannot run it now
            self._timeline.record(
                "lambda.throttled",
                function=function.config.name,
                request_id=event.request_id,
                trigger=event.trigger,
                reason=refusal.members.get("Reason", str(refusal)),
            )
            return Outcome.THROTTLED
        return Outcome.FUNCTION_ERROR if event.result.failed else Outcome.SUCCESS

    def _end(self, function: Function, event: _Event, condition: str) -> None:
        """The event is done, or given up."""
        if self._runtime.closed:
            return
        failed = condition != "Success"
        dead_letters = function.config.dead_letter_target
        if failed and dead_letters:
            attributes = dead_letter_attributes(event.request_id, condition, event.result)
            self._destinations.send_dead_letter(
                dead_letters, function.config.name, condition, event.payload, attributes
            )
        chosen = (function.event_invoke or {}).get("DestinationConfig", {})
        destination = chosen.get("OnFailure" if failed else "OnSuccess", {}).get("Destination")
        if destination:
            record = invocation_record(
                event.function_arn, event.request_id, event.payload, condition, event.attempts.invoked, event.result
            )
            self._destinations.send_record(destination, record, event.lineage)


def _policy(function: Function) -> Policy:
    config, default = function.event_invoke or {}, Policy()
    return Policy(
        config.get("MaximumRetryAttempts", default.maximum_retry_attempts),
        config.get("MaximumEventAgeInSeconds", default.maximum_event_age),
    )
