"""The check ``eni``: read from a stack's own files, judged before anything is started."""

from __future__ import annotations

import json

import pytest

from sandbox.errors import SandboxError
from sandbox.model.own.checks import Check
from sandbox.own_checks import eni
from sandbox.paths import share

TASKDEF = {
    "family": "app",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["EC2"],
    "containerDefinitions": [{"name": "web", "image": "nginx:1.27", "memory": 100}],
}
SERVICE = {
    "serviceName": "app",
    "taskDefinition": "app",
    "desiredCount": 5,
    "launchType": "EC2",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}},
}
SETTINGS = """\
[stack]
name = "site"
task_definitions = ["taskdef.json"]
services = ["service.json"]
[instances]
type = "t3.small"
[desired_counts]
app = 1
"""
CHECKS = """
[[check]]
name = "room"
kind = "eni"

[[check]]
name = "trunked"
kind = "eni"
type = "c5.large"
trunking = true

[[check]]
name = "page"
kind = "http"
url = "http://site.example.com/"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "taskdef.json").write_text(json.dumps(TASKDEF))
    (tmp_path / "service.json").write_text(json.dumps(SERVICE))
    (tmp_path / "sandbox.toml").write_text(SETTINGS)
    return tmp_path


def judged(folder, **bounds):
    return eni.perform(Check("room", "eni", "", bounds), folder)


def test_productions_own_counts_are_placed_on_the_instances_that_are_declared(folder):
    holds, evidence = judged(folder)
    assert not holds
    assert evidence == [
        "on 1 × t3.small (2 awsvpc tasks each)",
        "service app: 2 of 5 tasks have a place; the next one fails: RESOURCE:ENI",
        "site-1: 2 tasks; left: 0 of 2 task network interfaces, 2048 CPU units, 1796 MiB",
        "would fit: 3 × t3.small (2 awsvpc tasks each)",
        "would fit: 1 × c5.large with awsvpcTrunking (10 awsvpc tasks each)",
    ]
    assert judged(folder, desired_counts={"app": 1})[0]
    assert judged(folder, count=3)[0]
    assert judged(folder, type="c5.large", trunking=True)[0]


def test_what_the_check_cannot_mean_is_named(folder):
    with pytest.raises(SandboxError, match=r"unknown instance type 't3.smal'\nnext: is 't3.small' meant"):
        judged(folder, type="t3.smal")
    with pytest.raises(SandboxError, match=r"unknown instance type 'unheard'\nnext: known: c5.large, m5.large"):
        judged(folder, type="unheard")
    with pytest.raises(SandboxError, match="desired_counts: unknown service 'ap'"):
        judged(folder, desired_counts={"ap": 1})
    with pytest.raises(SandboxError, match=r"t3.small has no ENI trunking"):
        judged(folder, trunking=True)


def test_a_stack_yaml_says_its_instances_itself():
    # Its service is created by the scenario; the definitions and the instances are the stack's.
    with pytest.raises(SandboxError, match="no service of the stack runs on EC2 instances"):
        judged(share() / "compose" / "socketio-ec2")
    # An Auto Scaling group with a launch template, and a daemon; others of its services are Fargate's.
    holds, evidence = judged(share() / "compose" / "apcu")
    assert holds
    assert evidence == ["on 2 × t3.small (2 awsvpc tasks each)", "service shop: all 2 tasks have a place"]


TEMPLATE = """\
Parameters:
  Count: {Type: Number, Default: 5}
Resources:
  Cluster:
    Type: AWS::ECS::Cluster
    Properties: {ClusterName: prod}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData: {InstanceType: t3.small, ImageId: ami-0123456789abcdef0}
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      MinSize: "2"
      MaxSize: "4"
      LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}
      VPCZoneIdentifier: [subnet-1]
  Definition:
    Type: AWS::ECS::TaskDefinition
    Properties:
      NetworkMode: awsvpc
      RequiresCompatibilities: [EC2]
      ContainerDefinitions: [{Name: web, Image: "nginx:1.27", Memory: 100}]
  Service:
    Type: AWS::ECS::Service
    Properties:
      ServiceName: app
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Definition
      DesiredCount: !Ref Count
      LaunchType: EC2
      NetworkConfiguration: {AwsvpcConfiguration: {Subnets: [subnet-1], SecurityGroups: [sg-1]}}
"""


def test_a_template_says_its_instances_itself(tmp_path):
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "sandbox.toml").write_text('[cloudformation]\ntemplate = "template.yaml"\n')
    holds, evidence = judged(tmp_path)
    assert not holds
    assert evidence[0] == "on 2 × t3.small (2 awsvpc tasks each)"
    assert "service app: 4 of 5 tasks have a place; the next one fails: RESOURCE:ENI" in evidence


def test_no_engine_is_asked(cli):
    for name, content in (("taskdef.json", json.dumps(TASKDEF)), ("service.json", json.dumps(SERVICE))):
        (cli.folder / name).write_text(content)
    (cli.folder / "sandbox.toml").write_text(SETTINGS + CHECKS)
    chosen = ["--check", "room", "--check", "trunked", "--report", cli.folder / "report"]
    code, out, err = cli.run("test", cli.folder, *chosen, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert code == 1, err
    assert "site / room: fails" in out
    assert "site / trunked: holds" in out
    assert "1 of 2 checks hold" in out
    assert "RESOURCE:ENI" in (cli.folder / "report" / "index.html").read_text()
