"""Security groups between containers, as the network has them."""

from __future__ import annotations

import dataclasses
import itertools
import urllib.request

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.docker

ANYONE = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
ECHO = ["socat", "TCP4-LISTEN:{port},fork,reuseaddr,backlog=16", "PIPE"]
UDP_ECHO = ["socat", "UDP4-RECVFROM:{port},fork,reuseaddr", "PIPE"]


@dataclasses.dataclass
class Task:
    """A task by its addresses."""

    arn: str
    interface: str
    private_ip: str
    public_ip: str


class Vpc:
    """Security groups, tasks that have them, and clients."""

    def __init__(self, tasks):
        self.tasks = tasks
        self.sandbox = tasks.sandbox
        self.ec2 = tasks.sandbox.aws("ec2")
        self.vpc = self.ec2.describe_subnets(SubnetIds=tasks.sandbox.subnets[:1])["Subnets"][0]["VpcId"]
        self._names = itertools.count()

    def group(self, *ingress, egress=None):
        """A security group with these permissions; without ``egress`` all may leave."""
        made = self.ec2.create_security_group(GroupName=f"g{next(self._names)}", Description="d", VpcId=self.vpc)
        group = made["GroupId"]
        for permission in ingress:
            self.authorize(group, permission)
        if egress is not None:
            everything = {"IpProtocol": "-1", **ANYONE}
            self.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everything])
            if egress:
                self.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=list(egress))
        return group

    def authorize(self, group, permission):
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])

    def revoke(self, group, permission):
        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])

    def start(self, *groups, command=ECHO, port=80):
        """A task that echoes on a port."""
        command = [word.format(port=port) for word in command]
        arn = self.tasks.start({"command": command}, groups=groups)
        if command[1].startswith("TCP4"):
            listens = f"socat -u OPEN:/dev/null TCP4:127.0.0.1:{port},retry=100,interval=0.05"
            assert self.tasks.sh(arn, listens)[0] == 0
        details = self.tasks.describe(arn)["attachments"][0]["details"]
        facts = {detail["name"]: detail["value"] for detail in details}
        (shown,) = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[facts["networkInterfaceId"]])[
            "NetworkInterfaces"
        ]
        return Task(arn, shown["NetworkInterfaceId"], shown["PrivateIpAddress"], shown["Association"]["PublicIp"])

    def try_from(self, client, address, port=80, kind="TCP4"):
        """What happens to a connection from a task, or from the internet (None)."""
        target = f"{kind}:{address}:{port}" + (",connect-timeout=1" if kind == "TCP4" else "")
        command = ["sh", "-c", f"echo hello | socat -t 1 - {target}"]
        if client is None:
            code, out, err = self.sandbox._in_viewer(command)
        else:
            container = self.tasks.container(client.arn)
            code, out, err = self.sandbox._containers.execute(container, command)
        if "refused" in err:
            return "refused"
        if "timed out" in err:
            return "timed out"
        assert code == 0, err
        return out.strip() or "no answer"


def tcp(port, **peer):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **(peer or ANYONE)}


def of_group(group):
    return {"UserIdGroupPairs": [{"GroupId": group}]}


def of_range(cidr):
    return {"IpRanges": [{"CidrIp": cidr}]}


@pytest.fixture(scope="module")
def vpc(tasks):
    tasks.sandbox._in_viewer(["true"])  # which waits for the resolver; tasks do not
    return Vpc(tasks)


@pytest.fixture(scope="module")
def client(vpc):
    """A task that anyone may reach, as client of the others."""
    return vpc.start(vpc.sandbox.security_group)


def test_a_closed_port_times_out_an_open_one_without_a_server_refuses(vpc, client):
    server = vpc.start(vpc.group(tcp(81)))
    assert vpc.try_from(None, server.public_ip) == "timed out"
    assert vpc.try_from(client, server.private_ip) == "timed out"
    assert vpc.try_from(client, server.public_ip) == "timed out"
    assert vpc.try_from(None, server.public_ip, 81) == "refused"
    assert vpc.try_from(client, server.private_ip, 81) == "refused"


