"""Run Command in real instances: those of an Auto Scaling group, with containers of ECS on them."""

from __future__ import annotations

import json
import resource

import pytest
from botocore.exceptions import ClientError

from sandbox.controllers.sandbox import Sandbox
from tests.controllers.instance_fleet import by_group, ended, make_group, make_profile, make_template, outputs, run

pytestmark = pytest.mark.docker

MARKER = "no-such-word-in-any-command"


@pytest.fixture(scope="module")
def box(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=10
    ) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def web(box):
    """Two instances of group ``web`` with a container nginx each; their ids."""
    make_profile(box, "node")
    ecs = box.aws("ecs")
    ecs.create_cluster(clusterName="web")
    make_template(box, "web", "node")
    make_group(box, "web", 2)
    found = box.wait_in_service("web", 2)
    for instance in found:
        box.wait_managed(instance)
    ecs.register_task_definition(
        family="web",
        networkMode="bridge",
        requiresCompatibilities=["EC2"],
        containerDefinitions=[
            {"name": "nginx", "image": "nginx:1.27", "memory": 64, "portMappings": [{"containerPort": 80}]}
        ],
    )
    ecs.create_service(
        cluster="web",
        serviceName="web",
        taskDefinition="web",
        desiredCount=2,
        launchType="EC2",
        placementStrategy=[{"type": "spread", "field": "instanceId"}],
    )
    ecs.get_waiter("services_stable").wait(
        cluster="web", services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    return found


def test_docker_exec_of_the_nginx_container_by_the_groups_tag(box, web):
    command = run(
        box, 'docker exec $(docker ps -q -f name=nginx) sh -c "echo from nginx; exit 3"', Targets=by_group("web")
    )
    assert (command["Status"], command["TargetCount"], command["ErrorCount"]) == ("Failed", 2, 2)
    got = outputs(box, command)
    assert set(got) == set(web)
    for code, said in got.values():
        assert (code, said.splitlines()[0]) == (3, "from nginx")
        assert said.endswith("failed to run commands: exit status 3")


def test_the_docker_of_an_instance_has_its_own_containers_and_no_more(box, web):
    first, second = web
    listing = "docker ps --format '{{.ID}} {{.Names}} {{.Image}}'"
    both = outputs(box, run(box, listing, InstanceIds=web))
    (theirs,) = (said.split()[0] for instance, (_, said) in both.items() if instance == second)
    for _, said in both.values():
        assert said.split()[1].startswith("ecs-web-1-nginx-")
        assert len(said.splitlines()) == 1
    tried = [
        f"docker inspect {theirs}; docker exec {theirs} id; docker logs {theirs}",
        "docker run -v /:/host debian id",
        "docker exec --privileged $(docker ps -q) id",
        "docker volume ls; docker network ls; docker images; docker cp $(docker ps -q):/etc/passwd /tmp",
        "curl -s --unix-socket /var/run/docker.sock http://docker/containers/json?all=1 | jq length",
        "id; test -w /proc/sys/kernel/hostname; echo writable $?",
    ]
    for line in tried[:4]:
        ((code, said),) = outputs(box, run(box, f"({line}) 2>&1", InstanceIds=[first])).values()
        assert code != 0 or "root:" not in said
        assert "uid=" not in said
        assert "No such" in said or "the sandbox" in said
    ((_, said),) = outputs(box, run(box, *tried[4:], InstanceIds=[first])).values()
    assert said.splitlines()[0] == "1"
    assert said.splitlines()[-1] == "writable 1"


def test_logs_input_and_inspection_go_through(box, web):
    lines = [
        "echo typed | docker exec -i $(docker ps -q) cat",
        "docker logs $(docker ps -q) 2>&1 | grep -c nginx",
        "docker inspect -f '{{.State.Status}}' $(docker ps -q)",
        "docker top $(docker ps -q) | grep -c 'nginx: master'",
    ]
    ((code, said),) = outputs(box, run(box, *lines, InstanceIds=web[:1])).values()
    assert code == 0, said
    first, logged, status, masters = said.splitlines()
    assert (first, status, masters) == ("typed", "running", "1")
    assert int(logged) > 0


def test_a_script_that_never_ends_is_killed_with_all_that_it_has_started(box, web):
    lines = [
        f"(setsid sh -c ': {MARKER}; sleep 1000' &) ; nohup sh -c ': {MARKER}; sleep 1000' >/dev/null 2>&1 &",
        f"echo begun; sh -c ': {MARKER}; sleep 1000'",
    ]
    command = run(box, *lines, InstanceIds=web[:1], values={"executionTimeout": ["30"]})
    assert (command["Status"], command["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")
    found = box.aws("ssm").get_command_invocation(CommandId=command["CommandId"], InstanceId=web[0])
    assert (found["Status"], found["StatusDetails"], found["ResponseCode"]) == ("TimedOut", "ExecutionTimedOut", 137)
    assert found["StandardOutputContent"] == "begun\n"
    left = run(box, f"pgrep -fc '{MARKER[:-1]}[{MARKER[-1]}]'; pgrep -c sleep", InstanceIds=web[:1])
    ((_, said),) = outputs(box, left).values()
    assert said.splitlines()[:2] == ["0", "1"]  # the instance's own sleep alone


def test_a_script_that_prints_100_mb_costs_neither_memory_nor_room(box, web):
    run(box, "echo warm", InstanceIds=web[:1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    command = run(box, "yes 0123456789 | head -c 100000000", InstanceIds=web[:1])
    assert command["Status"] == "Success"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # KB
    found = box.aws("ssm").get_command_invocation(CommandId=command["CommandId"], InstanceId=web[0])
    assert len(found["StandardOutputContent"]) == 24_000
    assert found["StandardOutputContent"].endswith("---Output truncated---")
    (listed,) = outputs(box, command).values()
    assert len(listed[1]) == 2_500


def test_s3_gets_the_whole_output(box, web):
    s3 = box.aws("s3")
    s3.create_bucket(Bucket="outputs")
    command = run(
        box,
        "yes | head -c 300000; echo oh >&2",
        InstanceIds=web[:1],
        OutputS3BucketName="outputs",
        OutputS3KeyPrefix="purges",
    )
    folder = f"purges/{command['CommandId']}/{web[0]}/awsrunShellScript/0.awsrunShellScript"
    sizes = {item["Key"]: item["Size"] for item in s3.list_objects_v2(Bucket="outputs")["Contents"]}
    assert sizes == {f"{folder}/stdout": 300_000, f"{folder}/stderr": 3}
    found = box.aws("ssm").get_command_invocation(CommandId=command["CommandId"], InstanceId=web[0])
    assert found["StandardOutputUrl"].endswith(f"/outputs/{folder}/stdout")


def test_which_shell_runs_a_script_and_how_long_it_may_be(box, web):
    def said(*lines):
        ((_, text),) = outputs(box, run(box, *lines, InstanceIds=web[:1])).values()
        return text

    assert said('echo "[$BASH_VERSION]"') == "[]\n"
    assert said("#!/bin/bash", 'echo "${BASH_VERSION%%.*}"') == "5\n"
    assert said(*[f": {'x' * 1000}"] * 200, "echo at last; pwd") == "at last\n/\n"


def test_cancel_while_it_runs_and_when_it_is_over(box, web):
    ssm = box.aws("ssm")
    sent = ssm.send_command(
        DocumentName="AWS-RunShellScript", Parameters={"commands": ["sleep 1000"]}, Targets=by_group("web")
    )["Command"]
    assert (sent["Status"], sent["TargetCount"], sent["InstanceIds"]) == ("Pending", 0, [])
    for instance in web:
        box.timeline.wait_for(
            "the invocation to run",
            lambda seen, instance=instance: (
                seen.kind == "ssm.invocation"
                and (seen["command"], seen["instance"], seen["status"]) == (sent["CommandId"], instance, "InProgress")
            ),
            within=20,
        )
    ssm.cancel_command(CommandId=sent["CommandId"])
    command = ended(box, sent["CommandId"])
    assert (command["Status"], command["StatusDetails"], command["CompletedCount"]) == ("Cancelled", "Cancelled", 2)
    ssm.cancel_command(CommandId=sent["CommandId"])
    assert ssm.list_commands(CommandId=sent["CommandId"])["Commands"][0]["Status"] == "Cancelled"
    (code, said), *_ = outputs(box, run(box, "pgrep -fc 'sleep 100[0]'", InstanceIds=web[:1])).values()
    assert said.splitlines()[0] == "0", code


DOCUMENT = {
    "schemaVersion": "2.2",
    "description": "Two steps",
    "parameters": {"word": {"type": "String", "allowedPattern": "^[a-z]+$"}},
    "mainSteps": [
        {
            "action": "aws:runShellScript",
            "name": "check",
            "inputs": {"runCommand": ["pwd", "echo {{ word }}", "exit 4"], "workingDirectory": "/tmp"},
        },
        {"action": "aws:runPowerShellScript", "name": "windows", "inputs": {"runCommand": ["Get-Process"]}},
        {"action": "aws:runShellScript", "name": "report", "inputs": {"runCommand": ["echo $AWS_SSM_INSTANCE_ID"]}},
    ],
}


def test_a_document_of_ones_own(box, web):
    ssm = box.aws("ssm")
    ssm.create_document(Name="Check", Content=json.dumps(DOCUMENT), DocumentType="Command")
    sent = ssm.send_command(DocumentName="Check", Parameters={"word": ["purged"]}, InstanceIds=web[:1])["Command"]
    command = ended(box, sent["CommandId"])
    assert (command["Status"], command["DocumentName"], command["ErrorCount"]) == ("Failed", "Check", 1)

    def step(name):
        return ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=web[0], PluginName=name)

    assert (step("check")["ResponseCode"], step("check")["StandardOutputContent"]) == (4, "/tmp\npurged\n")
    assert step("windows")["StandardOutputContent"] == "Step execution skipped."
    assert step("report")["StandardOutputContent"] == f"{web[0]}\n"
    with pytest.raises(ClientError, match="InvalidParameters"):
        ssm.send_command(DocumentName="Check", Parameters={"word": ["$(id)"]}, InstanceIds=web[:1])


def test_a_stopped_agent_gets_the_command_when_it_is_back(box, web):
    agent = box.ssm_agent(web[1])
    agent.stop()
    try:
        listed = box.aws("ssm").describe_instance_information()["InstanceInformationList"]
        assert {one["InstanceId"]: one["PingStatus"] for one in listed} == dict.fromkeys(web, "Online")
        sent = box.aws("ssm").send_command(
            DocumentName="AWS-RunShellScript", Parameters={"commands": ["echo back"]}, Targets=by_group("web")
        )["Command"]
        box.timeline.wait_for(
            "the invocation to be delayed",
            lambda seen: (
                seen.kind == "ssm.invocation"
                and (seen["command"], seen["instance"], seen["details"]) == (sent["CommandId"], web[1], "Delayed")
            ),
            within=20,
        )
        found = box.aws("ssm").get_command_invocation(CommandId=sent["CommandId"], InstanceId=web[1])
        assert (found["Status"], found["ResponseCode"]) == ("Delayed", -1)
    finally:
        agent.start()
    assert ended(box, sent["CommandId"])["Status"] == "Success"


def test_an_unreachable_agent_lets_the_command_time_out(box, web):
    box.ssm_agent(web[1]).stop()
    try:
        command = run(box, "echo here", Targets=by_group("web"), TimeoutSeconds=30, values={"executionTimeout": ["10"]})
    finally:
        box.ssm_agent(web[1]).start()
    assert (command["Status"], command["StatusDetails"]) == ("TimedOut", "DeliveryTimedOut")
    assert (command["TargetCount"], command["DeliveryTimedOutCount"], command["ErrorCount"]) == (2, 1, 0)


def test_sns_hears_of_commands_and_of_invocations_and_eventbridge_of_both(box, web):
    sns, sqs = box.aws("sns"), box.aws("sqs")
    topic = sns.create_topic(Name="purges")["TopicArn"]
    queue = sqs.create_queue(QueueName="purges")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    role = "arn:aws:iam::123456789012:role/notifies"

    def told(kind, count):
        mark = box.timeline.mark()
        config = {"NotificationArn": topic, "NotificationEvents": ["All"], "NotificationType": kind}
        command = run(box, "true", InstanceIds=web, ServiceRoleArn=role, NotificationConfig=config)
        found = []
        while len(found) < count:
            for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return mark, command, found

    mark, command, messages = told("Command", 2)
    assert [one["status"] for one in messages] == ["InProgress", "Success"]
    assert {(one["commandId"], tuple(one["instanceIds"])) for one in messages} == {(command["CommandId"], tuple(web))}
    events = [one["event"] for one in box.timeline.since(mark) if one.kind == "event.published"]
    kinds = [(one["detail-type"], one["detail"]["status"]) for one in events if one["source"] == "aws.ssm"]
    assert kinds.count(("EC2 Command Status-change Notification", "Success")) == 1
    assert kinds.count(("EC2 Command Invocation Status-change Notification", "Success")) == 2
    _, _, messages = told("Invocation", 4)
    assert sorted((one["instanceId"], one["status"]) for one in messages) == sorted(
        (instance, status) for instance in web for status in ("InProgress", "Success")
    )


def test_which_instances_no_command_can_be_sent_to(box, web):
    """Without a profile, with one whose role does not allow it, and one that is gone."""
    ec2, ssm = box.aws("ec2"), box.aws("ssm")
    make_profile(box, "bystander", ["s3:GetObject"])
    launch = {
        "ImageId": "ami-0abcdef",
        "InstanceType": "t3.small",
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": box.subnets[0],
    }
    (bare,) = ec2.run_instances(**launch)["Instances"]
    (bystander,) = ec2.run_instances(**launch, IamInstanceProfile={"Name": "bystander"})["Instances"]
    (gone,) = ec2.run_instances(**launch, IamInstanceProfile={"Name": "node"})["Instances"]
    box.wait_managed(gone["InstanceId"])
    ec2.terminate_instances(InstanceIds=[gone["InstanceId"]])
    for one in (bare, bystander, gone):
        instance = one["InstanceId"]
        with pytest.raises(ClientError) as caught:
            run(box, "id", InstanceIds=[web[0], instance])
        assert caught.value.response["Error"] == {
            "Code": "InvalidInstanceId",
            "Message": f"Instances [[{instance}]] not in a valid state for account 123456789012",
        }
    listed = [one["InstanceId"] for one in ssm.describe_instance_information()["InstanceInformationList"]]
    assert sorted(listed) == sorted(web)
    # Its role may do it from now on: the agent tries again.
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    box.aws("iam").put_role_policy(RoleName="bystander", PolicyName="more", PolicyDocument=json.dumps(policy))
    box.wait_managed(bystander["InstanceId"])
    assert run(box, "id", InstanceIds=[bystander["InstanceId"]])["Status"] == "Success"
    ec2.terminate_instances(InstanceIds=[bare["InstanceId"], bystander["InstanceId"]])


def test_an_instance_that_is_stopped_gets_the_command_when_it_runs_again(box, web):
    ec2, ssm = box.aws("ec2"), box.aws("ssm")
    (made,) = ec2.run_instances(
        ImageId="ami-0abcdef",
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        SubnetId=box.subnets[0],
        IamInstanceProfile={"Name": "node"},
    )["Instances"]
    instance = made["InstanceId"]
    box.wait_managed(instance)
    mark = box.timeline.mark()
    ec2.stop_instances(InstanceIds=[instance])
    listed = [one["InstanceId"] for one in ssm.describe_instance_information()["InstanceInformationList"]]
    assert instance not in listed
    sent = ssm.send_command(
        DocumentName="AWS-RunShellScript", Parameters={"commands": ["id -u"]}, InstanceIds=[instance]
    )["Command"]
    box.timeline.wait_for(
        "the instance to be stopped",
        lambda seen: seen.kind == "instance.dropped" and seen["instance"] == instance,
        within=30,
        since=mark,
    )
    ec2.start_instances(InstanceIds=[instance])
    command = ended(box, sent["CommandId"])
    assert outputs(box, command) == {instance: (0, "0\n")}
    ec2.terminate_instances(InstanceIds=[instance])


def test_tags_that_match_nothing(box, web):
    command = run(box, "id", Targets=[{"Key": "tag:service", "Values": ["nobody"]}])
    assert (command["Status"], command["StatusDetails"]) == ("Success", "NoInstancesInTag")
    assert (command["TargetCount"], command["CompletedCount"]) == (0, 0)
    assert box.aws("ssm").list_command_invocations(CommandId=command["CommandId"])["CommandInvocations"] == []
    with pytest.raises(ClientError, match="InvocationDoesNotExist"):
        box.aws("ssm").get_command_invocation(CommandId=command["CommandId"], InstanceId=web[0])
    assert run(box, "id", Targets=[{"Key": "tag:service", "Values": ["web"]}])["TargetCount"] == 2
    assert run(box, "id", Targets=[{"Key": "tag-key", "Values": ["service"]}])["TargetCount"] == 2


def test_a_resource_group(box, web):
    query = {
        "ResourceTypeFilters": ["AWS::EC2::Instance"],
        "TagFilters": [{"Key": "service", "Values": ["web"]}],
    }
    box.aws("resource-groups").create_group(
        Name="webs", ResourceQuery={"Type": "TAG_FILTERS_1_0", "Query": json.dumps(query)}
    )
    command = run(box, "id", Targets=[{"Key": "resource-groups:Name", "Values": ["webs"]}])
    assert (command["Status"], command["TargetCount"]) == ("Success", 2)
