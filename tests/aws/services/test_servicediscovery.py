"""Cloud Map through boto3 and the gateway, and its zones through Route 53 and DNS."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from urllib.parse import urlsplit

import boto3
import dns.message
import dns.query
import dns.rcode
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.protocol import AwsError
from sandbox.aws.services.servicediscovery import ServiceDiscoveryService
from sandbox.clock import VirtualClock
from sandbox.controllers.control_plane import ControlPlane
from sandbox.timeline import Timeline

A = {"DnsRecords": [{"Type": "A", "TTL": 10}]}
SRV = {"DnsRecords": [{"Type": "SRV", "TTL": 20}], "RoutingPolicy": "MULTIVALUE"}
ADDRESS = {"AWS_INSTANCE_IPV4": "10.0.0.4"}


@pytest.fixture
def plane(tmp_path):
    """A control plane whose time stands still unless it is told."""
    (tmp_path / "sockets").mkdir()
    backend, clock = Embedded(), VirtualClock()
    timeline = Timeline(clock)
    plane = ControlPlane(backend, tmp_path, clock, timeline, None, lambda here: plane.gateway.url)
    yield SimpleNamespace(aws=plane.aws, clock=clock, timeline=timeline, control=plane, port=plane.dns.port)
    plane.close()
    backend.reset()


@pytest.fixture
def sd(plane):
    return plane.aws("servicediscovery")


def made(plane, answer):
    """The namespace's id, once it is there."""
    plane.clock.advance(1)
    operation = plane.aws("servicediscovery").get_operation(OperationId=answer["OperationId"])["Operation"]
    assert operation["Status"] == "SUCCESS"
    return operation["Targets"]["NAMESPACE"]


@pytest.fixture
def namespace(plane, sd):
    return made(plane, sd.create_private_dns_namespace(Name="shop.local", Vpc="vpc-1"))


def code(caught):
    return caught.value.response["Error"]["Code"]


def ask(plane, name, type_, tcp=False):
    send = dns.query.tcp if tcp else dns.query.udp
    return send(dns.message.make_query(name, type_), "127.0.0.1", port=plane.port, timeout=5)


def values(answer):
    return sorted(str(item) for rrset in answer.answer for item in rrset)


def test_an_operation_goes_through_its_statuses(plane, sd):
    answer = sd.create_http_namespace(Name="api", Description="d")
    seen = []
    for _ in range(4):
        operation = sd.get_operation(OperationId=answer["OperationId"])["Operation"]
        seen.append(operation["Status"])
        plane.clock.advance(0.11)
    assert seen == ["SUBMITTED", "PENDING", "PENDING", "SUCCESS"]
    assert operation["Type"] == "CREATE_NAMESPACE"
    assert operation["UpdateDate"] > operation["CreateDate"]
    with pytest.raises(ClientError) as caught:
        sd.get_operation(OperationId="none")
    assert code(caught) == "OperationNotFound"


