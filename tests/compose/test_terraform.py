"""The example of docs/terraform.md, from nothing to a page that answers and back, with AWS's own provider."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.paths import share
from tests.terraform import MakeTerraform, free_range

EXAMPLE = share() / "compose" / "terraform"


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=10
    ) as made:
        yield made


def left(sandbox: Sandbox) -> dict[str, list[object]]:
    """What there is of the services that the example uses, by service; the sandbox's own VPC is not counted."""
    aws = sandbox.aws
    vpcs = aws("ec2").describe_vpcs(Filters=[{"Name": "tag:stack", "Values": ["shop"]}])["Vpcs"]
    groups = aws("ec2").describe_security_groups(Filters=[{"Name": "tag:stack", "Values": ["shop"]}])
    services = aws("servicediscovery")
    distributions = aws("cloudfront").list_distributions()["DistributionList"]
    return {
        "ec2": vpcs + groups["SecurityGroups"],
        "servicediscovery": services.list_namespaces()["Namespaces"] + services.list_services()["Services"],
        "elbv2": aws("elbv2").describe_load_balancers()["LoadBalancers"]
        + aws("elbv2").describe_target_groups()["TargetGroups"],
        "ecs": aws("ecs").list_clusters()["clusterArns"] + aws("ecs").list_task_definitions()["taskDefinitionArns"],
        "logs": aws("logs").describe_log_groups(logGroupNamePrefix="/ecs/")["logGroups"],
        "lambda": aws("lambda").list_functions()["Functions"],
        "events": aws("events").list_rules()["Rules"],
        "cloudfront": distributions.get("Items", []),
        "route53": aws("route53").list_hosted_zones()["HostedZones"],
        "iam": aws("iam").list_roles()["Roles"],
    }


@pytest.mark.docker
@pytest.mark.long(150)
def test_the_example_is_applied_answers_changes_and_goes(sandbox: Sandbox, make_terraform: MakeTerraform) -> None:
    terraform = make_terraform(EXAMPLE, sandbox.endpoint_url)
    with zipfile.ZipFile(terraform.folder / "watch.zip", "w") as archive:
        archive.write(EXAMPLE / "lambda" / "watch.py", "watch.py")
    network = ("-var", f"vpc_cidr={free_range()}")
    mark = sandbox.timeline.mark()
    terraform.run("apply", *network)
    assert all(left(sandbox).values()), left(sandbox)

    outputs = {name: one["value"] for name, one in json.loads(terraform.run("output", "-json")).items()}
    for url in outputs.values():  # the load balancer by both names, and the distribution
        answer = sandbox.http_get_until(url, within=120)
        assert answer.body == "hello\n", (url, answer)
    ecs = sandbox.aws("ecs")
    (service,) = ecs.describe_services(cluster="shop", services=["web"])["services"]
    assert service["runningCount"] == 2
    assert len(sandbox.resolve("web.shop.local").answers) == 2

    # The function asks ECS as its role.
    described = sandbox.timeline.wait_for(
        "the function asks ECS",
        lambda seen: seen.kind == "iam.decision" and seen["action"] == "ecs:DescribeTasks",
        within=30,
        since=mark,
    )
    assert described["allowed"]
    assert "statement Describe" in described["why"]

    terraform.finds_nothing_to_do(*network)
    changes = (*network, "-var", "greeting=bye", "-var", "ttl=20", "-var", "tasks=1")
    terraform.run("apply", *changes)
    stable = {"Delay": 1, "MaxAttempts": 60}
    ecs.get_waiter("services_stable").wait(cluster="shop", services=["web"], WaiterConfig=stable)
    assert sandbox.http_get(outputs["balancer"]).body == "bye\n"
    terraform.finds_nothing_to_do(*changes)

    terraform.run("destroy", *changes)
    assert not any(left(sandbox).values()), left(sandbox)
