"""From boto3 to HAProxy and back: the API's answers, and what clients get."""

from __future__ import annotations

import socket
import ssl

import pytest
from botocore.exceptions import ClientError

from sandbox.controllers.sandbox import Sandbox
from sandbox.engine.run import LABEL_RUN
from tests.controllers.balanced import Backend, ask_at, until

pytestmark = pytest.mark.docker
SPEED = 20
SOON = {"Delay": 0.1, "MaxAttempts": 300}


@pytest.fixture(scope="module")
def sandbox(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=SPEED
    ) as made:
        yield made


@pytest.fixture(scope="module")
def elb(sandbox):
    return sandbox.aws("elbv2")


@pytest.fixture(scope="module")
def backend(sandbox):
    made = Backend(sandbox._network.vpc.address(1), "a")
    yield made
    made.close()


@pytest.fixture(scope="module")
def web(sandbox, elb):
    """A load balancer whose HTTP listener forwards to a group without targets."""
    balancer = elb.create_load_balancer(Name="web", Subnets=sandbox.subnets, SecurityGroups=[sandbox.security_group])
    balancer = balancer["LoadBalancers"][0]
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[balancer["LoadBalancerArn"]], WaiterConfig=SOON)
    group = make_group(sandbox, elb, "web")
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[forward(group)]
    )
    return {
        "arn": balancer["LoadBalancerArn"],
        "name": balancer["DNSName"],
        "zone": balancer["CanonicalHostedZoneId"],
        "group": group,
        "listener": listener["Listeners"][0]["ListenerArn"],
    }


def make_group(sandbox, elb, name):
    check = {
        "HealthCheckPath": "/health",
        "HealthCheckIntervalSeconds": 5,
        "HealthCheckTimeoutSeconds": 2,
        "HealthyThresholdCount": 2,
    }
    made = elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=sandbox.vpc, TargetType="ip", **check)
    return made["TargetGroups"][0]["TargetGroupArn"]


def forward(group):
    return {"Type": "forward", "TargetGroupArn": group}


def target_of(backend):
    return {"Id": backend.target.id, "Port": backend.target.port}


def states(elb, group):
    shown = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return [(one["TargetHealth"]["State"], one["TargetHealth"].get("Reason", "")) for one in shown]


@pytest.fixture
def registered(elb, web, backend):
    elb.register_targets(TargetGroupArn=web["group"], Targets=[target_of(backend)])
    wait_for(elb, "target_in_service", web, backend)


def wait_for(elb, state, web, backend):
    elb.get_waiter(state).wait(TargetGroupArn=web["group"], Targets=[target_of(backend)], WaiterConfig=SOON)


def address_of(sandbox, name):
    (address,) = sandbox.resolve(name).values
    return address


def get(sandbox, web, path="/", *, port=80, secure=None, headers=()):
    return ask_at(address_of(sandbox, web["name"]), path, port=port, secure=secure, host="a.example", headers=headers)


def test_a_target_comes_into_service_and_leaves(sandbox, elb, web, backend):
    assert get(sandbox, web).status == 503
    backend.healthy = 500
    elb.register_targets(TargetGroupArn=web["group"], Targets=[target_of(backend)])
    assert states(elb, web["group"])[0][0] in {"initial", "unhealthy"}
    until(lambda: states(elb, web["group"]) == [("unhealthy", "Target.ResponseCodeMismatch")])
    backend.healthy = 200
    wait_for(elb, "target_in_service", web, backend)
    assert states(elb, web["group"]) == [("healthy", "")]
    assert get(sandbox, web).name == "a"
    elb.modify_target_group_attributes(
        TargetGroupArn=web["group"], Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]
    )
    elb.deregister_targets(TargetGroupArn=web["group"], Targets=[target_of(backend)])
    assert states(elb, web["group"]) == [("draining", "Target.DeregistrationInProgress")]
    wait_for(elb, "target_deregistered", web, backend)
    assert states(elb, web["group"]) == []
    assert get(sandbox, web).status == 503