def test_namespaces(plane, sd):
    private = made(plane, sd.create_private_dns_namespace(Name="shop.local", Vpc="vpc-1", Description="d"))
    public = made(
        plane,
        sd.create_public_dns_namespace(Name="example.com", Properties={"DnsProperties": {"SOA": {"TTL": 60}}}),
    )
    http = made(plane, sd.create_http_namespace(Name="api"))
    shown = sd.get_namespace(Id=private)["Namespace"]
    assert (shown["Name"], shown["Type"], shown["Description"]) == ("shop.local", "DNS_PRIVATE", "d")
    assert shown["Arn"] == f"arn:aws:servicediscovery:us-east-1:123456789012:namespace/{private}"
    assert shown["Properties"]["DnsProperties"]["SOA"] == {"TTL": 15}
    assert sd.get_namespace(Id=public)["Namespace"]["Properties"]["DnsProperties"]["SOA"] == {"TTL": 60}
    assert sd.get_namespace(Id=http)["Namespace"]["Properties"] == {"HttpProperties": {"HttpName": "api"}}
    assert [one["Id"] for one in sd.list_namespaces()["Namespaces"]] == [private, public, http]
    for filters, found in [
        ([{"Name": "TYPE", "Values": ["HTTP"]}], [http]),
        ([{"Name": "NAME", "Values": ["shop"], "Condition": "BEGINS_WITH"}], [private]),
        ([{"Name": "HTTP_NAME", "Values": ["example.com"], "Condition": "EQ"}], [public]),
        ([{"Name": "RESOURCE_OWNER", "Values": ["OTHER_ACCOUNTS"]}], []),
        ([{"Name": "RESOURCE_OWNER", "Values": ["SELF"]}], [private, public, http]),
    ]:
        assert [one["Id"] for one in sd.list_namespaces(Filters=filters)["Namespaces"]] == found
    for bad in [{"Name": "TYPE", "Values": ["HTTP", "DNS_PRIVATE"]}, {"Name": "RESOURCE_OWNER", "Values": ["ME"]}]:
        with pytest.raises(ClientError) as caught:
            sd.list_namespaces(Filters=[bad])
        assert code(caught) == "InvalidInput"
    first = sd.list_namespaces(MaxResults=2)
    rest = sd.list_namespaces(MaxResults=2, NextToken=first["NextToken"])
    assert ([one["Id"] for one in rest["Namespaces"]], "NextToken" in rest) == ([http], False)
    with pytest.raises(ClientError) as caught:
        sd.list_namespaces(NextToken="?")
    assert code(caught) == "InvalidInput"
    for update, namespace in [
        (sd.update_private_dns_namespace, private),
        (sd.update_public_dns_namespace, public),
        (sd.update_http_namespace, http),
    ]:
        update(Id=namespace, Namespace={"Description": "new"})
        assert sd.get_namespace(Id=namespace)["Namespace"]["Description"] == "new"
        sd.delete_namespace(Id=namespace)
        with pytest.raises(ClientError) as caught:
            sd.get_namespace(Id=namespace)
        assert code(caught) == "NamespaceNotFound"


def test_errors_have_their_members(sd, namespace):
    with pytest.raises(sd.exceptions.NamespaceAlreadyExists) as caught:
        sd.create_private_dns_namespace(Name="shop.local", Vpc="vpc-1")
    assert caught.value.response["NamespaceId"] == namespace
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A, CreatorRequestId="one")["Service"]
    with pytest.raises(sd.exceptions.ServiceAlreadyExists) as caught:
        sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)
    assert caught.value.response["ServiceArn"] == service["Arn"]
    assert caught.value.response["CreatorRequestId"] == "one"
    with pytest.raises(sd.exceptions.ResourceInUse):
        sd.delete_namespace(Id=namespace)
    with pytest.raises(sd.exceptions.InvalidInput):
        sd.create_service(Name="no spaces", NamespaceId=namespace, DnsConfig=A)


def test_services(sd, namespace):
    service = sd.create_service(
        Name="web", NamespaceId=namespace, DnsConfig=SRV, HealthCheckCustomConfig={"FailureThreshold": 3}
    )["Service"]
    assert service["Arn"].endswith(f":service/{service['Id']}")
    assert service["DnsConfig"] == {"NamespaceId": namespace, **SRV}
    assert service["HealthCheckCustomConfig"] == {"FailureThreshold": 1}
    assert (service["Type"], service["InstanceCount"]) == ("DNS_HTTP", 0)
    assert sd.get_service(Id=service["Arn"])["Service"]["Name"] == "web"
    only = sd.create_service(Name="only", NamespaceId=namespace, Type="HTTP")["Service"]
    assert only["Type"] == "HTTP"
    filters = [{"Name": "NAMESPACE_ID", "Values": [namespace]}]
    assert [one["Name"] for one in sd.list_services(Filters=filters)["Services"]] == ["web", "only"]
    assert sd.list_services(Filters=[{"Name": "NAMESPACE_ID", "Values": ["ns-none"]}])["Services"] == []
    change = {"Description": "d", "DnsConfig": {"DnsRecords": [{"Type": "SRV", "TTL": 5}]}}
    sd.update_service(Id=service["Id"], Service=change)
    shown = sd.get_service(Id=service["Id"])["Service"]
    assert (shown["Description"], shown["DnsConfig"]["DnsRecords"][0]["TTL"]) == ("d", 5)
    sd.delete_service(Id=service["Id"])
    with pytest.raises(sd.exceptions.ServiceNotFound):
        sd.get_service(Id=service["Id"])


