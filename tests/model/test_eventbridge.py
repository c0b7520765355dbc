"""Event patterns: AWS's published examples, Event Ruler's rules for arrays, and what always holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.eventbridge import compile_pattern
from sandbox.model.eventbridge_operators import InvalidEventPatternError

# The sample event of Event Ruler's README and of the user guide.
EC2: dict[str, Any] = {
    "version": "0",
    "id": "ddddd4-aaaa-7777-4444-345dd43cc333",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "012345679012",
    "time": "2017-10-02T16:24:49Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
    "detail": {
        "c-count": 5,
        "d-count": 3,
        "x-limit": 301.8,
        "source-ip": "10.0.0.33",
        "instance-id": "i-000000aaaaaa00000",
        "state": "running",
        "nothing": None,
        "flag": True,
    },
}

EMPLOYEES = {
    "employees": [
        {"firstName": "John", "lastName": "Doe"},
        {"firstName": "Anna", "lastName": "Smith"},
        {"firstName": "Peter", "lastName": "Jones"},
    ]
}


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    return compile_pattern(json.dumps(pattern)).matches(event)


@pytest.mark.parametrize(
    ("detail", "matched"),
    [
        ({"state": ["initializing", "running"]}, True),
        ({"state": ["initializing"]}, False),
        ({"State": ["running"]}, False),
        ({"c-count": [5]}, True),
        ({"c-count": [5.0]}, True),
        ({"c-count": ["5"]}, False),
        ({"x-limit": [3.018e2]}, True),
        ({"nothing": [None]}, True),
        ({"state": [None]}, False),
        ({"flag": [True]}, True),
        ({"flag": [1]}, False),
        ({"c-count": [True]}, False),
        ({"state": [{"prefix": "run"}]}, True),
        ({"state": [{"prefix": "Run"}]}, False),
        ({"state": [{"prefix": {"equals-ignore-case": "RUN"}}]}, True),
        ({"c-count": [{"prefix": ""}]}, False),
        ({"state": [{"suffix": "ning"}]}, True),
        ({"state": [{"suffix": {"equals-ignore-case": "NING"}}]}, True),
        ({"state": [{"suffix": "run"}]}, False),
        ({"state": [{"equals-ignore-case": "RUNNING"}]}, True),
        ({"state": [{"exactly": "running"}]}, True),
        ({"state": [{"wildcard": "r*ing"}]}, True),
        ({"state": [{"wildcard": "r*in"}]}, False),
        ({"state": [{"wildcard": "run\\*"}]}, False),
        ({"state": [{"anything-but": "initializing"}]}, True),
        ({"state": [{"anything-but": "running"}]}, False),
        ({"state": [{"anything-but": ["stopped", "running"]}]}, False),
        ({"x-limit": [{"anything-but": [100, 200, 300]}]}, True),
        ({"c-count": [{"anything-but": 5}]}, False),
        ({"c-count": [{"anything-but": "running"}]}, True),
        ({"nothing": [{"anything-but": "running"}]}, True),
        ({"missing": [{"anything-but": "running"}]}, False),
        ({"state": [{"anything-but": {"prefix": "init"}}]}, True),
        ({"state": [{"anything-but": {"prefix": ["x", "run"]}}]}, False),
        ({"state": [{"anything-but": {"suffix": "ing"}}]}, False),
        ({"state": [{"anything-but": {"equals-ignore-case": ["STOPPED", "RUNNING"]}}]}, False),
        ({"state": [{"anything-but": {"wildcard": "*unn*"}}]}, False),
        ({"state": [{"anything-but": {"wildcard": "*x*"}}]}, True),
        ({"c-count": [{"numeric": [">", 0, "<=", 5]}]}, True),
        ({"c-count": [{"numeric": [">", 5]}]}, False),
        ({"d-count": [{"numeric": ["<", 10]}]}, True),
        ({"x-limit": [{"numeric": ["=", 3.018e2]}]}, True),
        ({"state": [{"numeric": ["<", 10]}]}, False),
        ({"flag": [{"numeric": ["=", 1]}]}, False),
        ({"source-ip": [{"cidr": "10.0.0.0/24"}]}, True),
        ({"source-ip": [{"cidr": "10.0.1.0/24"}]}, False),
        ({"source-ip": [{"cidr": "2001:db8::/32"}]}, False),
        ({"state": [{"cidr": "10.0.0.0/8"}]}, False),
        ({"c-count": [{"exists": True}]}, True),
        ({"nothing": [{"exists": True}]}, True),
        ({"c-count": [{"exists": False}]}, False),
        ({"missing": [{"exists": False}]}, True),
        ({"missing": [{"exists": True}]}, False),
        ({"state": ["stopped", {"prefix": "r"}], "missing": ["x", {"exists": False}]}, True),
        ({"$or": [{"state": ["stopped"]}, {"c-count": [{"numeric": [">", 4]}]}]}, True),
        ({"$or": [{"state": ["stopped"]}, {"c-count": [{"numeric": [">", 5]}]}]}, False),
        ({"state": ["running"], "$or": [{"c-count": [1]}, {"$or": [{"d-count": [2]}, {"d-count": [3]}]}]}, True),
    ],
)
def test_an_operator(detail: dict[str, Any], matched: bool) -> None:
    assert matches({"detail": detail}, EC2) is matched


def test_all_fields_and_any_value() -> None:
    pattern = {
        "source": ["aws.ec2"],
        "resources": ["other", "arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
        "time": [{"prefix": "2017-10-02"}],
    }
    assert matches(pattern, EC2)
    assert not matches({**pattern, "region": ["eu-west-1"]}, EC2)


def test_what_was_seen_on_aws() -> None:
    """By LocalStack's tests against AWS, where the guide is silent or says otherwise (300 and 300.0)."""
    assert not matches({"resources": [None]}, {"resources": []})
    assert matches({"n": [300]}, {"n": 300.0})
    for value in (12, None):
        assert matches({"state": [{"anything-but": {"prefix": "init"}}]}, {"state": value})
    assert matches({"path": [{"anything-but": {"wildcard": "*/dir/*"}}]}, {"path": 123})
    assert matches({"path": [{"anything-but": {"wildcard": ""}}]}, {"path": "dir"})
    assert matches({"a": {"b": [{"anything-but": ["x"]}, {"exists": False}]}}, {"a": {"c": 1}})
    assert not matches({"a": [{"exists": True}]}, {"a": {"b": 1}})


