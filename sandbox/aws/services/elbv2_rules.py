"""Elastic Load Balancing's actions on rules."""

from __future__ import annotations

from dataclasses import replace

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.elbv2_shown import shown_rule
from sandbox.aws.services.elbv2_state import Answer, ElbActions, Request, new_id, paged, tag_map
from sandbox.model.elb.arns import rule_arn
from sandbox.model.elb.config import Rule
from sandbox.model.elb.listeners import changed_rule, new_rule


class RuleActions(ElbActions):
    """Actions on rules."""

    def create_rule(self, request: Request, context: RequestContext) -> Answer:
        """CreateRule."""
        with self._change() as records:
            _, listener = records.listener(request["ListenerArn"])
            tags = tag_map(request.get("Tags", []))
            made = new_rule(request, rule_arn(listener.arn, new_id()), listener)
            self._state.commit(records.with_rules(listener.arn, [made]).with_tags(made.arn, tags))
            return {"Rules": [shown_rule(made)]}

    def describe_rules(self, request: Request, context: RequestContext) -> Answer:
        """DescribeRules: those of a listener in the order in which they are asked, or those of given ARNs."""
        with self._read() as records:
            arns = request.get("RuleArns", [])
            if arns and "ListenerArn" in request:
                raise AwsError("ValidationError", "A listener ARN and rule ARNs cannot be specified at the same time")
            if "ListenerArn" in request:
                rules = records.listener(request["ListenerArn"])[1].rules
            elif arns:
                rules = tuple(records.rule(arn)[2] for arn in arns)
            else:
                raise AwsError("ValidationError", "You must specify either listener rule ARNs or a listener ARN")
            return paged([shown_rule(rule) for rule in rules], request, "Rules")

    def modify_rule(self, request: Request, context: RequestContext) -> Answer:
        """ModifyRule: what is not given stays."""
        with self._change() as records:
            _, listener, rule = records.rule(request["RuleArn"])
            changed = changed_rule(rule, request, listener)
            self._state.commit(records.with_rules(listener.arn, [changed]))
            return {"Rules": [shown_rule(changed)]}

    def delete_rule(self, request: Request, context: RequestContext) -> Answer:
        """DeleteRule."""
        with self._change() as records:
            self._state.commit(records.without_rule(request["RuleArn"]))
        return {}

    def set_rule_priorities(self, request: Request, context: RequestContext) -> Answer:
        """SetRulePriorities: of several rules at once, so that they may change places."""
        with self._change() as records:
            wanted = [(pair.get("RuleArn", ""), pair.get("Priority")) for pair in request["RulePriorities"]]
            by_listener: dict[str, list[Rule]] = {}
            for arn, priority in wanted:
                if priority is None:
                    raise AwsError("ValidationError", "A priority must be specified")
                _, listener, rule = records.rule(arn)
                if rule.priority is None:
                    raise AwsError("OperationNotPermitted", f"The priority of default rule '{arn}' cannot be modified")
                moved = by_listener.setdefault(listener.arn, [])
                if any(one.priority == priority for one in moved):
                    raise AwsError("ValidationError", f"Priority '{priority}' was provided multiple times")
                moved.append(replace(rule, priority=priority))
            changed = records
            for listener_arn, rules in by_listener.items():
                changed = changed.with_rules(listener_arn, rules)
            self._state.commit(changed)
            return {"Rules": [shown_rule(rule) for rules in by_listener.values() for rule in rules]}
