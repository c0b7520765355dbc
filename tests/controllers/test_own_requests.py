"""What an account has, read back as requests that would make it; a stack's calls are read in tests/own_checks."""

from __future__ import annotations

import itertools

import pytest

from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.services.ecs import EcsService
from sandbox.controllers import own_requests
from sandbox.model.ecs import instances
from sandbox.model.ecs.container_instance import Launched
from sandbox.model.ecs.control import Ecs
from sandbox.model.ecs.instance_types import InstanceType
from sandbox.model.own.checks import Check
from sandbox.own_checks import eni

VPC = {"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": ["sg-1"]}}


@pytest.fixture
def account():
    """ECS's model behind its API: commands are not carried out."""
    ids = itertools.count(1)
    ecs = Ecs("123456789012", "us-east-1", lambda: f"{next(ids):032x}")
    with Gateway([EcsService(ecs, lambda change: change(1000.0)[0], lambda subnets: [])]) as gateway:
        client = Clients(gateway.url)("ecs")
        client.create_cluster(clusterName="prod")
        for number in range(2):
            kind = InstanceType("t3.small", 2048, 1996, 3)
            launched = Launched(f"i-{number}", kind, "ami-1", "vpc-1", "subnet-a", "us-east-1a", f"10.0.0.{number}")
            instances.register(ecs, ecs.find_cluster("prod"), launched, 0.0)
        yield client


def test_services_definitions_and_instances(account):
    container = {"name": "web", "image": "nginx:1.27", "memory": 100}
    for revision in range(3):
        account.register_task_definition(
            family="app",
            networkMode="awsvpc",
            requiresCompatibilities=["EC2"],
            containerDefinitions=[{**container, "image": f"nginx:{revision}"}],
        )
    account.deregister_task_definition(taskDefinition="app:1")
    account.create_service(
        cluster="prod",
        serviceName="app",
        taskDefinition="app:2",
        desiredCount=5,
        launchType="EC2",
        networkConfiguration=VPC,
    )
    found = own_requests.of_account(account)
    assert found.instances == [("t3.small", 1), ("t3.small", 1)]
    assert not found.trunking
    assert [one["family"] for one in found.definitions] == ["app_2", "app_3"]
    (service,) = found.services
    assert (service["serviceName"], service["taskDefinition"], service["desiredCount"]) == ("app", "app_2", 5)
    holds, evidence = eni.judge(Check("room", "eni", "", {}), found)
    assert not holds
    assert evidence[:2] == [
        "on 2 × t3.small (2 awsvpc tasks each)",
        "service app: 4 of 5 tasks have a place; the next one fails: RESOURCE:ENI",
    ]
