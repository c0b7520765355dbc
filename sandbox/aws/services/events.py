"""The EventBridge API: the default event bus, its rules and their targets, and the events put on it.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/. Targets are Lambda functions. What the sandbox would have
to ignore (schedules, custom buses, input transformers, retry policies) is refused.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from sandbox.aws.protocol import ACCOUNT_ID, AwsError, RequestContext
from sandbox.model.eventbridge import Pattern, compile_pattern
from sandbox.model.eventbridge_input import UnsupportedInputPathError, parse_path
from sandbox.model.eventbridge_operators import InvalidEventPatternError

Request = dict[str, Any]
Answer = dict[str, Any]

_TARGETS_PER_RULE = 5  # "Amazon EventBridge quotas"
_TARGET_MEMBERS = frozenset({"Id", "Arn", "RoleArn", "Input", "InputPath"})
_ENVELOPE = ("id", "account", "source", "time", "region", "resources", "detail-type")


class Delivery(Protocol):
    """Who carries events to targets; must not block."""

    def published(self, event: Mapping[str, Any], rules: list[str]) -> None:
        """``event`` came, and these rules, by name, matched it."""

    def deliver(self, rule_arn: str, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """Take ``event`` to ``target``, a Target of the API."""


@dataclass
class _Rule:
    name: str
    arn: str
    region: str
    event_pattern: str
    pattern: Pattern
    shown: dict[str, Any]
    enabled: bool
    tags: list[dict[str, str]]
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)

    def describe(self) -> Answer:
        return {
            "Name": self.name,
            "Arn": self.arn,
            "EventPattern": self.event_pattern,
            "State": "ENABLED" if self.enabled else "DISABLED",
            "EventBusName": "default",
            **self.shown,
        }


class EventsService:
    """The default event bus of each region.

    Args:
        delivery: Gets the events.
        now: Seconds since the epoch; dates the events of PutEvents that bring no time.
    """

    service_name = "events"

    def __init__(self, delivery: Delivery, now: Callable[[], float] = time.time) -> None:
        self._delivery = delivery
        self._now = now
        self._rules: dict[tuple[str, str], _Rule] = {}
        self._lock = threading.RLock()
        self._publishing = threading.Lock()

    def publish(self, event: Mapping[str, Any]) -> None:
        """Put an event, envelope and all, on the bus of its region; any source is taken. Returns at once.

        Targets get the events in the order of the calls.
        """
        with self._publishing:
            with self._lock:
                matched = [
                    (rule, list(rule.targets.values()))
                    for rule in self._rules.values()
                    if rule.enabled and rule.region == event["region"] and rule.pattern.matches(event)
                ]
            self._delivery.published(event, [rule.name for rule, _ in matched])
            for rule, targets in matched:
                for target in targets:
                    self._delivery.deliver(rule.arn, target, event)

    # -- rules --

    def put_rule(self, request: Request, context: RequestContext) -> Answer:
        """PutRule; a rule of that name keeps its targets."""
        _check_bus(request)
        if request.get("ScheduleExpression"):
            raise _not_carried_out("ScheduleExpression")
        if not request.get("EventPattern"):
            raise _invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
        name = request["Name"]
        rule = _Rule(
            name=name,
            arn=f"arn:aws:events:{context.region}:{context.account_id}:rule/{name}",
            region=context.region,
            event_pattern=request["EventPattern"],
            pattern=_compile(request["EventPattern"]),
            shown={member: request[member] for member in ("Description", "RoleArn") if member in request},
            enabled=request.get("State", "ENABLED") != "DISABLED",
            tags=request.get("Tags", []),
        )
        with self._lock:
            old = self._rules.get((context.region, name))
            if old is not None:
                rule.targets, rule.tags = old.targets, old.tags
            self._rules[context.region, name] = rule
        return {"RuleArn": rule.arn}

    def describe_rule(self, request: Request, context: RequestContext) -> Answer:
        """DescribeRule."""
        return {**self._rule(request, request["Name"], context).describe(), "CreatedBy": context.account_id}

    def list_rules(self, request: Request, context: RequestContext) -> Answer:
        """ListRules; one page, by name."""
        _check_bus(request)
        prefix = request.get("NamePrefix", "")
        return {"Rules": [rule.describe() for rule in self._in_region(context) if rule.name.startswith(prefix)]}

    def delete_rule(self, request: Request, context: RequestContext) -> Answer:
        """DeleteRule; refused while the rule has targets, fine if there is none."""
        _check_bus(request)
        with self._lock:
            rule = self._rules.get((context.region, request["Name"]))
            if rule is not None and rule.targets:
                raise _invalid("Rule can't be deleted since it has targets.")
            self._rules.pop((context.region, request["Name"]), None)
        return {}

    def enable_rule(self, request: Request, context: RequestContext) -> Answer:
        """EnableRule."""
        self._rule(request, request["Name"], context).enabled = True
        return {}

    def disable_rule(self, request: Request, context: RequestContext) -> Answer:
        """DisableRule."""
        self._rule(request, request["Name"], context).enabled = False
        return {}

    def list_tags_for_resource(self, request: Request, context: RequestContext) -> Answer:
        """ListTagsForResource, of a rule."""
        for rule in self._in_region(context):
            if rule.arn == request["ResourceARN"]:
                return {"Tags": rule.tags}
        raise _not_found(f"Rule {request['ResourceARN'].rpartition('/')[2]} does not exist on EventBus default.")

    # -- targets --

    def put_targets(self, request: Request, context: RequestContext) -> Answer:
        """PutTargets; a target with a known Id replaces that."""
        targets = {target["Id"]: target for target in request["Targets"]}
        for target in targets.values():
            _check_target(target)
        with self._lock:
            rule = self._rule(request, request["Rule"], context)
            if len({**rule.targets, **targets}) > _TARGETS_PER_RULE:
                raise AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
            rule.targets = {**rule.targets, **targets}
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def remove_targets(self, request: Request, context: RequestContext) -> Answer:
        """RemoveTargets."""
        with self._lock:
            rule = self._rule(request, request["Rule"], context)
            unknown = [target for target in request["Ids"] if target not in rule.targets]
            rule.targets = {id_: target for id_, target in rule.targets.items() if id_ not in request["Ids"]}
        failed = [
            {
                "TargetId": target,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": f"Rule {rule.name} does not have a target with the Id {target}.",
            }
            for target in unknown
        ]
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    def list_targets_by_rule(self, request: Request, context: RequestContext) -> Answer:
        """ListTargetsByRule; one page."""
        return {"Targets": list(self._rule(request, request["Rule"], context).targets.values())}

    def list_rule_names_by_target(self, request: Request, context: RequestContext) -> Answer:
        """ListRuleNamesByTarget; one page, by name."""
        _check_bus(request)
        arn = request["TargetArn"]
        rules = self._in_region(context)
        return {"RuleNames": [r.name for r in rules if any(t["Arn"] == arn for t in r.targets.values())]}

    # -- events --

    def put_events(self, request: Request, context: RequestContext) -> Answer:
        """PutEvents; each entry is taken or refused by itself."""
        if request.get("EndpointId"):
            raise _not_carried_out("EndpointId")
        results = [self._put_entry(entry, context) for entry in request["Entries"]]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _put_entry(self, entry: Request, context: RequestContext) -> Answer:
        for member in ("Source", "DetailType", "Detail"):
            if not entry.get(member):
                reason = f"Parameter {member} is not valid. Reason: {member} is a required argument."
                return {"ErrorCode": "InvalidArgument", "ErrorMessage": reason}
        if entry["Source"].startswith("aws."):
            return {
                "ErrorCode": "NotAuthorizedForSourceException",
                "ErrorMessage": "Not authorized for the source.",
            }
        detail = _json_object(entry["Detail"])
        if detail is None:
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        event_id = str(uuid.uuid4())
        when = entry.get("Time") or datetime.fromtimestamp(self._now(), UTC)
        if _is_default(entry):  # AWS takes events for a bus that does not exist, too, and drops them
            self.publish(
                {
                    "version": "0",
                    "id": event_id,
                    "detail-type": entry["DetailType"],
                    "source": entry["Source"],
                    "account": context.account_id,
                    "time": when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "region": context.region,
                    "resources": entry.get("Resources", []),
                    "detail": detail,
                }
            )
        return {"EventId": event_id}

    def test_event_pattern(self, request: Request, context: RequestContext) -> Answer:
        """TestEventPattern."""
        event = _json_object(request["Event"])
        if event is None:
            raise _invalid("Parameter Event is not valid.")
        missing = [member for member in _ENVELOPE if member not in event]
        if missing:
            raise _invalid(f"Parameter Event is not valid. Reason: {missing[0]} is a required field.")
        return {"Result": _compile(request["EventPattern"]).matches(event)}

    def describe_event_bus(self, request: Request, context: RequestContext) -> Answer:
        """DescribeEventBus, of the default one."""
        _check_bus({"EventBusName": request.get("Name", "default")})
        return {"Name": "default", "Arn": f"arn:aws:events:{context.region}:{ACCOUNT_ID}:event-bus/default"}

    # -- inside --

    def _rule(self, request: Request, name: str, context: RequestContext) -> _Rule:
        _check_bus(request)
        with self._lock:
            rule = self._rules.get((context.region, name))
        if rule is None:
            raise _not_found(f"Rule {name} does not exist on EventBus default.")
        return rule

    def _in_region(self, context: RequestContext) -> list[_Rule]:
        with self._lock:
            rules = [rule for rule in self._rules.values() if rule.region == context.region]
        return sorted(rules, key=lambda rule: rule.name)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message)


def _not_carried_out(what: str) -> AwsError:
    return _invalid(f"{what} is not implemented by the sandbox yet.")


def _is_default(request: Request) -> bool:
    return bool(request.get("EventBusName", "default").rpartition("/")[2] == "default")


def _check_bus(request: Request) -> None:
    if not _is_default(request):
        raise _not_found(f"Event bus {request['EventBusName'].rpartition('/')[2]} does not exist.")


def _compile(pattern: str) -> Pattern:
    try:
        return compile_pattern(pattern)
    except InvalidEventPatternError as error:
        raise AwsError("InvalidEventPatternException", str(error)) from error


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _check_target(target: Request) -> None:
    if more := sorted(target.keys() - _TARGET_MEMBERS):
        raise _not_carried_out(f"A target's {more[0]}")
    if not target["Arn"].startswith("arn:aws:lambda:"):
        raise _not_carried_out(f"A target other than a Lambda function ({target['Arn']})")
    if "Input" in target and "InputPath" in target:
        raise _invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}.")
    try:
        json.loads(target.get("Input", "null"))
    except ValueError as error:
        raise _invalid(f"Invalid Input for target {target['Id']}.") from error
    try:
        parse_path(target.get("InputPath", "$"))
    except UnsupportedInputPathError as error:
        raise _not_carried_out(f"The InputPath {target['InputPath']}") from error
