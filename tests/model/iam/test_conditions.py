"""Condition operators: what a policy names, what the request has, whether it holds."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.iam.conditions import parse
from sandbox.model.iam.errors import PolicyError
from sandbox.model.iam.patterns import ANY, ONE, compiled, matches
from sandbox.model.iam.policy import parse as parse_policy


def holds(operator: str, value: Any, *given: str, key: str = "k") -> bool:
    context = {key.lower(): list(given)} if given else {}
    return all(one.holds(context, context) for one in parse({operator: {key: value}}))


ARN = "arn:aws:sns:us-east-1:123456789012:done"


@pytest.mark.parametrize(
    ("operator", "value", "given", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "a*", "ab", False),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringEqualsIgnoreCase", "QUEUE", "queue", True),
        ("StringNotEqualsIgnoreCase", "QUEUE", "queue", False),
        ("StringLike", "a*c?", "abbcd", True),
        ("StringLike", "a*", "ba", False),
        ("StringNotLike", "a*", "ab", False),
        ("NumericEquals", 10, "10.0", True),
        ("NumericNotEquals", "10", "11", True),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "11", True),
        ("NumericGreaterThanEquals", "10", "9", False),
        ("NumericEquals", "10", "ten", False),
        ("DateLessThan", "2024-01-01T00:00:00Z", "2023-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2024-01-01T00:00:00Z", "1704067201", True),
        ("DateEquals", "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z", True),
        ("DateNotEquals", "2024-01-01", "2024-01-02", True),
        ("Bool", "true", "true", True),
        ("Bool", False, "true", False),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
        ("IpAddress", ["203.0.113.0/24", "2001:DB8::/32"], "2001:db8::1", True),
        ("IpAddress", "203.0.113.7", "203.0.113.9", False),
        ("NotIpAddress", "203.0.113.0/24", "203.0.113.9", False),
        ("ArnEquals", "arn:aws:sns:*:123456789012:*", ARN, True),
        ("ArnLike", "arn:aws:sns:us-*:*:d?ne", ARN, True),
        ("ArnLike", "arn:aws:sns:*:done", ARN, False),  # a star stays within its part
        ("ArnNotLike", "arn:aws:sqs:*:*:*", ARN, True),
        ("ArnNotEquals", "arn:aws:sns:*:*:*", ARN, False),
    ],
)
def test_operators(operator: str, value: Any, given: str, expected: bool) -> None:
    assert holds(operator, value, given) == expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringNotLike", True),
        ("ArnLike", False),
        ("ArnNotLike", True),
        ("NotIpAddress", True),
        ("NumericLessThan", False),
        ("StringEqualsIfExists", True),
        ("ArnLikeIfExists", True),
        ("NumericLessThanIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
    ],
)
def test_a_key_that_the_request_lacks(operator: str, expected: bool) -> None:
    assert holds(operator, "10") == expected


def test_null() -> None:
    assert holds("Null", "true")
    assert not holds("Null", "true", "x")
    assert holds("Null", False, "x")
    assert not holds("Null", "false")


@pytest.mark.parametrize(
    ("operator", "given", "expected"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], True),
        ("ForAllValues:StringEquals", ["a", "c"], False),
        ("ForAnyValue:StringEquals", ["a", "c"], True),
        ("ForAnyValue:StringEquals", ["c", "d"], False),
        ("ForAllValues:StringNotEquals", ["c", "d"], True),
        ("ForAllValues:StringNotEquals", ["a", "c"], False),
        ("ForAnyValue:StringNotEquals", ["a", "c"], True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], False),
    ],
)
def test_keys_of_several_values(operator: str, given: list[str], expected: bool) -> None:
    assert holds(operator, ["a", "b"], *given) == expected


def test_all_operators_and_keys_have_to_hold_and_keys_know_no_case() -> None:
    block = {"StringEquals": {"aws:A": "1", "aws:b": "2"}, "StringLike": {"c": "*"}}
    context = {"aws:a": ["1"], "aws:b": ["2"], "c": [""]}
    assert all(one.holds(context, None) for one in parse(block))
    assert not all(one.holds({**context, "aws:b": ["3"]}, None) for one in parse(block))


def test_variables_stand_in_texts_and_arns() -> None:
    context = {"aws:username": ["anna"], "k": ["home/anna"]}
    (condition,) = parse({"StringLike": {"k": "home/${aws:username}"}})
    assert condition.holds(context, context)
    assert not condition.holds(context, None)
    (condition,) = parse({"StringEquals": {"k": "home/${aws:none}"}})
    assert not condition.holds(context, context)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        ({"Version": "2020-01-01", "Statement": []}, "must be version 2012-10-17"),
        ({"Statement": "all"}, "Syntax errors"),
        ({"Statement": {"Effect": "Maybe", "Action": "*", "Resource": "*"}}, "Effect has to be"),
        ({"Statement": {"Effect": "Allow", "Resource": "*"}}, "must contain actions"),
        ({"Statement": {"Effect": "Allow", "Action": 1, "Resource": "*"}}, "Syntax errors"),
        ({"Statement": {"Effect": "Allow", "Action": "*", "NotAction": "*"}}, "Action or NotAction, not both"),
        ({"Statement": {"Effect": "Allow", "Action": "*", "Ressource": "*"}}, "no Ressource"),
        ({"Statement": {"Effect": "Allow", "Action": "*", "Principal": "me"}}, "Invalid principal"),
        ({"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"Equals": {}}}}, "Invalid Condition type"),
        ({"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"NullIfExists": {}}}}, "Condition type"),
        ({"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"Bool": "x"}}}, "keys and values"),
        ({"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"Bool": {"k": [{}]}}}}, "texts, numbers"),
        ({"Statement": {"Effect": "Allow", "Action": "*", "Condition": []}}, "object of operators"),
    ],
)
def test_what_is_no_policy(document: Any, words: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(words)):
        parse_policy(document, "p")


LETTERS = st.text(st.sampled_from("ab*?$"), max_size=8)


@given(LETTERS, st.text(st.sampled_from("ab"), max_size=8))
def test_patterns_match_as_a_regular_expression_does(pattern: str, value: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    assert matches(compiled(pattern), value) == (re.fullmatch(expression, value) is not None)


def test_many_stars_take_no_long_time() -> None:
    assert not matches([ANY, "a"] * 200 + [ONE], "a" * 200)
