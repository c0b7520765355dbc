"""Cloud Map's names as a task and a viewer on the internet find them."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def resolver(tasks):
    """Tasks do not wait for the resolver; the viewer does."""
    tasks.sandbox._in_viewer(["true"])


def test_a_private_name_is_known_in_the_vpc_alone(tasks):
    box = tasks.sandbox
    sd, ec2 = box.aws("servicediscovery"), box.aws("ec2")
    vpc = ec2.describe_subnets(SubnetIds=box.subnets[:1])["Subnets"][0]["VpcId"]
    addresses = {}
    for name, create in [
        ("shop.local", lambda: sd.create_private_dns_namespace(Name="shop.local", Vpc=vpc)),
        ("shop.example", lambda: sd.create_public_dns_namespace(Name="shop.example")),
    ]:
        namespace = sd.get_operation(OperationId=create()["OperationId"])["Operation"]["Targets"]["NAMESPACE"]
        config = {"DnsRecords": [{"Type": "A", "TTL": 10}]}
        service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=config)["Service"]["Id"]
        addresses[name] = f"10.0.0.{len(addresses) + 1}"
        sd.register_instance(ServiceId=service, InstanceId="i", Attributes={"AWS_INSTANCE_IPV4": addresses[name]})
    task = tasks.start({})
    for name, address in addresses.items():
        assert tasks.sh(task, f"getent ahostsv4 web.{name}")[1].split()[0] == address
    lookup = "getent ahostsv4 web.{} || echo none"
    assert box._in_viewer(["sh", "-c", lookup.format("shop.example")])[1].split()[0] == addresses["shop.example"]
    assert box._in_viewer(["sh", "-c", lookup.format("shop.local")])[1].strip() == "none"
    assert box.resolve("web.shop.local").values == (addresses["shop.local"],)  # this machine sees what the VPC sees


def test_the_endpoint_has_a_name_with_the_host_prefix_of_discovery(tasks):
    """boto3 and the like put data- before the endpoint's name for DiscoverInstances."""
    task = tasks.start({})
    reach = "curl -s -o /dev/null -w '%{http_code}' http://data-aws.internal:4566/_sandbox/health"
    assert tasks.sh(task, reach) == (0, "200")


def address_of(box, task, kind):
    """The private or the public address of a task."""
    (attachment,) = box.aws("ecs").describe_tasks(cluster="c", tasks=[task])["tasks"][0]["attachments"]
    details = {one["name"]: one["value"] for one in attachment["details"]}
    if kind == "private":
        return details["privateIPv4Address"]
    (interface,) = box.aws("ec2").describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])[
        "NetworkInterfaces"
    ]
    return interface["Association"]["PublicIp"]


def test_route_53_checks_tasks_from_the_internet_and_the_public_name_follows(tasks):
    box = tasks.sandbox
    sd = box.aws("servicediscovery")
    made = sd.create_public_dns_namespace(Name="checked.example")["OperationId"]
    namespace = sd.get_operation(OperationId=made)["Operation"]["Targets"]["NAMESPACE"]
    config = {"DnsRecords": [{"Type": "A", "TTL": 10}]}
    check = {"Type": "TCP", "FailureThreshold": 1}
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=config, HealthCheckConfig=check)
    service = service["Service"]["Id"]
    task = tasks.start({"command": ["socat", "TCP4-LISTEN:8080,fork,reuseaddr", "PIPE"]})
    addresses = {kind: address_of(box, task, kind) for kind in ("private", "public")}
    mark = box.timeline.mark()
    for kind, address in addresses.items():
        attributes = {"AWS_INSTANCE_IPV4": address, "AWS_INSTANCE_PORT": "8080"}
        sd.register_instance(ServiceId=service, InstanceId=kind, Attributes=attributes)

    def wait_for(instance, health, since):
        box.timeline.wait_for(
            f"{instance} is {health}",
            lambda one: (
                (one.kind, one.get("instance"), one.get("change"), one.get("health"))
                == ("cloudmap.instance", instance, "health", health)
            ),
            within=30,
            since=since,
        )

    wait_for("public", "HEALTHY", mark)
    wait_for("private", "UNHEALTHY", mark)
    assert box.resolve("web.checked.example").values == (addresses["public"],)
    mark = box.timeline.mark()
    tasks.stop(task)
    wait_for("public", "UNHEALTHY", mark)
    assert sorted(box.resolve("web.checked.example").values) == sorted(addresses.values())  # all are unhealthy
