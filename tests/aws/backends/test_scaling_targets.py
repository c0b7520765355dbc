"""Scalable targets are of the services of the sandbox's ECS, are found again, and are told of."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.clock import VirtualClock
from sandbox.controllers.control_plane import ControlPlane
from sandbox.timeline import Timeline

TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/main/shop",
    "ScalableDimension": "ecs:service:DesiredCount",
}


@pytest.fixture
def plane(tmp_path):
    (tmp_path / "sockets").mkdir()
    backend, clock = Embedded(), VirtualClock()
    timeline = Timeline(clock)
    plane = ControlPlane(backend, tmp_path, clock, timeline, None, lambda here: plane.gateway.url)
    ecs = plane.aws("ecs")
    ecs.create_cluster(clusterName="main")
    ecs.register_task_definition(family="shop", containerDefinitions=[{"name": "c", "image": "i", "memory": 64}])
    ecs.create_service(cluster="main", serviceName="shop", taskDefinition="shop", desiredCount=0)
    scaling = plane.aws("application-autoscaling")
    yield SimpleNamespace(ecs=ecs, scaling=scaling, timeline=timeline, url=plane.gateway.url)
    plane.close()
    backend.reset()


def told(plane):
    return [(one["cluster"], one["service"]) for one in plane.timeline.since() if one.kind == "scaling.target"]


def test_a_target_and_its_policy_are_found_again_until_they_are_removed(plane):
    plane.scaling.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=6)
    plane.scaling.put_scaling_policy(**TARGET, **POLICY)
    (target,) = plane.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == ("service/main/shop", 2, 6)
    (policy,) = plane.scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    assert policy["PolicyName"] == "cpu"
    assert told(plane) == [("main", "shop")]
    plane.scaling.delete_scaling_policy(**TARGET, PolicyName="cpu")
    plane.scaling.deregister_scalable_target(**TARGET)
    assert plane.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    (service,) = plane.ecs.describe_services(cluster="main", services=["shop"])["services"]
    assert service["desiredCount"] == 0


TRACKED = {
    "TargetValue": 50.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
}
POLICY = {
    "PolicyName": "cpu",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": TRACKED,
}
NIGHT = {"ScheduledActionName": "night", "Schedule": "rate(1 day)", "ScalableTargetAction": {"MinCapacity": 1}}


def refused(operation, **given):
    with pytest.raises(ClientError) as error:
        operation(**given)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_policies_and_schedules_are_of_a_registered_target(plane):
    named = "service namespace: ecs, resource ID: service/main/shop, scalable dimension: ecs:service:DesiredCount"
    wanted = ("ObjectNotFoundException", f"No scalable target registered for {named}")
    assert refused(plane.scaling.put_scaling_policy, **TARGET, **POLICY) == wanted
    assert refused(plane.scaling.put_scheduled_action, **TARGET, **NIGHT) == wanted
    plane.scaling.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=6)
    plane.scaling.put_scaling_policy(**TARGET, **POLICY)
    plane.scaling.put_scheduled_action(**TARGET, **NIGHT)
    other = TARGET | {"ResourceId": "service/main/other"}
    assert refused(plane.scaling.put_scaling_policy, **other, **POLICY)[0] == "ObjectNotFoundException"
    other = TARGET | {"ServiceNamespace": "ec2"}
    assert refused(plane.scaling.put_scaling_policy, **other, **POLICY)[0] == "ObjectNotFoundException"


def test_they_go_with_their_target(plane):
    plane.scaling.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=6)
    plane.scaling.put_scaling_policy(**TARGET, **POLICY)
    plane.scaling.put_scheduled_action(**TARGET, **NIGHT)
    plane.scaling.deregister_scalable_target(**TARGET)
    assert plane.scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []
    assert plane.scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"] == []
    for operation, given in (
        (plane.scaling.deregister_scalable_target, {}),
        (plane.scaling.delete_scaling_policy, {"PolicyName": "cpu"}),
    ):
        assert refused(operation, **TARGET, **given)[0] == "ObjectNotFoundException"


@pytest.mark.parametrize("resource", ["service/main/other", "service/none/shop", "service/shop"])
def test_there_has_to_be_such_a_service(plane, resource):
    with pytest.raises(ClientError, match="ECS service doesn't exist") as refused:
        plane.scaling.register_scalable_target(**{**TARGET, "ResourceId": resource}, MinCapacity=1, MaxCapacity=2)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert told(plane) == []


def test_a_target_has_tags(plane):
    arn = plane.scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=2, Tags={"team": "web"})[
        "ScalableTargetARN"
    ]
    plane.scaling.tag_resource(ResourceARN=arn, Tags={"stage": "test"})
    assert plane.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "web", "stage": "test"}
    plane.scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert plane.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"stage": "test"}
    with pytest.raises(ClientError, match="Resource not found"):
        plane.scaling.list_tags_for_resource(ResourceARN=arn + "x")


TARGET_OF_TERRAFORM = """
resource "aws_appautoscaling_target" "shop" {
  service_namespace  = "ecs"
  resource_id        = "service/main/shop"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = 2
  max_capacity       = 6
}
"""
POLICY_OF_TERRAFORM = """
resource "aws_appautoscaling_policy" "cpu" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = "ecs"
  resource_id        = RESOURCE
  scalable_dimension = "ecs:service:DesiredCount"
  target_tracking_scaling_policy_configuration {
    target_value = 50
    predefined_metric_specification { predefined_metric_type = "ECSServiceAverageCPUUtilization" }
  }
}
"""


@pytest.mark.long(60)
def test_terraform_needs_the_target_first_and_takes_it_away_last(plane, make_terraform, tmp_path):
    (tmp_path / "scaled").mkdir()
    file = tmp_path / "scaled" / "main.tf"
    file.write_text(POLICY_OF_TERRAFORM.replace("RESOURCE", '"service/main/shop"'))
    terraform = make_terraform(file.parent, plane.url)
    code, out = terraform("apply", "-input=false", "-auto-approve", "-no-color")
    assert code == 1
    assert "ObjectNotFoundException: No scalable target registered for service namespace: ecs, resource ID" in out
    policy = POLICY_OF_TERRAFORM.replace("RESOURCE", "aws_appautoscaling_target.shop.resource_id")
    (terraform.folder / file.name).write_text(policy + TARGET_OF_TERRAFORM)
    terraform.run("apply")
    (policy,) = plane.scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    assert policy["PolicyName"] == "cpu"
    terraform.run("destroy")
    assert plane.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