def test_a_group_that_no_listener_uses(sandbox, elb, web, backend):
    group = make_group(sandbox, elb, "idle")
    elb.register_targets(TargetGroupArn=group, Targets=[target_of(backend)])
    assert states(elb, group) == [("unused", "Target.NotInUse")]
    elb.delete_target_group(TargetGroupArn=group)


def test_a_rule(sandbox, elb, web, registered):
    condition = {"Field": "path-pattern", "Values": ["/old/*"]}
    to = {"StatusCode": "HTTP_302", "Path": "/new", "Query": "from=#{path}"}
    rule = elb.create_rule(
        ListenerArn=web["listener"],
        Priority=1,
        Conditions=[condition],
        Actions=[{"Type": "redirect", "RedirectConfig": to}],
    )["Rules"][0]["RuleArn"]
    got = get(sandbox, web, "/old/x")
    assert (got.status, got.headers["location"]) == (302, "http://a.example:80/new?from=old/x")
    assert get(sandbox, web, "/other").name == "a"
    elb.delete_rule(RuleArn=rule)
    assert get(sandbox, web, "/old/x").name == "a"


def add_https(sandbox, elb, web, name):
    """An HTTPS listener with a certificate for a name; its ARN."""
    certificate = sandbox.aws("acm").request_certificate(DomainName=name)["CertificateArn"]
    made = elb.create_listener(
        LoadBalancerArn=web["arn"],
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[forward(web["group"])],
    )
    return made["Listeners"][0]["ListenerArn"]


def test_https_with_a_certificate_of_acm(sandbox, elb, web, registered):
    listener = add_https(sandbox, elb, web, "a.example")
    trusting = ssl.create_default_context(cadata=sandbox.authority.certificate.decode())
    got = get(sandbox, web, port=443, secure=trusting)
    assert (got.name, got.sent("x-forwarded-proto")) == ("a", "https")
    elb.delete_listener(ListenerArn=listener)


@pytest.fixture(scope="module")
def alias(sandbox, web):
    """An alias record that leads to the load balancer."""
    name, route53 = "www.shop.example", sandbox.aws("route53")
    zone = route53.create_hosted_zone(Name="shop.example", CallerReference="1")["HostedZone"]["Id"]
    target = {"HostedZoneId": web["zone"], "DNSName": web["name"], "EvaluateTargetHealth": False}
    change = {"Action": "CREATE", "ResourceRecordSet": {"Name": name, "Type": "A", "AliasTarget": target}}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    return name


def test_an_alias_record(sandbox, web, alias):
    assert sandbox.resolve(alias).values == sandbox.resolve(web["name"]).values


@pytest.mark.parametrize(("issued_for", "refused"), [("*.shop.example", False), ("shop.example", True)])
def test_viewers_look_at_the_certificate(sandbox, elb, web, registered, backend, alias, issued_for, refused):
    listener = add_https(sandbox, elb, web, issued_for)
    url = f"https://{alias}/"
    asked = [
        sandbox.http_get_until(url, within=0.5 if refused else 10),
        sandbox.http_get(url),
        sandbox.http_fetch(url),
        sandbox.http_send("POST", url, address=sandbox.resolve(alias).values[0]),
    ]
    burst = sandbox.http_burst(url, 2)
    mark = sandbox.timeline.mark()
    with sandbox.visit(url, timeout=5):
        visited = sandbox.timeline.wait_for(
            "the visitor's outcome", lambda seen: seen.kind == "visitor.outcome", within=10, since=mark
        )
    elb.delete_listener(ListenerArn=listener)
    assert [*(one.status for one in asked), visited["status"]] == [0 if refused else 200] * 5
    assert all((alias in one.error) == refused for one in asked), [one.error for one in asked]
    assert burst.failed == (2 if refused else 0)
    if refused:
        assert "the certificate is refused" in asked[0].error
        assert "the certificate is refused" in visited["error"]
    else:
        assert f"\r\nhost: {alias}\r\n" in backend.asked[-1].lower()


