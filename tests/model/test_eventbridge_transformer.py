"""Input templates: the examples of "Amazon EventBridge input transformation" and of the API reference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.eventbridge_input import target_input
from sandbox.model.eventbridge_transformer import InvalidJsonError, InvalidTemplateError, transformer_of

RULE = "arn:aws:events:us-east-2:123456789012:rule/example"
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2015-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {"instance-id": "i-0123456789", "state": "RUNNING"},
}
PATHS = {"timestamp": "$.time", "instance": "$.detail.instance-id", "state": "$.detail.state", "gone": "$.detail.x"}


def transformed(template: str, event: dict[str, Any] = EVENT, **paths: str) -> str:
    transformer = {"InputPathsMap": {**PATHS, **paths}, "InputTemplate": template}
    return target_input({"InputTransformer": transformer}, event, rule_arn=RULE, ingested=1447277396.7)


@pytest.mark.parametrize(
    ("template", "output"),
    [
        ('"instance <instance> is in <state>"', '"instance i-0123456789 is in RUNNING"'),
        (r'"instance \"<instance>\" is in <state>"', r'"instance \"i-0123456789\" is in RUNNING"'),
        ('"<aws.events.rule-name> triggered"', '"example triggered"'),
        # Without quotes, as the API reference writes it.
        ("<instance> is in state <state>", "i-0123456789 is in state RUNNING"),
        # Lines of text.
        ('"<instance>"\n"<state>"', '"i-0123456789"\n"RUNNING"'),
    ],
)
def test_text(template: str, output: str) -> None:
    assert transformed(template) == output


@pytest.mark.parametrize(
    ("template", "output"),
    [
        (
            '{\n  "instance" : <instance>,\n  "state": <state>\n}',
            {"instance": "i-0123456789", "state": "RUNNING"},
        ),
        (
            '{"instance" : <instance>, "state": "<state>", '
            r'"instanceStatus": "instance \"<instance>\" is in <state>"}',
            {
                "instance": "i-0123456789",
                "state": "RUNNING",
                "instanceStatus": 'instance "i-0123456789" is in RUNNING',
            },
        ),
        (
            '{"instance" : <instance>, "state": [ 9, <state>, true ], "Transformed" : "Yes"}',
            {"instance": "i-0123456789", "state": [9, "RUNNING", True], "Transformed": "Yes"},
        ),
        (
            '{"ruleArn" : <aws.events.rule-arn>, "ruleName" : <aws.events.rule-name>, "all": <aws.events.event.json>, '
            '"at": <aws.events.event.ingestion-time>}',
            {"ruleArn": RULE, "ruleName": "example", "all": EVENT, "at": "2015-11-11T21:29:56Z"},
        ),
        (
            '{"originalEvent" : <aws.events.event>}',
            {
                "originalEvent": {
                    "version": "0",
                    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
                    "detailType": "EC2 Instance State-change Notification",
                    "source": "aws.ec2",
                    "account": "123456789012",
                    "time": "2015-11-11T21:29:54Z",
                    "region": "us-east-1",
                    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
                }
            },
        ),
        (
            r'{"timestamp" : <timestamp>, "message": "instance \"<instance>\" is in <state>"}',
            {"timestamp": "2015-11-11T21:29:54Z", "message": 'instance "i-0123456789" is in RUNNING'},
        ),
        (
            r'{"myInstance": <instance>,"myStatus": "<instance> is in state \"<state>\""}',
            {"myInstance": "i-0123456789", "myStatus": 'i-0123456789 is in state "RUNNING"'},
        ),
    ],
)
def test_json(template: str, output: Any) -> None:
    text = transformed(template)
    assert json.loads(text) == output
    assert text == json.dumps(output, separators=(",", ":"))  # it is minified


def test_a_path_that_leads_nowhere() -> None:
    assert transformed('"gone: <gone>."') == '"gone: ."'
    assert transformed('{"a": <gone>, "b": "<gone>"}') == '{"a":"","b":""}'
    assert transformed('{"a": <none>}', {"detail": {"n": None}}, none="$.detail.n") == '{"a":""}'


def test_values_that_are_no_strings() -> None:
    event = {"detail": {"n": 0, "flag": False, "list": ["a", 1], "object": {"k": "v"}}}
    paths = {name: f"$.detail.{name}" for name in event["detail"]}
    assert transformed('{"n": <n>, "f": <flag>, "l": <list>, "o": <object>}', event, **paths) == (
        '{"n":0,"f":false,"l":["a",1],"o":{"k":"v"}}'
    )
    assert transformed('"<n> <flag> <list> <object>"', event, **paths) == '"0 false [a,1] {k:v}"'
    assert transformed("<object>", event, **paths) == '{"k":"v"}'


def test_nothing_is_escaped() -> None:
    event = {"detail": {"text": 'say "hi"', "object": {"k": "v"}}}
    paths = {"text": "$.detail.text", "object": "$.detail.object"}
    assert transformed('{"a": <text>}', event, **paths) == r'{"a":"say \"hi\""}'
    for template in ('{"a": "<text>"}', '{"a": "<object>"}', '{"a": "<aws.events.event.json>"}'):
        with pytest.raises(InvalidJsonError):
            transformed(template, event, **paths)


@pytest.mark.parametrize("template", ['"<a> <aws.events.event>"', '{"k": [<a>, "<a>"]}', "text", '{"k": {"a > b": 1}}'])
def test_a_template_that_is_taken(template: str) -> None:
    transformer_of(template).check(["a"])


@pytest.mark.parametrize(
    ("template", "placeholder"),
    [
        ('"<b>"', "b"),
        ('{"k": <aws.events.nothing>}', "aws.events.nothing"),
        ("{<a>: 1}", None),
        ('{"<a>": 1}', None),
        ('{"k": <a> <a>}', None),
        ('{"k": 1', None),
    ],
)
def test_a_template_that_is_refused(template: str, placeholder: str | None) -> None:
    with pytest.raises(InvalidTemplateError) as caught:
        transformer_of(template).check(["a"])
    assert caught.value.placeholder == placeholder


JSON = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(JSON)
def test_outside_of_quotes_any_value_stays_what_it_is(value: Any) -> None:
    text = transformed('{"v": <v>}', {"detail": value}, v="$.detail")
    assert json.loads(text) == {"v": value}
