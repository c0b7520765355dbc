"""What an account has: which changes are possible, and what holds after any of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.elb import arns, limits
from sandbox.model.elb.attributes import balancer_attributes, changed_balancer_attributes, with_attributes
from sandbox.model.elb.config import Condition, FixedResponse, Forward, Listener, LoadBalancer, Rule, TargetGroup
from sandbox.model.elb.errors import ElbError
from sandbox.model.elb.records import HeldBalancer, Records


def id_of(number: int) -> str:
    return f"{number:016x}"


def balancer(number: int = 1) -> HeldBalancer:
    arn = arns.balancer_arn("us-east-1", "123456789012", f"web{number}", id_of(number))
    made = LoadBalancer(
        arn, f"web{number}", "dns", "internal", "vpc-1", ("a", "b"), ("sg",), balancer_attributes("internal")
    )
    return HeldBalancer(made, (("us-east-1a", "a"), ("us-east-1b", "b")), 0.0)


def group(number: int = 1, **more: Any) -> TargetGroup:
    arn = arns.group_arn("us-east-1", "123456789012", f"group{number}", id_of(number))
    return with_attributes(TargetGroup(arn, f"group{number}", "HTTP", 80, "ip", **{"vpc_id": "vpc-1", **more}), ())


def listener(number: int = 1, port: int = 80, of: int = 1, to: TargetGroup | None = None) -> Listener:
    arn = arns.listener_arn(balancer(of).balancer.arn, id_of(number))
    action = Forward(((to.arn, 1),)) if to else FixedResponse(404)
    return Listener(arn, port, "HTTP", (Rule(arns.rule_arn(arn, id_of(0)), None, (), action),))


def rule(of: Listener, priority: int, number: int | None = None, to: TargetGroup | None = None) -> Rule:
    action = Forward(((to.arn, 1),)) if to else FixedResponse(404)
    arn = arns.rule_arn(of.arn, id_of(number or priority))
    return Rule(arn, priority, (Condition("path-pattern", ("/a",)),), action)


WEB, OTHER = balancer(1).balancer.arn, balancer(2).balancer.arn
EMPTY = Records().with_new_balancer(balancer(1)).with_new_balancer(balancer(2)).with_group(group(1))


def refusal(call: Callable[..., Any], *arguments: Any) -> tuple[str, str]:
    with pytest.raises(ElbError) as caught:
        call(*arguments)
    return caught.value.code, caught.value.message


def test_a_balancer_knows_the_groups_that_its_listeners_name() -> None:
    assert EMPTY.user_of(group().arn) is None
    used = EMPTY.with_listener(WEB, listener(to=group()))
    assert used.balancer(WEB).groups == {group().arn: group()}
    assert used.user_of(group().arn) == WEB
    changed = replace(group(), deregistration_delay=1)
    assert used.with_group(changed).balancer(WEB).groups == {group().arn: changed}
    assert used.without_listener(listener().arn).user_of(group().arn) is None


def test_a_group_belongs_to_one_balancer() -> None:
    used = EMPTY.with_listener(WEB, listener(to=group()))
    assert refusal(used.with_listener, OTHER, listener(of=2, to=group())) == (
        "TargetGroupAssociationLimit",
        f"The following target groups cannot be associated with more than one load balancer: {group().arn}",
    )
    assert refusal(used.without_group, group().arn) == (
        "ResourceInUse",
        f"Target group '{group().arn}' is currently in use by a listener or a rule",
    )
    freed = used.without_balancer(WEB)
    assert freed.with_listener(OTHER, listener(of=2, to=group())).user_of(group().arn) == OTHER
    assert freed.without_group(group().arn).groups == {}


def test_a_group_must_be_there_and_in_the_balancer_s_vpc() -> None:
    code, message = refusal(EMPTY.with_listener, WEB, listener(to=group(2)))
    assert (code, message) == ("TargetGroupNotFound", f"Target groups '{group(2).arn}' not found")
    elsewhere = EMPTY.with_group(group(2, vpc_id="vpc-2"))
    assert refusal(elsewhere.with_listener, WEB, listener(to=group(2))) == (
        "InvalidConfigurationRequest",
        f"Target group '{group(2).arn}' is in a different VPC than load balancer '{WEB}'",
    )


def test_one_listener_a_port() -> None:
    used = EMPTY.with_listener(WEB, listener(1, 8080)).with_listener(WEB, listener(2, 80))
    assert [one.port for one in used.balancer(WEB).listeners] == [80, 8080]
    assert refusal(used.with_listener, WEB, listener(3, 80)) == (
        "DuplicateListener",
        f"A listener already exists on this port for this load balancer '{WEB}'",
    )
    assert used.with_listener(WEB, listener(1, 443)).listener(listener(1).arn)[1].port == 443


def test_rules_are_in_the_order_of_their_priorities_and_the_default_rule_is_the_last() -> None:
    web = listener()
    used = EMPTY.with_listener(WEB, web).with_rules(web.arn, [rule(web, 20), rule(web, 10)])
    assert [one.priority for one in used.listener(web.arn)[1].rules] == [10, 20, None]
    assert refusal(used.with_rules, web.arn, [rule(web, 10, 5)]) == (
        "PriorityInUse",
        "Priority '10' is currently in use",
    )
    swapped = used.with_rules(web.arn, [rule(web, 10, 20), rule(web, 20, 10)])
    assert [one.arn for one in swapped.listener(web.arn)[1].rules[:2]] == [rule(web, 20).arn, rule(web, 10).arn]
    assert refusal(used.without_rule, web.rules[0].arn)[0] == "OperationNotPermitted"
    assert [one.priority for one in used.without_rule(rule(web, 10).arn).listener(web.arn)[1].rules] == [20, None]


def test_what_is_not_there_and_what_is_no_arn() -> None:
    web = listener(9)
    assert refusal(EMPTY.listener, web.arn) == ("ListenerNotFound", "One or more listeners not found")
    assert refusal(EMPTY.rule, rule(web, 1).arn) == ("RuleNotFound", "One or more rules not found")
    assert refusal(EMPTY.balancer, balancer(3).balancer.arn)[0] == "LoadBalancerNotFound"
    assert refusal(EMPTY.group, group(7).arn)[0] == "TargetGroupNotFound"
    assert refusal(EMPTY.balancer, "web") == ("ValidationError", "'web' is not a valid load balancer ARN")
    assert refusal(EMPTY.listener, WEB) == ("ValidationError", f"'{WEB}' is not a valid listener ARN")
    assert refusal(EMPTY.rule, "x")[1] == "'x' is not a valid listener rule ARN"
    assert refusal(EMPTY.group, "x")[1] == "'x' is not a valid target group ARN"
    assert refusal(EMPTY.require_tagged, "x")[1] == "'x' is not a valid resource ARN"


def test_a_protected_balancer_stays() -> None:
    one = EMPTY.balancer(WEB)
    changes = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    protected = EMPTY.with_balancer(replace(one, attributes=changed_balancer_attributes(one.attributes, changes)))
    assert refusal(protected.without_balancer, WEB) == (
        "OperationNotPermitted",
        f"Load balancer '{WEB}' cannot be deleted because deletion protection is enabled",
    )


def test_limits() -> None:
    full = EMPTY
    for number in range(3, limits.BALANCERS + 1):
        full = full.with_new_balancer(balancer(number))
    assert refusal(full.with_new_balancer, balancer(99))[0] == "TooManyLoadBalancers"
    web = listener()
    rules = [rule(web, number) for number in range(1, limits.RULES + 1)]
    used = EMPTY.with_listener(WEB, web).with_rules(web.arn, rules)
    assert refusal(used.with_rules, web.arn, [rule(web, 500)]) == (
        "TooManyRules",
        f"The maximum number of rules has been reached on load balancer '{WEB}'",
    )
    listeners = tuple(listener(number, number) for number in range(1, limits.LISTENERS + 2))
    assert refusal(EMPTY.with_balancer, replace(EMPTY.balancer(WEB), listeners=listeners))[0] == "TooManyListeners"
    certified = replace(web, protocol="HTTPS", certificates=tuple(map(str, range(limits.CERTIFICATES + 2))))
    assert refusal(EMPTY.with_listener, WEB, certified)[0] == "TooManyCertificates"
    groups = {group(number).arn: group(number) for number in range(1, limits.GROUPS_OF_A_BALANCER + 2)}
    many = replace(EMPTY, groups=groups).with_listener(WEB, web)
    to = [rule(web, number, to=one) for number, one in enumerate(groups.values(), start=1)]
    everywhere = many.with_rules(web.arn, to[:-1])
    last = listener(2, 81, to=list(groups.values())[-1])
    assert refusal(everywhere.with_listener, WEB, last) == (
        "TooManyUniqueTargetGroupsPerLoadBalancer",
        "You have reached the maximum number of unique target groups that you can associate with a load balancer of "
        "type 'application': [100]",
    )
    assert refusal(EMPTY.with_tags, WEB, {str(number): "" for number in range(51)})[0] == "TooManyTags"


def test_tags_go_with_what_has_them() -> None:
    web = listener()
    used = EMPTY.with_listener(WEB, web).with_rules(web.arn, [rule(web, 1)])
    for arn in (WEB, web.arn, rule(web, 1).arn, group().arn):
        used.require_tagged(arn)
        used = used.with_tags(arn, {"team": "shop"})
    assert set(used.without_rule(rule(web, 1).arn).tags) == {WEB, web.arn, group().arn}
    assert set(used.without_balancer(WEB).tags) == {group().arn}


Change = Callable[[Records], Records]
numbers = st.integers(1, 3)
priorities = st.integers(1, 4)


def new_balancer(one: int) -> Change:
    held = balancer(one)
    return lambda records: records if held.balancer.arn in records.balancers else records.with_new_balancer(held)


def new_rule(of: int, number: int, priority: int, own: int, to: int) -> Change:
    web = listener(number, of=of)
    return lambda records: records.with_rules(web.arn, [rule(web, priority, own, group(to))])


def without_rule(of: int, number: int, own: int) -> Change:
    return lambda records: records.without_rule(rule(listener(number, of=of), own).arn)


def new_listener(of: int, number: int, port: int, to: int) -> Change:
    made = listener(number, port, of, group(to))
    return lambda records: records.with_listener(balancer(of).balancer.arn, made)


changes = st.one_of(
    st.builds(lambda one: lambda records: records.with_group(group(one)), numbers),
    st.builds(lambda one: lambda records: records.without_group(group(one).arn), numbers),
    st.builds(new_balancer, numbers),
    st.builds(lambda one: lambda records: records.without_balancer(balancer(one).balancer.arn), numbers),
    st.builds(new_listener, numbers, numbers, numbers, numbers),
    st.builds(lambda of, one: lambda records: records.without_listener(listener(one, of=of).arn), numbers, numbers),
    st.builds(new_rule, numbers, numbers, priorities, priorities, numbers),
    st.builds(without_rule, numbers, numbers, priorities),
)


@given(st.lists(changes, max_size=40))
def test_whatever_happens(history: list[Change]) -> None:
    records = Records()
    for change in history:
        with suppress(ElbError):
            records = change(records)
        balancers = [held.balancer for held in records.balancers.values()]
        for one in balancers:
            assert len({web.port for web in one.listeners}) == len(one.listeners)
            for web in one.listeners:
                own = [each.priority for each in web.rules]
                assert own[-1] is None
                assert own[:-1] == sorted({priority for priority in own[:-1] if priority is not None})
            named = {
                arn
                for web in one.listeners
                for each in web.rules
                if isinstance(each.action, Forward)
                for arn, _ in each.action.groups
            }
            assert one.groups == {arn: records.groups[arn] for arn in named}
        users = [arn for one in balancers for arn in one.groups]
        assert len(set(users)) == len(users)
