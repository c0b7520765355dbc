"""What ``sandbox init`` writes: TOML that is read again, with what was found and what is to be filled in."""

from __future__ import annotations

import re
import tomllib

from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.model.cloudformation.document import document
from sandbox.model.cloudformation.template import is_template
from sandbox.model.own import beginning
from sandbox.model.own.beginning import Found
from sandbox.model.own.settings import Group, Public, settings
from tests.fuzz.documents import changed

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"
TASK = {
    "family": "shop",
    "containerDefinitions": [
        {
            "name": "app",
            "image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop:42",
            "secrets": [
                {"name": "A", "valueFrom": f"{SECRET}:password::"},
                {"name": "B", "valueFrom": "/shop/key"},
            ],
            "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::config/app.env"}],
        }
    ],
}
SERVICE = {
    "serviceName": "shop",
    "taskDefinition": "shop:42",
    "desiredCount": 4,
    "launchType": "EC2",
    "loadBalancers": [{"targetGroupArn": "arn:aws:elasticloadbalancing:r:1:targetgroup/web/1"}],
    "serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:r:1:service/srv-1"}],
}
COMPOSE = {
    "services": {
        "web": {"image": "a", "ports": ["80:8080"], "container_name": "w"},
        "db": {"image": "b", "ports": ["5432:5432"]},
    },
    "networks": {"x": None},
}


def written(found):
    """The file, and the same with everything that stands in comments."""
    text = beginning.text(found)
    whole = re.sub(r'^# (?=("[^"\n]*"|\w+) = |\[)', "", text, flags=re.MULTILINE)
    return settings(tomllib.loads(text)), settings(tomllib.loads(whole)), text


def test_task_definitions_and_services():
    now, whole, _ = written(Found(None, {"taskdef.json": TASK}, {"service.json": [SERVICE]}))
    assert (now.task_definitions, now.services) == (("taskdef.json",), ("service.json",))
    assert now.target_groups == {"web": Group("web.example.com")}
    assert now.instances == ("t3.small", 1)
    assert [(one.kind, one.target) for one in now.checks] == [("http", "http://web.example.com/")]
    # Nothing is made up: what only its owner knows is in comments.
    assert (now.secrets, now.images, now.registries, now.desired_counts) == ({}, {}, {}, {})
    assert whole.secrets == {SECRET: {"password": "VALUE"}, "/shop/key": "VALUE"}
    assert list(whole.images) == ["111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop:42"]
    assert whole.environment_files == {"arn:aws:s3:::config/app.env": "local.env"}
    assert whole.registries == {"srv-1": "NAME.NAMESPACE"}
    assert whole.desired_counts == {"shop": 1}
    assert [one.kind for one in whole.checks] == ["http", "cache", "websocket", "eni"]


def test_a_compose_file():
    now, whole, _ = written(Found(("compose.yaml", COMPOSE), {}, {}))
    assert now.compose is not None
    assert whole.compose is not None
    assert now.compose.public == {"web": Public(8080, "web.example.com")}
    assert now.compose.private == ("db",)
    assert now.compose.ignore == ()
    assert whole.compose.ignore == ("container_name", "networks")
    assert whole.compose.tasks == (("web", "db"),)


def test_a_stack_yaml_has_images_and_checks_alone():
    now, whole, _ = written(Found(None, {}, {}, has_stack=True))
    assert now.compose is None
    assert now.checks == ()
    assert [one.target for one in whole.checks] == ["http://NAME/", "http://NAME/"]


def test_checks_are_suggested_for_what_shows_that_they_fit():
    found = Found(None, {}, {}, has_stack=True, handlers=("lambda/dns.py:handler",), groups=("shop",))
    now, whole, _ = written(found)
    assert now.checks == ()
    assert [one.kind for one in whole.checks] == ["cache", "websocket", "eni", "replay", "purge"]
    assert whole.checks[3].bounds["handler"] == "lambda/dns.py:handler"
    assert whole.checks[4].bounds["group"] == "shop"
    assert "[[check]]" not in beginning.text(Found(None, {"t.json": TASK}, {})).replace("# [[check]]", "")
    route53 = 'client = boto3.client("route53")\n\n\ndef keep(event, context):\n    pass\n'
    assert beginning.handler_of(route53) == "keep"
    assert beginning.handler_of(route53.replace("route53", "s3")) == ""
    assert beginning.handler_of('"""route53"""\ndef keep(one, other): pass') == ""
    group = {"autoscaling.create_auto_scaling_group": {"AutoScalingGroupName": "shop"}}
    assert beginning.groups_of({"calls": [group, {"ecs.create_cluster": None}, 1]}) == ("shop",)
    assert beginning.groups_of([1]) == ()


