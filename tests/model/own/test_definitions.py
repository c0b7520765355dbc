"""What ``aws ecs`` prints becomes the request that would make it again."""

from __future__ import annotations

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.own import definitions
from sandbox.model.own.definitions import Shapes
from sandbox.model.own.errors import OwnError

ECS = botocore.session.get_session().get_service_model("ecs")
SHAPES = Shapes(
    frozenset(ECS.shape_for("TaskDefinition").members),
    frozenset(ECS.operation_model("RegisterTaskDefinition").input_shape.members),
    frozenset(ECS.shape_for("Service").members),
    frozenset(ECS.operation_model("CreateService").input_shape.members),
)

DESCRIBED = {
    "taskDefinition": {
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/shop:42",
        "containerDefinitions": [{"name": "app", "image": "shop:1", "cpu": 0, "environment": []}],
        "family": "shop",
        "taskRoleArn": "arn:aws:iam::111122223333:role/shop",
        "networkMode": "awsvpc",
        "revision": 42,
        "volumes": [],
        "status": "ACTIVE",
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.task-iam-role"}],
        "placementConstraints": [],
        "compatibilities": ["EC2", "FARGATE"],
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "registeredAt": "2026-02-03T04:05:06.789000+01:00",
        "registeredBy": "arn:aws:iam::111122223333:user/ci",
    },
    "tags": [{"key": "team", "value": "shop"}],
}

SERVICE = {
    "serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/prod/shop",
    "serviceName": "shop",
    "clusterArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
    "loadBalancers": [],
    "serviceRegistries": [],
    "status": "ACTIVE",
    "desiredCount": 2,
    "runningCount": 2,
    "pendingCount": 0,
    "launchType": "FARGATE",
    "platformVersion": "LATEST",
    "platformFamily": "Linux",
    "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/shop:42",
    "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100},
    "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY"}],
    "roleArn": "arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
    "events": [{"id": "1", "message": "(service shop) has reached a steady state."}],
    "createdAt": "2026-02-03T04:05:06.789000+01:00",
    "healthCheckGracePeriodSeconds": 0,
    "schedulingStrategy": "REPLICA",
    "propagateTags": "NONE",
}


def test_what_only_aws_writes_is_left_out_of_a_task_definition():
    assert definitions.task_definition(DESCRIBED, SHAPES) == {
        "containerDefinitions": [{"name": "app", "image": "shop:1", "cpu": 0, "environment": []}],
        "family": "shop",
        "taskRoleArn": "arn:aws:iam::111122223333:role/shop",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "tags": [{"key": "team", "value": "shop"}],
    }


def test_a_request_is_taken_as_it_is_and_what_a_skeleton_leaves_empty_is_left_out():
    request = {"family": "shop", "containerDefinitions": [{"name": "app"}], "taskRoleArn": "", "volumes": []}
    assert definitions.task_definition(request, SHAPES) == {
        "family": "shop",
        "containerDefinitions": [{"name": "app"}],
    }


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ([], "there are no containerDefinitions in it", "describe-task-definition"),
        ({"taskDefinition": 1}, "taskDefinition is not an object", "found 1"),
        ({"taskDefinition": {}, "tag": []}, "beside taskDefinition: unknown member 'tag'", "'tags'"),
        ({**DESCRIBED["taskDefinition"], "networkmode": "host"}, "unknown member 'networkmode'", "'networkMode'"),
        ({"containerDefinitions": [{"name": "app"}]}, "a task definition has a family", ""),
        ({"family": "a", "containerDefinitions": [{}]}, "objects that have a name", ""),
    ],
)
def test_what_is_no_task_definition(content, message, hint):
    with pytest.raises(OwnError, match=message) as caught:
        definitions.task_definition(content, SHAPES)
    assert hint in caught.value.hint


@pytest.mark.parametrize("wrapped", [{"services": [SERVICE], "failures": []}, {"service": SERVICE}, SERVICE, [SERVICE]])
def test_what_only_aws_writes_is_left_out_of_a_service(wrapped):
    assert definitions.services(wrapped, SHAPES) == [
        {
            "serviceName": "shop",
            "cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
            "desiredCount": 2,
            "launchType": "FARGATE",
            "platformVersion": "LATEST",
            "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/shop:42",
            "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100},
            "schedulingStrategy": "REPLICA",
            "propagateTags": "NONE",
        }
    ]


def test_what_only_the_primary_deployment_shows_is_not_lost():
    connect = {"enabled": True, "namespace": "shop"}
    shown = {**SERVICE, "deployments": [{"status": "PRIMARY", "serviceConnectConfiguration": connect}]}
    assert definitions.services(shown, SHAPES)[0]["serviceConnectConfiguration"] == connect


def test_a_capacity_provider_strategy_takes_the_place_of_the_launch_type():
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    (request,) = definitions.services({**SERVICE, "capacityProviderStrategy": strategy}, SHAPES)
    assert "launchType" not in request
    assert request["capacityProviderStrategy"] == strategy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"services": [], "failures": [{"arn": "shop", "reason": "MISSING"}]}, "has not found a service: shop MISSING"),
        ({"services": []}, "there is no service in it"),
        ({"desiredCount": 1}, "a service has a serviceName"),
        ({"serviceName": "a"}, "service 'a' names no taskDefinition"),
        ({**SERVICE, "desiredcount": 1}, "service 'shop': unknown member 'desiredcount'"),
    ],
)
def test_what_is_no_service(content, message):
    with pytest.raises(OwnError, match=message):
        definitions.services(content, SHAPES)


@given(st.sets(st.sampled_from(sorted(SHAPES.service))))
def test_a_request_never_has_what_create_service_does_not_take(members):
    shown = {member: SERVICE.get(member, {"a": 1}) for member in members} | {
        "serviceName": "shop",
        "taskDefinition": "shop",
    }
    shown["deployments"] = []
    (request,) = definitions.services(shown, SHAPES)
    assert set(request) <= SHAPES.create
    again = definitions.services(request, SHAPES)
    assert again == [request]
