"""The embedded backend: what its direct methods make, real boto3 clients see."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.backends.network_interfaces import Interface
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.protocol import AwsError


@pytest.fixture
def backend() -> Iterator[Embedded]:
    embedded = Embedded()
    embedded.preload("ec2").join()
    yield embedded
    embedded.reset()


@pytest.fixture
def aws(backend: Embedded) -> Iterator[Clients]:
    with Gateway([], backend) as gateway:
        yield Clients(gateway.url)


def create_interface(
    backend: Embedded, subnet: str, groups: list[str] | None = None, description: str = ""
) -> Interface:
    """Reserved and entered, as a task's interface is."""
    interface = backend.reserve_interface(subnet)
    backend.enter_interface(interface, groups or [], description)
    return interface


def test_importing_the_backend_does_not_import_moto() -> None:
    code = "import sys, sandbox.aws.backends.embedded, sandbox.aws.gateway; sys.exit('moto' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_using_one_service_does_not_load_another() -> None:
    code = (
        "import sys; from sandbox.aws.backends.embedded import Embedded; Embedded().preload('sts').join();"
        "sys.exit('moto.ec2.models' in sys.modules or 'moto.sts.models' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_network_is_shown_by_ec2(backend: Embedded, aws: Clients) -> None:
    vpc = backend.create_vpc("10.20.0.0/16")
    subnet = backend.create_subnet(vpc, "10.20.1.0/24", "us-east-1a")
    group = backend.create_security_group(vpc, "tasks", "the tasks")
    interface = create_interface(backend, subnet, [group], "arn:aws:ecs:us-east-1:123456789012:attachment/a")
    ec2 = aws("ec2")
    assert [v["CidrBlock"] for v in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]] == ["10.20.0.0/16"]
    [shown] = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    assert (shown["VpcId"], shown["AvailabilityZone"], shown["AvailableIpAddressCount"]) == (vpc, "us-east-1a", 250)
    [shown] = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface.id])["NetworkInterfaces"]
    assert "Association" not in shown
    assert shown["Status"] == "in-use"
    assert shown["RequesterManaged"] is True
    assert shown["Attachment"]["Status"] == "attached"
    assert shown["Attachment"]["DeviceIndex"] == 1
    assert shown["Attachment"]["InstanceOwnerId"] != shown["OwnerId"]
    assert "InstanceId" not in shown["Attachment"]
    assert [g["GroupId"] for g in shown["Groups"]] == [group]
    assert (interface.private_ip, interface.private_dns_name) == ("10.20.1.4", "ip-10-20-1-4.ec2.internal")
    assert shown["PrivateIpAddress"] == interface.private_ip
    assert shown["PrivateDnsName"] == interface.private_dns_name
    assert shown["MacAddress"] == interface.mac
    assert shown["SubnetId"] == interface.subnet_id == subnet
    assert shown["AvailabilityZone"] == interface.availability_zone == "us-east-1a"


