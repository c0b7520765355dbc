"""The EventBridge API as boto3 sees it, with real functions as targets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

ECHO = "def handler(event, context):\n    return event"
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def rule(control: Any, name: str = "r", source: str = "shop", **target: Any) -> None:
    client = control.aws("events")
    client.put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))
    client.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": LAMBDA + "f", **target}])


def entry(**more: Any) -> dict[str, Any]:
    return {"Source": "shop", "DetailType": "Order", "Detail": '{"id": 1}', **more}


def test_an_event_reaches_a_function(control: Any) -> None:
    control.function(ECHO)
    rule(control)
    answer = control.aws("events").put_events(Entries=[entry(Resources=["arn:x"]), entry(Source="other")])
    assert answer["FailedEntryCount"] == 0
    (invocation,) = control.invocations("f", 1)
    assert invocation["status"] == "Success"
    assert invocation["trigger"] == "events:r"
    event = json.loads(invocation["payload"])
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0",
        "id": answer["Entries"][0]["EventId"],
        "detail-type": "Order",
        "source": "shop",
        "account": "123456789012",
        "region": "us-east-1",
        "resources": ["arn:x"],
        "detail": {"id": 1},
    }


@pytest.mark.parametrize(
    ("target", "payload"),
    [
        ({"Input": '{"a": 1}'}, {"a": 1}),
        ({"InputPath": "$.detail"}, {"id": 1}),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"order": "$.detail.id"},
                    "InputTemplate": '{"order": <order>, "by": "<aws.events.rule-name>"}',
                }
            },
            {"order": 1, "by": "r"},
        ),
    ],
)
def test_what_a_target_is_given(control: Any, target: dict[str, Any], payload: Any) -> None:
    control.function(ECHO)
    rule(control, **target)
    control.aws("events").put_events(Entries=[entry()])
    assert json.loads(control.invocations("f", 1)[0]["payload"]) == payload


def test_each_entry_is_judged_by_itself(control: Any) -> None:
    answer = control.aws("events").put_events(
        Entries=[entry(Source="aws.ecs"), entry(Detail="[1]"), entry(Detail="{"), entry(DetailType=""), entry()]
    )
    assert answer["FailedEntryCount"] == 4
    assert answer["Entries"][0] == {
        "ErrorCode": "NotAuthorizedForSourceException",
        "ErrorMessage": "Not authorized for the source.",
    }
    assert [e.get("ErrorCode") for e in answer["Entries"][1:]] == [
        "MalformedDetail",
        "MalformedDetail",
        "InvalidArgument",
        None,
    ]


def test_at_most_ten_entries(control: Any) -> None:
    code, message = refused(control.aws("events").put_events, Entries=[entry()] * 11)
    assert code == "ValidationException"
    assert "less than or equal to 10" in message


def test_a_call_of_a_megabyte(control: Any) -> None:
    code, message = refused(control.aws("events").put_events, Entries=[entry(Detail='{"a": "' + "x" * 2**20 + '"}')])
    assert (code, message) == ("ValidationException", "Total size of the entries in the request is over the limit.")


def test_publish_takes_any_source(control: Any) -> None:
    control.function(ECHO)
    rule(control, source="aws.ecs")
    event = {
        "version": "0",
        "id": "1",
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:task"],
        "detail": {"lastStatus": "RUNNING", "desiredStatus": "RUNNING", "version": 3, "taskArn": "arn:task"},
    }
    control.events.publish(event)
    control.invocations("f", 1)
    published = next(o for o in control.timeline.since() if o.kind == "event.published")
    assert published.fields == {
        "id": "1",
        "source": "aws.ecs",
        "detail_type": "ECS Task State Change",
        "resources": ["arn:task"],
        "bus": "default",
        "rules": ["r"],
        "event": event,
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "version": 3,
        "taskArn": "arn:task",
    }


def test_a_disabled_rule_matches_nothing(control: Any) -> None:
    control.function(ECHO)
    rule(control)
    client = control.aws("events")
    client.disable_rule(Name="r")
    assert client.describe_rule(Name="r")["State"] == "DISABLED"
    client.put_events(Entries=[entry()])
    client.enable_rule(Name="r")
    sent = client.put_events(Entries=[entry()])["Entries"][0]["EventId"]
    assert json.loads(control.invocations("f", 1)[0]["payload"])["id"] == sent


def test_rules_and_targets(control: Any) -> None:
    client = control.aws("events")
    rule(control, "b")
    rule(control, "a")
    assert [r["Name"] for r in client.list_rules()["Rules"]] == ["a", "b"]
    assert [r["Name"] for r in client.list_rules(NamePrefix="b")["Rules"]] == ["b"]
    assert client.list_rule_names_by_target(TargetArn=LAMBDA + "f")["RuleNames"] == ["a", "b"]
    assert client.list_targets_by_rule(Rule="a")["Targets"] == [{"Id": "t", "Arn": LAMBDA + "f"}]
    client.put_rule(Name="a", EventPattern='{"source": ["x"]}', Description="changed")
    assert client.describe_rule(Name="a")["Description"] == "changed"
    assert refused(client.delete_rule, Name="a") == (
        "ValidationException",
        "Rule can't be deleted since it has targets.",
    )
    assert client.remove_targets(Rule="a", Ids=["t", "u"])["FailedEntries"][0]["TargetId"] == "u"
    client.delete_rule(Name="a")
    client.delete_rule(Name="a")
    assert refused(client.describe_rule, Name="a") == (
        "ResourceNotFoundException",
        "Rule a does not exist on EventBus default.",
    )


def test_what_is_refused(control: Any) -> None:
    client = control.aws("events")
    assert refused(client.put_rule, Name="r")[1].startswith("Parameter(s) EventPattern or ScheduleExpression")
    assert refused(client.put_rule, Name="r", EventPattern='{"a": []}') == (
        "InvalidEventPatternException",
        "Event pattern is not valid. Reason: Empty arrays are not allowed",
    )
    too_complex = json.dumps({"source": [{"wildcard": "*:*:*:*:*:event-bus/*"}]})
    assert refused(client.put_rule, Name="r", EventPattern=too_complex)[0] == "InvalidEventPatternException"
    assert (
        refused(client.put_rule, Name="r", EventPattern=json.dumps({"a": ["x" * 2048]}))[0] == "LimitExceededException"
    )
    huge = json.dumps({"a": ["x" * 100_000]})
    for call in (
        lambda: refused(client.put_rule, Name="r", EventPattern=huge),
        lambda: refused(client.test_event_pattern, Event="{}", EventPattern=huge),
    ):
        code, message = call()
        assert code == "ValidationException"
        assert message.endswith("Member must have length less than or equal to 4096")
    assert refused(client.put_rule, Name="r", EventPattern='{"a": [1]}', EventBusName="mine") == (
        "ResourceNotFoundException",
        "Event bus mine does not exist.",
    )
    client.put_rule(Name="r", EventPattern='{"a": [1]}')


def test_targets_that_are_refused(control: Any) -> None:
    client = control.aws("events")
    client.put_rule(Name="r", EventPattern='{"a": [1]}')
    here = "us-east-1:123456789012:"
    bus, cluster, fifo = (
        f"arn:aws:events:{here}event-bus/b",
        f"arn:aws:ecs:{here}cluster/c",
        f"arn:aws:sqs:{here}q.fifo",
    )
    role = {"RoleArn": "arn:aws:iam::123456789012:role/r"}
    for members, reason in (
        (
            {"InputTransformer": {"InputTemplate": '"<x>"'}},
            "InputTemplate for target t contains invalid placeholder x.",
        ),
        ({"InputTransformer": {"InputTemplate": '{"a": }'}}, "Invalid InputTemplate for target t."),
        (
            {"InputTransformer": {"InputTemplate": '"x"'}, "InputPath": "$.detail"},
            "Only one of Input, InputPath, or InputTransformer must be provided for target t.",
        ),
        (
            {"InputTransformer": {"InputTemplate": '"<a>"', "InputPathsMap": {"a": "$..b"}}},
            "The JSONPath $..b is not implemented by the sandbox yet.",
        ),
        ({"Input": "{"}, "Invalid Input for target t."),
        ({"Arn": "f"}, "Parameter f is not valid. Reason: Provided Arn is not in correct format."),
        (
            {"Arn": f"arn:aws:states:{here}stateMachine:s"},
            f"A target of this kind (arn:aws:states:{here}stateMachine:s) is not implemented by the sandbox yet.",
        ),
        (
            {"Arn": "arn:aws:sqs:us-east-1:111122223333:q"},
            "A target in another account (arn:aws:sqs:us-east-1:111122223333:q) is not implemented by the sandbox yet.",
        ),
        (
            {"KinesisParameters": {"PartitionKeyPath": "$.id"}},
            f"The KinesisParameters of a target {LAMBDA}f is not implemented by the sandbox yet.",
        ),
        ({"Arn": bus}, f"RoleArn is required for target {bus}."),
        ({"Arn": bus, **role, "InputPath": "$.detail"}, "Modifying the input for target t is not supported."),
        ({"Arn": cluster}, f"RoleArn is required for target {cluster}."),
        ({"Arn": cluster, **role}, "Parameter(s) EcsParameters must be specified for target: t."),
        ({"Arn": fifo}, "Parameter(s) SqsParameters must be specified for target: t."),
        (
            {"DeadLetterConfig": {"Arn": fifo}},
            f"The dead-letter queue of target t must be a standard SQS queue, not {fifo}.",
        ),
    ):
        target = {"Id": "t", "Arn": LAMBDA + "f", **members}
        assert refused(client.put_targets, Rule="r", Targets=[target]) == ("ValidationException", reason)


def test_event_pattern_is_tested(control: Any) -> None:
    client = control.aws("events")
    event = dict.fromkeys(("id", "account", "source", "time", "region", "detail-type"), "x")
    pattern = '{"source": [{"prefix": "x"}]}'
    assert client.test_event_pattern(Event=json.dumps(event), EventPattern=pattern)["Result"] is True
    del event["id"]
    assert refused(client.test_event_pattern, Event=json.dumps(event), EventPattern=pattern)[0] == "ValidationException"


def test_the_default_bus(control: Any) -> None:
    bus = control.aws("events").describe_event_bus()
    assert bus["Arn"] == "arn:aws:events:us-east-1:123456789012:event-bus/default"
