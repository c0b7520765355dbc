"""The EventBridge API: the events that are put on buses, and which rules they match.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/. The actions on buses are in `events_buses`, those on
rules and targets in `events_rules`, those on archives and replays in `events_archives`. What the sandbox would have to
ignore is refused.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.events_archives import ArchiveActions
from sandbox.aws.services.events_buses import BusActions
from sandbox.aws.services.events_rules import RuleActions
from sandbox.aws.services.events_schedules import Schedules
from sandbox.aws.services.events_state import (
    Answer,
    Arrival,
    Bus,
    EventBuses,
    Request,
    Rule,
    compiled,
    invalid,
    refuse,
)
from sandbox.clock import Clock, aws_seconds
from sandbox.model.eventbridge import fields_of
from sandbox.model.eventbridge_entries import RefusedEntryError, accepted_detail, are_too_big, json_object
from sandbox.model.eventbridge_schedule import scheduled_event

# The API reference of TestEventPattern has "resources", too; users saw that an event without it is taken.
_ENVELOPE = ("id", "account", "source", "time", "region", "detail-type")


class Delivery(Protocol):
    """Who carries events to targets; must not block."""

    def published(self, event: Mapping[str, Any], bus: str, rules: list[str]) -> None:
        """``event`` came on the bus of that name, and these rules, by name, matched it."""

    def deliver(self, rule_arn: str, target: Mapping[str, Any], arrival: Arrival) -> None:
        """Take an event to ``target``, a Target of the API."""


class EventsService(BusActions, RuleActions, ArchiveActions):
    """EventBridge of one account, by region.

    Args:
        delivery: Gets the events.
        clock: Dates the events of PutEvents that bring no time, and has the timers of schedules.
    """

    service_name = "events"

    def __init__(self, delivery: Delivery, clock: Clock) -> None:
        super().__init__(EventBuses(clock.now), Schedules(clock, self._run_scheduled))
        self._archives = {}
        self._replays = {}
        self._delivery = delivery
        self._clock = clock
        self._now = clock.now
        self._began = clock.now()
        self._publishing = threading.Lock()

    def publish(self, event: Mapping[str, Any]) -> None:
        """Put an event, envelope and all, on the default bus of its region; any source is taken. Returns at once.

        Targets get the events in the order of the calls.
        """
        self._publish(Arrival(event, self._now()), self._buses.find(None, event["region"]))

    def receive(self, bus_arn: str, arrival: Arrival) -> None:
        """Put an event on a bus that is the target of a rule of another one; it keeps its id, source and time.

        Raises:
            AwsError: ResourceNotFoundException: there is no such bus. THIRD_ACCOUNT_HOP_DETECTED: the event came from
                another bus already; "EventBridge can't route events received from a sender event bus to a third event
                bus" ("Sending and receiving Amazon EventBridge events between event buses in the same account").
        """
        bus = self._buses.find(bus_arn, bus_arn.split(":")[3])
        if arrival.forwarded:
            raise AwsError(
                "THIRD_ACCOUNT_HOP_DETECTED",
                f"Event ingestion rejected for event {arrival.event['id']} because an event can be sent to an event "
                "bus target only once. This event was previously delivered to an event bus target.",
            )
        self._publish(Arrival(arrival.event, self._now(), forwarded=True, trace_id=arrival.trace_id), bus)

    def _replay_event(self, bus: Bus, event: Mapping[str, Any], rules: frozenset[str]) -> None:
        self._publish(Arrival(event, self._now()), bus, rules)

    def _aws_now(self) -> float:
        return self._began + aws_seconds(self._clock, self._now() - self._began)

    def _publish(self, arrival: Arrival, bus: Bus, only: frozenset[str] = frozenset()) -> None:
        fields = fields_of(arrival.event)
        with self._publishing:
            with self._buses.lock:
                self._archive_event(bus, arrival.event)
                matched = [
                    (rule, list(rule.targets.values()))
                    for rule in bus.rules.values()
                    if rule.enabled and rule.pattern is not None and rule.pattern.matches_fields(fields)
                    if not only or rule.arn in only
                ]
            self._deliver(arrival, bus, matched)

    def _run_scheduled(self, rule_arn: str, at: float) -> None:
        """A rule's time has come; its event is for its own targets."""
        with self._publishing:
            bus = self._buses.find(None, rule_arn.split(":")[3])
            with self._buses.lock:
                rule = bus.rules.get(rule_arn.rpartition("/")[2])
                if rule is None or not rule.enabled:
                    return
                targets = list(rule.targets.values())
            event = scheduled_event(rule_arn, at, str(uuid.uuid4()))
            self._deliver(Arrival(event, self._now()), bus, [(rule, targets)])

    def _deliver(self, arrival: Arrival, bus: Bus, matched: list[tuple[Rule, list[Request]]]) -> None:
        self._delivery.published(arrival.event, bus.name, [rule.name for rule, _ in matched])
        for rule, targets in matched:
            for target in targets:
                self._delivery.deliver(rule.arn, target, arrival)

    def put_events(self, request: Request, context: RequestContext) -> Answer:
        """PutEvents; each entry is taken or refused by itself, but for their size."""
        refuse(request, "EndpointId")
        if are_too_big(request["Entries"]):
            raise invalid("Total size of the entries in the request is over the limit.")
        results = [self._put_entry(entry, context) for entry in request["Entries"]]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _put_entry(self, entry: Request, context: RequestContext) -> Answer:
        try:
            detail = accepted_detail(entry)
        except RefusedEntryError as error:
            return {"ErrorCode": error.code, "ErrorMessage": str(error)}
        event_id = str(uuid.uuid4())
        when = entry.get("Time") or datetime.fromtimestamp(self._now(), UTC)
        try:
            bus = self._buses.find(entry.get("EventBusName"), context.region)
        except AwsError:
            return {"EventId": event_id}  # AWS takes events for a bus that does not exist, too, and drops them
        event = {
            "version": "0",
            "id": event_id,
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "account": context.account_id,
            "time": when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": bus.region,
            "resources": entry.get("Resources", []),
            "detail": detail,
        }
        self._publish(Arrival(event, self._now(), trace_id=context.trace_id), bus)
        return {"EventId": event_id}

    def test_event_pattern(self, request: Request, context: RequestContext) -> Answer:
        """TestEventPattern."""
        event = json_object(request["Event"])
        if event is None:
            raise invalid("Parameter Event is not valid.")
        missing = [member for member in _ENVELOPE if member not in event]
        if missing:
            raise invalid(f"Parameter Event is not valid. Reason: {missing[0]} is a required field.")
        return {"Result": compiled(request["EventPattern"]).matches(event)}
