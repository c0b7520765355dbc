"""What EC2 has, for services of ours: read from moto, made by boto3."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest

from sandbox.aws.backends.ec2_records import Instance, Vpc
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.protocol import AwsError


@pytest.fixture
def backend() -> Iterator[Embedded]:
    embedded = Embedded()
    yield embedded
    embedded.reset()


@pytest.fixture
def aws(backend: Embedded) -> Iterator[Clients]:
    with Gateway([], backend) as gateway:
        yield Clients(gateway.url)


def test_what_the_sandbox_made_before_moto_was_loaded_is_there(backend: Embedded) -> None:
    vpc = backend.create_vpc("10.20.0.0/16")
    subnet = backend.create_subnet(vpc, "10.20.1.0/24", "us-east-1b")
    group = backend.create_security_group(vpc, "web", "the load balancer's")
    records = backend.ec2_records()
    assert records.vpc(vpc) == Vpc(vpc, (ipaddress.IPv4Network("10.20.0.0/16"),), True)
    found = records.subnet(subnet)
    assert found is not None
    assert (found.vpc_id, found.availability_zone) == (vpc, "us-east-1b")
    assert (str(found.network), records.free_addresses(found)) == ("10.20.1.0/24", 251)
    assert records.subnets_of(vpc) == [found]
    assert records.security_group_vpc(group) == vpc
    assert records.default_security_group(vpc) not in (None, group)


def test_an_address_that_is_taken_is_not_free(backend: Embedded) -> None:
    subnet = backend.create_subnet(backend.create_vpc("10.20.0.0/16"), "10.20.1.0/24", "us-east-1a")
    backend.enter_interface(backend.reserve_interface(subnet))
    records = backend.ec2_records()
    found = records.subnet(subnet)
    assert found is not None
    assert records.free_addresses(found) == 250


def test_what_clients_make_is_there(backend: Embedded, aws: Clients) -> None:
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.22.0.0/16")["Vpc"]["VpcId"]
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.23.0.0/16")
    records = backend.ec2_records()
    found = records.vpc(vpc)
    assert found is not None
    assert sorted(map(str, found.networks)) == ["10.22.0.0/16", "10.23.0.0/16"]
    assert not found.has_internet_gateway
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.22.1.0/24", AvailabilityZone="us-east-1c")["Subnet"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet["SubnetId"], InstanceType="t3.small"
    )
    (instance,) = [one["InstanceId"] for one in made["Instances"]]
    assert records.instance(instance) == Instance(instance, "running", vpc, "us-east-1c")
    ec2.terminate_instances(InstanceIds=[instance])
    assert records.instance(instance) == Instance(instance, "terminated", vpc, "us-east-1c")


def test_what_is_not_there(backend: Embedded) -> None:
    records = backend.ec2_records()
    assert records.vpc("vpc-0") is records.subnet("subnet-0") is records.instance("i-0") is None
    assert records.security_group_vpc("sg-0") is records.default_security_group("vpc-0") is None
    assert records.subnets_of("vpc-0") == []


def test_certificates_that_there_are_and_are_not(backend: Embedded, aws: Clients) -> None:
    with pytest.raises(AwsError, match="CertificateNotFound: Certificate 'arn' not found"):
        backend.certificate("arn")
    arn = aws("acm").request_certificate(DomainName="shop.example.org")["CertificateArn"]
    certificate, key = backend.certificate(arn)
    assert certificate.startswith("-----BEGIN CERTIFICATE-----")
    assert key.startswith("-----BEGIN RSA PRIVATE KEY-----")
