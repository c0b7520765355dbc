"""Tasks in VPCs that somebody has made."""

from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.engine.networks import host_routes

pytestmark = pytest.mark.docker

SCRIPT = """
cat /etc/resolv.conf; getent hosts name.example.org; getent hosts aws.internal
curl -s -m 5 "$AWS_ENDPOINT_URL/_sandbox/health"
"""


@pytest.fixture(scope="module")
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=10
    ) as made:
        made.aws("ecs").create_cluster(clusterName="c")
        zone = made.aws("route53").create_hosted_zone(Name="example.org", CallerReference="1")["HostedZone"]["Id"]
        record = {"Name": "name.example.org", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.7"}]}
        changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        made.aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
        yield made


def free_range() -> IPv4Network:
    taken = host_routes()
    ranges = [IPv4Network(f"10.{second}.0.0/16") for second in range(20, 120)]
    return random.choice([one for one in ranges if not any(one.overlaps(route) for route in taken)])


def run_task(sandbox: Sandbox, cidr: IPv4Network) -> str:
    """Start a task in a new VPC of that range; its ARN."""
    ec2, ecs = sandbox.aws("ec2"), sandbox.aws("ecs")
    vpc = ec2.create_vpc(CidrBlock=str(cidr))["Vpc"]["VpcId"]
    block = str(next(cidr.subnets(new_prefix=24)))
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    container = {"name": "c", "image": "aws-container-sandbox/toolbox", "entryPoint": ["sleep"], "command": ["600"]}
    ecs.register_task_definition(
        family="t",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[container],
    )
    network: Any = {"awsvpcConfiguration": {"subnets": [subnet]}}
    (task,) = ecs.run_task(cluster="c", taskDefinition="t", launchType="FARGATE", networkConfiguration=network)["tasks"]
    return str(task["taskArn"])


def test_a_task_in_another_vpc(sandbox: Sandbox) -> None:
    """Its address is of the VPC's range; it has DNS at the second one, and AWS's endpoint."""
    cidr = free_range()
    arn = run_task(sandbox, cidr)
    sandbox.wait_task(arn, "RUNNING")
    (task,) = sandbox.aws("ecs").describe_tasks(cluster="c", tasks=[arn])["tasks"]
    address = task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    assert IPv4Address(address) in cidr
    _, out, err = sandbox.execute(arn, "c", ["sh", "-c", SCRIPT])
    resolver = str(cidr.network_address + 2)
    assert f"nameserver {resolver}\n" in out, err
    assert "192.0.2.7" in out, (out, err)
    assert f"{resolver} " in out
    assert '"status": "ok"' in out, (out, err)

    sandbox.aws("ecs").stop_task(cluster="c", task=arn)
    sandbox.wait_task(arn, "STOPPED")
    again = run_task(sandbox, cidr)  # a VPC of the same range, as Terraform makes it after destroy
    sandbox.wait_task(again, "RUNNING")


def test_a_range_that_is_taken(sandbox: Sandbox) -> None:
    arn = run_task(sandbox, sandbox._network.internet.cidr)
    stopped = sandbox.wait_task(arn, "STOPPED")
    (task,) = sandbox.aws("ecs").describe_tasks(cluster="c", tasks=[arn])["tasks"]
    assert "another network on this machine has addresses of it" in task["stoppedReason"], (task, stopped)
