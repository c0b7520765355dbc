"""moto in this process: the AWS services that we do not own, and the network interfaces that our ECS attaches.

moto's state is global to the process: one process, one sandbox. moto is imported when it is first used, and each of its
services at the service's first request; `Embedded.preload` does that ahead in the background. Loading EC2 and Route 53
takes moto half a second of processor time, in which a stack can be half up. So what the sandbox itself makes in EC2
(its VPC, its tasks' interfaces) gets its ids and addresses here at once, and is shown from here to who asks for an
interface; hosted zones and their records are here, too (`early_zones`). Whoever wants more waits until moto is loaded
and everything is entered into it.
"""

from __future__ import annotations

import io
import ipaddress
import secrets
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.backends.backend import WsgiApp
from sandbox.aws.backends.certificates import Users, certificate, issue_with, used_by
from sandbox.aws.backends.early_zones import ZONES, Zones
from sandbox.aws.backends.ec2_records import Ec2Records
from sandbox.aws.backends.identities import Identities, identify_with
from sandbox.aws.backends.network_interfaces import Attachment, Interface, InUse, asked_for, described
from sandbox.aws.backends.scaling import ScalingGroups
from sandbox.aws.backends.scaling_targets import services_are
from sandbox.aws.backends.topics import deliver_with
from sandbox.aws.backends.zones import hosted_zones
from sandbox.aws.protocol import AwsError
from sandbox.model.iam.evaluation import Principal, Request, evaluate
from sandbox.model.route53 import HostedZone
from sandbox.model.security_groups import ALL_PROTOCOLS, Group, Member, Records, Rule

if TYPE_CHECKING:
    from sandbox.aws.backends.moto_network import MotoNetwork

# Services of moto that do not look at EC2's state; a request for any other waits for EC2.
_WITHOUT_EC2 = frozenset(
    {"route53", "sts", "iam", "logs", "s3", "sns", "sqs", "ssm", "secretsmanager", "ecr", "codecommit"}
)
FIRST_HOST = 4  # AWS keeps a subnet's network address, router, DNS server and one more


@dataclass(frozen=True, slots=True)
class Ec2Instance:
    """An EC2 instance.

    Attributes:
        id: Such as i-0123456789abcdef0.
        type: As DescribeInstanceTypes describes it.
        image_id: The AMI.
        state: pending, running, stopping, stopped, shutting-down or terminated.
        vpc_id: Its VPC.
        interface: Its primary interface.
        user_data: As text.
        is_public: It is to have a public address.
        role: The ARN of the role of its instance profile ("": none).
        tags: Its tags.
    """

    id: str
    type: Mapping[str, Any]
    image_id: str
    state: str
    vpc_id: str
    interface: Interface
    user_data: str
    is_public: bool
    role: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Subnet:
    """What has to be known of a subnet to give out its addresses before moto knows it."""

    cidr: ipaddress.IPv4Network
    availability_zone: str
    vpc_id: str
    default_group: str
    next_host: int = FIRST_HOST

    @property
    def is_full(self) -> bool:
        """Whether the last address but the broadcast address has been given."""
        return self.next_host >= self.cidr.num_addresses - 1


