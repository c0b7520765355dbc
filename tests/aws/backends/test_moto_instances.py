"""EC2's instances in the embedded backend: what the sandbox corrects of moto, through boto3."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway


@pytest.fixture
def backend() -> Iterator[Embedded]:
    embedded = Embedded()
    yield embedded
    embedded.reset()


@pytest.fixture
def aws(backend: Embedded) -> Iterator[Clients]:
    with Gateway([], backend) as gateway:
        yield Clients(gateway.url)


@pytest.fixture
def subnet(backend: Embedded) -> str:
    return backend.create_subnet(backend.create_vpc("10.130.0.0/16"), "10.130.0.0/28", "us-east-1a")


def run(aws: Clients, subnet: str, **more: Any) -> dict[str, Any]:
    asked = {"ImageId": "ami-0abc", "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet}
    (instance,) = aws("ec2").run_instances(**{**asked, **more})["Instances"]
    return dict(instance)


def test_an_instance_type_that_there_is_not(aws: Clients, subnet: str) -> None:
    for name in ("t3.smoll", "x"):
        with pytest.raises(ClientError) as caught:
            run(aws, subnet, InstanceType=name)
        error = caught.value.response["Error"]
        assert error == {"Code": "InvalidParameterValue", "Message": f"Invalid value '{name}' for InstanceType."}
    assert aws("ec2").describe_instances()["Reservations"] == []


def test_addresses_of_instances_and_of_tasks_never_meet(aws: Clients, backend: Embedded, subnet: str) -> None:
    reserved = backend.reserve_interface(subnet)
    first = run(aws, subnet)["PrivateIpAddress"]
    entered = backend.reserve_interface(subnet)
    backend.enter_interface(entered)
    second = run(aws, subnet)["PrivateIpAddress"]
    assert len({reserved.private_ip, first, entered.private_ip, second}) == 4
    for _ in range(7):
        run(aws, subnet)
    with pytest.raises(ClientError, match="InsufficientFreeAddressesInSubnet"):
        run(aws, subnet)


def test_the_interface_goes_with_the_instance(aws: Clients, subnet: str) -> None:
    ec2 = aws("ec2")
    instance = run(aws, subnet)
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    with pytest.raises(ClientError, match=r"InvalidNetworkInterfaceID\.NotFound"):
        ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])


def test_the_interface_of_a_task_is_shown_at_its_instance(aws: Clients, backend: Embedded, subnet: str) -> None:
    instance = run(aws, subnet)["InstanceId"]
    interface = backend.reserve_interface(subnet)
    backend.enter_interface(interface, [], "a task's", instance)
    filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
    found = aws("ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert {one["Description"] for one in found} == {"Primary network interface", "a task's"}
    (task,) = [one for one in found if one["Description"] == "a task's"]
    assert task["Attachment"]["InstanceOwnerId"] == "123456789012"


def test_what_is_known_of_an_instance(aws: Clients, backend: Embedded, subnet: str) -> None:
    text = "#!/bin/bash\necho ECS_CLUSTER=c\n"
    plain = run(aws, subnet, UserData=text)
    zipped = run(aws, subnet, UserData=gzip.compress(text.encode()))
    bare = run(aws, subnet)
    known = {instance.id: instance for instance in backend.instances()}
    assert [known[one["InstanceId"]].user_data for one in (plain, zipped, bare)] == [text, text, ""]
    shown = known[plain["InstanceId"]]
    assert (shown.type["InstanceType"], shown.state, shown.is_public) == ("t3.small", "running", False)
    assert shown.interface.private_ip == plain["PrivateIpAddress"]
    assert shown.interface.subnet_id == subnet


def test_the_ecs_optimized_amis_are_those_of_systems_manager(aws: Clients, backend: Embedded) -> None:
    for name in ("amazon-linux-2", "amazon-linux-2023"):
        path = f"/aws/service/ecs/optimized-ami/{name}/recommended/image_id"
        assert backend.is_ecs_optimized(aws("ssm").get_parameter(Name=path)["Parameter"]["Value"])
    assert not backend.is_ecs_optimized("ami-0abc")
