"""Security groups in the embedded backend: EC2's API, and what the sandbox reads of it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.protocol import AwsError
from sandbox.model.security_groups import EVERYTHING, Group, Member, Rule

ANYONE = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@pytest.fixture
def backend():
    embedded = Embedded()
    yield embedded
    embedded.reset()


@pytest.fixture
def ec2(backend):
    with Gateway([], backend) as gateway:
        yield Clients(gateway.url)("ec2")


@pytest.fixture
def vpc(backend):
    return backend.create_vpc("10.20.0.0/16")


@pytest.fixture
def subnet(backend, vpc):
    return backend.create_subnet(vpc, "10.20.1.0/24", "us-east-1a")


def attached(backend, subnet, *groups):
    interface = backend.reserve_interface(subnet)
    backend.enter_interface(interface, groups)
    return interface


def test_what_was_made_here_is_known_before_moto_is_loaded(backend, vpc, subnet, ec2):
    opened = backend.create_security_group(vpc, "sandbox", "Opens everything", [EVERYTHING])
    (default,) = backend.security_groups_of(subnet, ())
    assert backend.security_groups_of(subnet, [opened]) == (opened,)
    one, other = attached(backend, subnet, opened), attached(backend, subnet)
    before = backend.security_records()
    assert not backend._loaded
    assert before.groups == {
        opened: Group((EVERYTHING,), (EVERYTHING,)),
        default: Group((Rule("-1", group=default),), (EVERYTHING,)),
    }
    assert before.interfaces == {
        one.id: Member((opened,), (one.private_ip,)),
        other.id: Member((default,), (other.private_ip,)),
    }
    ec2.describe_security_groups()
    after = backend.security_records()
    assert after.interfaces == before.interfaces
    assert {group: after.groups[group] for group in before.groups} == before.groups
    backend.delete_interface(one.id)
    assert list(backend.security_records().interfaces) == [other.id]


def test_an_interface_that_has_gone_before_moto_is_loaded_has_no_group(backend, vpc, subnet):
    interface = attached(backend, subnet)
    backend.delete_interface(interface.id)
    assert backend.security_records().interfaces == {}


def test_the_default_group_lets_in_what_has_it(ec2):
    vpc = ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    only = [{"Name": "vpc-id", "Values": [vpc]}]
    (group,) = ec2.describe_security_groups(Filters=only)["SecurityGroups"]
    (permission,) = group["IpPermissions"]
    assert permission["IpProtocol"] == "-1"
    assert [pair["GroupId"] for pair in permission["UserIdGroupPairs"]] == [group["GroupId"]]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.30.1.0/24")["Subnet"]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    assert [one["GroupId"] for one in interface["Groups"]] == [group["GroupId"]]
    ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_the_default_group_of_the_default_vpc_too(backend, ec2):
    only = [{"Name": "group-name", "Values": ["default"]}]
    for _ in range(2):  # moto makes it anew when it forgets everything
        (group,) = ec2.describe_security_groups(Filters=only)["SecurityGroups"]
        assert len(group["IpPermissions"]) == 1
        backend.reset()


def test_two_threads_that_load_moto_at_once_correct_it_once():
    code = (
        "import threading; from sandbox.aws.backends.embedded import Embedded; backend = Embedded();"
        "threads = [backend.preload('ec2') for _ in range(4)]; [thread.join() for thread in threads];"
        "backend.reset()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_rules_as_the_api_changes_them(backend, vpc, ec2):
    group, source = (
        ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"] for name in ("g", "s")
    )
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {**ssh, "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "192.0.2.0/24"}]},
            {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": source}]},
        ],
    )
    assert set(backend.security_records().groups[group].ingress) == {
        Rule("tcp", 22, 22, cidr="10.0.0.0/8"),
        Rule("tcp", 22, 22, cidr="192.0.2.0/24"),
        Rule("icmp", 8, -1, group=source),
    }
    only = [{"Name": "group-id", "Values": [group]}]
    rules = ec2.describe_security_group_rules(Filters=only)["SecurityGroupRules"]
    (rule,) = [one["SecurityGroupRuleId"] for one in rules if one["IpProtocol"] == "icmp"]
    change = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "ReferencedGroupId": group}
    ec2.modify_security_group_rules(
        GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": change}]
    )
    assert Rule("tcp", 80, 81, group=group) in backend.security_records().groups[group].ingress


def test_prefix_lists_are_refused_by_name(vpc, ec2):
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "PrefixListIds": [{"PrefixListId": "pl-123"}]}
    for authorize in (ec2.authorize_security_group_ingress, ec2.authorize_security_group_egress):
        with pytest.raises(ClientError, match=r"UnsupportedOperation.*pl-123"):
            authorize(GroupId=group, IpPermissions=[permission])
    only = [{"Name": "group-id", "Values": [group]}]
    (rule,) = ec2.describe_security_group_rules(Filters=only)["SecurityGroupRules"]
    change = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "PrefixListId": "pl-123"}
    with pytest.raises(ClientError, match="pl-123"):
        ec2.modify_security_group_rules(
            GroupId=group,
            SecurityGroupRules=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": change}],
        )


def test_an_interface_gets_other_groups(backend, vpc, subnet):
    group = backend.create_security_group(vpc, "other", "d")
    interface = attached(backend, subnet)
    backend.set_security_groups(interface.id, [group])
    assert backend.security_records().interfaces[interface.id].groups == (group,)
    with pytest.raises(AwsError, match=r"InvalidGroup\.NotFound"):
        backend.set_security_groups(interface.id, ["sg-none"])


def test_a_group_that_is_needed_is_not_deleted(backend, vpc, subnet, ec2):
    names = ("worn", "named", "free")
    worn, named, free = (
        ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"] for name in names
    )
    attached(backend, subnet, worn)
    permission = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": named}]}
    ec2.authorize_security_group_ingress(GroupId=free, IpPermissions=[permission])
    for group in (worn, named):
        with pytest.raises(ClientError, match="DependencyViolation"):
            ec2.delete_security_group(GroupId=group)
    ec2.delete_security_group(GroupId=free)
    ec2.delete_security_group(GroupId=named)