def test_what_is_what():
    assert beginning.as_task_definition({"taskDefinition": TASK}) == TASK
    assert beginning.as_task_definition({"containerDefinitions": [1]}) is None
    assert beginning.as_services({"services": [SERVICE], "failures": []}) == [SERVICE]
    assert beginning.as_services(SERVICE) == [SERVICE]
    assert beginning.as_services({"name": "package", "version": "1"}) == []
    assert beginning.as_services([1]) == []


@given(st.text(), st.text(min_size=1))
def test_whatever_a_file_says_the_result_is_toml(image, name):
    task = {"family": "f", "containerDefinitions": [{"name": "a", "image": image}]}
    settings(tomllib.loads(beginning.text(Found(None, {name: task}, {}))))
    services = {"services": {name: {"image": image, "ports": [8080]}}}
    made = settings(tomllib.loads(beginning.text(Found(("c.yaml", services), {}, {}))))
    assert made.compose is not None
    assert list(made.compose.public) == [name]


TEMPLATE = """
Parameters:
  Stage: {Type: String, AllowedValues: [test, prod], Description: "What it\\nis for"}
  Tasks: {Type: Number, Default: 2}
  Vpc: {Type: "AWS::EC2::VPC::Id"}
  Key: {Type: "AWS::SSM::Parameter::Value<String>", Default: /shop/key}
  Image: {Type: String, Default: "shop:2"}
Resources:
  Named: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}
  Record: {Type: AWS::Route53::RecordSet, Properties: {AliasTarget: {DNSName: !Sub "dualstack.${Named.DNSName}"}}}
  Balancer: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}
  Alarm: {Type: AWS::CloudWatch::Alarm}
  Far: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: https://s3.amazonaws.com/b/x.yaml}}
  Near: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: near.yaml}}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties: {Certificates: [{CertificateArn: "arn:aws:acm:us-east-1:1:certificate/a"}, {CertificateArn: !Ref Own}]}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - {Image: shop:1, Environment: [{Name: P, Value: "{{resolve:secretsmanager:db:SecretString:pass}}"}]}
        - {Image: !Ref Image}
"""


def test_a_template_s_table_has_what_only_its_owner_knows():
    content = document(TEMPLATE).content
    made = beginning.text(Found(None, {}, {}, template=("t.yaml", content), others=("net.yaml",), name="My Shop"))
    table = tomllib.loads(made)
    hosts = {"Balancer": "my-shop.example.com"}
    assert table["cloudformation"] == {
        "template": "t.yaml",
        "parameters": {},
        "templates": {},
        "hosts": hosts,
        "certificates": {"arn:aws:acm:us-east-1:1:certificate/a": "my-shop.example.com"},
    }
    assert [one["url"] for one in table["check"]] == ["http://my-shop.example.com/"]
    assert settings(table).cloudformation.hosts == hosts
    for line in (
        '# ignore = ["AWS::CloudWatch::Alarm"]',
        "# [cloudformation.stacks.NAME]",
        '# template = "net.yaml"',
        '# Stage = "VALUE"  # What it is for; one of test, prod',
        '# Tasks = "2"  # Number',
        '# Far = "FILE"',
        '# "shop:1" = { build = "." }',
        '# "shop:2" = { build = "." }',
        '# "db" = "VALUE"',
        '# "/shop/key" = "VALUE"',
    ):
        assert line in made.splitlines()
    assert "# Near" not in made


@given(changed(document(TEMPLATE).content))
@example({"Resources": {name: {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer"} for name in ("\r", "", "A b")}})
def test_whatever_a_template_has_the_table_is_toml_that_can_be_read(content):
    if is_template(content):
        settings(tomllib.loads(beginning.text(Found(None, {}, {}, template=("t.yaml", content), name="x"))))