def test_exists_sees_leaves_only() -> None:
    assert matches({"detail": {"count": [{"exists": False}]}}, {"detail": {"count": {"inner": 1}}})


def test_a_dot_joins_names() -> None:
    assert matches({"detail": {"state.status": ["running"]}}, {"detail": {"state": {"status": "running"}}})
    assert matches({"detail": {"state": {"status": ["running"]}}}, {"detail": {"state.status": "running"}})


@pytest.mark.parametrize("event", [EMPLOYEES, {"employees": [EMPLOYEES["employees"][:1], EMPLOYEES["employees"][1:]]}])
def test_fields_match_within_one_array_element(event: dict[str, Any]) -> None:
    assert matches({"employees": {"firstName": ["Anna"]}}, event)
    assert matches({"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}, event)
    assert not matches({"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}, event)


def test_different_arrays_are_independent() -> None:
    event = {"a": [{"x": 1}, {"x": 2}], "b": [{"y": 1}, {"y": 2}]}
    assert matches({"a": {"x": [1]}, "b": {"y": [2]}}, event)


def test_absence_is_of_the_matched_element() -> None:
    event = {"list": [{"name": "a", "value": 1}, {"name": "b"}]}
    assert matches({"list": {"name": ["b"], "value": [{"exists": False}]}}, event)
    assert not matches({"list": {"name": ["a"], "value": [{"exists": False}]}}, event)


def test_the_network_interface_of_a_task() -> None:
    event = {
        "detail": {
            "attachments": [
                {"type": "elb", "status": "ATTACHED", "details": []},
                {"type": "eni", "status": "ATTACHING", "details": [{"name": "networkInterfaceId", "value": "eni-1"}]},
            ]
        }
    }
    attached = {"detail": {"attachments": {"type": ["eni"], "status": ["ATTACHED"]}}}
    assert not matches(attached, event)
    event["detail"]["attachments"][1]["status"] = "ATTACHED"
    assert matches(attached, event)
    assert matches({"detail": {"attachments": {"details": {"name": ["networkInterfaceId"]}}}}, event)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("[]", "Filter is not an object"),
        ({}, "Empty objects are not allowed"),
        ({"source": ["aws.health"], "detail": {}}, "Empty objects are not allowed"),
        ({"int": 42}, '"int" must be an object or an array'),
        ({"resources": []}, "Empty arrays are not allowed"),
        ({"a": [["b"]]}, "Match value must be String, number, true, false, or null"),
        ({"a": [{}]}, "Match expression name not found"),
        ({"my_key": [{"EXISTS": True}]}, "Unrecognized match type EXISTS"),
        ({"a": [{"exists": 0}]}, "exists match pattern must be either true or false."),
        ({"a": [{"prefix": 1}]}, "prefix match pattern must be a string"),
        ({"a": [{"prefix": {"suffix": "x"}}]}, "Unsupported prefix pattern: suffix"),
        ({"a": [{"prefix": "a", "suffix": "b"}]}, "Only one key allowed in match expression"),
        ({"a": [{"wildcard": "a**b"}]}, "Consecutive wildcard characters at pos 2"),
        ({"a": [{"wildcard": "a\\b"}]}, "Invalid escape character at pos 2"),
        ({"a": [{"anything-but": None}]}, "Value of anything-but must be an array or single string/number value."),
        ({"a": [{"anything-but": {"prefix": ""}}]}, "Null prefix/suffix not allowed"),
        (
            {"a": [{"anything-but": ["x", 1]}]},
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        ),
        ({"a": [{"numeric": [">", 0, ">", 0]}]}, "Bad numeric range operator: >"),
        ({"a": [{"numeric": ["<", "5"]}]}, "Value of < must be numeric"),
        ({"a": [{"numeric": [">", 0, "<"]}]}, "Value of < must be numeric"),
        ({"a": [{"wildcard": "arn:aws:events:us-east-1:**:event-bus/*"}]}, "Consecutive wildcard characters at pos 26"),
        ({"a": [{"wildcard": ["x"]}]}, "wildcard match pattern must be a string"),
        ({"a": [{"anything-but": {"wildcard": [1, "*x*"]}}]}, "wildcard match pattern must be a string"),
        ({"a": [{"anything-but": {"suffix": [1, "x"]}}]}, "prefix/suffix match pattern must be a string"),
        ({"a": [{"equals-ignore-case": {"prefix": "x"}}]}, "equals-ignore-case match pattern must be a string"),
        (
            {"a": [{"anything-but": {"equals-ignore-case": [1]}}]},
            "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
        ),
        (
            {"a": [{"anything-but": {"prefix": {"equals-ignore-case": "x"}}}]},
            "Value of anything-but must be an array or single string/number value.",
        ),
        ({"a": [{"cidr": "10.0.0.0"}]}, "Malformed CIDR, one '/' required"),
        ({"a": [{"cidr": "10.0.0.0/x"}]}, "Malformed CIDR, mask bits must be an integer"),
        ({"$or": [{"a": [1]}]}, "There must have at least 2 Objects in $or relationship."),
        (
            {"$or": [{"prefix": ["a"]}, {"b": [1]}]},
            "prefix is Ruler reserved fieldName which cannot be used inside $or.",
        ),
    ],
)
def test_a_malformed_pattern(pattern: Any, reason: str) -> None:
    with pytest.raises(InvalidEventPatternError) as caught:
        compile_pattern(pattern)
    assert str(caught.value) == f"Event pattern is not valid. Reason: {reason}"


def test_text_that_is_not_json() -> None:
    with pytest.raises(InvalidEventPatternError, match=r"^Event pattern is not valid\. Reason: "):
        compile_pattern("{source: [1]}")


def test_depth_is_no_danger() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = {"a": [deep]}
    assert matches({"b": [1]}, {"b": 1, "c": deep})
    with pytest.raises(InvalidEventPatternError):
        compile_pattern('{"a":' * 5_000 + "[1]" + "}" * 5_000)


KEYS = st.sampled_from(["a", "b", "c"])
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x", "xy", "10.0.0.1"])
EVENTS = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)),
    max_size=3,
)


