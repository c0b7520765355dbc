"""The examples that AWS publishes, as tests: patterns and events of the pages that their comments name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.model.eventbridge import compile_pattern
from sandbox.model.eventbridge_complexity import is_too_complex
from sandbox.model.eventbridge_operators import InvalidEventPatternError


def matches(pattern: Any, event: dict[str, Any]) -> bool:
    return compile_pattern(json.dumps(pattern)).matches(event)


# "Comparison operators for use in event patterns in Amazon EventBridge": the table, and the sections below it.
# Pattern, an event that matches, one that does not.
OPERATORS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        {"Location": ["New York"], "Day": ["Monday"]},
        {"Location": "New York", "Day": "Monday"},
        {"Location": "New York", "Day": "Tuesday"},
    ),
    ({"state": [{"anything-but": "initializing"}]}, {"state": "running"}, {"state": "initializing"}),
    ({"Region": [{"anything-but": {"prefix": "us-"}}]}, {"Region": "eu-west-1"}, {"Region": "us-east-1"}),
    ({"FileName": [{"anything-but": {"suffix": ".png"}}]}, {"FileName": "a.txt"}, {"FileName": "a.png"}),
    (
        {"state": [{"anything-but": {"equals-ignore-case": "initializing"}}]},
        {"state": "running"},
        {"state": "INITIALIZING"},
    ),
    (
        {"FilePath": [{"anything-but": {"wildcard": "*/lib/*"}}]},
        {"FilePath": "/usr/bin/ls"},
        {"FilePath": "/usr/lib/libc.so"},
    ),
    ({"Region": [{"prefix": "us-"}]}, {"Region": "us-east-1"}, {"Region": "eu-west-1"}),
    ({"service": [{"prefix": {"equals-ignore-case": "eventb"}}]}, {"service": "EventBridge"}, {"service": "sqs"}),
    ({"LastName": [""]}, {"LastName": ""}, {"LastName": "Doe"}),
    ({"Name": ["Alice"]}, {"Name": "Alice"}, {"Name": "alice"}),
    ({"Name": [{"equals-ignore-case": "alice"}]}, {"Name": "ALICE"}, {"Name": "Alicia"}),
    ({"FileName": [{"suffix": ".png"}]}, {"FileName": "a.png"}, {"FileName": "a.png.txt"}),
    ({"FileName": [{"suffix": {"equals-ignore-case": ".png"}}]}, {"FileName": "a.PNG"}, {"FileName": "a.gif"}),
    ({"ProductName": [{"exists": True}]}, {"ProductName": "x"}, {"Product": "x"}),
    ({"ProductName": [{"exists": False}]}, {"Product": "x"}, {"ProductName": "x"}),
    ({"Weather": [{"anything-but": ["Raining"]}]}, {"Weather": "Sunny"}, {"Weather": "Raining"}),
    ({"UserID": [None]}, {"UserID": None}, {"UserID": "null"}),
    ({"Price": [{"numeric": ["=", 100]}]}, {"Price": 100}, {"Price": 100.5}),
    ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, {"Price": 20}, {"Price": 10}),
    ({"PaymentType": ["Credit", "Debit"]}, {"PaymentType": "Debit"}, {"PaymentType": "Cash"}),
    (
        {"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]},
        {"Location": "Paris", "Day": "Monday"},
        {"Location": "Paris", "Day": "Tuesday"},
    ),
    (
        {"EventBusArn": [{"wildcard": "arn:*:event-bus/*"}]},
        {"EventBusArn": "arn:aws:e:event-bus/b"},
        {"EventBusArn": "x"},
    ),
    ({"detail": {"x-limit": [{"anything-but": 123}]}}, {"detail": {"x-limit": 1}}, {"detail": {"x-limit": 123}}),
    (
        {"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}},
        {"detail": {"state": "running"}},
        {"detail": {"state": "overloaded"}},
    ),
    (
        {"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}},
        {"detail": {"x-limit": 150}},
        {"detail": {"x-limit": 200}},
    ),
    (
        {"detail": {"sourceIPAddress": [{"cidr": "10.0.0.0/24"}]}},
        {"detail": {"sourceIPAddress": "10.0.0.24"}},
        {"detail": {"sourceIPAddress": "10.0.1.24"}},
    ),
    (
        {
            "detail": {
                "$or": [
                    {"c-count": [{"numeric": [">", 0, "<=", 5]}]},
                    {"d-count": [{"numeric": ["<", 10]}]},
                    {"x-limit": [{"numeric": ["=", 3.018e2]}]},
                ]
            }
        },
        {"detail": {"c-count": 9, "d-count": 11, "x-limit": 301.8}},
        {"detail": {"c-count": 9, "d-count": 11, "x-limit": 301}},
    ),
    (
        {
            "source": ["aws.cloudwatch"],
            "$or": [
                {"metricName": ["CPUUtilization", "ReadLatency"]},
                {"metricType": ["MetricType"], "namespace": ["AWS/EC2", "AWS/ES"]},
            ],
        },
        {"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/ES"},
        {"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/S3"},
    ),
]


@pytest.mark.parametrize(("pattern", "hit", "miss"), OPERATORS, ids=[json.dumps(p)[:60] for p, *_ in OPERATORS])
def test_a_published_operator(pattern: dict[str, Any], hit: dict[str, Any], miss: dict[str, Any]) -> None:
    assert matches(pattern, hit)
    assert not matches(pattern, miss)


def test_the_ec2_event_of_the_guide() -> None:
    # "Amazon EventBridge event patterns": the first event and pattern
    event = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "111122223333",
        "time": "2017-12-22T18:43:48Z",
        "region": "us-west-1",
        "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
        "detail": {"instance-id": "i-1234567890abcdef0", "state": "terminated"},
    }
    pattern = {
        "source": ["aws.ec2"],
        "detail-type": ["EC2 Instance State-change Notification"],
        "detail": {"state": ["terminated"]},
    }
    assert matches(pattern, event)
    assert matches({"source": ["aws.ec2", "aws.fargate"]}, event)
    assert not matches({**pattern, "detail": {"state": ["running"]}}, event)


def test_null_and_the_empty_string_differ() -> None:
    # "Matching null values and empty strings in Amazon EventBridge event patterns"
    event = {"detail": {"eventVersion": "", "responseElements": None}}
    assert matches({"detail": {"eventVersion": [""]}}, event)
    assert matches({"detail": {"responseElements": [None]}}, event)
    assert not matches({"detail": {"eventVersion": [None]}}, event)
    assert not matches({"detail": {"responseElements": [""]}}, event)


def test_an_array_matches_by_intersection() -> None:
    # "Arrays in Amazon EventBridge event patterns": the Auto Scaling group
    group = "arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:GUID:autoScalingGroupName/ASG"
    instance = "arn:aws:ec2:us-east-1:111122223333:instance/i-b188560f"
    pattern = {"resources": [instance, "arn:aws:ec2:us-east-1:111122223333:instance/i-b188560e"]}
    assert matches(pattern, {"resources": [group, instance]})
    assert not matches(pattern, {"resources": [group]})


def test_the_macie_event_of_the_guide() -> None:
    # "Amazon EventBridge event patterns": value matching
    pattern = {"source": ["aws.macie"], "detail": {"risk-score": [80], "trigger": {"risk": [8]}}}
    event = {"source": "aws.macie", "detail": {"risk-score": 80, "trigger": {"risk": 8, "alert-type": "basic"}}}
    assert matches(pattern, event)
    assert not matches({"detail": {"trigger": {"risk": [9]}}}, event)


def test_the_combined_example() -> None:
    # "Comparison operators ...": the example with several matchings
    pattern = {
        "time": [{"prefix": "2017-10-02"}],
        "detail": {
            "state": [{"anything-but": "initializing"}],
            "c-count": [{"numeric": [">", 0, "<=", 5]}],
            "d-count": [{"numeric": ["<", 10]}],
            "x-limit": [{"anything-but": [100, 200, 300]}],
        },
    }
    event = {"time": "2017-10-02T18:43:48Z", "detail": {"state": "running", "c-count": 5, "d-count": 9, "x-limit": 1}}
    assert matches(pattern, event)
    for field, value in (("state", "initializing"), ("c-count", 0), ("d-count", 10), ("x-limit", 200)):
        assert not matches(pattern, {**event, "detail": {**event["detail"], field: value}})


TOO_COMPLEX = r"^Event pattern is not valid\. Reason: Rule is too complex - try using fewer wildcard characters"


def stacks(names: str) -> list[dict[str, str]]:
    return [{"wildcard": f"*:stack/{name}Stack/*"} for name in names]


@pytest.mark.parametrize(
    "values",
    [
        [{"wildcard": "*:*:*:*:*:event-bus/*"}],  # the page's own example
        [{"anything-but": {"wildcard": "*:*:*:*:*:event-bus/*"}}],
        stacks("ABCD"),  # seen: vals-ai/Valkyrie pull request 278
        [{"wildcard": "*" + "ab" * 1500 + "*"}],
    ],
)
def test_too_complex_wildcards(values: list[Any]) -> None:
    with pytest.raises(InvalidEventPatternError, match=TOO_COMPLEX):
        compile_pattern({"resources": values})


@pytest.mark.parametrize(
    "values",
    [
        [{"wildcard": "arn:aws:events:us-east-1:*:event-bus/*"}],  # the page's simpler form
        stacks("ABC"),  # seen: three were taken
        [{"wildcard": "*.png"}, {"wildcard": "*Title*"}, {"wildcard": "*/lib/*"}],
        [{"wildcard": r"\*:\*:\*:\*:\*:\*:\*:\*:\*:\*:\*"}],  # no wildcard at all
    ],
)
def test_wildcards_that_are_taken(values: list[Any]) -> None:
    compile_pattern({"resources": values})


def test_complexity_is_of_one_field() -> None:
    compile_pattern({"a": stacks("ABC"), "b": stacks("DEF")})
    with pytest.raises(InvalidEventPatternError, match=TOO_COMPLEX):
        compile_pattern({"$or": [{"a": stacks("ABC")}, {"a": stacks("DEF")}]})
    # Told apart by an earlier field, the two are never compared with one value.
    compile_pattern({"$or": [{"a": ["x"], "b": stacks("ABC")}, {"a": ["y"], "b": stacks("DEF")}]})


def test_complexity_of_many_patterns_is_found_soon() -> None:
    assert is_too_complex([f"*{chr(97 + i) * 40}*x" for i in range(26)])


def test_an_or_of_ors_is_bounded() -> None:
    wide = [{f"k{i}": [1]} for i in range(40)]
    with pytest.raises(InvalidEventPatternError, match="more than 1000 combinations"):
        compile_pattern({"a": {"$or": wide}, "b": {"$or": wide}})