class Embedded:
    """The embedded backend: a WSGI application for the gateway, and EC2's network without the way over HTTP.

    Args:
        account_id: The account whose EC2 the network methods act on; moto's only one unless roles are assumed.
        region: The region of it.
    """

    def __init__(self, account_id: str = ACCOUNT_ID, region: str = REGION) -> None:
        self._account_id = account_id
        self._region = region
        self._lock = threading.RLock()
        self._subnets: dict[str, _Subnet] = {}
        self._default_groups: dict[str, str] = {}  # by VPC
        # Until moto is loaded, all that EC2 knows is what was made here.
        self._groups: dict[str, Group] = {}
        self._members: dict[str, Member] = {}
        self._group_names: dict[str, str] = {}
        self._in_use: dict[str, InUse] = {}
        self._pending: list[Callable[[MotoNetwork], object]] = []
        self._loaded = False

    def wsgi_app(self) -> WsgiApp:
        """The application that answers for every service moto has."""

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if environ["sandbox.service"] == "ec2" and (early := self._answer_early(environ)) is not None:
                start_response("200 OK", [("Content-Type", "text/xml"), ("Content-Length", str(len(early)))])
                return [early]
            if environ["sandbox.service"] not in _WITHOUT_EC2:
                self._network()
            application: WsgiApp = _moto().application
            return application(environ, start_response)

        return answer

    def hosted_zones(self, is_healthy: Callable[[str], bool] = lambda health_check_id: True) -> list[HostedZone]:
        """Route 53's hosted zones as they are now, in order of creation."""
        early = ZONES.early()
        return hosted_zones(self._account_id, is_healthy) if early is None else early

    @property
    def zones(self) -> Zones:
        """Makes and changes Route 53's hosted zones."""
        return ZONES

    def ec2_records(self) -> Ec2Records:
        """What EC2 has, for services of ours that are given its ids; waits until moto's EC2 is loaded."""
        self._network()
        return Ec2Records(_moto().load("ec2")[self._account_id][self._region])

    def identities(self) -> Identities | None:
        """What IAM and STS have; None while nobody has used IAM."""
        iam, sts = _used("iam"), _used("sts")
        if iam is None:
            return None
        # An empty dictionary of moto's backends is as false as None.
        return Identities(iam[self._account_id]["aws"], None if sts is None else sts[self._account_id]["aws"])

    def topic_policy(self, arn: str) -> str | None:
        """The policy of an SNS topic, or None where there is no such topic."""
        sns = _used("sns")
        topic = None if sns is None else sns[self._account_id][arn.split(":")[3]].topics.get(arn)
        return None if topic is None else str(topic.policy)

    def instance_tags(self, instance_id: str) -> dict[str, str]:
        """The tags of an EC2 instance; empty where there is none."""
        ec2 = _used("ec2")
        found = ec2[self._account_id][self._region].tags.get(instance_id, {}) if ec2 is not None else {}
        return dict(found)

    def certificate(self, arn: str) -> tuple[str, str]:
        """A certificate of ACM with the chain that came with it, and its key, both PEM.

        Raises:
            AwsError: CertificateNotFound, or UnsupportedCertificate for one that is not valid now.
        """
        return certificate(_moto().load("acm")[self._account_id][self._region], arn)

    def certificates_used_by(self, users: Users) -> None:
        """Who uses certificates of ACM, by ARN: they are shown, and such certificates cannot be deleted."""
        used_by(users)

    def ssl_policies(self) -> dict[str, dict[str, Any]]:
        """The security policies of load balancers by name: ``ssl_protocols`` and ``ciphers``, best first."""
        from moto.elbv2.ssl_policies import SSL_POLICIES

        return SSL_POLICIES

    def preload(self, *services: str) -> threading.Thread:
        """Import moto's services (by moto's names: "ec2", "route53") on a background thread, which is returned."""

        def load() -> None:
            moto = _moto()
            for service in services:
                if service == "ec2":
                    self._network()
                else:
                    moto.warm(service)

        thread = threading.Thread(target=load, name="preload moto", daemon=True)
        thread.start()
        return thread

    def reset(self) -> None:
        """Forget everything that was created, in every service, account and region."""
        with self._lock:
            self._pending.clear()
            self._in_use.clear()
        deliver_with(None)
        issue_with(None)
        used_by(None)
        services_are(None)
        identify_with(None)
        ZONES.forget()
        _moto().reset()

    def create_vpc(self, cidr: str) -> str:
        """A VPC with DNS host names on; its id."""
        vpc_id, default_group = _new_id("vpc"), _new_id("sg")
        self._group_names[default_group] = "default"
        self._default_groups[vpc_id] = default_group
        self._groups[default_group] = Group(ingress=(Rule(ALL_PROTOCOLS, group=default_group),))
        self._enter(lambda network: network.create_vpc(vpc_id, cidr, default_group))
        return vpc_id

    def create_subnet(self, vpc_id: str, cidr: str, availability_zone: str, subnet_id: str = "") -> str:
        """A subnet; its id, made up unless it is given.

        Raises:
            AwsError: EC2 refuses it: no such VPC or zone, a range outside the VPC's or taken. Raised when moto is
                loaded: here, or to the first who reads EC2.
        """
        subnet_id = subnet_id or _new_id("subnet")
        default_group = self._default_groups.get(vpc_id, "")
        self._subnets[subnet_id] = _Subnet(ipaddress.IPv4Network(cidr), availability_zone, vpc_id, default_group)
        self._enter(lambda network: network.create_subnet(subnet_id, vpc_id, cidr, availability_zone))
        return subnet_id

    def missing_subnets(self, subnet_ids: Iterable[str]) -> list[str]:
        """Those of ``subnet_ids`` that there are not."""
        unknown = [subnet_id for subnet_id in subnet_ids if subnet_id not in self._subnets]
        return self._network().missing_subnets(unknown) if unknown else []

    def range_of_vpc(self, subnet_id: str) -> ipaddress.IPv4Network:
        """The first IPv4 range of the VPC that a subnet is in.

        Raises:
            AwsError: InvalidSubnetID.NotFound.
        """
        records = self.ec2_records()
        subnet = records.subnet(subnet_id)
        vpc = records.vpc(subnet.vpc_id) if subnet else None
        if vpc is None:
            raise AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist")
        return vpc.networks[0]

    def create_security_group(self, vpc_id: str, name: str, description: str, ingress: Iterable[Rule] = ()) -> str:
        """A security group that lets everything out, and in what ``ingress`` says; its id."""
        group_id, rules = _new_id("sg"), tuple(ingress)
        self._group_names[group_id] = name
        self._groups[group_id] = Group(ingress=rules)
        self._enter(lambda network: network.create_security_group(group_id, vpc_id, name, description, rules))
        return group_id

    def security_groups_of(self, subnet_id: str, wanted: Iterable[str]) -> tuple[str, ...]:
        """The groups that a new interface gets: those that are wanted, or else the default one of its VPC.

        Raises:
            AwsError: InvalidSubnetID.NotFound.
        """
        groups = tuple(wanted)
        if groups:
            return groups
        subnet = self._subnets.get(subnet_id)
        return ((subnet and subnet.default_group) or self._network().default_group(subnet_id),)

    def security_records(self) -> Records:
        """The security groups and who has them, as EC2 knows them now."""
        with self._lock:
            if not self._loaded:
                return Records(dict(self._groups), dict(self._members))
        return self._network().security_records()

    def reserve_interface(self, subnet_id: str) -> Interface:
        """Id and addresses of a new interface, which EC2 shows from `enter_interface` on.

        Addresses are given in ascending order and come back into use only after the subnet's last one.

        Raises:
            AwsError: InvalidSubnetID.NotFound or InsufficientFreeAddressesInSubnet.
        """
        with self._lock:
            subnet = self._subnets.get(subnet_id)
            if self._loaded or subnet is None or subnet.is_full:
                return self._network().reserve_interface(subnet_id)
            # Nobody else can have taken an address of this subnet: the API waits for moto.
            ip = str(subnet.cidr.network_address + subnet.next_host)
            subnet.next_host += 1
            interface = Interface(
                _new_id("eni"), ip, _new_mac(), self._dns_name(ip), subnet_id, subnet.availability_zone
            )
            self._pending.append(lambda network: network.reserve(interface))
            return interface

    def enter_interface(
        self, interface: Interface, security_groups: Iterable[str] = (), description: str = "", instance_id: str = ""
    ) -> None:
        """Show a reserved interface as ECS attaches it to a task: in use, managed by its requester.

        Args:
            interface: From `reserve_interface`.
            security_groups: Their ids.
            description: EC2 shows it.
            instance_id: The container instance of the task ("": it is on Fargate).

        Raises:
            AwsError: InvalidGroup.NotFound.
        """
        groups = list(security_groups)
        attachment = Attachment(instance_id, self._account_id) if instance_id else Attachment()
        with self._lock:
            if self._loaded or not self._groups.keys() >= set(groups):
                self._network().enter_interface(interface, groups, description, attachment)
                return
            held = self.security_groups_of(interface.subnet_id, groups)
            self._members[interface.id] = Member(held, (interface.private_ip,))
            self._in_use[interface.id] = InUse(
                interface,
                self._subnets[interface.subnet_id].vpc_id,
                {group_id: self._group_names[group_id] for group_id in held},
                description,
                attachment,
                self._account_id,
            )
            self._pending.append(lambda network: network.enter_interface(interface, groups, description, attachment))

    def assign_public_ip(self, interface_id: str, ip: str) -> None:
        """Show ``ip`` as the interface's public address, one of Amazon's own (no Elastic IP).

        Raises:
            AwsError: InvalidNetworkInterfaceID.NotFound.
        """
        with self._lock:
            if interface_id in self._in_use:
                self._in_use[interface_id].public_ip = ip
            self._enter(lambda network: network.assign_public_ip(interface_id, ip))

    def set_security_groups(self, interface_id: str, security_groups: Iterable[str]) -> None:
        """Give an interface other security groups.

        Raises:
            AwsError: InvalidNetworkInterfaceID.NotFound or InvalidGroup.NotFound.
        """
        self._network().set_security_groups(interface_id, list(security_groups))

    def delete_interface(self, interface_id: str) -> None:
        """Delete an interface; its private address is free again.

        Raises:
            AwsError: InvalidNetworkInterfaceID.NotFound.
        """
        self._members.pop(interface_id, None)
        self._in_use.pop(interface_id, None)
        self._enter(lambda network: network.delete_interface(interface_id))

    def instances(self) -> list[Ec2Instance]:
        """The instances, those that were terminated too."""
        with self._lock:
            if not self._loaded:
                return []  # nobody can have started one: the API waits for moto
        found: list[Ec2Instance] = _moto().instances(self._account_id, self._region).instances()
        return found

    def instance_now(self, instance_id: str) -> tuple[str, str]:
        """The state and the private address of an instance; one that there is not is "terminated"."""
        found = (one for one in self.instances() if one.id == instance_id)
        return next(((one.state, one.interface.private_ip) for one in found), ("terminated", ""))

    def is_ecs_optimized(self, image_id: str) -> bool:
        """Whether the AMI is one that Systems Manager has under /aws/service/ecs/optimized-ami."""
        return bool(_moto().instances(self._account_id, self._region).is_ecs_optimized(image_id))

    def role_allows(self, role_arn: str, action: str) -> bool:
        """Whether a role's policies allow an action on some resource; of a role that there is not, none do."""
        identities = self.identities()
        role = identities.role(role_arn) if identities else None
        request = Request(Principal(role_arn, role_arn, self._account_id), action, None)
        return role is not None and evaluate(request, role.policies, boundary=role.boundary).allowed

    def resource_group_members(self, name: str) -> list[str]:
        """The EC2 instances of a resource group (those with its query's tags).

        Raises:
            AwsError: There is no such group.
        """
        found: list[str] = _moto().instances(self._account_id, self._region).resource_group_members(name)
        return found

    def scaling_groups(self) -> ScalingGroups:
        """The Auto Scaling groups; waits until moto's are loaded."""
        self._network()
        return ScalingGroups(_moto().load("autoscaling")[self._account_id][self._region])

    def show_instance_address(self, interface_id: str, ip: str) -> None:
        """Show ``ip`` as the public address of an instance's interface ("": it has none yet)."""
        _moto().instances(self._account_id, self._region).show_instance_address(interface_id, ip)

    def _answer_early(self, environ: dict[str, Any]) -> bytes | None:
        """What EC2 answers to who asks for interfaces made here, before moto is loaded; None: moto has to answer."""
        with self._lock:
            if self._loaded:
                return None
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            wanted = asked_for(body)
            if wanted is None or not self._in_use.keys() >= set(wanted):
                return None
            return described(self._in_use[interface_id] for interface_id in wanted)

    def _enter(self, change: Callable[[MotoNetwork], object]) -> None:
        """Make a change now where moto's EC2 is loaded, else as soon as it is."""
        with self._lock:
            if not self._loaded:
                self._pending.append(change)
                return
            change(self._network())

    def _network(self) -> MotoNetwork:
        """Moto's EC2, with everything entered that was made before it was loaded."""
        network: MotoNetwork = _moto().network(self._account_id, self._region)  # takes a second at first: not locked
        with self._lock:
            self._loaded = True
            self._in_use.clear()
            while self._pending:
                self._pending.pop(0)(network)
        return network

    def _dns_name(self, ip: str) -> str:
        domain = "ec2.internal" if self._region == "us-east-1" else f"{self._region}.compute.internal"
        return f"ip-{ip.replace('.', '-')}.{domain}"


def _moto() -> ModuleType:
    """Our module that imports moto."""
    from sandbox.aws.backends import moto_app

    return moto_app


def _used(service: str) -> Any:
    """The backends of a service of moto's that somebody has used, without importing moto; None while nobody has."""
    app = sys.modules.get("sandbox.aws.backends.moto_app")
    return app and app.loaded(service)


def _new_id(prefix: str) -> str:
    return f"{prefix}-0{secrets.token_hex(8)}"


def _new_mac() -> str:
    """A unicast address of the locally administered range, as EC2's are."""
    return "02:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(5))
