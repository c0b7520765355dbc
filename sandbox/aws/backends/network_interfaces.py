"""Network interfaces of tasks as DescribeNetworkInterfaces shows them before moto's EC2 is loaded.

A function that is told of a task asks for its interface by id; loading all of EC2 for that takes half a second of the
processor's time, while the task's containers start. Whatever else is asked of EC2 is for moto, which then shows these
interfaces, too: the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement, tostring

FARGATE_OWNER = "612493284715"
"""The account that owns Fargate's instances; AWS shows one of its own there, never the customer's."""

_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15"
_ID = "NetworkInterfaceId."


@dataclass(frozen=True, slots=True)
class Interface:
    """An elastic network interface of a task, as DescribeNetworkInterfaces shows it."""

    id: str
    private_ip: str
    mac: str
    private_dns_name: str
    subnet_id: str
    availability_zone: str


@dataclass(frozen=True)
class Attachment:
    """How an interface is attached to its container instance; on Fargate to one that no customer sees.

    Its attributes are called as moto, too, reads them.

    Attributes:
        instance_id: None: on Fargate.
        instance_owner_id: The account of the instance.
        attachment_id: Its id.
        attach_time: When it was attached.
    """

    instance_id: str | None = None
    instance_owner_id: str = FARGATE_OWNER
    attachment_id: str = field(default_factory=lambda: f"eni-attach-{uuid.uuid4().hex[:17]}")
    attach_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    delete_on_termination: ClassVar[bool] = False
    device_index: ClassVar[int] = 1
    network_card_index: ClassVar[int] = 0
    status: ClassVar[str] = "attached"


@dataclass
class InUse:
    """An interface in use.

    Attributes:
        interface: Its id and addresses.
        vpc_id: The VPC that it is in.
        groups: The names of its security groups by id.
        description: What its maker says of it.
        attachment: To an instance.
        public_ip: "": none.
        account_id: Whose it is.
    """

    interface: Interface
    vpc_id: str
    groups: Mapping[str, str]
    description: str
    attachment: Attachment
    account_id: str
    public_ip: str = ""


def asked_for(body: bytes) -> list[str] | None:
    """The interfaces that a request asks for; None: it is another one, or asks for them otherwise than by id."""
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if form.pop("Action", "") != "DescribeNetworkInterfaces":
        return None
    form.pop("Version", "")
    return list(form.values()) if form and all(name.startswith(_ID) for name in form) else None


def public_dns_name(ip: str, region: str) -> str:
    """The name that EC2 shows for a public address."""
    domain = "compute-1.amazonaws.com" if region == "us-east-1" else f"{region}.compute.amazonaws.com"
    return f"ec2-{ip.replace('.', '-')}.{domain}"


def described(interfaces: Iterable[InUse]) -> bytes:
    """The answer of DescribeNetworkInterfaces."""
    root = Element("DescribeNetworkInterfacesResponse", xmlns=_NAMESPACE)
    shown = SubElement(root, "networkInterfaceSet")
    for one in interfaces:
        _describe(SubElement(shown, "item"), one)
    _add(root, requestId=str(uuid.uuid4()))
    answer: bytes = tostring(root, "utf-8", xml_declaration=True)
    return answer


def _describe(item: Element, one: InUse) -> None:
    interface, attached = one.interface, one.attachment
    names = {"privateDnsName": interface.private_dns_name, "privateIpAddress": interface.private_ip}
    _associate(item, one)
    attachment = SubElement(item, "attachment")
    time = attached.attach_time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    _add(attachment, attachTime=time, attachmentId=attached.attachment_id, deleteOnTermination="false", deviceIndex="1")
    _add(attachment, networkCardIndex="0", instanceOwnerId=attached.instance_owner_id, status=attached.status)
    if attached.instance_id:
        _add(attachment, instanceId=attached.instance_id)
    _add(item, availabilityZone=interface.availability_zone, description=one.description)
    groups = SubElement(item, "groupSet")
    for group_id, name in one.groups.items():
        _add(SubElement(groups, "item"), groupId=group_id, groupName=name)
    SubElement(item, "ipv6AddressesSet")
    _add(item, interfaceType="interface", macAddress=interface.mac, networkInterfaceId=interface.id)
    _add(item, ownerId=one.account_id, **names)
    address = SubElement(SubElement(item, "privateIpAddressesSet"), "item")
    _associate(address, one)
    _add(address, primary="true", **names)
    _add(item, requesterId="AIDAIT2UOQQY3AUEMOTO", requesterManaged="true", sourceDestCheck="true", status="in-use")
    _add(item, subnetId=interface.subnet_id, vpcId=one.vpc_id)
    SubElement(item, "tagSet")


def _associate(item: Element, one: InUse) -> None:
    if one.public_ip:
        region = one.interface.availability_zone[:-1]
        association = SubElement(item, "association")
        _add(association, ipOwnerId="amazon", publicDnsName=public_dns_name(one.public_ip, region))
        _add(association, publicIp=one.public_ip)


def _add(element: Element, **texts: str) -> None:
    for name, text in texts.items():
        SubElement(element, name).text = text
