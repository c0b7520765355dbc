"""Roles of functions and tasks against IAM's policies, through boto3 and the endpoint."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.clock import RealClock
from sandbox.controllers.control_plane import ControlPlane
from sandbox.timeline import Timeline

ACCOUNT = "123456789012"


class Plane:
    """A control plane, which needs no engine, and roles in its IAM."""

    def __init__(self, folder: Any) -> None:
        (folder / "sockets").mkdir()
        self.clock, self.backend = RealClock(), Embedded()
        self.timeline = Timeline(self.clock)
        self.plane = ControlPlane(self.backend, folder, self.clock, self.timeline, None, lambda here: "")  # type: ignore[arg-type]
        self.aws = self.plane.aws

    def role(self, name: str, *statements: dict[str, Any], trusts: str = "lambda.amazonaws.com", **more: Any) -> str:
        """A role with one inline policy; its ARN."""
        iam = self.aws("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}
        created = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), **more)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
        return str(created["Role"]["Arn"])

    def as_role(self, arn: str, session: str = "s") -> Clients:
        return Clients(self.plane.gateway.url, session=self.plane.sessions.issue(arn, session))

    def function(self, name: str, role: str, source: str, **more: Any) -> Any:
        """Run ``source`` as a function of a role; its payload."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("app.py", source)
        functions = self.aws("lambda")
        functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=role,
            Handler="app.handler",
            Timeout=30,
            Code={"ZipFile": package.getvalue()},
        )
        answer = functions.invoke(FunctionName=name)
        return json.loads(answer["Payload"].read())

    def decisions(self) -> list[str]:
        return [one["why"] for one in self.timeline.since() if one.kind == "iam.decision"]


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.fixture
def plane(tmp_path: Any) -> Iterator[Plane]:
    made = Plane(tmp_path)
    yield made
    made.plane.close()
    made.backend.reset()
    made.clock.close()


def refused(call: Any, **parameters: Any) -> tuple[str, str, int]:
    """Code, message and status of the error."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def no_identity(role: str, action: str, resource: str = "", session: str = "s") -> str:
    on = f" on resource: {resource}" if resource else ""
    who = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session} is not authorized to perform: {action}{on}"
    return f"{who} because no identity-based policy allows the {action} action"


def test_the_sandbox_s_own_credentials_may_everything(plane: Plane) -> None:
    plane.role("nothing")
    assert plane.aws("ecs").list_clusters()["clusterArns"] == []
    assert plane.decisions() == []


def test_a_role_may_what_its_policies_allow_and_no_more(plane: Plane) -> None:
    """Each protocol has its own error; what is refused is not done."""
    role = plane.role("reader", allow(["ecs:List*", "ec2:DescribeVpcs", "route53:List*"]))
    reader = plane.as_role(role)
    assert reader("ecs").list_clusters()["clusterArns"] == []
    assert "Vpcs" in reader("ec2").describe_vpcs()
    assert reader("route53").list_hosted_zones()["HostedZones"] == []

    words = no_identity("reader", "ecs:CreateCluster")
    assert refused(reader("ecs").create_cluster, clusterName="c") == ("AccessDeniedException", words, 400)
    assert plane.aws("ecs").list_clusters()["clusterArns"] == []
    words = no_identity("reader", "lambda:ListFunctions")
    assert refused(reader("lambda").list_functions) == ("AccessDeniedException", words, 403)
    words = no_identity("reader", "iam:ListRoles")
    assert refused(reader("iam").list_roles) == ("AccessDenied", words, 403)
    words = no_identity("reader", "route53:CreateHostedZone")
    zone = {"Name": "example.org", "CallerReference": "1"}
    assert refused(reader("route53").create_hosted_zone, **zone) == ("AccessDenied", words, 403)
    code, message, status = refused(reader("ec2").describe_subnets)
    assert (code, status) == ("UnauthorizedOperation", 403)
    assert message == (
        f"You are not authorized to perform this operation. {no_identity('reader', 'ec2:DescribeSubnets', '*')}"
    )
    words = no_identity("reader", "secretsmanager:ListSecrets")
    assert refused(reader("secretsmanager").list_secrets) == ("AccessDeniedException", words, 400)


def test_a_role_that_iam_does_not_have_is_held_against_nothing(plane: Plane) -> None:
    caller = plane.as_role(f"arn:aws:iam::{ACCOUNT}:role/none")
    assert caller("ecs").list_clusters()["clusterArns"] == []
    assert plane.decisions() == []


def test_everybody_may_ask_who_he_is(plane: Plane) -> None:
    role = plane.role("nothing", Path="/team/")
    identity = plane.as_role(role, "me")("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/nothing/me"
    assert identity["Account"] == ACCOUNT


PUBLISH = """
import boto3
def handler(event, context):
    sns = boto3.client("sns")
    try:
        sns.publish(TopicArn="arn:aws:sns:us-east-1:123456789012:done", Message="hi")
    except sns.exceptions.AuthorizationErrorException as error:
        return [error.response["Error"]["Code"], error.response["Error"]["Message"]]
    return ["published", boto3.client("sts").get_caller_identity()["Arn"]]