def test_instances(plane, sd, namespace):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)["Service"]["Id"]
    operation = sd.register_instance(ServiceId=service, InstanceId="i-1", Attributes={**ADDRESS, "colour": "blue"})
    shown = sd.get_instance(ServiceId=service, InstanceId="i-1")["Instance"]
    assert (shown["Id"], shown["Attributes"]) == ("i-1", {**ADDRESS, "colour": "blue"})
    assert [one["Id"] for one in sd.list_instances(ServiceId=service)["Instances"]] == ["i-1"]
    assert sd.get_service(Id=service)["Service"]["InstanceCount"] == 1
    plane.clock.advance(1)
    filters = [
        {"Name": "SERVICE_ID", "Values": [service]},
        {"Name": "STATUS", "Values": ["SUCCESS", "FAIL"], "Condition": "IN"},
        {"Name": "UPDATE_DATE", "Values": ["0", "99999999999"], "Condition": "BETWEEN"},
    ]
    assert [one["Id"] for one in sd.list_operations(Filters=filters)["Operations"]] == [operation["OperationId"]]
    bad = [{"Name": "UPDATE_DATE", "Values": ["yesterday", "now"], "Condition": "BETWEEN"}]
    with pytest.raises(sd.exceptions.InvalidInput):
        sd.list_operations(Filters=bad)
    with pytest.raises(sd.exceptions.ResourceInUse):
        sd.delete_service(Id=service)
    sd.deregister_instance(ServiceId=service, InstanceId="i-1")
    for refused in (sd.get_instance, sd.deregister_instance):
        with pytest.raises(sd.exceptions.InstanceNotFound):
            refused(ServiceId=service, InstanceId="i-1")
    seen = [one for one in plane.timeline.since() if one.kind == "cloudmap.instance"]
    assert [(one["service"], one["namespace"], one["instance"], one["change"], one["health"]) for one in seen] == [
        ("web", "shop.local", "i-1", "registered", "UNKNOWN"),
        ("web", "shop.local", "i-1", "deregistered", "UNKNOWN"),
    ]
    assert seen[0]["attributes"]["colour"] == "blue"


def test_health(plane, sd, namespace):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A, HealthCheckCustomConfig={})["Service"]
    named = {"ServiceId": service["Id"], "InstanceId": "i-1"}
    sd.register_instance(**named, Attributes=ADDRESS)
    sd.register_instance(ServiceId=service["Id"], InstanceId="i-2", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.5"})
    assert sd.get_instances_health_status(ServiceId=service["Id"])["Status"] == {"i-1": "HEALTHY", "i-2": "HEALTHY"}
    sd.update_instance_custom_health_status(**named, Status="UNHEALTHY")
    plane.clock.advance(29)
    assert values(ask(plane, "web.shop.local", "A")) == ["10.0.0.4", "10.0.0.5"]
    plane.clock.advance(2)
    assert values(ask(plane, "web.shop.local", "A")) == ["10.0.0.5"]
    status = sd.get_instances_health_status(ServiceId=service["Id"], Instances=["i-1"])["Status"]
    assert status == {"i-1": "UNHEALTHY"}
    assert plane.timeline.since()[-2]["change"] == "health"
    with pytest.raises(sd.exceptions.InstanceNotFound):
        sd.get_instances_health_status(ServiceId=service["Id"], Instances=["none"])
    unchecked = sd.create_service(Name="plain", NamespaceId=namespace, DnsConfig=A)["Service"]["Id"]
    sd.register_instance(ServiceId=unchecked, InstanceId="i", Attributes=ADDRESS)
    with pytest.raises(sd.exceptions.CustomHealthNotFound):
        sd.update_instance_custom_health_status(ServiceId=unchecked, InstanceId="i", Status="HEALTHY")


def test_discovery(sd, namespace):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A, HealthCheckCustomConfig={})["Service"]
    for name, version in [("i-1", "v1"), ("i-2", "v2")]:
        sd.register_instance(ServiceId=service["Id"], InstanceId=name, Attributes={**ADDRESS, "version": version})
    named = {"NamespaceName": "shop.local", "ServiceName": "web"}
    found = sd.discover_instances(**named, QueryParameters={"version": "v1"})
    assert found["InstancesRevision"] == 2
    assert found["Instances"] == [
        {
            "InstanceId": "i-1",
            "NamespaceName": "shop.local",
            "ServiceName": "web",
            "HealthStatus": "HEALTHY",
            "Attributes": {**ADDRESS, "version": "v1"},
        }
    ]
    assert len(sd.discover_instances(**named, MaxResults=1)["Instances"]) == 1
    assert sd.discover_instances_revision(**named)["InstancesRevision"] == 2
    with pytest.raises(sd.exceptions.NamespaceNotFound):
        sd.discover_instances(**named, OwnerAccount="999999999999")
    with pytest.raises(sd.exceptions.ServiceNotFound):
        sd.discover_instances_revision(NamespaceName="shop.local", ServiceName="none")


