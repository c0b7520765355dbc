"""Tasks of services are registered with load balancers and Cloud Map: of those, what records the calls stands here."""

from __future__ import annotations

import queue

import pytest

from sandbox.aws.protocol import AwsError
from sandbox.controllers.ecs_registration import Registrar
from sandbox.controllers.sandbox import Sandbox
from sandbox.errors import SandboxError
from sandbox.model.ecs.registration import (
    Deregistered,
    DeregisterTask,
    Instance,
    Registered,
    RegisterTask,
    RegistrationFailed,
    SetInstanceHealth,
)
from sandbox.model.elb.config import TargetGroup
from sandbox.model.elb.target import Target, TargetHealth

BLUE = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef"
REGISTRY = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"
INSTANCE = Instance(REGISTRY, "0123", {"AWS_INSTANCE_IPV4": "10.0.0.9"})
TARGETS = ((BLUE, Target("10.0.0.9", 80)),)
SPEED = 20


class Recorder:
    """Takes the calls of ECS in their order; ``refusing`` names those that it refuses."""

    def __init__(self, name, calls, refusing=()):
        self._name = name
        self._calls = calls
        self._refusing = refusing

    def __getattr__(self, verb):
        def call(*arguments):
            if verb in self._refusing:
                raise AwsError("TargetGroupNotFound", "One or more target groups not found")
            self._calls.put((self._name, verb, *arguments))

        return call


class Calls(queue.Queue):
    def next(self):
        """The next call; within a bound."""
        return self.get(timeout=60)

    def all(self):
        return [self.get_nowait() for _ in range(self.qsize())]


# -- the registrar ---------------------------------------------------------------------------------------------------


@pytest.fixture
def registrar():
    told = []
    registrar = Registrar(lambda arn, event: told.append((arn, event)))
    registrar.told, registrar.calls = told, Calls()
    registrar.targets = Recorder("targets", registrar.calls)
    registrar.registry = Recorder("registry", registrar.calls)
    return registrar


def test_what_a_task_is_registered_with(registrar):
    registrar.carry_out(RegisterTask("task", TARGETS, INSTANCE))
    assert registrar.calls.all() == [
        ("targets", "register", BLUE, [Target("10.0.0.9", 80)]),
        ("registry", "register", REGISTRY, "0123", INSTANCE.attributes),
    ]
    assert registrar.told == [("task", Registered())]


def test_what_a_task_leaves(registrar):
    registrar.carry_out(DeregisterTask("task", TARGETS, INSTANCE))
    assert registrar.calls.all() == [
        ("registry", "deregister", REGISTRY, "0123"),
        ("targets", "deregister", BLUE, [Target("10.0.0.9", 80)]),
    ]
    assert registrar.told == [("task", Deregistered())]


def test_health_goes_to_cloud_map(registrar):
    registrar.carry_out(SetInstanceHealth("task", INSTANCE, healthy=True))
    assert registrar.calls.all() == [("registry", "set_health", REGISTRY, "0123", True)]
    assert registrar.told == []


def test_a_registration_that_is_refused(registrar):
    registrar.targets = Recorder("targets", registrar.calls, {"register"})
    registrar.carry_out(RegisterTask("task", TARGETS, INSTANCE))
    assert registrar.calls.all() == []
    assert registrar.told == [("task", RegistrationFailed(BLUE, "One or more target groups not found"))]


def test_a_target_group_that_was_deleted(registrar):
    registrar.is_group = lambda arn: False
    registrar.carry_out(RegisterTask("task", TARGETS, None))
    registrar.carry_out(DeregisterTask("task", TARGETS, None))
    assert registrar.calls.all() == []
    failed = RegistrationFailed(BLUE, "One or more target groups not found")
    assert registrar.told == [("task", failed), ("task", Deregistered())]


def test_what_is_gone_is_deregistered(registrar):
    registrar.targets = Recorder("targets", registrar.calls, {"deregister"})
    registrar.registry = Recorder("registry", registrar.calls, {"deregister", "set_health"})
    registrar.carry_out(DeregisterTask("task", TARGETS, INSTANCE))
    registrar.carry_out(SetInstanceHealth("task", INSTANCE, healthy=False))
    assert registrar.told == [("task", Deregistered())]


@pytest.mark.parametrize(("targets", "instance"), [(TARGETS, None), ((), INSTANCE)])
def test_without_load_balancers_and_cloud_map_nobody_asks_for_them(registrar, targets, instance):
    registrar.targets = registrar.registry = None
    with pytest.raises(SandboxError):
        registrar.carry_out(RegisterTask("task", targets, instance))


# -- with containers -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def box(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=SPEED
    ) as sandbox:
        sandbox.aws("ecs").create_cluster(clusterName="c")
        yield sandbox


@pytest.fixture
def calls(box):
    """What is asked of load balancers and Cloud Map. There is one target group, and one service of Cloud Map."""
    calls = Calls()
    group = TargetGroup(BLUE, "blue", "HTTP", 80, "ip", "vpc-1", deregistration_delay=600)
    box._ecs.use_targets(Recorder("targets", calls), {BLUE: group}.get, lambda arn: True)
    box._ecs.use_registry(Recorder("registry", calls), {REGISTRY: frozenset({"A"})}.get)
    return calls


