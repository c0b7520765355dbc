"""What a container is told of itself and its task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.model.ecs import metadata
from sandbox.model.ecs.messages import (
    ContainerExited,
    ContainerStarted,
    HealthChanged,
    ImagePulled,
    ResourcesReady,
    StopRequested,
)
from sandbox.model.ecs.metadata import Subnet
from sandbox.model.ecs.registration import Deregistered, DrainOver, GroupUse, Registered, Registrations

Make = Callable[..., Any]
SUBNET = Subnet("10.0.0.0/20", "10.0.0.1", "10.0.0.2")
ARN = "arn:aws:ecs:us-east-1:123456789012:task/blog/0123456789abcdef0123456789abcdef"
LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"},
}


def test_a_container_as_documented(play: Make, container: Make) -> None:
    one = play(
        container("web", cpu=64, memory=128, dockerLabels={"mine": "yes"}, healthCheck={"command": ["CMD", "true"]})
    )
    one.running().on(ImagePulled("web", "sha256:w")).on(HealthChanged("web", "HEALTHY"))
    assert metadata.of_container(one.task, "web", SUBNET) == {
        "DockerId": "id-web",
        "Name": "web",
        "DockerName": "web",
        "Image": "web:1",
        "ImageID": "sha256:w",
        "Labels": {
            "mine": "yes",
            "com.amazonaws.ecs.cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/blog",
            "com.amazonaws.ecs.container-name": "web",
            "com.amazonaws.ecs.task-arn": ARN,
            "com.amazonaws.ecs.task-definition-family": "blog",
            "com.amazonaws.ecs.task-definition-version": "1",
        },
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": 64, "Memory": 128},
        "CreatedAt": "1970-01-01T00:01:41Z",
        "StartedAt": "1970-01-01T00:01:42Z",
        "Type": "NORMAL",
        "Health": {"status": "HEALTHY"},
        "ContainerARN": "container/web",
        "Networks": [
            {
                "NetworkMode": "awsvpc",
                "IPv4Addresses": ["10.0.0.9"],
                "AttachmentIndex": 0,
                "MACAddress": "02:00:00:00:00:01",
                "IPv4SubnetCIDRBlock": "10.0.0.0/20",
                "DomainNameServers": ["10.0.0.2"],
                "DomainNameSearchList": ["ec2.internal"],
                "PrivateDNSName": "ip-10-0-0-9.ec2.internal",
                "SubnetGatewayIpv4Address": "10.0.0.1/20",
            }
        ],
    }


def test_a_container_that_has_ended(play: Make, container: Make) -> None:
    two = play(container("web"), container("aside", essential=False)).running()
    two.on(ContainerExited("aside", 3), "event RUNNING v4")
    told = metadata.of_container(two.task, "aside", SUBNET)
    assert (told["KnownStatus"], told["ExitCode"]) == ("STOPPED", 3)
    assert told["StartedAt"] < told["FinishedAt"]


def test_where_its_log_is(play: Make, container: Make) -> None:
    one = play(container("web", logConfiguration=LOGS), executionRoleArn="role").start()
    one.on(one.attached, "event PENDING v2", "prepare").on(ResourcesReady(), "start web")
    told = metadata.of_container(one.task, "web", SUBNET)
    assert (told["LogDriver"], told["LogOptions"]) == (
        "awslogs",
        {
            "awslogs-group": "g",
            "awslogs-region": "us-east-1",
            "awslogs-stream": "ecs/web/0123456789abcdef0123456789abcdef",
        },
    )


def test_a_task_as_documented(play: Make, container: Make) -> None:
    two = play(container("web"), container("aside")).running()
    told = metadata.of_task(two.task, SUBNET)
    containers = told.pop("Containers")
    assert [one["Name"] for one in containers] == ["web", "aside"]
    assert told == {
        "Cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/blog",
        "TaskARN": ARN,
        "Family": "blog",
        "Revision": "1",
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": 0.25, "Memory": 512},
        "PullStartedAt": "1970-01-01T00:01:41Z",
        "AvailabilityZone": "us-east-1a",
        "LaunchType": "FARGATE",
    }
    two.task.group = "service:blog"
    assert metadata.of_task(two.task, SUBNET)["ServiceName"] == "blog"


def test_nothing_in_a_task_tells_that_its_targets_drain(play: Make, container: Make) -> None:
    group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0"
    one = play(container("web"), registrations=Registrations((GroupUse(group, "web", 80),))).pending()
    one.on(ContainerStarted("web", "id"), "event RUNNING v3", "register blue=10.0.0.9:80").on(Registered())
    stop = StopRequested("Task stopped by user", "UserInitiated")
    one.on(stop, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80", "drain 300s")
    told = metadata.of_task(one.task, SUBNET)
    assert (told["KnownStatus"], told["DesiredStatus"]) == ("RUNNING", "RUNNING")
    assert told["Containers"][0]["DesiredStatus"] == "RUNNING"
    one.on(Deregistered()).on(DrainOver(), "stop web 30s")
    assert metadata.of_task(one.task, SUBNET)["DesiredStatus"] == "STOPPED"


def test_ids() -> None:
    assert metadata.container_id("0123", "web") != metadata.container_id("0123", "db")
    assert metadata.credentials_id("a") != metadata.credentials_id("b")