def test_discovery_finds_a_hundred_at_most_unless_it_is_told_otherwise(sd, namespace):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)["Service"]["Id"]
    for number in range(105):
        sd.register_instance(ServiceId=service, InstanceId=f"i-{number}", Attributes=ADDRESS)
    named = {"NamespaceName": "shop.local", "ServiceName": "web"}
    assert len(sd.discover_instances(**named)["Instances"]) == 100
    assert len(sd.discover_instances(**named, MaxResults=1000)["Instances"]) == 105


ASK = """
import boto3, json
found = boto3.client("servicediscovery").discover_instances(NamespaceName="shop.local", ServiceName="web")
print(json.dumps([one["InstanceId"] for one in found["Instances"]]))
"""


def test_stock_clients_discover_in_the_environment_that_the_sandbox_prints(plane, sd, namespace, tmp_path):
    """boto3 would put data- before 127.0.0.1."""
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)["Service"]["Id"]
    sd.register_instance(ServiceId=service, InstanceId="i-1", Attributes=ADDRESS)
    environment = {**plane.aws.environment(), "HOME": str(tmp_path), "PATH": ""}
    command = [sys.executable, "-c", ASK]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout) == ["i-1"]


def test_what_a_client_sends_with_the_host_prefix_is_understood(plane, sd, namespace):
    """The request as boto3 signs it for data-aws.internal; where that name leads, only DNS in the VPC knows."""
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)["Service"]["Id"]
    sd.register_instance(ServiceId=service, InstanceId="i-1", Attributes=ADDRESS)
    client = boto3.client(
        "servicediscovery",
        endpoint_url="http://aws.internal:4566",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(inject_host_prefix=True),
    )
    asked = []

    def send_here(request, **_):
        asked.append(request.url)
        request.headers["Host"] = urlsplit(request.url).netloc
        request.url = plane.control.gateway.url

    client.meta.events.register("before-send.servicediscovery", send_here)
    named = {"NamespaceName": "shop.local", "ServiceName": "web"}
    assert [one["InstanceId"] for one in client.discover_instances(**named)["Instances"]] == ["i-1"]
    assert client.discover_instances_revision(**named)["InstancesRevision"] == 1
    assert client.list_namespaces()["Namespaces"][0]["Id"] == namespace
    hosts = [urlsplit(url).netloc for url in asked]
    assert hosts == ["data-aws.internal:4566", "data-aws.internal:4566", "aws.internal:4566"]


def test_every_operation_of_the_api_is_there(sd):
    there = dir(ServiceDiscoveryService)
    assert [name for name in sd.meta.method_to_api_mapping if name not in there] == []


def test_service_attributes(sd, namespace):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)["Service"]
    named = {"ServiceId": service["Id"]}
    assert sd.get_service_attributes(**named)["ServiceAttributes"]["Attributes"] == {}
    sd.update_service_attributes(**named, Attributes={"team": "shop", "tier": "1"})
    sd.update_service_attributes(ServiceId=service["Arn"], Attributes={"tier": "2"})
    sd.delete_service_attributes(**named, Attributes=["team", "none"])
    assert sd.get_service_attributes(**named)["ServiceAttributes"] == {
        "ServiceArn": service["Arn"],
        "ResourceOwner": "123456789012",
        "Attributes": {"tier": "2"},
    }
    with pytest.raises(sd.exceptions.ServiceAttributesLimitExceededException):
        sd.update_service_attributes(**named, Attributes={str(number): "" for number in range(30)})
    with pytest.raises(sd.exceptions.ServiceNotFound):
        sd.get_service_attributes(ServiceId="srv-none")


