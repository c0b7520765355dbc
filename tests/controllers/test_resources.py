"""Secrets, environment files and CloudWatch Logs of real containers."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from sandbox.aws.log_writer import LogWriter
from sandbox.controllers.container_logs import ContainerLogs, lines
from sandbox.model.ecs.logs import LogTarget

pytestmark = pytest.mark.docker
ROLE = "arn:aws:iam::123456789012:role/execution"


def printing(command, **more):
    return {"entryPoint": ["sh", "-c"], "command": [command], **more}


def awslogs(group, **options):
    options = {name.replace("_", "-"): value for name, value in options.items()}
    return {
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": group,
                "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "ecs",
                **options,
            },
        }
    }


def ended(tasks, *containers):
    """Run a task to its end; its description."""
    task = tasks.start(*containers, until={"STOPPED"}, executionRoleArn=ROLE)
    return tasks.describe(task)


def test_secrets_reach_the_environment_and_nothing_else(tasks):
    aws = tasks.sandbox.aws
    aws("ssm").put_parameter(Name="/blog/plain", Value="one", Type="String")
    aws("ssm").put_parameter(Name="secure", Value="two two", Type="SecureString")
    arn = aws("secretsmanager").create_secret(Name="db", SecretString=json.dumps({"user": "ghost", "port": 3306}))[
        "ARN"
    ]
    aws("secretsmanager").put_secret_value(SecretId="db", SecretString=json.dumps({"user": "new"}))
    mark = tasks.sandbox.timeline.mark()
    sources = {
        "PLAIN": "/blog/plain",
        "SECURE": "arn:aws:ssm:us-east-1:123456789012:parameter/secure",
        "USER": f"{arn}:user::",
        "OLD": f"{arn}:user:AWSPREVIOUS:",
        "PORT": f"{arn}:port:AWSPREVIOUS:",
        "WHOLE": arn,
    }
    task = tasks.start(
        {"secrets": [{"name": name, "valueFrom": value} for name, value in sources.items()]}, executionRoleArn=ROLE
    )
    code, out = tasks.sh(task, 'echo "$PLAIN/$SECURE/$USER/$OLD/$PORT/$WHOLE"')
    assert (code, out) == (0, 'one/two two/new/ghost/3306/{"user": "new"}\n')
    seen = [str(seen) for seen in tasks.sandbox.timeline.since(mark)]
    assert not any("two two" in text or "3306" in text for text in [*seen, str(tasks.describe(task))])
    tasks.stop(task)


@pytest.mark.parametrize(
    ("value_from", "reason"),
    [
        (
            "/no/such",
            "unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters",
        ),
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:none", "ResourceNotFoundException"),
        ("{there}:nokey::", "retrieved secret from Secrets Manager did not contain json key nokey"),
    ],
)
def test_a_secret_that_cannot_be_had_ends_the_task(tasks, value_from, reason):
    manager = tasks.sandbox.aws("secretsmanager")
    there = next(iter(manager.list_secrets()["SecretList"]), None) or manager.create_secret(
        Name="there", SecretString="{}"
    )
    secret = {"name": "S", "valueFrom": value_from.format(there=there["ARN"])}
    stopped = ended(tasks, {"secrets": [secret]}, {})
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert stopped["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth: ")
    assert reason in stopped["stoppedReason"]
    assert "pullStartedAt" not in stopped
    assert tasks.left(stopped["taskArn"]) == []


def test_environment_files_come_before_nothing_that_is_said_otherwise(tasks):
    s3 = tasks.sandbox.aws("s3")
    s3.create_bucket(Bucket="env")
    s3.put_object(Bucket="env", Key="a.env", Body=b"A=file\nB=file\n# C=no\n")
    s3.put_object(Bucket="env", Key="b.env", Body=b"B=second\nC=second\n")
    files = [{"type": "s3", "value": f"arn:aws:s3:::env/{name}.env"} for name in "ab"]
    task = tasks.start(
        {"environmentFiles": files, "environment": [{"name": "A", "value": "definition"}]}, executionRoleArn=ROLE
    )
    assert tasks.sh(task, "echo $A $B $C")[1] == "definition file second\n"
    tasks.stop(task)


def test_an_environment_file_that_there_is_not(tasks):
    stopped = ended(tasks, {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::nowhere/a.env"}]})
    assert stopped["stoppedReason"].startswith("ResourceInitializationError: failed to download env files: ")
    assert "NoSuchBucket" in stopped["stoppedReason"]


def test_every_line_is_in_cloudwatch_logs_also_of_a_container_that_ends_at_once(tasks, until):
    logs = tasks.sandbox.aws("logs")
    logs.create_log_group(logGroupName="/ecs/blog")
    stopped = ended(tasks, printing("seq 3000; echo last >&2; printf 'without an end'", **awslogs("/ecs/blog")))
    stream = f"ecs/c0/{stopped['taskArn'].rpartition('/')[2]}"

    def messages():
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/ecs/blog", logStreamNames=[stream])
        return [event["message"] for page in pages for event in page["events"]]

    until(lambda: len(messages()) >= 3002)
    seen = messages()
    seen.remove("last")  # the other stream: in an order of its own
    assert seen == [*(str(number) for number in range(1, 3001)), "without an end"]


def test_lines_come_while_a_container_runs(tasks, until):
    task = tasks.start(
        printing("echo begun; exec sleep infinity", **awslogs("new", awslogs_create_group="true")),
        executionRoleArn=ROLE,
    )
    logs = tasks.sandbox.aws("logs")
    until(lambda: logs.filter_log_events(logGroupName="new")["events"], within=5)
    (event,) = logs.filter_log_events(logGroupName="new")["events"]
    assert (event["message"], event["logStreamName"]) == ("begun", f"ecs/c0/{task.rpartition('/')[2]}")
    tasks.stop(task)


def test_a_log_group_that_there_is_not(tasks):
    stopped = ended(tasks, awslogs("missing"))
    assert stopped["stoppedReason"] == (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
        "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. "
        ": exit status 1"
    )


class CutShort:
    """An engine that ends what it lets follow too early, which the real one does now and then under load."""

    def follow(self, container_id, since):
        yield b"one\ntw"

    def output(self, container_id, since):
        return b"one\ntwo\nthree"


def test_the_end_of_output_that_the_engine_leaves_out_is_looked_for(tasks):
    logs = tasks.sandbox.aws("logs")
    with closing(LogWriter(tasks.sandbox.aws)) as writer:
        following = ContainerLogs(CutShort(), writer, tasks.sandbox.clock)
        following.follow("c", LogTarget("cut", "us-east-1", "", create_group=True), "stream")
        following.finish("c")
        assert writer.flush()
    events = logs.filter_log_events(logGroupName="cut")["events"]
    assert [event["message"] for event in events] == ["one", "two", "three"]


def test_lines_of_output_in_pieces():
    assert list(lines([b"a", b"b\nc\r\n", b"", b"\nd\xff"])) == ["ab", "c", "", "d\ufffd"]
