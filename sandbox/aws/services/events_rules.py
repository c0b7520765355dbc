"""The actions on rules and their targets."""

from __future__ import annotations

from sandbox.aws.protocol import RequestContext
from sandbox.aws.services.events_state import (
    DEFAULT,
    Answer,
    EventsActions,
    Request,
    Rule,
    compiled,
    invalid,
    limit_exceeded,
    paged,
    tag_map,
)
from sandbox.aws.services.events_targets import check_target
from sandbox.model.eventbridge_schedule import InvalidScheduleError, Schedule, parse_schedule

_TARGETS_PER_RULE = 5  # "Amazon EventBridge quotas"
_RULES_PER_BUS = 300  # the same


class RuleActions(EventsActions):
    """PutRule to DisableRule, and PutTargets to ListRuleNamesByTarget."""

    def put_rule(self, request: Request, context: RequestContext) -> Answer:
        """PutRule; a rule of that name keeps its targets and tags. A schedule starts anew."""
        bus = self._buses.find(request.get("EventBusName"), context.region)
        pattern, schedule = request.get("EventPattern", ""), request.get("ScheduleExpression", "")
        if not pattern and not schedule:
            raise invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
        if schedule and bus.name != DEFAULT:
            raise invalid("ScheduleExpression is supported only on the default event bus.")
        name = request["Name"]
        path = name if bus.name == DEFAULT else f"{bus.name}/{name}"
        rule = Rule(
            name=name,
            arn=f"arn:aws:events:{bus.region}:{context.account_id}:rule/{path}",
            bus=bus.name,
            event_pattern=pattern,
            pattern=compiled(pattern) if pattern else None,
            schedule=schedule,
            shown={member: request[member] for member in ("Description", "RoleArn") if member in request},
            state=request.get("State", "ENABLED"),
            tags=tag_map(request.get("Tags", [])),
        )
        times = _schedule(schedule) if schedule else None
        with self._buses.lock:
            old = bus.rules.get(name)
            if old is not None:
                rule.targets, rule.tags = old.targets, old.tags
            elif len(bus.rules) >= _RULES_PER_BUS:
                raise limit_exceeded()
            bus.rules[name] = rule
            if times is None:
                self._schedules.stop(rule.arn)
            else:
                self._schedules.start(rule.arn, times)
        return {"RuleArn": rule.arn}

    def describe_rule(self, request: Request, context: RequestContext) -> Answer:
        """DescribeRule."""
        return {**self._rule(request, request["Name"], context).describe(), "CreatedBy": context.account_id}

    def list_rules(self, request: Request, context: RequestContext) -> Answer:
        """ListRules, by name."""
        prefix = request.get("NamePrefix", "")
        rules = [rule.describe() for rule in self._rules(request, context) if rule.name.startswith(prefix)]
        page, more = paged(rules, request)
        return {"Rules": page, **more}

    def delete_rule(self, request: Request, context: RequestContext) -> Answer:
        """DeleteRule; refused while the rule has targets, fine if there is none."""
        bus = self._buses.find(request.get("EventBusName"), context.region)
        with self._buses.lock:
            rule = bus.rules.get(request["Name"])
            if rule is not None and rule.targets:
                raise invalid("Rule can't be deleted since it has targets.")
            bus.rules.pop(request["Name"], None)
            if rule is not None:
                self._schedules.stop(rule.arn)
        return {}

    def enable_rule(self, request: Request, context: RequestContext) -> Answer:
        """EnableRule."""
        self._rule(request, request["Name"], context).state = "ENABLED"
        return {}

    def disable_rule(self, request: Request, context: RequestContext) -> Answer:
        """DisableRule."""
        self._rule(request, request["Name"], context).state = "DISABLED"
        return {}

    # -- targets --

    def put_targets(self, request: Request, context: RequestContext) -> Answer:
        """PutTargets; a target with a known Id replaces that."""
        targets = {target["Id"]: target for target in request["Targets"]}
        for target in targets.values():
            check_target(target)
        with self._buses.lock:
            rule = self._rule(request, request["Rule"], context)
            if len({**rule.targets, **targets}) > _TARGETS_PER_RULE:
                raise limit_exceeded()
            rule.targets = {**rule.targets, **targets}
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def remove_targets(self, request: Request, context: RequestContext) -> Answer:
        """RemoveTargets."""
        with self._buses.lock:
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
        """ListTargetsByRule."""
        page, more = paged(list(self._rule(request, request["Rule"], context).targets.values()), request)
        return {"Targets": page, **more}

    def list_rule_names_by_target(self, request: Request, context: RequestContext) -> Answer:
        """ListRuleNamesByTarget, by name."""
        arn = request["TargetArn"]
        rules = self._rules(request, context)
        page, more = paged([r.name for r in rules if any(t["Arn"] == arn for t in r.targets.values())], request)
        return {"RuleNames": page, **more}

    # -- inside --

    def _rule(self, request: Request, name: str, context: RequestContext) -> Rule:
        return self._buses.find_rule(name, request.get("EventBusName"), context.region)

    def _rules(self, request: Request, context: RequestContext) -> list[Rule]:
        bus = self._buses.find(request.get("EventBusName"), context.region)
        with self._buses.lock:
            return sorted(bus.rules.values(), key=lambda rule: rule.name)


def _schedule(expression: str) -> Schedule:
    try:
        return parse_schedule(expression)
    except InvalidScheduleError as error:
        raise invalid("Parameter ScheduleExpression is not valid.") from error
