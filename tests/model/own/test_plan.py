"""The calls that somebody's own definitions come to: as they are, but for what is of one account."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.own.errors import OwnError
from sandbox.model.own.plan import Own, Place, plan
from sandbox.model.own.settings import Group, Settings
from sandbox.model.own.step import Reference

HERE = Place("us-east-1", "123456789012")
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-1:111122223333:parameter/shop/key"
GROUP = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef"
REGISTRY = "arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1"
FILE = "arn:aws:s3:::config/app.env"

TASK = {
    "family": "shop",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "executionRoleArn": "arn:aws:iam::111122223333:role/exec",
    "containerDefinitions": [{"name": "app", "image": "shop:1", "command": ["echo", "${sandbox.vpc}"]}],
}
SERVICE = {
    "serviceName": "shop",
    "cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
    "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/shop:42",
    "launchType": "FARGATE",
    "networkConfiguration": {
        "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
    },
}


def own(task=TASK, service=SERVICE, files=None, **given):
    settings = Settings(task_definitions=("t.json",), **given)
    services = [("s.json", service)] if service else []
    return Own("folder", settings, [("t.json", task)], services, files or {})


def container(**members):
    return {**TASK, "containerDefinitions": [{**TASK["containerDefinitions"][0], **members}]}


def calls(made, operation):
    return [step.parameters for step in made.steps if step.operation == operation]


def test_a_service_runs_the_sandboxs_revision_in_the_sandboxs_subnets():
    made = plan(own(), HERE)
    assert [step.operation for step in made.steps] == [
        "ecs.create_cluster",
        "ecs.register_task_definition",
        "ecs.create_service",
    ]
    assert [step.source for step in made.steps] == ["", "t.json", "s.json"]
    (registered,) = calls(made, "ecs.register_task_definition")
    assert registered == {**TASK, "executionRoleArn": "arn:aws:iam::123456789012:role/exec"}
    (created,) = calls(made, "ecs.create_service")
    assert created == {
        **SERVICE,
        "cluster": "prod",
        "taskDefinition": "shop",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": Reference("sandbox.subnets"),
                "securityGroups": [Reference("sandbox.security_group")],
                "assignPublicIp": "ENABLED",
            }
        },
    }


@given(st.dictionaries(st.sampled_from(["stopTimeout", "user", "dockerLabels", "command"]), st.text(), max_size=4))
def test_what_is_of_no_account_stays_as_it_is(members):
    (registered,) = calls(plan(own(container(**members)), HERE), "ecs.register_task_definition")
    assert registered["containerDefinitions"] == container(**members)["containerDefinitions"]


def test_secrets_have_the_values_that_are_given():
    task = container(
        secrets=[
            {"name": "PASSWORD", "valueFrom": f"{SECRET}:password::"},
            {"name": "WHOLE", "valueFrom": SECRET},
            {"name": "KEY", "valueFrom": PARAMETER},
        ]
    )
    made = plan(own(task, secrets={"db": {"password": "p"}, "/shop/key": "k"}), HERE)
    assert calls(made, "secretsmanager.create_secret") == [
        {"Name": "db", "SecretString": json.dumps({"password": "p"})}
    ]
    assert calls(made, "ssm.put_parameter") == [{"Name": "/shop/key", "Value": "k", "Type": "SecureString"}]
    (registered,) = calls(made, "ecs.register_task_definition")
    assert registered["containerDefinitions"][0]["secrets"] == [
        {"name": "PASSWORD", "valueFrom": Reference("secret0.ARN", ":password::")},
        {"name": "WHOLE", "valueFrom": Reference("secret0.ARN")},
        {"name": "KEY", "valueFrom": "/shop/key"},
    ]
    assert plan(own(task, secrets={SECRET: {"password": "p"}, PARAMETER: "k"}), HERE) == made


def test_an_unknown_secret_is_named_with_its_container_and_the_table():
    task = container(secrets=[{"name": "PASSWORD", "valueFrom": SECRET}, {"name": "KEY", "valueFrom": PARAMETER}])
    with pytest.raises(OwnError) as caught:
        plan(own(task, secrets={"/shop/key": "k"}), HERE)
    assert caught.value.message == f"no value is given for the secret {SECRET} (of shop/app: PASSWORD)"
    assert caught.value.hint == f'in [secrets]: "{SECRET}" = "VALUE"'
    with pytest.raises(OwnError, match=r"no value is given for 2 secrets: .*; /shop/key"):
        plan(own(task), HERE)


def test_a_variable_that_is_given_takes_the_place_of_its_own():
    task = container(environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    (made,) = calls(plan(own(task, environment={"app": {"A": "9"}}), HERE), "ecs.register_task_definition")
    assert made["containerDefinitions"][0]["environment"] == [
        {"name": "A", "value": "9"},
        {"name": "B", "value": "2"},
    ]


def test_a_variable_that_is_given_takes_the_place_of_a_secret():
    task = container(secrets=[{"name": "PASSWORD", "valueFrom": SECRET}])
    made = plan(own(task, environment={"app": {"PASSWORD": "p"}}), HERE)
    assert calls(made, "secretsmanager.create_secret") == []
    (registered,) = calls(made, "ecs.register_task_definition")
    (made_container,) = registered["containerDefinitions"]
    assert (made_container["environment"], made_container["secrets"]) == ([{"name": "PASSWORD", "value": "p"}], [])


def test_environment_files_are_put_into_their_bucket():
    task = container(environmentFiles=[{"type": "s3", "value": FILE}])
    made = plan(own(task, files={FILE: b"A=1"}), HERE)
    assert calls(made, "s3.create_bucket") == [{"Bucket": "config"}]
    assert calls(made, "s3.put_object") == [{"Bucket": "config", "Key": "app.env", "Body": b"A=1"}]
    with pytest.raises(OwnError, match=f"no file is given for the environment file {FILE} of container 'app'"):
        plan(own(task), HERE)


def test_log_groups_are_there_and_in_the_sandboxs_region():
    options = {"awslogs-group": "/shop", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "x"}
    made = plan(own(container(logConfiguration={"logDriver": "awslogs", "options": options})), HERE)
    assert calls(made, "logs.create_log_group") == [{"logGroupName": "/shop"}]
    (registered,) = calls(made, "ecs.register_task_definition")
    log = registered["containerDefinitions"][0]["logConfiguration"]
    assert log["options"] == {**options, "awslogs-region": "us-east-1"}


def test_a_target_group_gets_a_load_balancer_and_a_name():
    service = {**SERVICE, "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "app", "containerPort": 3000}]}
    group = Group("shop.example.org", "/health", sticky=True, deregistration_delay=5)
    made = plan(own(service=service, target_groups={"web": group}), HERE)
    (target_group,) = calls(made, "elbv2.create_target_group")
    assert target_group["HealthCheckPath"] == "/health"
    assert (target_group["Port"], target_group["TargetType"]) == (3000, "ip")
    assert calls(made, "route53.create_hosted_zone") == [{"Name": "example.org", "CallerReference": "example.org"}]
    (created,) = calls(made, "ecs.create_service")
    assert created["loadBalancers"] == [
        {
            "targetGroupArn": Reference("group-web.TargetGroups.0.TargetGroupArn"),
            "containerName": "app",
            "containerPort": 3000,
        }
    ]
    assert made.ready == ({"url": "http://shop.example.org/health", "status": 200, "within": 120},)
    assert made.notes == ()
    without = plan(own(service=service), HERE)
    assert [item["url"] for item in without.ready] == ["http://web.example.com/"]
    assert "[target_groups.web] changes it" in without.notes[0]


def test_a_registry_is_found_by_the_name_that_is_given():
    service = {**SERVICE, "serviceRegistries": [{"registryArn": REGISTRY, "containerName": "app", "containerPort": 80}]}
    made = plan(own(service=service, registries={"srv-1": "app.shop.local"}), HERE)
    (created,) = calls(made, "servicediscovery.create_service")
    assert created["Name"] == "app"
    assert created["DnsConfig"] == {"DnsRecords": [{"Type": "SRV", "TTL": 10}]}
    (namespace,) = calls(made, "servicediscovery.create_private_dns_namespace")
    assert namespace["Name"] == "shop.local"
    with pytest.raises(OwnError) as caught:
        plan(own(service=service), HERE)
    assert "srv-1 is found is not given" in caught.value.message
    assert "[registries]" in caught.value.hint


def test_instances_for_launch_type_ec2():
    service = {**SERVICE, "launchType": "EC2"}
    (run,) = calls(plan(own(service=service, instances=("t3.small", 2)), HERE), "ec2.run_instances")
    assert (run["InstanceType"], run["MinCount"]) == ("t3.small", 2)
    assert "ECS_CLUSTER=prod" in run["UserData"]
    assert run["SecurityGroupIds"] == [Reference("sandbox.security_group")]
    with pytest.raises(OwnError, match="service 'shop' has launch type EC2, and there are no instances"):
        plan(own(service=service), HERE)


def test_a_definition_without_a_service_is_registered_and_that_is_told():
    made = plan(own(service=None), HERE)
    assert [step.operation for step in made.steps] == ["ecs.create_cluster", "ecs.register_task_definition"]
    assert made.notes == ("task definition shop is registered, and no service runs it",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"environment": {"ap": {"A": "1"}}}, "[environment]: unknown container 'ap'"),
        ({"desired_counts": {"shp": 1}}, "[desired_counts]: unknown service 'shp'"),
        ({"secrets": {"db": "a"}}, "[secrets]: unknown secret 'db'"),
        ({"environment_files": {FILE: "a"}}, f"[environment_files]: unknown file '{FILE}'"),
        ({"registries": {"srv-1": "a.b"}}, "[registries]: unknown registry 'srv-1'"),
        ({"images": {"shop:2": "a"}}, "[images]: unknown image 'shop:2'"),
        ({"target_groups": {"web": Group()}}, "[target_groups.web]: no service names it"),
        ({"service": {**SERVICE, "taskDefinition": "other:1"}}, "there is no task definition 'other'"),
        ({"service": {**SERVICE, "loadBalancers": [{"loadBalancerName": "c"}]}}, "has no target group's ARN"),
        (
            {
                "task": container(secrets=[{"name": "A", "valueFrom": f"{SECRET}:user::"}]),
                "secrets": {"db": {"a": "b"}},
            },
            "has no key 'user', of which shop/app: A is the value",
        ),
        (
            {"task": container(secrets=[{"name": "A", "valueFrom": "/p"}]), "secrets": {"/p": {"a": "b"}}},
            '[secrets] "/p" is a parameter of Systems Manager, so it is a text',
        ),
        ({"task": container(secrets=[{"name": "A", "valueFrom": "arn:x"}])}, "The secret's valueFrom 'arn:x'"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(OwnError) as caught:
        plan(own(**given), HERE)
    assert message in caught.value.message


def test_two_services_of_one_name():
    twice = replace(own(), services=[("a", SERVICE), ("b", SERVICE)])
    with pytest.raises(OwnError, match="two services are named 'shop'"):
        plan(twice, HERE)
