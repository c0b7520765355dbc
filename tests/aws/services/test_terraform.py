"""What a shop has of CloudFront, Lambda@Edge, Cloud Map and load balancers, made, changed and removed by Terraform.

All in one, for the provider waits more than it works: half a minute for each change of a load balancer, a quarter for
the end of a distribution; and each command costs seconds of processor time before it begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.services.cloudfront import CloudFrontService
from sandbox.aws.services.cloudfront_functions import EdgeFunctionFinder
from sandbox.aws.services.elbv2 import ElbService
from sandbox.clock import RealClock
from sandbox.controllers.control_plane import ControlPlane
from sandbox.model.cloudfront.config import Distribution
from sandbox.model.elb.config import Condition, FixedResponse, Forward, LoadBalancer, Redirect
from sandbox.model.elb.target import Target
from sandbox.timeline import Timeline
from tests.aws.lambda_runtime.conftest import function
from tests.aws.services.balancing_recorder import Recorder as Balancing
from tests.terraform import MakeTerraform

CONFIGURATION = Path(__file__).parent / "terraform"


@dataclass
class Cdn:
    """A carrier of distributions that keeps what is deployed."""

    deployed: dict[str, Distribution] = field(default_factory=dict)

    def deploy(self, distribution_id: str, distribution: Distribution) -> None:
        self.deployed[distribution_id] = distribution

    def invalidate(self, distribution_id: str, paths: Sequence[str]) -> None:
        raise AssertionError("nothing here invalidates")

    def remove(self, distribution_id: str) -> None:
        del self.deployed[distribution_id]


@dataclass
class Shop:
    """A control plane, which needs no engine, and what those who carry traffic have been told."""

    aws: Clients
    cdn: Cdn
    balancing: Balancing


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    (tmp_path / "sockets").mkdir()
    clock, backend = RealClock(), Embedded()
    plane = ControlPlane(backend, tmp_path, clock, Timeline(clock), None, lambda here: "")  # type: ignore[arg-type]
    made = Shop(plane.aws, Cdn(), Balancing())
    cloudfront = CloudFrontService(made.cdn, clock, EdgeFunctionFinder(plane.functions.edge_function, plane.aws))
    plane.functions.is_replicated = cloudfront.has_function
    plane.gateway.add(cloudfront)
    plane.gateway.add(ElbService(made.balancing, clock, backend))
    yield made
    plane.close()
    backend.reset()
    clock.close()


@pytest.mark.long(120)
def test_terraform_applies_plans_nothing_more_updates_and_destroys(shop: Shop, make_terraform: MakeTerraform) -> None:
    terraform = make_terraform(CONFIGURATION, shop.aws.endpoint_url)
    (terraform.folder / "app.zip").write_bytes(function("def handler(event, context): pass").code)
    terraform.run("apply")
    distribution_made(shop)
    function_published(shop, "1")
    service_made(shop, ttl=10, port=80)
    balancer = balancer_made(shop)

    terraform.finds_nothing_to_do()
    values = {"enabled": "false", "default_ttl": "61", "timeout": "4", "ttl": "20", "port": "81"}
    values |= {"idle_timeout": "30", "weight": "20", "path": "/v2/*", "priority": "5", "interval": "15"}
    changes = [part for name, value in values.items() for part in ("-var", f"{name}={value}")]
    terraform.run("apply", "-refresh=false", *changes)  # the plan has looked
    distribution_changed(shop)
    function_published(shop, "2")
    service_made(shop, ttl=20, port=81)
    balancer_changed(shop, balancer)

    terraform.finds_nothing_to_do(*changes)
    terraform.run("destroy", "-refresh=false", *changes)
    assert shop.cdn.deployed == {}
    assert shop.balancing.balancers == shop.balancing.groups == {}
    assert shop.aws("lambda").list_functions()["Functions"] == []
    assert shop.aws("servicediscovery").list_namespaces()["Namespaces"] == []
    assert shop.aws("route53").list_hosted_zones()["HostedZones"] == []


def distribution(shop: Shop) -> Distribution:
    (found,) = (one for one in shop.cdn.deployed.values() if one.aliases)
    return found


def distribution_made(shop: Shop) -> None:
    made = distribution(shop)
    assert made.aliases == ("shop.example.org",)
    assert [behavior.pattern for behavior in made.behaviors] == ["/assets/*", "/old/*", "*"]
    assert [behavior.cache.ttl.default for behavior in made.behaviors] == [86_400, 10, 60]
    assert made.groups["both"].statuses == {500, 503}


def distribution_changed(shop: Shop) -> None:
    changed = distribution(shop)
    assert not changed.enabled
    assert changed.behaviors[-1].cache.ttl.default == 61


def function_published(shop: Shop, version: str) -> None:
    """The last version is that one, and the distribution has it."""
    versions = shop.aws("lambda").list_versions_by_function(FunctionName="headers")["Versions"]
    assert versions[-1]["Version"] == version
    distributions = shop.aws("cloudfront").list_distributions()["DistributionList"]["Items"]
    arns = [
        item["LambdaFunctionARN"]
        for one in distributions
        for item in one["DefaultCacheBehavior"]["LambdaFunctionAssociations"].get("Items", [])
    ]
    assert [arn.rpartition(":function:")[2] for arn in arns] == [f"headers:{version}"]


def service_made(shop: Shop, *, ttl: int, port: int) -> None:
    services = {one["Name"]: one for one in shop.aws("servicediscovery").list_services()["Services"]}
    assert services.keys() == {"web", "checked", "found"}
    web = services["web"]
    assert (web["InstanceCount"], web["DnsConfig"]["DnsRecords"]) == (1, [{"Type": "SRV", "TTL": ttl}])
    failures = 2 if ttl == 10 else 3
    assert services["checked"]["HealthCheckConfig"] == {
        "Type": "HTTP",
        "ResourcePath": "/up",
        "FailureThreshold": failures,
    }
    assert ports(shop.aws("ec2")) == [(port, "group"), (port, "range")]


def ports(ec2: Any) -> list[tuple[int, str]]:
    """The ports that groups open, each with whom it is for."""
    groups = ec2.describe_security_groups()["SecurityGroups"]
    permissions = [one for group in groups for one in group["IpPermissions"] if "FromPort" in one]
    return sorted((one["FromPort"], "range" if one["IpRanges"] else "group") for one in permissions)


def balancer_made(shop: Shop) -> LoadBalancer:
    (made,) = shop.balancing.balancers.values()
    assert (made.name, made.attributes.idle_timeout, made.attributes.drop_invalid_header_fields) == ("shop", 120, True)
    http, https = made.listeners
    assert http.rules[-1].action == Redirect(301, protocol="HTTPS", port="443")
    assert len(https.certificates) == 2
    closed, api, default = https.rules
    assert closed.action == FixedResponse(403, "text/plain", "closed")
    fields = {"http-header", "http-request-method", "query-string", "source-ip"}
    assert {condition.field for condition in closed.conditions} == fields
    first, second = sorted(shop.balancing.groups.values(), key=lambda group: group.name)
    assert default.action == Forward(((first.arn, 1),))
    assert isinstance(api.action, Forward)
    assert set(api.action.groups) == {(first.arn, 10), (second.arn, 90)}
    assert api.action.stickiness == 300
    assert (first.deregistration_delay, first.stickiness.duration, first.health_check.path) == (30, 600, "/health")
    assert list(shop.balancing.targets[first.arn]) == [Target("10.30.1.17", 8081)]
    return made


def balancer_changed(shop: Shop, before: LoadBalancer) -> None:
    changed = shop.balancing.balancers[before.arn]
    assert changed.attributes.idle_timeout == 30
    rule = changed.listeners[1].rules[0]
    assert rule.arn == before.listeners[1].rules[1].arn
    assert Condition("path-pattern", ("/v2/*",)) in rule.conditions
    assert {group.health_check.interval for group in changed.groups.values()} == {15}
