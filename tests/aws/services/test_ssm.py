"""Systems Manager through boto3, without instances: documents, what SendCommand refuses, pages, filters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.services.ssm import SsmService
from sandbox.clock import VirtualClock
from sandbox.controllers.ssm import SsmController
from sandbox.controllers.ssm_outlets import Outlets
from sandbox.model.ssm.nodes import Node
from sandbox.timeline import Timeline

ACCOUNT = "123456789012"
CONTENT = {
    "schemaVersion": "2.2",
    "description": "Purge",
    "parameters": {"path": {"type": "String", "description": "Which", "default": "/"}},
    "mainSteps": [{"action": "aws:runShellScript", "name": "purge", "inputs": {"runCommand": ["purge {{ path }}"]}}],
}


class World:
    """The service over nodes whose agents never take anything."""

    def __init__(self) -> None:
        self.clock = VirtualClock(1_700_000_000.0)
        self.timeline = Timeline(self.clock)
        self.backend = Embedded()
        self.gateway = Gateway([], self.backend).start()
        self.aws = Clients(self.gateway.url)
        outlets = Outlets(self.aws, lambda event: None, self.timeline)
        self.controller = SsmController(
            None,  # type: ignore[arg-type] # no machine runs
            lambda instance: "",
            self.backend,
            outlets,
            self.clock,
            self.timeline,
        )
        self.gateway.add(SsmService(self.controller, ACCOUNT))
        self.ssm = self.aws("ssm")

    def node(self, number: int) -> str:
        name = f"i-{number:017x}"
        self.controller.model.register(Node(name, f"ip-{number}", f"10.0.0.{number}", 0.0, 0.0, is_listening=False))
        return name

    def refused(self, work: Callable[..., Any], **request: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            work(**request)
        error = caught.value.response["Error"]
        return error["Code"], error.get("Message", "")

    def send(self, **request: Any) -> str:
        request = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["id"]}, **request}
        command = str(self.ssm.send_command(**request)["Command"]["CommandId"])
        self.timeline.wait_for(
            "the command to have its nodes",
            lambda seen: seen["command"] == command and (seen.kind == "ssm.invocation" or seen.get("over")),
            within=10,
        )
        return command

    def close(self) -> None:
        self.controller.close()
        self.gateway.close()
        self.backend.reset()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_a_document_from_its_making_to_its_end(world: World) -> None:
    ssm = world.ssm
    made = ssm.create_document(Name="Purge", Content=json.dumps(CONTENT), DocumentType="Command")["DocumentDescription"]
    assert (made["Status"], made["DocumentVersion"], made["PlatformTypes"]) == ("Active", "1", ["Linux"])
    assert made["Parameters"] == [{"Name": "path", "Type": "String", "Description": "Which", "DefaultValue": "/"}]
    changed = json.dumps({**CONTENT, "description": "Purge all"})
    ssm.update_document(Name="Purge", Content=changed, DocumentVersion="$LATEST")
    assert ssm.get_document(Name="Purge")["Content"] == json.dumps(CONTENT)
    assert ssm.get_document(Name="Purge", DocumentVersion="$LATEST")["Content"] == changed
    ssm.update_document_default_version(Name="Purge", DocumentVersion="2")
    assert ssm.describe_document(Name="Purge")["Document"]["Description"] == "Purge all"
    versions = ssm.list_document_versions(Name="Purge")["DocumentVersions"]
    assert [(one["DocumentVersion"], one["IsDefaultVersion"]) for one in versions] == [("2", True), ("1", False)]
    own = ssm.list_documents(Filters=[{"Key": "Owner", "Values": ["Self"]}])["DocumentIdentifiers"]
    assert [one["Name"] for one in own] == ["Purge"]
    ssm.delete_document(Name="Purge")
    assert world.refused(ssm.describe_document, Name="Purge")[0] == "InvalidDocument"


def test_documents_that_are_refused(world: World) -> None:
    create = world.ssm.create_document
    assert world.refused(create, Name="Purge", Content="{", DocumentType="Command")[0] == "InvalidDocumentContent"
    old = json.dumps({**CONTENT, "schemaVersion": "0.3"})
    assert world.refused(create, Name="Purge", Content=old)[0] == "InvalidDocumentSchemaVersion"
    large = json.dumps({**CONTENT, "description": "x" * 70_000})
    assert world.refused(create, Name="Purge", Content=large)[0] == "MaxDocumentSizeExceeded"
    assert world.refused(world.ssm.update_document, Name="AWS-RunShellScript", Content=json.dumps(CONTENT))[0] == (
        "InvalidDocumentOperation"
    )


def test_parameters_stay_with_the_backend(world: World) -> None:
    world.ssm.put_parameter(Name="/purge/path", Value="/", Type="String")
    assert world.ssm.get_parameter(Name="/purge/path")["Parameter"]["Value"] == "/"


def test_what_send_command_refuses(world: World) -> None:
    node = world.node(1)
    commands = {"commands": ["id"]}
    role = "arn:aws:iam::123456789012:role/notifies"
    for request, code in (
        ({"DocumentName": "Nothing", "InstanceIds": [node]}, "InvalidDocument"),
        ({"DocumentVersion": "9", "InstanceIds": [node], "Parameters": commands}, "InvalidDocumentVersion"),
        ({"InstanceIds": [node]}, "InvalidParameters"),
        ({"InstanceIds": [node], "Parameters": {**commands, "user": ["root"]}}, "InvalidParameters"),
        ({"Parameters": commands}, "ValidationException"),
        (
            {"InstanceIds": [node], "Targets": [{"Key": "tag:a", "Values": ["b"]}], "Parameters": commands},
            "ValidationException",
        ),
        ({"Targets": [{"Key": "name", "Values": ["b"]}], "Parameters": commands}, "InvalidParameters"),
        ({"InstanceIds": [node, node], "Parameters": commands}, "DuplicateInstanceId"),
        ({"InstanceIds": [f"i-{9:017x}"], "Parameters": commands}, "InvalidInstanceId"),
        (
            {"Targets": [{"Key": "InstanceIds", "Values": [f"i-{9:017x}"]}], "Parameters": commands},
            "InvalidInstanceId",
        ),
        ({"InstanceIds": [node], "Parameters": commands, "DocumentHash": "0"}, "InvalidDocument"),
        (
            {
                "InstanceIds": [node],
                "Parameters": commands,
                "ServiceRoleArn": role,
                "NotificationConfig": {"NotificationArn": "purges", "NotificationEvents": ["All"]},
            },
            "InvalidNotificationConfig",
        ),
        (
            {"InstanceIds": [node], "Parameters": commands, "AlarmConfiguration": {"Alarms": [{"Name": "a"}]}},
            "ValidationException",
        ),
    ):
        asked = {"DocumentName": "AWS-RunShellScript", **request}
        assert world.refused(world.ssm.send_command, **asked)[0] == code, request
    assert world.ssm.list_commands()["Commands"] == []
    for member, value in (("MaxConcurrency", "0"), ("MaxErrors", "-1")):
        asked = {"DocumentName": "AWS-RunShellScript", "InstanceIds": [node], "Parameters": commands, member: value}
        code, message = world.refused(world.ssm.send_command, **asked)
        assert (code, "satisfy" in message or "pattern" in message) == ("ValidationException", True), message


def test_commands_and_invocations_are_listed_the_newest_first_in_pages(world: World) -> None:
    ssm, node = world.ssm, world.node(1)
    sent = []
    for number in range(3):
        world.clock.advance(10)
        sent.append(world.send(InstanceIds=[node], Comment=f"purge {number}"))
    first = ssm.list_commands(MaxResults=2)
    assert [one["CommandId"] for one in first["Commands"]] == [sent[2], sent[1]]
    rest = ssm.list_commands(MaxResults=2, NextToken=first["NextToken"])
    assert [one["CommandId"] for one in rest["Commands"]] == [sent[0]]
    assert "NextToken" not in rest
    assert world.refused(ssm.list_commands, NextToken="no token")[0] == "InvalidNextToken"
    assert len(ssm.list_commands(InstanceId=node)["Commands"]) == 3
    assert ssm.list_commands(InstanceId=f"i-{9:017x}")["Commands"] == []
    (one,) = ssm.list_command_invocations(CommandId=sent[0])["CommandInvocations"]
    assert (one["StatusDetails"], one["Comment"], one["CommandPlugins"]) == ("Delayed", "purge 0", [])
    late = "2023-11-14T22:13:35Z"
    found = ssm.list_command_invocations(Filters=[{"key": "InvokedBefore", "value": late}])["CommandInvocations"]
    assert [one["CommandId"] for one in found] == [sent[0]]
    unknown = "00000000-0000-0000-0000-000000000000"
    assert world.refused(ssm.list_commands, CommandId=unknown)[0] == "InvalidCommandId"
    assert world.refused(ssm.cancel_command, CommandId=unknown)[0] == "InvalidCommandId"
    missing = world.refused(ssm.get_command_invocation, CommandId=sent[0], InstanceId=f"i-{9:017x}")
    assert missing[0] == "InvocationDoesNotExist"


def test_a_command_ends_when_its_time_is_over(world: World) -> None:
    node = world.node(1)
    command = world.send(
        InstanceIds=[node], TimeoutSeconds=60, Parameters={"commands": ["id"], "executionTimeout": ["40"]}
    )
    described = world.ssm.list_commands(CommandId=command)["Commands"][0]
    assert (described["ExpiresAfter"] - described["RequestedDateTime"]).total_seconds() == 100
    world.clock.advance(99)
    assert world.ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == "Pending"
    world.clock.advance(1)
    described = world.ssm.list_commands(CommandId=command)["Commands"][0]
    assert (described["StatusDetails"], described["DeliveryTimedOutCount"]) == ("DeliveryTimedOut", 1)


def test_nodes_are_described_with_filters(world: World) -> None:
    first, second = world.node(1), world.node(2)
    world.controller.model.nodes[second].is_lost = True
    describe = world.ssm.describe_instance_information
    assert [one["InstanceId"] for one in describe()["InstanceInformationList"]] == [first, second]
    lost = describe(Filters=[{"Key": "PingStatus", "Values": ["ConnectionLost"]}])["InstanceInformationList"]
    assert [one["InstanceId"] for one in lost] == [second]
    old = describe(InstanceInformationFilterList=[{"key": "InstanceIds", "valueSet": [first]}])
    assert [one["ComputerName"] for one in old["InstanceInformationList"]] == ["ip-1"]
    assert world.refused(describe, Filters=[{"Key": "Colour", "Values": ["red"]}])[0] == "InvalidFilterKey"
    world.controller.machine_gone(first, "stopped")
    world.controller.machine_gone(second, "terminated")
    assert describe()["InstanceInformationList"] == []