def test_an_instance_of_ec2s_is_registered_with_its_private_address(plane, sd):
    ec2 = plane.aws("ec2")
    image = "ami-12c6146b"
    (instance,) = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"]
    namespace = made(plane, sd.create_http_namespace(Name="api"))
    service = sd.create_service(Name="web", NamespaceId=namespace)["Service"]["Id"]
    wanted = {"ServiceId": service, "InstanceId": "one", "Attributes": {"AWS_EC2_INSTANCE_ID": instance["InstanceId"]}}
    sd.register_instance(**wanted)
    shown = sd.get_instance(ServiceId=service, InstanceId="one")["Instance"]["Attributes"]
    assert shown["AWS_INSTANCE_IPV4"] == instance["PrivateIpAddress"]
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    with pytest.raises(sd.exceptions.InvalidInput, match="There is no EC2 instance"):
        sd.register_instance(**{**wanted, "InstanceId": "two"})


def test_a_registration_under_way_is_named(plane, sd, namespace):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)["Service"]["Id"]
    wanted = {"ServiceId": service, "InstanceId": "i-1"}
    operation = sd.register_instance(**wanted, Attributes=ADDRESS)["OperationId"]
    with pytest.raises(sd.exceptions.DuplicateRequest) as caught:
        sd.register_instance(**wanted, Attributes={"AWS_INSTANCE_IPV4": "10.0.0.5"})
    assert caught.value.response["DuplicateOperationId"] == operation
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    plane.clock.advance(1)
    sd.register_instance(**wanted, Attributes={"AWS_INSTANCE_IPV4": "10.0.0.5"})
    assert values(ask(plane, "web.shop.local", "A")) == ["10.0.0.5"]


def test_of_an_attribute_that_is_sent_twice_the_last_counts(plane, sd, namespace):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)["Service"]["Id"]
    twice = '{"AWS_INSTANCE_IPV4": "10.0.0.4", "colour": "blue", "AWS_INSTANCE_IPV4": "10.0.0.5", "colour": "red"}'
    body = f'{{"ServiceId": "{service}", "InstanceId": "i-1", "Attributes": {twice}}}'

    def send_twice(request, **_):
        request.body = body.encode()
        request.headers["Content-Length"] = str(len(body))

    events = sd.meta.events
    events.register("before-send.servicediscovery.RegisterInstance", send_twice)
    try:
        sd.register_instance(ServiceId=service, InstanceId="i-1", Attributes=ADDRESS)
    finally:
        events.unregister("before-send.servicediscovery.RegisterInstance", send_twice)
    shown = sd.get_instance(ServiceId=service, InstanceId="i-1")["Instance"]["Attributes"]
    assert shown == {"AWS_INSTANCE_IPV4": "10.0.0.5", "colour": "red"}
    assert values(ask(plane, "web.shop.local", "A")) == ["10.0.0.5"]


@pytest.mark.parametrize(
    "request_",
    [
        {"InstanceId": "no spaces", "Attributes": ADDRESS},
        {"InstanceId": "x" * 65, "Attributes": ADDRESS},
        {"InstanceId": "i", "Attributes": {**ADDRESS, "two words": "x"}},
        {"InstanceId": "i", "Attributes": {**ADDRESS, "k" * 256: "x"}},
        {"InstanceId": "i", "Attributes": {**ADDRESS, "k": "x" * 1025}},
        {"InstanceId": "i", "Attributes": {**ADDRESS, "k": "two\nlines"}},
        {"InstanceId": "i", "Attributes": {}},
    ],
)
def test_registrations_that_are_refused_leave_nothing(sd, namespace, request_):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)["Service"]["Id"]
    with pytest.raises(sd.exceptions.InvalidInput):
        sd.register_instance(ServiceId=service, **request_)
    assert sd.list_instances(ServiceId=service)["Instances"] == []
    assert sd.list_operations(Filters=[{"Name": "SERVICE_ID", "Values": [service]}])["Operations"] == []


def test_conditions_that_filters_do_not_have(sd):
    for list_, filter_ in [
        (sd.list_namespaces, {"Name": "NAME", "Values": ["a"], "Condition": "IN"}),
        (sd.list_services, {"Name": "NAMESPACE_ID", "Values": ["a", "b"], "Condition": "IN"}),
        (sd.list_operations, {"Name": "UPDATE_DATE", "Values": ["0"]}),
        (sd.list_operations, {"Name": "SERVICE_ID", "Values": ["a", "b"], "Condition": "BETWEEN"}),
    ]:
        with pytest.raises(sd.exceptions.InvalidInput):
            list_(Filters=[filter_])


