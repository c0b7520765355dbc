"""Event buses of one's own, as boto3 sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

BUS = "arn:aws:events:us-east-1:123456789012:event-bus/"
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def entry(bus: str | None = None, **more: Any) -> dict[str, Any]:
    named = {} if bus is None else {"EventBusName": bus}
    return {"Source": "shop", "DetailType": "Order", "Detail": '{"id": 1}', **named, **more}


def test_a_bus_is_made_shown_changed_and_deleted(control: Any) -> None:
    client = control.aws("events")
    made = client.create_event_bus(Name="orders", Description="of the shop", Tags=[{"Key": "a", "Value": "b"}])
    assert (made["EventBusArn"], made["Description"]) == (BUS + "orders", "of the shop")
    assert refused(client.create_event_bus, Name="orders") == (
        "ResourceAlreadyExistsException",
        "Event bus orders already exists.",
    )
    shown = client.describe_event_bus(Name="orders")
    assert (shown["Name"], shown["Arn"], "Policy" in shown) == ("orders", BUS + "orders", False)
    assert client.describe_event_bus(Name=BUS + "orders")["Name"] == "orders"
    assert client.update_event_bus(Name="orders", Description="new")["Description"] == "new"
    assert client.list_tags_for_resource(ResourceARN=BUS + "orders")["Tags"] == [{"Key": "a", "Value": "b"}]
    client.tag_resource(ResourceARN=BUS + "orders", Tags=[{"Key": "a", "Value": "c"}, {"Key": "d", "Value": "e"}])
    client.untag_resource(ResourceARN=BUS + "orders", TagKeys=["d"])
    assert client.list_tags_for_resource(ResourceARN=BUS + "orders")["Tags"] == [{"Key": "a", "Value": "c"}]
    client.delete_event_bus(Name="orders")
    client.delete_event_bus(Name="orders")
    assert refused(client.describe_event_bus, Name="orders") == (
        "ResourceNotFoundException",
        "Event bus orders does not exist.",
    )


def test_buses_are_listed_page_by_page(control: Any) -> None:
    client = control.aws("events")
    for number in range(3):
        client.create_event_bus(Name=f"b{number}")
    first = client.list_event_buses(Limit=3)
    assert [bus["Name"] for bus in first["EventBuses"]] == ["b0", "b1", "b2"]
    second = client.list_event_buses(Limit=3, NextToken=first["NextToken"])
    assert [bus["Name"] for bus in second["EventBuses"]] == ["default"]
    assert "NextToken" not in second
    assert [bus["Name"] for bus in client.list_event_buses(NamePrefix="b1")["EventBuses"]] == ["b1"]


def test_a_region_has_a_hundred_buses(control: Any) -> None:
    client = control.aws("events")
    for number in range(99):
        client.create_event_bus(Name=f"b{number}")
    assert refused(client.create_event_bus, Name="more")[0] == "LimitExceededException"
    control.aws("events", "eu-west-1").create_event_bus(Name="more")


def test_what_is_refused(control: Any) -> None:
    client = control.aws("events")
    assert refused(client.delete_event_bus, Name="default") == (
        "ValidationException",
        "Cannot delete event bus default.",
    )
    assert refused(client.create_event_bus, Name="a/b")[1] == "Event bus name must not contain '/'."
    assert "KmsKeyIdentifier is not implemented" in refused(client.create_event_bus, Name="k", KmsKeyIdentifier="k")[1]
    client.create_event_bus(Name="orders")
    client.put_rule(Name="r", EventBusName="orders", EventPattern='{"source": ["shop"]}')
    assert refused(client.delete_event_bus, Name="orders")[0] == "ValidationException"


def test_rules_are_of_one_bus(control: Any) -> None:
    client = control.aws("events")
    client.create_event_bus(Name="orders")
    pattern = '{"source": ["shop"]}'
    assert client.put_rule(Name="r", EventBusName="orders", EventPattern=pattern)["RuleArn"].endswith("rule/orders/r")
    assert client.put_rule(Name="r", EventPattern=pattern)["RuleArn"].endswith(":rule/r")
    assert client.describe_rule(Name="r", EventBusName=BUS + "orders")["EventBusName"] == "orders"
    assert len(client.list_rules(EventBusName="orders")["Rules"]) == 1
    client.tag_resource(
        ResourceARN="arn:aws:events:us-east-1:123456789012:rule/orders/r", Tags=[{"Key": "k", "Value": "v"}]
    )
    assert client.list_tags_for_resource(ResourceARN="arn:aws:events:us-east-1:123456789012:rule/r")["Tags"] == []
    client.delete_rule(Name="r", EventBusName="orders")
    assert refused(client.describe_rule, Name="r", EventBusName="orders") == (
        "ResourceNotFoundException",
        "Rule r does not exist on EventBus orders.",
    )
    assert client.describe_rule(Name="r")["EventBusName"] == "default"


@pytest.mark.parametrize("name", ["orders", BUS + "orders"])
def test_events_go_to_the_rules_of_their_bus(control: Any, name: str) -> None:
    client = control.aws("events")
    client.create_event_bus(Name="orders")
    for bus, function in (("orders", "mine"), ("default", "other")):
        control.function("def handler(event, context):\n    return event", name=function)
        client.put_rule(Name="r", EventBusName=bus, EventPattern='{"source": ["shop"]}')
        client.put_targets(Rule="r", EventBusName=bus, Targets=[{"Id": "t", "Arn": LAMBDA + function}])
    nowhere = client.put_events(Entries=[entry("nobody")])
    assert nowhere["FailedEntryCount"] == 0
    sent = client.put_events(Entries=[entry(name)])["Entries"][0]["EventId"]
    assert json.loads(control.invocations("mine", 1)[0]["payload"])["id"] == sent
    published = [(o["bus"], o["rules"]) for o in control.timeline.since() if o.kind == "event.published"]
    assert published == [("orders", ["r"])]


def test_a_policy_is_stored_and_shown(control: Any) -> None:
    client = control.aws("events")
    assert refused(client.remove_permission, StatementId="s") == (
        "ResourceNotFoundException",
        "EventBus does not have a policy.",
    )
    client.put_permission(Action="events:PutEvents", Principal="111122223333", StatementId="s")
    client.put_permission(
        Action="events:PutEvents",
        Principal="*",
        StatementId="org",
        Condition={"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1234567890"},
    )
    assert json.loads(client.describe_event_bus()["Policy"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "s",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "events:PutEvents",
                "Resource": BUS + "default",
            },
            {
                "Sid": "org",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "events:PutEvents",
                "Resource": BUS + "default",
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
            },
        ],
    }
    assert refused(client.remove_permission, StatementId="x") == (
        "ResourceNotFoundException",
        "Statement with the provided id does not exist.",
    )
    client.remove_permission(StatementId="s")
    assert len(json.loads(client.describe_event_bus()["Policy"])["Statement"]) == 1
    client.remove_permission(RemoveAllPermissions=True)
    assert "Policy" not in client.describe_event_bus()
    client.put_permission(Policy='{"Version": "2012-10-17", "Statement": {"Sid": "one", "Effect": "Allow"}}')
    assert json.loads(client.describe_event_bus()["Policy"])["Statement"] == [{"Sid": "one", "Effect": "Allow"}]
    assert refused(client.put_permission, Policy="{")[0] == "ValidationException"
    assert refused(client.put_permission, Action="events:PutEvents")[0] == "ValidationException"