def test_security_groups_close_and_open(sandbox, elb, web, registered):
    closed = sandbox.aws("ec2").create_security_group(VpcId=sandbox.vpc, GroupName="closed", Description="Nothing")
    elb.set_security_groups(LoadBalancerArn=web["arn"], SecurityGroups=[closed["GroupId"]])
    with pytest.raises(TimeoutError):
        socket.create_connection((address_of(sandbox, web["name"]), 80), timeout=1.5)
    assert interfaces(sandbox, "web")[0]["Groups"][0]["GroupId"] == closed["GroupId"]
    elb.set_security_groups(LoadBalancerArn=web["arn"], SecurityGroups=[sandbox.security_group])
    assert get(sandbox, web).name == "a"


def interfaces(sandbox, name):
    shown = sandbox.aws("ec2").describe_network_interfaces()["NetworkInterfaces"]
    return [one for one in shown if one["Description"].startswith(f"ELB app/{name}/")]


def containers(sandbox):
    run = {"label": f"{LABEL_RUN}={sandbox.run_id}"}
    return {one["Id"] for one in sandbox._containers.client.api.containers(all=True, filters=run)}


NO_GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/none/0123456789abcdef"
NO_CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"DefaultActions": [{"Type": "forward"}]}, "InvalidLoadBalancerAction"),
        ({"DefaultActions": [forward(NO_GROUP)]}, "TargetGroupNotFound"),
        ({"Protocol": "HTTPS"}, "ValidationError"),
        ({"Protocol": "HTTPS", "Certificates": [{"CertificateArn": NO_CERTIFICATE}]}, "CertificateNotFound"),
    ],
)
def test_a_listener_that_cannot_be_disturbs_nothing(sandbox, elb, web, registered, wrong, code):
    given = {"LoadBalancerArn": web["arn"], "Protocol": "HTTP", "Port": 8080, "DefaultActions": [forward(web["group"])]}
    with pytest.raises(ClientError) as told:
        elb.create_listener(**{**given, **wrong})
    assert told.value.response["Error"]["Code"] == code
    assert len(elb.describe_listeners(LoadBalancerArn=web["arn"])["Listeners"]) == 1
    assert get(sandbox, web).name == "a"


def test_a_check_of_a_closed_port_and_a_target_that_answers_garbage_disturb_no_other(sandbox, elb, web, registered):
    wrong = Backend(sandbox._network.vpc.address(1), "b")
    wrong.healthy = "garbage"
    closed = {"Id": wrong.target.id, "Port": 9}
    elb.register_targets(TargetGroupArn=web["group"], Targets=[closed, target_of(wrong)])
    failed = ("unhealthy", "Target.FailedHealthChecks")
    until(lambda: sorted(states(elb, web["group"])) == [("healthy", ""), failed, failed])
    assert {get(sandbox, web).name for _ in range(6)} == {"a"}
    elb.deregister_targets(TargetGroupArn=web["group"], Targets=[closed, target_of(wrong)])
    wrong.close()


def test_a_load_balancer_that_is_deleted_leaves_nothing(sandbox, elb, backend):
    before = containers(sandbox)
    assert before
    made = elb.create_load_balancer(Name="brief", Subnets=sandbox.subnets, Scheme="internal")["LoadBalancers"][0]
    group = make_group(sandbox, elb, "brief")
    arn = made["LoadBalancerArn"]
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[forward(group)])
    elb.register_targets(TargetGroupArn=group, Targets=[target_of(backend)])
    assert len(interfaces(sandbox, "brief")) == 1
    assert sandbox.resolve(made["DNSName"]).values
    elb.delete_load_balancer(LoadBalancerArn=arn)
    elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[arn], WaiterConfig=SOON)
    assert states(elb, group) == [("unused", "Target.NotInUse")]
    elb.delete_target_group(TargetGroupArn=group)
    assert interfaces(sandbox, "brief") == []
    assert sandbox.resolve(made["DNSName"]).values == ()
    assert containers(sandbox) <= before
