"""The cluster query language: the examples of the developer guide, precedence, and what is refused."""

from __future__ import annotations

import contextlib
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.ecs import cluster_query
from sandbox.model.ecs.errors import EcsError


class Instance:
    """What the expressions are asked of."""

    facts: ClassVar = {
        "attribute:ecs.instance-type": ["g2.2xlarge"],
        "attribute:ecs.availability-zone": ["us-east-1a"],
        "attribute:stack": ["prod"],
        "attribute:empty": [""],
        "task:group": ["database", "service:production"],
        "agentConnected": ["true"],
        "agentVersion": ["1.14.10"],
        "ec2InstanceId": ["i-abcd1234"],
        "registeredAt": ["2018-02-13T10:00:00+00:00"],
        "runningTasksCount": ["2"],
    }

    def values(self, subject: str) -> list[str]:
        return self.facts.get(subject, [])


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("attribute:ecs.instance-type == t2.small", False),
        ("attribute:ecs.instance-type == g2.2xlarge", True),
        ("attribute:ecs.instance-type equals 'g2.2xlarge'", True),
        ("attribute:ecs.availability-zone in [us-east-1a, us-east-1b]", True),
        ("attribute:ecs.availability-zone not_in [us-east-1a, us-east-1b]", False),
        ("attribute:ecs.availability-zone !in ['us-east-1c']", True),
        ("attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d", True),
        ("attribute:ecs.instance-type =~ g2", False),  # the whole value, as Java's matches()
        ("attribute:ecs.instance-type !~ t2.*", True),
        ("attribute:ecs.instance-type matches [a-z]2.*", True),
        ("task:group == service:production", True),
        ("not(task:group == database)", False),
        ("task:group != database", False),
        ("task:group =~ service:.*", True),
        ("runningTasksCount == 2", True),
        ("runningTasksCount >= 10", False),  # as numbers
        ("agentVersion < 1.14.5", False),
        ("agentVersion > 1.14.5", True),
        ("registeredAt < 2018-02-13", False),
        ("registeredAt >= 2018-02-13T10:00:00Z", True),
        ("registeredAt greater_than 2018-02-13T09:00:00", True),
        ("ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']", True),
        ("agentConnected == true", True),
        ("attribute:stack exists", True),
        ("attribute:nothing !exists", True),
        ("attribute:nothing not_exists", True),
        ("attribute:stack != test", True),
        ("attribute:nothing != prod", False),  # "instances with the custom attribute, unless the value is prod"
        ("attribute:empty exists", True),
        ("(attribute:a exists or attribute:stack exists) and agentConnected == true", True),
        ("attribute:a exists or attribute:stack exists and agentConnected == false", False),
        ("attribute:stack == prod || attribute:a exists && attribute:b exists", True),
        ("!(attribute:stack == prod)", False),
        ("! attribute:stack == prod or not not agentConnected == true", True),
    ],
)
def test_what_is_selected(expression: str, selected: bool) -> None:
    assert cluster_query.parse(expression)(Instance()) is selected


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "cannot be read"),
        ("attribute:a", "cannot be read"),
        ("attribute:a ==", "cannot be read"),
        ("attribute: == b", "no subject"),
        ("instanceType == t2", "no subject"),
        ("attribute:a == b c", "cannot be read"),
        ("(attribute:a == b", "cannot be read"),
        ("attribute:a in b", "cannot be read"),
        ("attribute:a in [b", "cannot be read"),
        ("attribute:a in []", "cannot be read"),
        ("attribute:a and", "cannot be read"),
        ("attribute:a =~ (", "cannot be read"),
        ("attribute:a =~ *", "no regular expression"),
        ("runningTasksCount == many", "no value of runningTasksCount"),
        ("registeredAt > yesterday", "no value of registeredAt"),
        ("agentVersion =~ 1.*", "cannot be asked with the operator =~"),
        ("ec2InstanceId > i-1", "cannot be asked with the operator >"),
        ("attribute:a & attribute:b", "cannot be read"),
    ],
)
def test_what_is_no_expression(expression: str, said: str) -> None:
    with pytest.raises(EcsError) as caught:
        cluster_query.parse(expression)
    assert caught.value.code == "InvalidParameterException"
    assert said in caught.value.message


PIECES = ["attribute:a", "task:group", "==", "!=", "=~", "in", "!in", "exists", "not", "and", "||", "(", ")", "[", "]"]


@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from([*PIECES, "x", ",", "'"]), max_size=12).map(" ".join)))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    with contextlib.suppress(EcsError):
        cluster_query.parse(text)(Instance())