def test_tags(plane, sd):
    tags = [{"Key": "team", "Value": "shop"}]
    namespace = made(plane, sd.create_http_namespace(Name="api", Tags=tags))
    arn = sd.get_namespace(Id=namespace)["Namespace"]["Arn"]
    assert sd.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags
    service = sd.create_service(Name="web", NamespaceId=arn, Tags=tags)["Service"]["Arn"]
    sd.tag_resource(ResourceARN=service, Tags=[{"Key": "team", "Value": "web"}, {"Key": "x", "Value": ""}])
    sd.untag_resource(ResourceARN=service, TagKeys=["x", "none"])
    assert sd.list_tags_for_resource(ResourceARN=service)["Tags"] == [{"Key": "team", "Value": "web"}]
    with pytest.raises(sd.exceptions.TooManyTagsException):
        sd.tag_resource(ResourceARN=service, Tags=[{"Key": str(number), "Value": ""} for number in range(50)])
    with pytest.raises(sd.exceptions.ResourceNotFoundException):
        sd.list_tags_for_resource(ResourceARN=arn + "x")


# -- the hosted zone --


def zone_of(sd, namespace):
    return sd.get_namespace(Id=namespace)["Namespace"]["Properties"]["DnsProperties"]["HostedZoneId"]


def test_route53_shows_the_zone_and_its_records_and_changes_neither(plane, sd, namespace):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=SRV)["Service"]["Id"]
    sd.register_instance(ServiceId=service, InstanceId="i-1", Attributes={**ADDRESS, "AWS_INSTANCE_PORT": "8080"})
    route53, zone = plane.aws("route53"), zone_of(sd, namespace)
    shown = route53.get_hosted_zone(Id=zone)
    assert shown["HostedZone"]["Config"]["PrivateZone"]
    assert [vpc["VPCId"] for vpc in shown["VPCs"]] == ["vpc-1"]
    records = {
        (one["Name"], one["Type"]): one
        for one in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    }
    srv = records["web.shop.local.", "SRV"]
    assert (srv["SetIdentifier"], srv["MultiValueAnswer"], srv["TTL"]) == ("i-1", True, 20)
    assert srv["ResourceRecords"] == [{"Value": "1 1 8080 i-1.web.shop.local"}]
    assert records["i-1.web.shop.local.", "A"]["ResourceRecords"] == [{"Value": "10.0.0.4"}]
    assert records["shop.local.", "SOA"]["TTL"] == 15
    record = {"Name": "own.shop.local", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    for refused in (
        lambda: route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch),
        lambda: route53.delete_hosted_zone(Id=zone),
    ):
        with pytest.raises(ClientError, match=f"can only be managed through AWS Cloud Map .*{namespace}") as caught:
            refused()
        assert code(caught) == "AccessDenied"
    sd.deregister_instance(ServiceId=service, InstanceId="i-1")
    sd.delete_service(Id=service)
    sd.delete_namespace(Id=namespace)
    with pytest.raises(route53.exceptions.NoSuchHostedZone):
        route53.get_hosted_zone(Id=zone)


def test_a_vpc_has_one_private_zone_of_a_name(plane, sd):
    plane.aws("route53").create_hosted_zone(
        Name="shop.local",
        CallerReference="1",
        VPC={"VPCRegion": "us-east-1", "VPCId": "vpc-1"},
    )
    operation = sd.create_private_dns_namespace(Name="shop.local", Vpc="vpc-1")["OperationId"]
    plane.clock.advance(1)
    shown = sd.get_operation(OperationId=operation)["Operation"]
    assert (shown["Status"], shown["ErrorCode"]) == ("FAIL", "CANNOT_CREATE_HOSTED_ZONE")
    assert sd.list_namespaces()["Namespaces"] == []


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_dns_answers_srv_with_the_port_and_a_host(plane, sd, namespace, tcp):
    service = sd.create_service(Name="_http._tcp", NamespaceId=namespace, DnsConfig=SRV)["Service"]["Id"]
    for number in (1, 2):
        attributes = {"AWS_INSTANCE_IPV4": f"10.0.0.{number}", "AWS_INSTANCE_PORT": f"3276{number}"}
        sd.register_instance(ServiceId=service, InstanceId=f"i-{number}", Attributes=attributes)
    answer = ask(plane, "_http._tcp.shop.local", "SRV", tcp)
    assert values(answer) == [
        "1 1 32761 i-1._http._tcp.shop.local.",
        "1 1 32762 i-2._http._tcp.shop.local.",
    ]
    assert answer.answer[0].ttl == 20
    for item in answer.answer[0]:
        assert values(ask(plane, item.target, "A", tcp)) == [f"10.0.0.{item.port - 32760}"]


