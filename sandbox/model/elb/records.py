"""What one account has of load balancers and target groups, and which changes of it are possible.

API reference: the errors of each action; guide: "Quotas for your Application Load Balancers". Records are never
changed: a change makes new ones, so that whoever has to carry it out can still refuse.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sandbox.model.elb import limits
from sandbox.model.elb.arns import balancer_of, kind_of, listener_of, require
from sandbox.model.elb.config import Forward, Listener, LoadBalancer, Rule, TargetGroup
from sandbox.model.elb.errors import ElbError, validation_error


@dataclass(frozen=True)
class HeldBalancer:
    """A load balancer and what only the API shows of it.

    Attributes:
        balancer: As it is served.
        zones: Availability Zone and subnet of each of its nodes.
        created: Seconds since the epoch.
    """

    balancer: LoadBalancer
    zones: tuple[tuple[str, str], ...]
    created: float

    def settings(self) -> tuple[object, ...]:
        """What makes another CreateLoadBalancer the same one."""
        one = self.balancer
        return one.scheme, sorted(one.subnets), sorted(one.security_groups)


@dataclass(frozen=True)
class Records:
    """Load balancers and target groups by ARN, oldest first; tags of these, of listeners and of rules, by ARN."""

    balancers: Mapping[str, HeldBalancer] = field(default_factory=dict)
    groups: Mapping[str, TargetGroup] = field(default_factory=dict)
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def held(self, arn: str) -> HeldBalancer:
        """A load balancer.

        Raises:
            ElbError: LoadBalancerNotFound; ValidationError for what is no ARN of one (likewise below).
        """
        found = self.balancers.get(require(arn, "load balancer"))
        if found is None:
            raise ElbError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
        return found

    def balancer(self, arn: str) -> LoadBalancer:
        """A load balancer as it is served.

        Raises:
            ElbError: LoadBalancerNotFound.
        """
        return self.held(arn).balancer

    def listener(self, arn: str) -> tuple[LoadBalancer, Listener]:
        """A listener, after its load balancer.

        Raises:
            ElbError: ListenerNotFound.
        """
        held = self.balancers.get(balancer_of(require(arn, "listener")))
        for listener in held.balancer.listeners if held else ():
            if held and listener.arn == arn:
                return held.balancer, listener
        raise ElbError("ListenerNotFound", "One or more listeners not found")

    def rule(self, arn: str) -> tuple[LoadBalancer, Listener, Rule]:
        """A rule, after its load balancer and its listener.

        Raises:
            ElbError: RuleNotFound.
        """
        of_listener = listener_of(require(arn, "listener rule"))
        held = self.balancers.get(balancer_of(of_listener))
        for listener in held.balancer.listeners if held else ():
            for rule in listener.rules:
                if held and rule.arn == arn:
                    return held.balancer, listener, rule
        raise ElbError("RuleNotFound", "One or more rules not found")

    def group(self, arn: str) -> TargetGroup:
        """A target group.

        Raises:
            ElbError: TargetGroupNotFound.
        """
        found = self.groups.get(require(arn, "target group"))
        if found is None:
            raise ElbError("TargetGroupNotFound", f"Target groups '{arn}' not found")
        return found

    def user_of(self, group_arn: str) -> str | None:
        """The ARN of the load balancer that forwards to a target group."""
        return next((arn for arn, held in self.balancers.items() if group_arn in held.balancer.groups), None)

    def users_of_certificate(self, arn: str) -> list[str]:
        """The ARNs of the load balancers that have a certificate."""
        return [
            balancer_arn
            for balancer_arn, held in self.balancers.items()
            if any(arn in listener.certificates for listener in held.balancer.listeners)
        ]

    def require_tagged(self, arn: str) -> None:
        """Refuse what has no tags: what is not there, and what is neither of the four kinds.

        Raises:
            ElbError: The kind's NotFound, or ValidationError.
        """
        find = {
            "load balancer": self.balancer,
            "listener": self.listener,
            "listener rule": self.rule,
            "target group": self.group,
        }.get(kind_of(arn) or "")
        if find is None:
            raise validation_error(f"'{arn}' is not a valid resource ARN")
        find(arn)

    def with_balancer(self, balancer: LoadBalancer) -> Records:
        """With a load balancer that is there already changed, and what its listeners name looked up.

        Raises:
            ElbError: DuplicateListener, TargetGroupNotFound, TargetGroupAssociationLimit, TooMany...
        """
        held = self.held(balancer.arn)
        _check_listeners(balancer)
        named = [arn for listener in balancer.listeners for rule in listener.rules for arn in _groups_of(rule)]
        groups = {arn: self.group(arn) for arn in dict.fromkeys(named)}
        for arn, group in groups.items():
            if self.user_of(arn) not in (None, balancer.arn):
                raise ElbError(
                    "TargetGroupAssociationLimit",
                    f"The following target groups cannot be associated with more than one load balancer: {arn}",
                )
            if group.vpc_id != balancer.vpc_id:
                raise ElbError(
                    "InvalidConfigurationRequest",
                    f"Target group '{arn}' is in a different VPC than load balancer '{balancer.arn}'",
                )
        if len(groups) > limits.GROUPS_OF_A_BALANCER:
            raise ElbError(
                "TooManyUniqueTargetGroupsPerLoadBalancer",
                "You have reached the maximum number of unique target groups that you can associate with a load "
                f"balancer of type 'application': [{limits.GROUPS_OF_A_BALANCER}]",
            )
        changed = replace(held, balancer=replace(balancer, groups=groups))
        return replace(self, balancers={**self.balancers, balancer.arn: changed})._without_stray_tags()

    def with_new_balancer(self, held: HeldBalancer) -> Records:
        """With one more load balancer, whose name is free.

        Raises:
            ElbError: TooManyLoadBalancers.
        """
        if len(self.balancers) >= limits.BALANCERS:
            raise _too_many("LoadBalancers", "load balancers")
        return replace(self, balancers={**self.balancers, held.balancer.arn: held})

    def without_balancer(self, arn: str) -> Records:
        """Without a load balancer, its listeners and rules.

        Raises:
            ElbError: OperationNotPermitted if it is protected.
        """
        if self.balancer(arn).attributes.raw["deletion_protection.enabled"] == "true":
            raise ElbError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        balancers = {one: held for one, held in self.balancers.items() if one != arn}
        return replace(self, balancers=balancers)._without_stray_tags()

    def with_listener(self, balancer_arn: str, listener: Listener) -> Records:
        """With a listener, new or changed; they are kept in the order of their ports.

        Raises:
            ElbError: As `with_balancer` does.
        """
        balancer = self.balancer(balancer_arn)
        others = [one for one in balancer.listeners if one.arn != listener.arn]
        listeners = sorted([*others, listener], key=lambda one: one.port)
        return self.with_balancer(replace(balancer, listeners=tuple(listeners)))

    def without_listener(self, arn: str) -> Records:
        """Without a listener and its rules.

        Raises:
            ElbError: ListenerNotFound.
        """
        balancer, _ = self.listener(arn)
        listeners = tuple(one for one in balancer.listeners if one.arn != arn)
        return self.with_balancer(replace(balancer, listeners=listeners))

    def with_rules(self, listener_arn: str, rules: Iterable[Rule]) -> Records:
        """With rules of a listener, new or changed; a rule with another priority moves.

        Raises:
            ElbError: PriorityInUse, and as `with_balancer` does.
        """
        balancer, listener = self.listener(listener_arn)
        changed = {rule.arn: rule for rule in (*listener.rules, *rules)}
        ordered = sorted(changed.values(), key=lambda rule: (rule.priority is None, rule.priority or 0))
        for first, second in itertools.pairwise(ordered):
            if first.priority == second.priority:
                raise ElbError("PriorityInUse", f"Priority '{first.priority}' is currently in use")
        return self.with_listener(balancer.arn, replace(listener, rules=tuple(ordered)))

    def without_rule(self, arn: str) -> Records:
        """Without a rule.

        Raises:
            ElbError: RuleNotFound; OperationNotPermitted for a default rule.
        """
        balancer, listener, rule = self.rule(arn)
        if rule.priority is None:
            raise ElbError("OperationNotPermitted", f"Default rule '{arn}' cannot be deleted")
        rules = tuple(one for one in listener.rules if one.arn != arn)
        return self.with_listener(balancer.arn, replace(listener, rules=rules))

    def with_group(self, group: TargetGroup) -> Records:
        """With a target group, new or changed, for the load balancer that forwards to it, too.

        Raises:
            ElbError: TooManyTargetGroups.
        """
        if group.arn not in self.groups and len(self.groups) >= limits.GROUPS:
            raise _too_many("TargetGroups", "target groups")
        changed = replace(self, groups={**self.groups, group.arn: group})
        user = self.user_of(group.arn)
        return changed.with_balancer(changed.balancer(user)) if user else changed

    def without_group(self, arn: str) -> Records:
        """Without a target group.

        Raises:
            ElbError: ResourceInUse.
        """
        if self.user_of(arn) is not None:
            raise ElbError("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
        groups = {one: group for one, group in self.groups.items() if one != arn}
        return replace(self, groups=groups)._without_stray_tags()

    def with_tags(self, arn: str, tags: Mapping[str, str]) -> Records:
        """With these tags, and no others, of what is there.

        Raises:
            ElbError: TooManyTags.
        """
        if len(tags) > limits.TAGS:
            raise ElbError("TooManyTags", f"The maximum number of tags ({limits.TAGS}) has been reached on '{arn}'")
        return replace(self, tags={**self.tags, arn: dict(tags)})

    def _without_stray_tags(self) -> Records:
        """Without the tags of what is there no more."""
        there = {*self.balancers, *self.groups}
        for held in self.balancers.values():
            for listener in held.balancer.listeners:
                there |= {listener.arn, *(rule.arn for rule in listener.rules)}
        return replace(self, tags={arn: tags for arn, tags in self.tags.items() if arn in there})


def _check_listeners(balancer: LoadBalancer) -> None:
    ports = [listener.port for listener in balancer.listeners]
    if len(set(ports)) < len(ports):
        raise ElbError(
            "DuplicateListener", f"A listener already exists on this port for this load balancer '{balancer.arn}'"
        )
    if len(ports) > limits.LISTENERS:
        raise _too_many("Listeners", "listeners", balancer.arn)
    if sum(len(listener.rules) - 1 for listener in balancer.listeners) > limits.RULES:
        raise _too_many("Rules", "rules", balancer.arn)
    if sum(len(listener.certificates[1:]) for listener in balancer.listeners) > limits.CERTIFICATES:
        raise _too_many("Certificates", "certificates", balancer.arn)


def _too_many(code: str, what: str, arn: str = "") -> ElbError:
    where = f" on load balancer '{arn}'" if arn else ""
    return ElbError(f"TooMany{code}", f"The maximum number of {what} has been reached{where}")


def _groups_of(rule: Rule) -> list[str]:
    return [arn for arn, _ in rule.action.groups] if isinstance(rule.action, Forward) else []