def without_arrays(event: Any) -> Any:
    """A pattern that asks for the first value of each leaf, objects inside arrays left out."""
    pattern: dict[str, Any] = {}
    for key, value in event.items():
        if isinstance(value, dict):
            if inner := without_arrays(value):
                pattern[key] = inner
        elif not isinstance(value, list):
            pattern[key] = [value]
    return pattern


@given(EVENTS)
def test_an_event_matches_itself(event: dict[str, Any]) -> None:
    if pattern := without_arrays(event):
        assert matches(pattern, event)


@given(EVENTS, KEYS)
def test_exists_is_the_negation_of_not_exists(event: dict[str, Any], key: str) -> None:
    assert matches({key: [{"exists": True}]}, event) is not matches({key: [{"exists": False}]}, event)


@given(EVENTS, KEYS, KEYS, LEAVES, LEAVES)
def test_or_is_a_disjunction(event: dict[str, Any], one: str, two: str, first: Any, second: Any) -> None:
    either = matches({"$or": [{one: [first]}, {two: [second]}]}, event)
    assert either is (matches({one: [first]}, event) or matches({two: [second]}, event))


@given(EVENTS, KEYS, st.lists(st.sampled_from(["x", "xy"]), min_size=1))
def test_anything_but_of_a_single_value_is_its_negation(event: dict[str, Any], key: str, values: list[str]) -> None:
    if not isinstance(event.get(key, []), list | dict):
        assert matches({key: [{"anything-but": values}]}, event) is not matches({key: values}, event)


@given(EVENTS, KEYS, KEYS, LEAVES, LEAVES)
def test_more_fields_never_match_more(event: dict[str, Any], one: str, two: str, first: Any, second: Any) -> None:
    if matches({one: [first], two: [second]}, event):
        assert matches({two: [second]}, event)
