"""What EventBridge keeps: event buses with their rules and targets, and how requests name them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.events_schedules import Schedules
from sandbox.model.eventbridge import Pattern, compile_pattern
from sandbox.model.eventbridge_operators import InvalidEventPatternError

Request = dict[str, Any]
Answer = dict[str, Any]

DEFAULT = "default"
_PATTERN_SIZE = 2048  # "Amazon EventBridge quotas": event pattern size; the API itself takes 4,096
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event as a bus got it.

    Attributes:
        event: The event, envelope and all.
        at: When it came, in seconds since the epoch.
        forwarded: Whether a rule of another bus sent it.
        trace_id: The trace header of the call that put it.
    """

    event: Mapping[str, Any]
    at: float
    forwarded: bool = False
    trace_id: str = ""


@dataclass
class Rule:
    """A rule of a bus.

    Attributes:
        name: Unique on its bus.
        arn: ``rule/NAME``, with the bus's name in between on a custom bus.
        bus: The bus's name.
        event_pattern: As given; empty for a rule that only runs on a schedule.
        pattern: The same, compiled.
        schedule: A ScheduleExpression as given; empty for a rule that has none.
        shown: Members of the request that only the API shows.
        state: ENABLED, DISABLED or ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS.
        targets: By Id.
    """

    name: str
    arn: str
    bus: str
    event_pattern: str
    pattern: Pattern | None
    schedule: str
    shown: dict[str, Any]
    state: str
    tags: dict[str, str]
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def enabled(self) -> bool:
        """Whether it matches anything."""
        return self.state != "DISABLED"

    def describe(self) -> Answer:
        """The API's Rule."""
        triggers = {"EventPattern": self.event_pattern, "ScheduleExpression": self.schedule}
        return {
            "Name": self.name,
            "Arn": self.arn,
            **{member: text for member, text in triggers.items() if text},
            "State": self.state,
            "EventBusName": self.bus,
            **self.shown,
        }


@dataclass
class Bus:
    """An event bus. ``policy`` is its resource policy, parsed; it is shown, and refuses nobody."""

    name: str
    arn: str
    region: str
    created: float
    modified: float
    description: str | None = None
    policy: dict[str, Any] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)


class EventBuses:
    """The buses of all regions. The default one of a region is there from the start.

    Args:
        now: Seconds since the epoch; dates the buses.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.lock = threading.RLock()
        self._buses: dict[str, Bus] = {}

    def find(self, name_or_arn: str | None, region: str) -> Bus:
        """A bus by its name or its ARN; None is the default one.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        arn = bus_arn(name_or_arn or DEFAULT, region)
        with self.lock:
            if arn not in self._buses and arn.endswith(f":{ACCOUNT_ID}:event-bus/{DEFAULT}"):
                self.add(DEFAULT, arn.split(":")[3])
            bus = self._buses.get(arn)
        if bus is None:
            raise not_found(f"Event bus {bus_name(arn)} does not exist.")
        return bus

    def add(self, name: str, region: str) -> Bus:
        """Make a bus."""
        with self.lock:
            arn = bus_arn(name, region)
            now = self.now()
            self._buses[arn] = bus = Bus(name, arn, region, now, now)
            return bus

    def remove(self, bus: Bus) -> None:
        """Forget a bus."""
        with self.lock:
            self._buses.pop(bus.arn, None)

    def in_region(self, region: str) -> list[Bus]:
        """A region's buses, by name."""
        with self.lock:
            self.find(DEFAULT, region)
            return sorted((bus for bus in self._buses.values() if bus.region == region), key=lambda bus: bus.name)

    def find_rule(self, name: str, bus_name_or_arn: str | None, region: str) -> Rule:
        """A rule of a bus.

        Raises:
            AwsError: ResourceNotFoundException: there is no such bus, or no such rule on it.
        """
        bus = self.find(bus_name_or_arn, region)
        with self.lock:
            rule = bus.rules.get(name)
        if rule is None:
            raise not_found(f"Rule {name} does not exist on EventBus {bus.name}.")
        return rule

    def tagged(self, arn: str, context: RequestContext) -> dict[str, str]:
        """The tags of a rule or a bus, to be read or changed.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        kind, _, path = arn.rpartition(":")[2].partition("/")
        if kind == "event-bus":
            return self.find(arn, context.region).tags
        bus, _, rule = path.rpartition("/")
        return self.find_rule(rule, bus or DEFAULT, context.region).tags


class EventsActions:
    """What the groups of EventBridge's actions have in common."""

    def __init__(self, buses: EventBuses, schedules: Schedules) -> None:
        self._buses = buses
        self._schedules = schedules


def bus_arn(name_or_arn: str, region: str) -> str:
    """The ARN of a bus in this account, or the ARN that is given."""
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    return f"arn:aws:events:{region}:{ACCOUNT_ID}:event-bus/{name_or_arn}"


def bus_name(name_or_arn: str) -> str:
    """The name, of an ARN too."""
    return name_or_arn.rpartition("event-bus/")[2]


def compiled(pattern: str) -> Pattern:
    """An event pattern of a request.

    Raises:
        AwsError: InvalidEventPatternException, or LimitExceededException above the quota.
    """
    if len(pattern) > _PATTERN_SIZE:
        raise AwsError(
            "LimitExceededException",
            f"The event pattern has {len(pattern)} characters; the quota is {_PATTERN_SIZE}.",
        )
    try:
        return compile_pattern(pattern)
    except InvalidEventPatternError as error:
        raise AwsError("InvalidEventPatternException", str(error)) from error


def paged(items: Sequence[Any], request: Request) -> tuple[Sequence[Any], Answer]:
    """One page of a List action: as many as Limit allows from NextToken on, and the NextToken of the answer."""
    token = request.get("NextToken", "0")
    if not token.isdecimal():
        raise invalid("Parameter NextToken is not valid.")
    start = int(token)
    end = start + request.get("Limit", _PAGE)
    return items[start:end], {"NextToken": str(end)} if end < len(items) else {}


def tag_map(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Tags as the API gives them, by key."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """The API's form of tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def refuse(request: Request, *members: str) -> None:
    """Raise an error that names the first of ``members`` that the request has."""
    for member in members:
        if request.get(member):
            raise not_carried_out(member)


def invalid(message: str) -> AwsError:
    """ValidationException."""
    return AwsError("ValidationException", message)


def not_found(message: str) -> AwsError:
    """ResourceNotFoundException."""
    return AwsError("ResourceNotFoundException", message)


def already_exists(message: str) -> AwsError:
    """ResourceAlreadyExistsException."""
    return AwsError("ResourceAlreadyExistsException", message)


def limit_exceeded() -> AwsError:
    """LimitExceededException, in the words that users have seen."""
    return AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")


def not_carried_out(what: str) -> AwsError:
    """The error for what AWS would take and the sandbox would have to ignore."""
    return invalid(f"{what} is not implemented by the sandbox yet.")