def test_a_public_address_is_amazons_and_no_elastic_ip(backend: Embedded, aws: Clients) -> None:
    interface = create_interface(
        backend, backend.create_subnet(backend.create_vpc("10.0.0.0/16"), "10.0.0.0/24", "us-east-1a")
    )
    backend.assign_public_ip(interface.id, "198.51.100.7")
    [shown] = aws("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface.id])["NetworkInterfaces"]
    expected = {
        "IpOwnerId": "amazon",
        "PublicDnsName": "ec2-198-51-100-7.compute-1.amazonaws.com",
        "PublicIp": "198.51.100.7",
    }
    assert shown["Association"] == expected
    assert shown["PrivateIpAddresses"][0]["Association"] == expected
    assert aws("ec2").describe_addresses()["Addresses"] == []


def test_names_outside_us_east_1_have_the_region() -> None:
    backend = Embedded(region="eu-west-1")
    subnet = backend.create_subnet(backend.create_vpc("10.0.0.0/16"), "10.0.0.0/24", "eu-west-1a")
    interface = create_interface(backend, subnet)
    assert interface.private_dns_name == "ip-10-0-0-4.eu-west-1.compute.internal"
    backend.assign_public_ip(interface.id, "198.51.100.7")
    with Gateway([], backend) as gateway:
        [shown] = Clients(gateway.url, "eu-west-1")("ec2").describe_network_interfaces(
            NetworkInterfaceIds=[interface.id]
        )["NetworkInterfaces"]
    assert shown["Association"]["PublicDnsName"] == "ec2-198-51-100-7.eu-west-1.compute.amazonaws.com"
    backend.reset()


def test_an_interface_that_is_gone_is_not_found(backend: Embedded, aws: Clients) -> None:
    interface = create_interface(
        backend, backend.create_subnet(backend.create_vpc("10.0.0.0/16"), "10.0.0.0/24", "us-east-1a")
    )
    backend.delete_interface(interface.id)
    with pytest.raises(ClientError, match=r"InvalidNetworkInterfaceID\.NotFound"):
        aws("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface.id])
    for method in (backend.delete_interface, lambda eni: backend.assign_public_ip(eni, "198.51.100.7")):
        with pytest.raises(AwsError) as caught:
            method(interface.id)
        assert caught.value.code == "InvalidNetworkInterfaceID.NotFound"


def test_addresses_come_back_only_after_the_last_one(backend: Embedded) -> None:
    subnet = backend.create_subnet(backend.create_vpc("10.0.0.0/16"), "10.0.0.0/28", "us-east-1a")
    first = create_interface(backend, subnet)
    backend.delete_interface(first.id)
    given = [create_interface(backend, subnet).private_ip for _ in range(11)]
    assert given == [*(f"10.0.0.{n}" for n in range(5, 15)), "10.0.0.4"]
    with pytest.raises(AwsError) as caught:
        create_interface(backend, subnet)
    assert caught.value.code == "InsufficientFreeAddressesInSubnet"


def test_a_reserved_interface_is_shown_when_it_is_entered_and_its_address_is_nobody_elses(
    backend: Embedded, aws: Clients
) -> None:
    subnet = backend.create_subnet(backend.create_vpc("10.0.0.0/16"), "10.0.0.0/28", "us-east-1a")
    reserved = backend.reserve_interface(subnet)
    others = [create_interface(backend, subnet).private_ip for _ in range(10)]
    with pytest.raises(AwsError):
        backend.reserve_interface(subnet)
    filters = [{"Name": "subnet-id", "Values": [subnet]}]
    assert len(aws("ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"]) == 10
    backend.enter_interface(reserved)
    shown = aws("ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert [eni["PrivateIpAddress"] for eni in shown] == [*others, reserved.private_ip]


def test_what_is_reserved_before_moto_is_loaded_stays_reserved() -> None:
    backend = Embedded()
    subnet = backend.create_subnet(backend.create_vpc("10.32.0.0/16"), "10.32.0.0/28", "us-east-1a")
    reserved = backend.reserve_interface(subnet)
    backend.preload("ec2").join()
    given = [create_interface(backend, subnet).private_ip for _ in range(10)]
    backend.enter_interface(reserved)
    backend.reset()
    assert reserved.private_ip == "10.32.0.4"
    assert reserved.private_ip not in given


def test_moto_has_the_regions_that_botocore_knows(aws: Clients) -> None:
    shown = {region["RegionName"] for region in aws("ec2").describe_regions(AllRegions=True)["Regions"]}
    assert set(boto3.Session().get_available_regions("ec2")) <= shown


def test_what_does_not_exist_is_an_aws_error(backend: Embedded) -> None:
    vpc = backend.create_vpc("10.0.0.0/16")
    subnet = backend.create_subnet(vpc, "10.0.0.0/24", "us-east-1a")
    for call, code in (
        (lambda: create_interface(backend, "subnet-0"), "InvalidSubnetID.NotFound"),
        (lambda: create_interface(backend, subnet, ["sg-0"]), "InvalidGroup.NotFound"),
        (lambda: backend.create_subnet(vpc, "192.168.0.0/24", "us-east-1a"), "InvalidSubnet.Range"),
    ):
        with pytest.raises(AwsError) as caught:
            call()
        assert caught.value.code == code


def test_reset_forgets_everything(backend: Embedded, aws: Clients) -> None:
    backend.create_vpc("10.0.0.0/16")
    aws("sqs").create_queue(QueueName="q")
    backend.reset()
    assert [vpc["IsDefault"] for vpc in aws("ec2").describe_vpcs()["Vpcs"]] == [True]
    assert "QueueUrls" not in aws("sqs").list_queues()
    assert backend.create_vpc("10.0.0.0/16")
    assert len(aws("ec2").describe_vpcs()["Vpcs"]) == 2


def test_what_is_made_before_moto_is_loaded_is_shown_by_it() -> None:
    backend = Embedded()
    vpc = backend.create_vpc("10.30.0.0/16")
    subnet = backend.create_subnet(vpc, "10.30.0.0/20", "us-east-1b")
    group = backend.create_security_group(vpc, "tasks", "the tasks")
    kept = create_interface(backend, subnet, [group], "kept")
    gone = create_interface(backend, subnet, [group], "gone")
    backend.assign_public_ip(kept.id, "198.51.100.7")
    backend.delete_interface(gone.id)
    assert (kept.private_ip, gone.private_ip) == ("10.30.0.4", "10.30.0.5")
    with Gateway([], backend) as gateway:
        filters = [{"Name": "subnet-id", "Values": [subnet]}]
        [shown] = Clients(gateway.url)("ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    later = create_interface(backend, subnet, [group], "later")
    backend.reset()
    assert (shown["NetworkInterfaceId"], shown["MacAddress"]) == (kept.id, kept.mac)
    assert (shown["PrivateIpAddress"], shown["PrivateDnsName"]) == (kept.private_ip, kept.private_dns_name)
    assert shown["Association"]["PublicIp"] == "198.51.100.7"
    assert (shown["VpcId"], shown["Groups"][0]["GroupId"]) == (vpc, group)
    assert later.private_ip == "10.30.0.6"


def test_a_full_subnet_is_full_before_moto_is_loaded_too() -> None:
    backend = Embedded()
    subnet = backend.create_subnet(backend.create_vpc("10.31.0.0/16"), "10.31.0.0/28", "us-east-1a")
    given = [create_interface(backend, subnet).private_ip for _ in range(11)]
    with pytest.raises(AwsError) as caught:
        create_interface(backend, subnet)
    backend.reset()
    assert given[-1] == "10.31.0.14"
    assert caught.value.code == "InsufficientFreeAddressesInSubnet"


def test_a_client_cannot_delete_an_interface_that_a_task_has(backend: Embedded, aws: Clients) -> None:
    subnet = backend.create_subnet(backend.create_vpc("10.0.0.0/16"), "10.0.0.0/24", "us-east-1a")
    interface = create_interface(backend, subnet)
    with pytest.raises(ClientError, match="currently in use") as caught:
        aws("ec2").delete_network_interface(NetworkInterfaceId=interface.id)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    backend.delete_interface(interface.id)


def test_sts_and_sns_may_be_loaded_and_empty(backend: Embedded) -> None:
    from moto.core.base_backend import BackendDict

    from sandbox.aws.backends import moto_app

    for service in ("iam", "sts", "sns", "ec2"):
        moto_app.load(service)
    BackendDict.reset()
    identities = backend.identities()
    assert identities is not None
    assert identities.assumed("ASIAEXAMPLE") is None
    assert backend.topic_policy("arn:aws:sns:us-east-1:123456789012:none") is None
    assert backend.instance_tags("i-0") == {}


# A process in which moto has not been loaded: its EC2 then shows what was shown before.
EARLY = """
import sys
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway

backend = Embedded()
vpc = backend.create_vpc("10.20.0.0/16")
subnet = backend.create_subnet(vpc, "10.20.1.0/24", "us-east-1a")
group = backend.create_security_group(vpc, "tasks", "the tasks")
made = [backend.reserve_interface(subnet) for _ in range(3)]
backend.enter_interface(made[0], [group], "on <Fargate>")
backend.enter_interface(made[1], [], "on an instance", "i-0123456789abcdef0")
backend.assign_public_ip(made[0].id, "198.51.100.7")
with Gateway([], backend) as gateway:
    ec2 = Clients(gateway.url)("ec2")

    def shown(*interfaces, **more):
        given = {"NetworkInterfaceIds": [interface.id for interface in interfaces]} if interfaces else {}
        return ec2.describe_network_interfaces(**given, **more)["NetworkInterfaces"]

    early = shown(*made[:2]), shown(made[1])
    assert [one["NetworkInterfaceId"] for one in early[0]] == [made[0].id, made[1].id]
    assert early[0][0]["Association"]["PublicIp"] == "198.51.100.7"
    assert "moto" not in sys.modules, "moto has been loaded"
    listed = shown()
    assert "moto" in sys.modules
    assert listed == early[0], (listed, early[0])
    assert (shown(*made[:2]), shown(made[1])) == early
    assert shown(Filters=[{"Name": "description", "Values": ["on an instance"]}]) == early[1]
"""


def test_interfaces_are_shown_before_moto_is_loaded_as_they_are_afterwards() -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("asked", ["made.id, 'eni-0123456789abcdef0'", "free.id"])
def test_whoever_asks_for_another_interface_waits_for_moto(asked: str) -> None:
    code = (
        "import sys; from sandbox.aws.backends.embedded import Embedded; from sandbox.aws.clients import Clients;"
        "from sandbox.aws.gateway import Gateway; from botocore.exceptions import ClientError\n"
        "backend = Embedded(); vpc = backend.create_vpc('10.0.0.0/16')\n"
        "subnet = backend.create_subnet(vpc, '10.0.0.0/24', 'us-east-1a')\n"
        "made, free = backend.reserve_interface(subnet), backend.reserve_interface(subnet)\n"
        "backend.enter_interface(made); backend.enter_interface(free); backend.delete_interface(free.id)\n"
        "with Gateway([], backend) as gateway:\n"
        f"    try: Clients(gateway.url)('ec2').describe_network_interfaces(NetworkInterfaceIds=[{asked}])\n"
        "    except ClientError as error: print(error.response['Error']['Code'], 'moto' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == "InvalidNetworkInterfaceID.NotFound True\n", done.stderr
