"""The task metadata and credentials endpoints, asked from within containers."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.docker
ROLE = "arn:aws:iam::123456789012:role/task"


@pytest.fixture(scope="module")
def task(tasks):
    serves = "socat TCP4-LISTEN:80,fork,reuseaddr SYSTEM:'echo mine'"  # port 80 of every address is the containers' own
    return tasks.start(
        {"entryPoint": ["sh", "-c"], "command": [serves], "dockerLabels": {"mine": "yes"}}, {}, taskRoleArn=ROLE
    )


def ask(tasks, task, path="", name="c0"):
    code, out = tasks.sh(task, f'curl -sS -m 10 "$ECS_CONTAINER_METADATA_URI_V4{path}"', name)
    assert code == 0, out
    return json.loads(out)


def test_a_container_learns_of_itself(tasks, task):
    told, shown = ask(tasks, task, name="c1"), tasks.describe(task)["containers"][1]
    assert (told["Name"], told["DockerId"], told["ContainerARN"]) == ("c1", shown["runtimeId"], shown["containerArn"])
    assert (told["KnownStatus"], told["DesiredStatus"], told["Type"]) == ("RUNNING", "RUNNING", "NORMAL")
    assert told["Labels"]["com.amazonaws.ecs.task-arn"] == task
    assert ask(tasks, task)["Labels"]["mine"] == "yes"
    (network,) = told["Networks"]
    assert network["IPv4Addresses"] == [shown["networkInterfaces"][0]["privateIpv4Address"]]
    assert tasks.sh(task, "hostname")[1].strip() == network["PrivateDNSName"]


def test_and_of_its_task(tasks, task):
    told = ask(tasks, task, "/task")
    assert (told["TaskARN"], told["Family"], told["LaunchType"]) == (task, "t", "FARGATE")
    assert told["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert [container["Name"] for container in told["Containers"]] == ["c0", "c1"]
    assert told["KnownStatus"] == "RUNNING"
    assert ask(tasks, task, "/taskWithTags")["TaskTags"] == {}


def test_statistics(tasks, task):
    one = ask(tasks, task, "/stats")
    assert one["memory_stats"]["usage"] > 0
    assert one["networks"]
    both = ask(tasks, task, "/task/stats")
    assert set(both) == {shown["runtimeId"] for shown in tasks.describe(task)["containers"]}


def test_credentials_of_the_task_role_instead_of_keys_in_the_environment(tasks, task):
    seen = dict(line.split("=", 1) for line in tasks.sh(task, "env")[1].splitlines())
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & set(seen)
    assert seen["AWS_EXECUTION_ENV"] == "AWS_ECS_FARGATE"
    given = json.loads(tasks.sh(task, "curl -sS -m 5 $AWS_CONTAINER_CREDENTIALS_FULL_URI")[1])
    assert given["RoleArn"] == ROLE
    assert given["AccessKeyId"].startswith("ASIA")  # of this role and task alone
    assert given["Expiration"].endswith("Z")


def test_botocore_takes_the_credentials(tasks, task):
    from botocore.utils import ContainerMetadataFetcher

    uri = tasks.sh(task, "echo $AWS_CONTAINER_CREDENTIALS_FULL_URI")[1].strip()
    ContainerMetadataFetcher()._validate_allowed_url(uri)  # it refuses hosts that are not AWS's own


def test_port_80_is_the_containers_own(tasks, task):
    assert tasks.sh(task, "socat -u TCP4:localhost:80 -", "c1") == (0, "mine\n")


def test_what_there_is_not(tasks, task):
    for path in ("/nope", "0", "/task/nope"):
        url = "${ECS_CONTAINER_METADATA_URI_V4}" + path
        assert tasks.sh(task, f"curl -sS -m 5 -o /dev/null -w '%{{http_code}}' {url}") == (0, "404")


def test_the_endpoint_goes_with_the_task(tasks):
    task = tasks.start({}, taskRoleArn=ROLE)
    uri = tasks.sh(task, "echo $AWS_CONTAINER_CREDENTIALS_FULL_URI")[1].strip()
    path = "/" + uri.split("/", 3)[3]
    tasks.stop(task)
    import requests

    assert requests.get(tasks.sandbox.endpoint_url + path, timeout=5).status_code == 404
