"""Secrets, environment files and log configurations: what is taken and refused, and the task that waits for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.ecs import environment_files, secrets
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.logs import LogTarget
from sandbox.model.ecs.messages import ContainerStarted, ResourcesFailed, ResourcesReady, StopRequested
from sandbox.model.ecs.secrets import ManagedSecret, Parameter

Make = Callable[..., Any]
ROLE = "arn:aws:iam::123456789012:role/execution"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
SECRETS = [{"name": "PASSWORD", "valueFrom": SECRET}]
LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "/ecs/blog", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"},
}


def refusal(register: Make, *containers: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(EcsError) as caught:
        register(*containers, **changes)
    assert caught.value.code == "ClientException"
    return caught.value.message


# -- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value_from", "source"),
    [
        ("plain", Parameter("plain", "")),
        ("/blog/db/password", Parameter("/blog/db/password", "")),
        ("arn:aws:ssm:eu-west-1:1:parameter/plain", Parameter("plain", "eu-west-1")),
        ("arn:aws:ssm:eu-west-1:1:parameter/blog/db", Parameter("/blog/db", "eu-west-1")),
        (SECRET, ManagedSecret(SECRET, "us-east-1", "", "", "")),
        (f"{SECRET}:user::", ManagedSecret(SECRET, "us-east-1", "user", "", "")),
        (f"{SECRET}:user:AWSPREVIOUS:", ManagedSecret(SECRET, "us-east-1", "user", "AWSPREVIOUS", "")),
        (f"{SECRET}:::9d4c", ManagedSecret(SECRET, "us-east-1", "", "", "9d4c")),
    ],
)
def test_where_a_secret_comes_from(value_from: str, source: object) -> None:
    assert secrets.source("web", value_from) == source


@pytest.mark.parametrize("value_from", ["", "two words", f"{SECRET}:user", f"{SECRET}:a:b:c:d", "arn:aws:s3:::b/k"])
def test_a_secret_from_nowhere(value_from: str) -> None:
    with pytest.raises(EcsError, match="valueFrom"):
        secrets.source("web", value_from)


def test_secrets_need_an_execution_role(register: Make, container: Make) -> None:
    assert refusal(register, container("web", secrets=SECRETS)) == (
        "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
    )


@pytest.mark.parametrize(
    "more", [{"secrets": SECRETS * 2}, {"secrets": SECRETS, "environment": [{"name": "PASSWORD", "value": "x"}]}]
)
def test_the_name_of_a_secret_is_unique(register: Make, container: Make, more: dict[str, Any]) -> None:
    said = refusal(register, container("web", **more), executionRoleArn=ROLE)
    assert said.startswith("The secret name must be unique")
    assert said.endswith("such as 'PASSWORD'")


@pytest.mark.parametrize(
    ("key", "value"), [("text", "x y"), ("number", "5432"), ("yes", "true"), ("list", "[1, 2]"), ("empty", "")]
)
def test_a_key_of_a_secret(key: str, value: str) -> None:
    text = '{"text": "x y", "number": 5432, "yes": true, "list": [1, 2], "empty": ""}'
    assert secrets.json_value(text, key) == value


@pytest.mark.parametrize("text", ["{}", "[]", '"text"', "no JSON", "null"])
def test_a_key_that_there_is_not(text: str) -> None:
    with pytest.raises(LookupError, match="did not contain json key k"):
        secrets.json_value(text, "k")


# -- environment files -----------------------------------------------------------------------------------------------


def test_lines_of_an_environment_file() -> None:
    text = '# a comment\n\nA=1\n  B = two = 2 \nC=\n=no name\nno value\nD="quoted"\r\nE=$A\n'
    assert environment_files.variables([text]) == {"A": "1", "B ": " two = 2", "C": "", "D": '"quoted"', "E": "$A"}


def test_the_first_of_several_files_counts() -> None:
    assert environment_files.variables(["A=1\nA=2", "A=3\nB=4"]) == {"A": "1", "B": "4"}


@given(st.lists(st.text(max_size=50), max_size=3))
def test_any_file_is_read(texts: list[str]) -> None:
    assert all(name and not name.startswith("#") for name in environment_files.variables(texts))


@pytest.mark.parametrize(
    "files",
    [
        [{"type": "s3", "value": "arn:aws:s3:::bucket/file.txt"}],
        [{"type": "s3", "value": "s3://bucket/file.env"}],
        [{"type": "efs", "value": "arn:aws:s3:::bucket/file.env"}],
        [{"type": "s3", "value": f"arn:aws:s3:::bucket/{number}.env"} for number in range(11)],
    ],
)
def test_environment_files_that_are_none(register: Make, container: Make, files: list[Any]) -> None:
    assert "environment file" in refusal(register, container("web", environmentFiles=files))


# -- logs ------------------------------------------------------------------------------------------------------------


def test_the_stream_of_a_container(register: Make, container: Make) -> None:
    target = register(container("web", logConfiguration=LOGS), executionRoleArn=ROLE).container("web").log
    assert target == LogTarget("/ecs/blog", "us-east-1", "ecs", create_group=False)
    assert target.stream("web", "0123") == "ecs/web/0123"


def log(driver: str = "awslogs", **options: str | None) -> dict[str, Any]:
    given = {**LOGS["options"], **{name.replace("_", "-"): value for name, value in options.items()}}  # type: ignore
    return {"logDriver": driver, "options": {name: value for name, value in given.items() if value is not None}}


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        (log("json-file"), "json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]"),
        (
            log("splunk"),
            "The sandbox does not carry out containerDefinitions[name=web].logConfiguration with logDriver",
        ),
        (log(awslogs_group=None), "Log driver awslogs requires options: awslogs-region, awslogs-group"),
        (log(awslogs_region=None), "Log driver awslogs requires options: awslogs-region, awslogs-group"),
        (log(awslogs_stream_prefix=None), "Log driver awslogs requires option awslogs-stream-prefix"),
        (
            log(awslogs_multiline_pattern="^x"),
            "The sandbox does not carry out containerDefinitions[name=web].logConfiguration.options."
            "awslogs-multiline-pattern",
        ),
    ],
)
def test_log_configurations_that_are_refused(
    register: Make, container: Make, configuration: dict[str, Any], message: str
) -> None:
    said = refusal(register, container("web", logConfiguration=configuration), executionRoleArn=ROLE)
    assert said.startswith(message)


def test_logs_need_an_execution_role(register: Make, container: Make) -> None:
    said = refusal(register, container("web", logConfiguration=LOGS))
    assert said == "Fargate requires task definition to have execution role ARN to support log driver awslogs."


# -- the task --------------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(play: Make, container: Make) -> Any:
    two = play(container("web", secrets=SECRETS), container("aside"), executionRoleArn=ROLE).start()
    return two.on(two.attached, "event PENDING v2", "prepare")


def test_containers_start_when_all_is_there(waiting: Any) -> None:
    waiting.on(ResourcesReady(), "start web", "start aside").shows(pullStartedAt=102.0)
    waiting.on(ResourcesReady())
    waiting.on(ResourcesFailed("late"))
    waiting.on(ContainerStarted("web", "id-web"))
    waiting.on(ContainerStarted("aside", "id-aside"), "event RUNNING v3")


def test_without_them_none_starts(waiting: Any) -> None:
    reason = "ResourceInitializationError: unable to pull secrets or registry auth: ..."
    waiting.on(ResourcesFailed(reason), "event PENDING>STOPPED v3", "event DEPROVISIONING>STOPPED v4", "detach")
    waiting.shows(stopCode="TaskFailedToStart", stoppedReason=reason, pullStartedAt=None, startedAt=None)


def test_a_stop_while_they_are_looked_up(waiting: Any) -> None:
    stop = StopRequested("Task stopped by user", "UserInitiated")
    waiting.on(stop, "event PENDING>STOPPED v3", "event DEPROVISIONING>STOPPED v4", "detach")
    waiting.on(ResourcesReady())
    waiting.on(ResourcesFailed("late")).shows(stoppedReason="Task stopped by user")


def test_neither_description_nor_event_has_a_secret(waiting: Any) -> None:
    assert SECRET not in str(waiting.task.describe())
