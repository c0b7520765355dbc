"""Container instances, attributes and account settings through boto3, without an engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.services.ecs import EcsService
from sandbox.model.ecs import instances
from sandbox.model.ecs.container_instance import Launched
from sandbox.model.ecs.control import Ecs
from sandbox.model.ecs.instance_types import InstanceType


class Control:
    """A gateway in front of the model alone: commands are not carried out."""

    def __init__(self, ecs: Ecs, aws: Clients) -> None:
        self.model, self.ecs = ecs, aws("ecs")
        self.ecs.create_cluster(clusterName="c")

    def launch(self, count: int = 1) -> list[str]:
        for _ in range(count):
            number = len(self.model.instances)
            launched = Launched(
                f"i-{number}",
                InstanceType("t3.small", 2048, 1996, 3),
                "ami-1",
                "vpc-1",
                "subnet-a",
                "us-east-1a",
                f"10.0.0.{number}",
            )
            instances.register(self.model, self.model.find_cluster("c"), launched, 0.0)
        return list(self.model.instances)


@pytest.fixture
def control() -> Iterator[Control]:
    ids = itertools.count(1)
    ecs = Ecs("123456789012", "us-east-1", lambda: f"{next(ids):032x}")

    def apply(change: Any) -> Any:
        result, commands = change(1000.0)
        assert isinstance(commands, Iterable)
        return result

    with Gateway([EcsService(ecs, apply, lambda subnets: [])]) as gateway:
        yield Control(ecs, Clients(gateway.url))


def test_instances_are_listed_in_pages_and_described(control: Control) -> None:
    arns = control.launch(3)
    pages = control.ecs.get_paginator("list_container_instances").paginate(
        cluster="c", PaginationConfig={"PageSize": 2}
    )
    assert [page["containerInstanceArns"] for page in pages] == [arns[:2], arns[2:]]
    found = control.ecs.list_container_instances(cluster="c", filter="ec2InstanceId in [i-0, i-2]")
    assert found["containerInstanceArns"] == [arns[0], arns[2]]
    with pytest.raises(ClientError, match="InvalidParameterException"):
        control.ecs.list_container_instances(cluster="c", filter="nonsense")
    answer = control.ecs.describe_container_instances(cluster="c", containerInstances=[arns[0], "nope"])
    assert [one["ec2InstanceId"] for one in answer["containerInstances"]] == ["i-0"]
    (failure,) = answer["failures"]
    assert failure["reason"] == "MISSING"
    assert failure["arn"].endswith(":container-instance/c/nope")
    assert control.ecs.describe_clusters(clusters=["c"])["clusters"][0]["registeredContainerInstancesCount"] == 3


def test_draining_and_deregistering(control: Control) -> None:
    (arn,) = control.launch()
    answer = control.ecs.update_container_instances_state(cluster="c", containerInstances=[arn], status="DRAINING")
    assert answer["containerInstances"][0]["status"] == "DRAINING"
    gone = control.ecs.deregister_container_instance(cluster="c", containerInstance=arn)["containerInstance"]
    assert (gone["status"], gone["agentConnected"]) == ("INACTIVE", False)
    assert control.ecs.list_container_instances(cluster="c")["containerInstanceArns"] == []


def test_run_task_and_start_task_answer_with_failures(control: Control) -> None:
    (arn,) = control.launch()
    container = {"name": "web", "image": "web:1", "memory": 1500}
    control.ecs.register_task_definition(family="t", requiresCompatibilities=["EC2"], containerDefinitions=[container])
    answer = control.ecs.run_task(cluster="c", taskDefinition="t", count=2)
    assert [task["lastStatus"] for task in answer["tasks"]] == ["PENDING"]
    assert answer["failures"] == [{"arn": arn, "reason": "RESOURCE:MEMORY"}]
    answer = control.ecs.start_task(cluster="c", taskDefinition="t", containerInstances=[arn, "nope"])
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:MEMORY", "MISSING"]


def test_attributes(control: Control) -> None:
    (arn,) = control.launch()
    stack = {"name": "stack", "value": "prod", "targetId": arn}
    assert control.ecs.put_attributes(cluster="c", attributes=[stack])["attributes"] == [stack]
    listed = control.ecs.list_attributes(cluster="c", targetType="container-instance", attributeName="stack")
    assert listed["attributes"] == [stack]
    assert control.ecs.delete_attributes(cluster="c", attributes=[stack])["attributes"] == [stack]
    with pytest.raises(ClientError, match="TargetNotFoundException"):
        control.ecs.put_attributes(cluster="c", attributes=[{**stack, "targetId": "nope"}])


def test_account_settings(control: Control) -> None:
    setting = control.ecs.put_account_setting_default(name="awsvpcTrunking", value="enabled")["setting"]
    assert (setting["name"], setting["value"]) == ("awsvpcTrunking", "enabled")
    effective = control.ecs.list_account_settings(name="awsvpcTrunking", effectiveSettings=True)["settings"]
    assert [one["value"] for one in effective] == ["enabled"]
    control.ecs.put_account_setting(name="awsvpcTrunking", value="disabled")
    assert control.ecs.delete_account_setting(name="awsvpcTrunking")["setting"]["value"] == "enabled"


def test_what_is_refused_by_name(control: Control) -> None:
    (arn,) = control.launch()
    with pytest.raises(ClientError, match="NoUpdateAvailableException"):
        control.ecs.update_container_agent(cluster="c", containerInstance=arn)
    group = {"autoScalingGroupArn": "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:x"}
    with pytest.raises(ClientError, match="autoScalingGroupProvider"):
        control.ecs.create_capacity_provider(name="mine", autoScalingGroupProvider=group)
