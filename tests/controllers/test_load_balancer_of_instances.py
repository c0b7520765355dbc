"""Container instances as targets of a load balancer: bridge mode with dynamic ports, instances that stop and start."""

from __future__ import annotations

import pytest

from sandbox.controllers.sandbox import Sandbox
from tests.controllers.balanced import ask_at, until
from tests.controllers.test_container_instances import QUICK, Fleet

pytestmark = pytest.mark.docker
WEB = {"name": "web", "image": "nginx:1.27", "entryPoint": [], "command": []}


@pytest.fixture(scope="module")
def box(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=10
    ) as sandbox:
        yield sandbox


class Balanced(Fleet):
    """A cluster, and a load balancer with an instance target group."""

    def __init__(self, box, name):
        super().__init__(box, name)
        self.elb = elb = box.aws("elbv2")
        balancer = elb.create_load_balancer(Name=name, Subnets=box.subnets, SecurityGroups=[box.security_group])
        self.arn, self.name = (balancer["LoadBalancers"][0][key] for key in ("LoadBalancerArn", "DNSName"))
        check = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2}
        group = elb.create_target_group(
            Name=name, Protocol="HTTP", Port=80, VpcId=box.vpc, TargetType="instance", **check
        )
        self.group = group["TargetGroups"][0]["TargetGroupArn"]
        elb.modify_target_group_attributes(
            TargetGroupArn=self.group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
        )
        forward = {"Type": "forward", "TargetGroupArn": self.group}
        elb.create_listener(LoadBalancerArn=self.arn, Protocol="HTTP", Port=80, DefaultActions=[forward])

    def instance(self):
        return self.launch(SecurityGroupIds=[self.box.security_group])[0]

    def targets(self):
        """(instance, port) and (state, reason, description) of each target."""
        shown = self.elb.describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"]
        return {
            (one["Target"]["Id"], one["Target"]["Port"]): tuple(
                one["TargetHealth"].get(name, "") for name in ("State", "Reason", "Description")
            )
            for one in shown
        }

    def healthy(self, count):
        """Wait until so many targets, and no others, are healthy."""
        until(lambda: [state for state, *_ in self.targets().values()] == ["healthy"] * count, within=40)

    def status(self):
        (address,) = self.box.resolve(self.name).values
        return ask_at(address, host=self.name).status

    def clean(self):
        super().clean()
        self.elb.delete_load_balancer(LoadBalancerArn=self.arn)
        self.elb.delete_target_group(TargetGroupArn=self.group)


@pytest.fixture
def fleet(box, request):
    made = Balanced(box, request.node.name.removeprefix("test_").replace("_", "-")[:32].strip("-"))
    yield made
    made.clean()


def test_a_bridge_service(fleet):
    instance = fleet.instance()
    fleet.define({**WEB, "portMappings": [{"containerPort": 80}]}, mode="bridge")
    balanced = {"targetGroupArn": fleet.group, "containerName": "web", "containerPort": 80}
    fleet.serve(2, loadBalancers=[balanced])
    fleet.healthy(2)
    targets = fleet.targets()
    assert {one for one, _ in targets} == {instance}
    assert all(32768 <= port <= 60999 for _, port in targets)
    assert {fleet.status() for _ in range(4)} == {200}

    fleet.ec2.stop_instances(InstanceIds=[instance])
    until(lambda: not fleet.targets(), within=40)
    assert fleet.status() == 503
    fleet.ec2.start_instances(InstanceIds=[instance])
    fleet.healthy(2)
    assert {fleet.status() for _ in range(4)} == {200}


def test_an_instance(fleet):
    instance = fleet.instance()
    fleet.define({**WEB, "portMappings": [{"containerPort": 80, "hostPort": 8080}]}, mode="bridge")
    fleet.run()
    target = {"Id": instance, "Port": 8080}
    fleet.elb.register_targets(TargetGroupArn=fleet.group, Targets=[target])
    fleet.elb.get_waiter("target_in_service").wait(TargetGroupArn=fleet.group, Targets=[target], WaiterConfig=QUICK)
    assert fleet.status() == 200

    mark = fleet.box.timeline.mark()
    fleet.ec2.stop_instances(InstanceIds=[instance])
    stopped = ("unused", "Target.InvalidState", "Target is in the stopped state")
    assert fleet.targets() == {(instance, 8080): stopped}
    assert fleet.status() == 503
    fleet.seen("instance.dropped", mark, instance=instance)
    mark = fleet.box.timeline.mark()
    fleet.ec2.start_instances(InstanceIds=[instance])
    assert fleet.targets()[instance, 8080][0] in {"initial", "unhealthy"}
    fleet.seen("instance.state", mark, instance=instance, agent_connected=True)
    fleet.run()
    fleet.healthy(1)
    assert fleet.status() == 200

    fleet.ec2.terminate_instances(InstanceIds=[instance])
    gone = ("unused", "Target.InvalidState", "Target is in the terminated state")
    assert fleet.targets() == {(instance, 8080): gone}