def test_a_port_opens_and_closes_while_the_task_runs(vpc, client):
    group = vpc.group()
    server = vpc.start(group)
    assert vpc.try_from(None, server.public_ip) == "timed out"
    vpc.authorize(group, tcp(80))
    assert vpc.try_from(None, server.public_ip) == "hello"
    assert vpc.try_from(client, server.private_ip) == "hello"
    vpc.revoke(group, tcp(80))
    assert vpc.try_from(None, server.public_ip) == "timed out"
    assert vpc.try_from(client, server.private_ip) == "timed out"
    applied = [
        seen
        for seen in vpc.sandbox.timeline.since()
        if seen.kind == "security_group.applied" and seen["interface"] == server.interface
    ]
    assert [(seen["groups"], seen["filtered"]) for seen in applied] == [([group], True)] * 3


def exchange(connection, data=b"ping\n"):
    connection.sendall(data)
    return connection.recv(100)


def test_a_tracked_connection_outlives_its_rule(vpc):
    group = vpc.group(tcp(80, **of_range("128.0.0.0/1")))
    server = vpc.start(group)
    with vpc.sandbox._internet.connect(server.public_ip, 80, 2) as connection:
        assert exchange(connection) == b"ping\n"
        vpc.revoke(group, tcp(80, **of_range("128.0.0.0/1")))
        assert vpc.try_from(None, server.public_ip) == "timed out"
        assert exchange(connection) == b"ping\n"


def test_a_connection_that_is_not_tracked_ends_with_its_rule(vpc):
    """Of a port that is open for all, in a group that lets all leave."""
    group = vpc.group(tcp(80))
    server = vpc.start(group)
    with vpc.sandbox._internet.connect(server.public_ip, 80, 1) as connection:
        assert exchange(connection) == b"ping\n"
        vpc.revoke(group, tcp(80))
        with pytest.raises(TimeoutError):
            exchange(connection)


def test_connections_of_a_group_that_opens_everything_end_when_it_is_closed(vpc):
    everything = {"IpProtocol": "-1", **ANYONE}
    group = vpc.group(everything)
    server = vpc.start(group)
    with vpc.sandbox._internet.connect(server.public_ip, 80, 1) as connection:
        assert exchange(connection) == b"ping\n"
        vpc.revoke(group, everything)
        with pytest.raises(TimeoutError):
            exchange(connection)
    vpc.authorize(group, everything)
    assert vpc.try_from(None, server.public_ip) == "hello"


def test_a_source_group_means_the_private_addresses_of_the_interfaces_that_have_it(vpc, client):
    callers = vpc.group()
    server = vpc.start(vpc.group(tcp(80, **of_group(callers))))
    assert vpc.try_from(client, server.private_ip) == "timed out"
    caller = vpc.start(callers)
    assert vpc.try_from(caller, server.private_ip) == "hello"
    assert vpc.try_from(caller, server.public_ip) == "timed out"  # then it comes from its public address
    assert vpc.try_from(client, server.private_ip) == "timed out"
    vpc.ec2.modify_network_interface_attribute(NetworkInterfaceId=client.interface, Groups=[callers])
    assert vpc.try_from(client, server.private_ip) == "hello"
    opened = vpc.sandbox.security_group
    vpc.ec2.modify_network_interface_attribute(NetworkInterfaceId=client.interface, Groups=[opened])
    assert vpc.try_from(client, server.private_ip) == "timed out"
    with pytest.raises(ClientError, match="DependencyViolation"):
        vpc.ec2.delete_security_group(GroupId=callers)


def test_rules_are_there_when_a_tasks_containers_start(vpc):
    """They are told once, at the start of the interface's container, also those of a group that names itself."""
    group = vpc.group()
    vpc.authorize(group, tcp(80, **of_group(group)))
    before = vpc.sandbox.timeline.mark()
    server = vpc.start(group)
    applied = [one for one in vpc.sandbox.timeline.since(before) if one.kind == "security_group.applied"]
    assert [(one["interface"], one["filtered"]) for one in applied] == [(server.interface, True)]


def test_an_interface_gets_other_groups(vpc, client):
    """As that of a load balancer does by SetSecurityGroups."""
    server = vpc.start(vpc.group())
    eni = vpc.sandbox._ecs.runner._hosts[server.arn].eni
    vpc.sandbox._interfaces.set_groups(eni, [vpc.group(tcp(80))])
    assert vpc.try_from(client, server.private_ip) == "hello"


def test_what_may_leave(vpc, client):
    only_81 = {"IpProtocol": "tcp", "FromPort": 81, "ToPort": 81, **ANYONE}
    closed = vpc.start(vpc.group(tcp(80), egress=[only_81]))
    assert vpc.try_from(closed, client.private_ip) == "timed out"
    assert vpc.try_from(closed, client.private_ip, 81) == "refused"
    assert vpc.try_from(client, closed.private_ip) == "hello"  # answers may always leave


