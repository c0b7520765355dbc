"""The "ECS Task State Change" event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.model.ecs.events import DOCUMENTED, SEEN_2024, EventShape, iso, service_event, task_state_change
from sandbox.model.ecs.messages import (
    ContainerExited,
    ContainerStarted,
    EniAttached,
    EniDetached,
    ImagePulled,
    Interface,
    Network,
    PublishTask,
    TaskEvent,
)
from sandbox.model.ecs.task import Container, Task

ARN = "arn:aws:ecs:us-east-1:123456789012:task/blog/0123456789abcdef0123456789abcdef"
NOW = 1579802278.103  # the moment of AWS's sample: 2020-01-23T17:57:58.103Z


@pytest.fixture
def published(register: Callable[..., Any], interface: Interface) -> dict[str, dict[str, Any]]:
    """What a task published on its way, by lastStatus (the last with each)."""
    definition = register({"name": "web", "image": "web:1", "memory": 128})
    web = Container("web", "container/web", "web:1")
    task = Task(
        ARN,
        "arn:aws:ecs:us-east-1:123456789012:cluster/blog",
        definition,
        Network(("subnet-a",), (), assign_public_ip=True),
        "0123-attachment",
        "family:blog",
        "FARGATE",
        None,
        "me",
        NOW,
        {"web": web},
        tags=({"key": "k", "value": "v"},),
    )
    happened: list[TaskEvent] = [
        EniAttached(interface),
        ImagePulled("web", "sha256:w"),
        ContainerStarted("web", "id-web"),
        ContainerExited("web", 3),
        EniDetached(),
    ]
    commands = task.start()
    for event in happened:
        commands += task.handle(event, NOW)
    tasks = [command.task for command in commands if isinstance(command, PublishTask)]
    assert [shown["version"] for shown in tasks] == [1, 2, 3, 4, 5, 6]
    return {shown["lastStatus"]: dict(shown) for shown in tasks}


def event(task: dict[str, Any], shape: EventShape = DOCUMENTED) -> dict[str, Any]:
    return task_state_change(task, event_id="8f0d", now=NOW, account="123456789012", region="us-east-1", shape=shape)


def test_as_documented(published: dict[str, dict[str, Any]]) -> None:
    assert event(published["STOPPED"]) == {
        "version": "0",
        "id": "8f0d",
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "123456789012",
        "time": "2020-01-23T17:57:58Z",
        "region": "us-east-1",
        "resources": [ARN],
        "detail": {
            "attachments": [
                {
                    "id": "0123-attachment",
                    "type": "eni",
                    "status": "DELETED",
                    "details": [
                        {"name": "subnetId", "value": "subnet-a"},
                        {"name": "networkInterfaceId", "value": "eni-1"},
                        {"name": "macAddress", "value": "02:00:00:00:00:01"},
                        {"name": "privateIPv4Address", "value": "10.0.0.9"},
                    ],
                }
            ],
            "availabilityZone": "us-east-1a",
            "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/blog",
            "connectivity": "CONNECTED",
            "connectivityAt": "2020-01-23T17:57:58.103Z",
            "containers": [
                {
                    "containerArn": "container/web",
                    "exitCode": 3,
                    "lastStatus": "STOPPED",
                    "name": "web",
                    "image": "web:1",
                    "imageDigest": "sha256:w",
                    "runtimeId": "id-web",
                    "taskArn": ARN,
                    "networkInterfaces": [{"attachmentId": "0123-attachment", "privateIpv4Address": "10.0.0.9"}],
                    "cpu": "0",
                    "memory": "128",
                }
            ],
            "cpu": "256",
            "createdAt": "2020-01-23T17:57:58.103Z",
            "desiredStatus": "STOPPED",
            "enableExecuteCommand": False,
            "ephemeralStorage": {"sizeInGiB": 20},
            "executionStoppedAt": "2020-01-23T17:57:58.103Z",
            "group": "family:blog",
            "lastStatus": "STOPPED",
            "launchType": "FARGATE",
            "memory": "512",
            "overrides": {"containerOverrides": [{"name": "web"}]},
            "platformVersion": "1.4.0",
            "pullStartedAt": "2020-01-23T17:57:58.103Z",
            "pullStoppedAt": "2020-01-23T17:57:58.103Z",
            "startedAt": "2020-01-23T17:57:58.103Z",
            "startedBy": "me",
            "stopCode": "EssentialContainerExited",
            "stoppedAt": "2020-01-23T17:57:58.103Z",
            "stoppedReason": "Essential container in task exited",
            "stoppingAt": "2020-01-23T17:57:58.103Z",
            "taskArn": ARN,
            "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/blog:1",
            "updatedAt": "2020-01-23T17:57:58.103Z",
            "version": 6,
        },
    }


def test_as_seen_in_2024(published: dict[str, dict[str, Any]]) -> None:
    elb, eni = event(published["RUNNING"], SEEN_2024)["detail"]["attachments"]
    assert elb["type"] == "elb"
    assert elb["details"] == []
    assert elb["id"] != eni["id"]
    assert eni["type"] == "eni"
    assert [detail["name"] for detail in eni["details"]] == [
        "subnetId",
        "networkInterfaceId",
        "macAddress",
        "privateDnsName",
        "privateIPv4Address",
    ]


def test_no_index_is_safe(published: dict[str, dict[str, Any]]) -> None:
    """An index that finds the address in the one shape finds something else in the other."""
    documented, seen = (
        event(published["RUNNING"], shape)["detail"]["attachments"] for shape in (DOCUMENTED, SEEN_2024)
    )
    assert documented[0]["details"][1]["name"] == "networkInterfaceId"
    assert seen[0]["details"] == []
    assert documented[0]["details"][3]["name"] != seen[1]["details"][3]["name"]


@pytest.mark.parametrize("shape", [DOCUMENTED, SEEN_2024])
def test_the_event_and_the_api_name_the_attachment_differently(
    published: dict[str, dict[str, Any]], shape: EventShape
) -> None:
    task = published["RUNNING"]
    before = repr(task)
    types = {attachment["type"] for attachment in event(task, shape)["detail"]["attachments"]}
    assert "ElasticNetworkInterface" not in types
    assert task["attachments"][0]["type"] == "ElasticNetworkInterface"
    assert repr(task) == before


@pytest.mark.parametrize("status", ["PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"])
def test_what_the_event_never_has(published: dict[str, dict[str, Any]], status: str) -> None:
    detail = event(published[status])["detail"]
    assert not {"healthStatus", "tags", "platformFamily"} & detail.keys()
    assert all(not {"healthStatus", "networkBindings"} & container.keys() for container in detail["containers"])
    assert "publicIp" not in repr(detail)


def test_a_new_task_has_no_address_yet(published: dict[str, dict[str, Any]]) -> None:
    detail = event(published["PROVISIONING"])["detail"]
    assert detail["attachments"][0]["details"] == [{"name": "subnetId", "value": "subnet-a"}]
    assert "availabilityZone" not in detail
    assert "connectivityAt" not in detail


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (NOW, "2020-01-23T17:57:58.103Z"),
        (1659935220.61, "2022-08-08T05:07:00.61Z"),
        (1579802278.0, "2020-01-23T17:57:58Z"),
        (1579802280.0, "2020-01-23T17:58:00Z"),
        (0.1, "1970-01-01T00:00:00.1Z"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert iso(seconds) == text


def test_the_envelope_s_time_has_no_fraction() -> None:
    assert iso(1579802280.999, milliseconds=False) == "2020-01-23T17:58:00Z"


def test_an_event_about_a_service() -> None:
    """The envelope is that of a task's event; times are spelled as AWS spells them."""
    service = "arn:aws:ecs:us-west-2:111122223333:service/default/servicetest"
    detail = {"eventType": "INFO", "eventName": "SERVICE_STEADY_STATE", "clusterArn": "c", "createdAt": 1574191642.5}
    assert service_event(
        service,
        "ECS Service Action",
        detail,
        event_id="id",
        now=1574191643.9,
        account="111122223333",
        region="us-west-2",
    ) == {
        "version": "0",
        "id": "id",
        "detail-type": "ECS Service Action",
        "source": "aws.ecs",
        "account": "111122223333",
        "time": "2019-11-19T19:27:23Z",
        "region": "us-west-2",
        "resources": [service],
        "detail": {**detail, "createdAt": "2019-11-19T19:27:22.5Z"},
    }
