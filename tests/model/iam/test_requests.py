"""What calls ask IAM for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sandbox.model.iam.requests import Asked, Place, asked

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


class Account:
    def task_definition(self, name: str) -> tuple[str, Sequence[str]]:
        return f"arn:aws:ecs:us-east-1:{ACCOUNT}:task-definition/{name}:7", [f"{ROLE}-task", f"{ROLE}-execution"]

    def instance_tags(self, instance_id: str) -> Mapping[str, str]:
        return {"Role": "web"} if instance_id == "i-1" else {}


def needs(service: str, operation: str, /, **parameters: Any) -> list[Asked]:
    return list(asked(service, operation, lambda: parameters, Place("us-east-1", ACCOUNT, Account())))


def shown(found: list[Asked]) -> list[str]:
    return [f"{one.action} {one.resource}" for one in found]


def instance(name: str) -> str:
    return f"ssm:SendCommand arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{name}"


def test_send_command() -> None:
    found = needs(
        "ssm",
        "SendCommand",
        DocumentName="AWS-RunShellScript",
        InstanceIds=["i-1", "i-2"],
        ServiceRoleArn=ROLE,
    )
    assert shown(found) == [
        "ssm:SendCommand arn:aws:ssm:us-east-1::document/AWS-RunShellScript",
        instance("i-1"),
        instance("i-2"),
        f"iam:PassRole {ROLE}",
    ]
    assert found[1].context == {"ssm:resourcetag/role": ["web"], "aws:resourcetag/role": ["web"]}
    assert found[3].context == {"iam:passedtoservice": ["ssm.amazonaws.com"]}
    own = needs("ssm", "SendCommand", DocumentName="purge", Targets=[{"Key": "tag:Role", "Values": ["web", "db"]}])
    assert shown(own) == [f"ssm:SendCommand arn:aws:ssm:us-east-1:{ACCOUNT}:document/purge", instance("*")]
    assert own[1].context["ssm:resourcetag/role"] == ["web", "db"]
    by_id = [{"Key": "InstanceIds", "Values": ["i-1"]}]
    assert shown(needs("ssm", "SendCommand", DocumentName="purge", Targets=by_id))[1:] == [instance("i-1")]


def test_passed_roles() -> None:
    to_ecs = {"iam:passedtoservice": ["ecs-tasks.amazonaws.com"]}
    run = needs("ecs", "RunTask", taskDefinition="web", cluster="c", overrides={"taskRoleArn": f"{ROLE}-other"})
    assert shown(run) == [
        f"ecs:RunTask arn:aws:ecs:us-east-1:{ACCOUNT}:task-definition/web:7",
        f"iam:PassRole {ROLE}-other",
        f"iam:PassRole {ROLE}-task",
        f"iam:PassRole {ROLE}-execution",
    ]
    assert run[0].context == {"ecs:cluster": [f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/c"]}
    assert run[1].context == to_ecs
    registered = needs("ecs", "RegisterTaskDefinition", family="web", taskRoleArn=ROLE, executionRoleArn=ROLE)
    assert shown(registered)[1:] == [f"iam:PassRole {ROLE}"]
    created = needs("lambda", "CreateFunction", FunctionName="f", Role=ROLE)
    assert shown(created) == [
        f"lambda:CreateFunction arn:aws:lambda:us-east-1:{ACCOUNT}:function:f",
        f"iam:PassRole {ROLE}",
    ]
    assert len(needs("lambda", "UpdateFunctionConfiguration", FunctionName="f")) == 1


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        ("sns", "Publish", {"TopicArn": "arn:t"}, "SNS:Publish arn:t"),
        ("sns", "PublishBatch", {"TopicArn": "arn:t"}, "SNS:Publish arn:t"),
        ("sns", "ListTopics", {}, "SNS:ListTopics None"),
        ("sqs", "SendMessageBatch", {}, "sqs:SendMessage None"),
        (
            "lambda",
            "Invoke",
            {"FunctionName": f"{ACCOUNT}:function:f", "Qualifier": "2"},
            f"lambda:InvokeFunction arn:aws:lambda:us-east-1:{ACCOUNT}:function:f:2",
        ),
        (
            "route53",
            "ChangeResourceRecordSets",
            {"HostedZoneId": "/hostedzone/Z1"},
            "route53:ChangeResourceRecordSets arn:aws:route53:::hostedzone/Z1",
        ),
        (
            "ecs",
            "UpdateService",
            {"service": "web", "cluster": f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/c"},
            f"ecs:UpdateService arn:aws:ecs:us-east-1:{ACCOUNT}:service/c/web",
        ),
        ("ec2", "DescribeInstances", {}, "ec2:DescribeInstances *"),
        ("autoscaling", "DescribeAutoScalingGroups", {}, "autoscaling:DescribeAutoScalingGroups *"),
        ("monitoring", "PutMetricData", {}, "cloudwatch:PutMetricData None"),
        ("sts", "AssumeRole", {"RoleArn": ROLE}, f"sts:AssumeRole {ROLE}"),
    ],
)
def test_actions_and_resources(service: str, operation: str, parameters: dict[str, Any], expected: str) -> None:
    assert shown(needs(service, operation, **parameters)) == [expected]


def test_nobody_needs_permission_to_ask_who_he_is() -> None:
    assert needs("sts", "GetCallerIdentity") == []