def test_dns_answers_eight_of_many_in_no_order(plane, sd, namespace):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)["Service"]["Id"]
    for number in range(12):
        attributes = {"AWS_INSTANCE_IPV4": f"10.0.0.{number}"}
        sd.register_instance(ServiceId=service, InstanceId=f"i-{number}", Attributes=attributes)
    answers = [values(ask(plane, "web.shop.local", "A")) for _ in range(40)]
    assert {len(answer) for answer in answers} == {8}
    assert len({address for answer in answers for address in answer}) == 12


def test_dns_of_what_there_is_not(plane, sd, namespace):
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=A)["Service"]["Id"]
    sd.register_instance(ServiceId=service, InstanceId="i-1", Attributes=ADDRESS)
    for name, type_, rcode in [
        ("none.shop.local", "A", dns.rcode.NXDOMAIN),
        ("web.shop.local", "SRV", dns.rcode.NOERROR),
        ("shop.local", "A", dns.rcode.NOERROR),
    ]:
        answer = ask(plane, name, type_)
        assert (answer.rcode(), answer.answer) == (rcode, [])
        (soa,) = answer.authority
        assert (str(soa.name), soa.ttl) == ("shop.local.", 15)


def test_an_alias_leads_to_a_resource_of_aws(plane, sd, namespace):
    config = {**A, "RoutingPolicy": "WEIGHTED"}
    service = sd.create_service(Name="front", NamespaceId=namespace, DnsConfig=config)["Service"]["Id"]
    name = "shop-1.us-east-1.elb.amazonaws.com"
    plane.control.name_resource(name, "10.0.0.77")
    sd.register_instance(ServiceId=service, InstanceId="lb", Attributes={"AWS_ALIAS_DNS_NAME": name})
    assert values(ask(plane, "front.shop.local", "A")) == ["10.0.0.77"]


def test_the_internet_does_not_know_private_namespaces(plane, sd, namespace):
    public = made(plane, sd.create_public_dns_namespace(Name="example.com"))
    for space in (namespace, public):
        service = sd.create_service(Name="web", NamespaceId=space, DnsConfig=A)["Service"]["Id"]
        sd.register_instance(ServiceId=service, InstanceId="i-1", Attributes=ADDRESS)
    assert plane.control.addresses("web.example.com") == ["10.0.0.4"]
    assert plane.control.addresses("web.shop.local") == []


# -- what ECS uses --


def test_registering_for_ecs(plane, sd, namespace):
    shown = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=SRV, HealthCheckCustomConfig={})["Service"]
    cloudmap, arn = plane.control.cloudmap, shown["Arn"]
    assert cloudmap.record_types(arn) == {"SRV"}
    assert cloudmap.record_types(arn + "x") is None
    for number in (4, 5):
        attributes = {"AWS_INSTANCE_IPV4": f"10.0.0.{number}", "AWS_INSTANCE_PORT": "32768", "AVAILABILITY_ZONE": "a"}
        cloudmap.register(arn, f"task-{number}", attributes)
    assert len(values(ask(plane, "web.shop.local", "SRV"))) == 2
    cloudmap.set_health(arn, "task-4", False)
    plane.clock.advance(30)
    assert values(ask(plane, "web.shop.local", "SRV")) == ["1 1 32768 task-5.web.shop.local."]
    cloudmap.deregister(arn, "task-5")
    for refused in (
        lambda: cloudmap.deregister(arn, "task-5"),
        lambda: cloudmap.set_health(arn, "task-5", True),
        lambda: cloudmap.register(arn, "task-6", {}),
    ):
        with pytest.raises(AwsError, match=r"InstanceNotFound|InvalidInput"):
            refused()
    assert values(ask(plane, "web.shop.local", "SRV")) == ["1 1 32768 task-4.web.shop.local."]  # all are unhealthy