def test_udp(vpc, client):
    udp = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, **ANYONE}
    group = vpc.group(tcp(53))
    server = vpc.start(group, command=UDP_ECHO, port=53)
    assert vpc.try_from(client, server.private_ip, 53, "UDP4") == "no answer"
    vpc.authorize(group, udp)
    assert vpc.try_from(client, server.private_ip, 53, "UDP4") == "hello"


def test_icmp_by_its_type(vpc, client):
    group = vpc.group()
    server = vpc.start(group)
    echo = rf"printf '\010\000\367\375\000\001\000\001' | socat -t 1 - IP4-SENDTO:{server.private_ip}:1 | od -An -tx1"
    vpc.authorize(group, {"IpProtocol": "icmp", "FromPort": 13, "ToPort": -1, **ANYONE})
    assert vpc.tasks.sh(client.arn, echo) == (0, "")
    vpc.authorize(group, {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, **ANYONE})
    assert "00 00 ff fd 00 01 00 01" in vpc.tasks.sh(client.arn, echo)[1]  # an echo reply


def test_what_is_never_filtered(vpc):
    """DNS and the task's metadata, also where nothing may leave; the AWS endpoint is none of it."""
    closed = vpc.start(vpc.group(egress=[]))
    code, out = vpc.tasks.sh(closed.arn, "getent hosts aws.internal && curl -s -m 2 $ECS_CONTAINER_METADATA_URI_V4")
    assert code == 0
    assert '"DockerName"' in out
    reach = "curl -s -m 2 -o /dev/null http://aws.internal:4566/"
    assert vpc.tasks.sh(closed.arn, reach)[0] == 28  # curl's time-out
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **ANYONE}
    may_call = vpc.start(vpc.group(egress=[https]))
    assert vpc.tasks.sh(may_call.arn, reach)[0] == 0


def test_a_task_without_groups_has_the_default_one_of_its_vpc(vpc, client):
    one, other = vpc.start(), vpc.start()
    assert vpc.try_from(None, one.public_ip) == "timed out"
    assert vpc.try_from(client, one.private_ip) == "timed out"
    assert vpc.try_from(other, one.private_ip) == "hello"
    assert vpc.try_from(one, other.private_ip) == "hello"


def test_a_door_on_this_machine_obeys(vpc):
    group = vpc.group()
    server = vpc.start(group)
    zone = vpc.sandbox.aws("route53").create_hosted_zone(Name="door.example", CallerReference="1")["HostedZone"]["Id"]
    record = {"Name": "door.example", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": server.public_ip}]}
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    vpc.sandbox.aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    url = vpc.sandbox.door("door.example")
    with pytest.raises(OSError, match=r"closed|reset"):
        urllib.request.urlopen(url, timeout=8)
    vpc.authorize(group, tcp(80))
    with pytest.raises(Exception, match="GET / HTTP"):  # what the door leads to echoes the request
        urllib.request.urlopen(url, timeout=8)


def test_a_translated_port_is_judged_as_the_one_that_was_asked_for(vpc, client):
    """As a host port of a container instance, which leads to another port on its bridge."""
    server = vpc.start(vpc.group(tcp(8080)))
    owner = vpc.sandbox._ecs.runner.interface(server.arn)
    chain = "chain c {\n type nat hook prerouting priority dstnat\n tcp dport 8080 redirect to :80\n}"
    assert vpc.sandbox._containers.execute(owner, ["nft", f"table ip docker {{\n{chain}\n}}"]) == (0, "", "")
    assert vpc.try_from(client, server.private_ip, 8080) == "hello"
    assert vpc.try_from(None, server.public_ip, 8080) == "hello"
    assert vpc.try_from(client, server.private_ip, 80) == "timed out"


def test_containers_of_a_task_cannot_change_the_rules(vpc):
    server = vpc.start(vpc.group())
    code, out = vpc.tasks.sh(server.arn, "nft delete table inet sg")
    assert code != 0
    assert "not permitted" in out
    assert vpc.try_from(None, server.public_ip) == "timed out"


def test_prefix_lists_are_refused_by_name(vpc):
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "PrefixListIds": [{"PrefixListId": "pl-1234"}]}
    with pytest.raises(ClientError, match="pl-1234"):
        vpc.group(permission)