class Web:
    """A service of one nginx, which says when it is told to stop."""

    def __init__(self, box, **more):
        self.box, self.ecs, self.mark = box, box.aws("ecs"), box.timeline.mark()
        self.ecs.register_task_definition(
            family="web",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {
                    "name": "web",
                    "image": "nginx:1.27",
                    "portMappings": [{"containerPort": 80}],
                    "stopTimeout": 20,
                    **more.pop("container", {}),
                }
            ],
        )
        self.ecs.create_service(
            cluster="c",
            serviceName="web",
            taskDefinition="web",
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": box.subnets,
                    "securityGroups": [box.security_group],
                    "assignPublicIp": "ENABLED",
                }
            },
            **more,
        )

    def tasks(self):
        arns = [
            arn
            for desired in ("RUNNING", "STOPPED")
            for arn in self.ecs.list_tasks(cluster="c", serviceName="web", desiredStatus=desired)["taskArns"]
        ]
        return self.ecs.describe_tasks(cluster="c", tasks=arns)["tasks"] if arns else []

    def status_of(self, target):
        """The lastStatus of the task that has the target's address."""
        (task,) = [task for task in self.tasks() if target.id in str(task["attachments"])]
        return task["lastStatus"]

    def said(self, words):
        return self.box.timeline.wait_for(
            f"the service to say: {words}",
            lambda seen: seen.kind == "service.event" and words in seen["message"],
            within=60,
            since=self.mark,
        )

    def exits(self):
        return [seen for seen in self.box.timeline.since(self.mark) if seen.kind == "container.exited"]

    def wait_exit(self):
        return self.box.timeline.wait_for(
            "a container to end", lambda seen: seen.kind == "container.exited", within=60, since=self.mark
        )

    def delete(self):
        self.ecs.delete_service(cluster="c", service="web", force=True)

    def wait_gone(self):
        self.ecs.get_waiter("services_inactive").wait(
            cluster="c", services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )


@pytest.mark.docker
def test_a_deployment_behind_a_load_balancer(box, calls):
    """The old container answers until its target has drained, and only then gets its stop signal."""
    balancers = [{"targetGroupArn": BLUE, "containerName": "web", "containerPort": 80}]
    web = Web(box, loadBalancers=balancers, healthCheckGracePeriodSeconds=30)
    (shown,) = web.ecs.describe_services(cluster="c", services=["web"])["services"]
    assert (shown["loadBalancers"], shown["healthCheckGracePeriodSeconds"]) == (balancers, 30)

    who, verb, group, (old,) = calls.next()
    assert (who, verb, group, old.port) == ("targets", "register", BLUE, 80)
    box._ecs.target_changed(BLUE, old, TargetHealth("healthy"))
    web.said("has reached a steady state")

    web.ecs.update_service(cluster="c", service="web", forceNewDeployment=True)
    _, verb, _, (new,) = calls.next()
    assert (verb, web.status_of(old)) == ("register", "RUNNING")
    box._ecs.target_changed(BLUE, new, TargetHealth("healthy"))
    assert calls.next() == ("targets", "deregister", BLUE, [old])
    web.said("has begun draining connections on 1 tasks.")
    assert web.status_of(old) == "DEACTIVATING"
    assert box.http_get(f"http://{public_ip(box, old)}/").status == 200
    assert web.exits() == []

    box._ecs.target_changed(BLUE, old, TargetHealth("unused", "Target.NotRegistered"))
    web.wait_exit()
    web.said("deployment completed")
    web.delete()
    assert calls.next() == ("targets", "deregister", BLUE, [new])
    box._ecs.target_changed(BLUE, new, TargetHealth("unused", "Target.NotRegistered"))
    web.wait_gone()


def public_ip(box, target):
    (interface,) = box.aws("ec2").describe_network_interfaces(
        Filters=[{"Name": "addresses.private-ip-address", "Values": [target.id]}]
    )["NetworkInterfaces"]
    return interface["Association"]["PublicIp"]


@pytest.mark.docker
def test_a_service_that_cloud_map_knows(box, calls):
    check = {"healthCheck": {"command": ["CMD", "true"], "interval": 5}}
    web = Web(box, serviceRegistries=[{"registryArn": REGISTRY}], container=check)
    who, verb, arn, instance_id, attributes = calls.next()
    assert (who, verb, arn) == ("registry", "register", REGISTRY)
    (task,) = [task for task in web.tasks() if task["taskArn"].endswith(instance_id)]
    address = task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    assert attributes == {
        "AWS_INSTANCE_IPV4": address,
        "AVAILABILITY_ZONE": task["availabilityZone"],
        "REGION": "us-east-1",
        "ECS_SERVICE_NAME": "web",
        "ECS_CLUSTER_NAME": "c",
        "ECS_TASK_DEFINITION_FAMILY": "web",
        "AWS_INIT_HEALTH_STATUS": "UNHEALTHY",
    }
    assert calls.next() == ("registry", "set_health", REGISTRY, instance_id, True)
    states = [seen["last_status"] for seen in box.timeline.since(web.mark) if seen.kind == "task.state"]
    assert states == ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"]
    web.delete()
    assert calls.next() == ("registry", "deregister", REGISTRY, instance_id)
    web.wait_exit()
    web.wait_gone()