"""


def test_a_function_publishes_as_its_role(plane: Plane) -> None:
    topic = plane.aws("sns").create_topic(Name="done")["TopicArn"]
    queue = plane.aws("sqs").create_queue(QueueName="q")["QueueUrl"]
    plane.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:q")

    mute = plane.role("mute", allow("sns:Publish", f"{topic}-other"))
    words = no_identity("mute", "SNS:Publish", topic, "mute-function")
    assert plane.function("mute-function", mute, PUBLISH) == ["AuthorizationError", words]
    assert "Messages" not in plane.aws("sqs").receive_message(QueueUrl=queue)

    loud = plane.role("loud", allow("sns:Publish", topic, Sid="Tell"))
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/loud/loud-function"
    assert plane.function("loud-function", loud, PUBLISH) == ["published", session]
    assert len(plane.aws("sqs").receive_message(QueueUrl=queue)["Messages"]) == 1
    assert plane.decisions()[-1] == (
        f"SNS:Publish on {topic} allowed to {session} by statement Tell of the identity-based policy own"
    )


def test_a_topic_s_policy_is_enough_and_may_refuse(plane: Plane) -> None:
    topic = plane.aws("sns").create_topic(Name="done")["TopicArn"]
    mute, loud = plane.role("mute"), plane.role("loud", allow("sns:*"))
    to_mute = {"Effect": "Allow", "Principal": {"AWS": mute}, "Action": "SNS:Publish", "Resource": topic}
    not_loud = {**to_mute, "Effect": "Deny", "Principal": {"AWS": loud}}
    text = document(to_mute, not_loud)
    plane.aws("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text)
    assert plane.as_role(mute)("sns").publish(TopicArn=topic, Message="hi")["MessageId"]
    code, message, _ = refused(plane.as_role(loud)("sns").publish, TopicArn=topic, Message="hi")
    assert code == "AuthorizationError"
    assert message.endswith("with an explicit deny in a resource-based policy")


def test_a_function_s_policy_lets_roles_invoke_it(plane: Plane) -> None:
    plane.function("called", plane.role("callee"), "def handler(event, context): return 1")
    caller = plane.as_role(plane.role("caller"))
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:called"
    words = no_identity("caller", "lambda:InvokeFunction", arn)
    assert refused(caller("lambda").invoke, FunctionName="called") == ("AccessDeniedException", words, 403)
    plane.aws("lambda").add_permission(
        FunctionName="called",
        StatementId="caller",
        Action="lambda:InvokeFunction",
        Principal=f"arn:aws:iam::{ACCOUNT}:role/caller",
    )
    assert caller("lambda").invoke(FunctionName="called")["StatusCode"] == 200


def definition(plane: Plane, **roles: str) -> str:
    """A task definition with roles; its ARN."""
    registered = plane.aws("ecs").register_task_definition(
        family="job", containerDefinitions=[{"name": "job", "image": "job", "memory": 64}], **roles
    )
    return str(registered["taskDefinition"]["taskDefinitionArn"])


def test_whoever_runs_a_task_needs_to_pass_its_roles(plane: Plane) -> None:
    plane.aws("ecs").create_cluster(clusterName="default")
    task_role = plane.role("task", trusts="ecs-tasks.amazonaws.com")
    job = definition(plane, taskRoleArn=task_role)
    runner = plane.as_role(plane.role("runner", allow("ecs:RunTask", f"{job.rpartition(':')[0]}:*")))
    words = no_identity("runner", "iam:PassRole", task_role)
    assert refused(runner("ecs").run_task, taskDefinition="job") == ("AccessDeniedException", words, 400)

    to_ecs = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    passing = allow("iam:PassRole", task_role, Condition=to_ecs)
    plane.aws("iam").put_role_policy(RoleName="runner", PolicyName="pass", PolicyDocument=document(passing))
    no_instances = ("InvalidParameterException", "No Container Instances were found in your cluster.", 400)
    assert refused(runner("ecs").run_task, taskDefinition="job") == no_instances  # so it may
    plane.aws("iam").put_role_policy(
        RoleName="runner",
        PolicyName="pass",
        PolicyDocument=document(
            allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})
        ),
    )
    assert refused(runner("ecs").run_task, taskDefinition="job")[1] == words
    words = no_identity("runner", "iam:PassRole", f"{task_role}-2")
    overriding = {"taskDefinition": "job", "overrides": {"taskRoleArn": f"{task_role}-2"}}
    assert refused(runner("ecs").run_task, **overriding)[1] == words


def test_whoever_makes_a_function_needs_to_pass_its_role(plane: Plane) -> None:
    worker = plane.role("worker")
    maker = plane.as_role(plane.role("maker", allow("lambda:*")))
    made = {"FunctionName": "f", "Runtime": "python3.12", "Handler": "app.handler", "Role": worker}
    words = no_identity("maker", "iam:PassRole", worker)
    refusal = refused(maker("lambda").create_function, Code={"ZipFile": b"PK"}, **made)
    assert refusal == ("AccessDeniedException", words, 403)


def test_services_assume_roles_that_trust_them_alone(plane: Plane) -> None:
    other = plane.role("other", trusts="ec2.amazonaws.com")
    with pytest.raises(ClientError) as caught:
        plane.function("f", other, "")
    assert caught.value.response["Error"] == {
        "Code": "InvalidParameterValueException",
        "Message": "The role defined for the function cannot be assumed by Lambda.",
    }
    plane.aws("ecs").create_cluster(clusterName="default")
    definition(plane, executionRoleArn=other)
    code, message, _ = refused(plane.aws("ecs").run_task, taskDefinition="job")
    assert code == "ClientException"
    assert message.startswith(f"ECS was unable to assume the role '{other}' that was provided for this task.")
    assert plane.plane.authorization.trusts(other, "ec2.amazonaws.com")


def test_sessions_of_assume_role(plane: Plane) -> None:
    first = plane.role("first", allow("sts:AssumeRole"))
    trust = {"Effect": "Allow", "Principal": {"AWS": first}, "Action": "sts:AssumeRole"}
    iam = plane.aws("iam")
    target = iam.create_role(RoleName="target", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="target", PolicyName="own", PolicyDocument=document(allow("ecs:List*")))
    assumed = plane.as_role(first)("sts").assume_role(RoleArn=target, RoleSessionName="tt")["Credentials"]
    session = boto3.Session(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"], "us-east-1")
    ecs = session.client("ecs", endpoint_url=plane.plane.gateway.url)
    assert ecs.list_clusters()["clusterArns"] == []
    assert refused(ecs.create_cluster)[1] == no_identity("target", "ecs:CreateCluster", session="tt")

    second = plane.as_role(plane.role("second", allow("sts:AssumeRole")))
    code, message, _ = refused(second("sts").assume_role, RoleArn=target, RoleSessionName="tt")
    assert code == "AccessDenied"
    assert message.endswith(f"{target} because no resource-based policy allows the sts:AssumeRole action")


def test_aws_s_own_policies_and_boundaries(plane: Plane) -> None:
    iam = plane.aws("iam")
    role = plane.role("writer", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess")
    iam.attach_role_policy(RoleName="writer", PolicyArn="arn:aws:iam::aws:policy/AmazonSNSFullAccess")
    assert [one["PolicyName"] for one in iam.list_attached_role_policies(RoleName="writer")["AttachedPolicies"]] == [
        "AmazonSNSFullAccess"
    ]
    writer = plane.as_role(role)
    assert writer("sns").list_topics()["Topics"] == []
    code, message, _ = refused(writer("sns").create_topic, Name="t")
    assert code == "AuthorizationError"
    assert message.endswith("because no permissions boundary allows the SNS:CreateTopic action")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.attach_role_policy(RoleName="writer", PolicyArn="arn:aws:iam::aws:policy/NoSuchPolicy")


def test_systems_manager_publishes_as_the_role_that_a_command_names(plane: Plane) -> None:
    topic = plane.aws("sns").create_topic(Name="done")["TopicArn"]
    why_not = plane.plane.authorization.why_not_published
    publish = allow("sns:Publish", topic)
    assert why_not(plane.role("mute", trusts="ssm.amazonaws.com"), topic) == no_identity(
        "mute", "SNS:Publish", topic, "ssm"
    )
    assert why_not(plane.role("loud", publish, trusts="ssm.amazonaws.com"), topic) == ""
    assert "not authorized to assume" in why_not(plane.role("of-lambda", publish), topic)
    assert why_not(f"arn:aws:iam::{ACCOUNT}:role/none", topic) == ""


def test_send_command_needs_the_document_the_instances_and_to_pass_the_role(plane: Plane) -> None:
    (image, *_) = plane.aws("ec2").describe_images(Owners=["amazon"])["Images"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Role", "Value": "web"}]}]
    made = plane.aws("ec2").run_instances(ImageId=image["ImageId"], MinCount=1, MaxCount=1, TagSpecifications=tags)
    (instance,) = (one["InstanceId"] for one in made["Instances"])
    notifier = plane.role("notifier", trusts="ssm.amazonaws.com")
    document_arn = "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"
    instance_arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{instance}"
    by_tag = allow("ssm:SendCommand", instance_arn, Condition={"StringEquals": {"ssm:resourceTag/Role": "web"}})
    ssm = plane.as_role(plane.role("purge"))("ssm")
    command = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["true"]}, "InstanceIds": [instance]}

    def now_allowed(*statements: dict[str, Any]) -> None:
        plane.aws("iam").put_role_policy(RoleName="purge", PolicyName="own", PolicyDocument=document(*statements))

    wanted = {**command, "ServiceRoleArn": notifier}
    statements: list[dict[str, Any]] = []
    for action, resource, statement in (
        ("ssm:SendCommand", document_arn, allow("ssm:SendCommand", document_arn)),
        ("ssm:SendCommand", instance_arn, by_tag),
        ("iam:PassRole", notifier, allow("iam:PassRole", notifier)),
    ):
        words = no_identity("purge", action, resource)
        assert refused(ssm.send_command, **wanted) == ("AccessDeniedException", words, 400)
        statements.append(statement)
        now_allowed(*statements)
    assert ssm.send_command(**wanted)["Command"]["CommandId"]
    targets = {"DocumentName": "AWS-RunShellScript", "Targets": [{"Key": "tag:Role", "Values": ["web"]}]}
    every = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/*"
    assert refused(ssm.send_command, **targets)[1] == no_identity("purge", "ssm:SendCommand", every)
