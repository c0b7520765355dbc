"""RunTask's overrides: what the task gets, what it shows, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.model.ecs import overrides, starts
from sandbox.model.ecs.control import Ecs
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.events import task_state_change

Make = Callable[..., Any]
RUN = {
    "taskDefinition": "blog",
    "launchType": "FARGATE",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
}


@pytest.fixture
def definition(register: Make, container: Make) -> Any:
    environment = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    return register(container("web", command=["serve"], cpu=64, environment=environment), container("db"))


def of(name: str, **more: Any) -> dict[str, Any]:
    return {"containerOverrides": [{"name": name, **more}]}


def test_environment_is_added_to_and_replaced_by_name(definition: Any) -> None:
    new = [{"name": "B", "value": "two"}, {"name": "C", "value": "3"}]
    applied = overrides.apply(definition, of("web", environment=new))
    values = {item["name"]: item["value"] for item in applied.container("web").raw["environment"]}
    assert values == {"A": "1", "B": "two", "C": "3"}
    assert [item["value"] for item in definition.container("web").raw["environment"]] == ["1", "2"]
    assert applied.container("db") is definition.container("db")


def test_command_and_sizes_are_replaced(definition: Any) -> None:
    web = overrides.apply(definition, of("web", command=["migrate", "--all"], cpu=128, memoryReservation=64)).container(
        "web"
    )
    assert (web.raw["command"], web.raw["cpu"], web.raw["memoryReservation"]) == (["migrate", "--all"], 128, 64)


def test_an_empty_command_replaces_nothing(definition: Any) -> None:
    assert overrides.apply(definition, of("web", command=[])).container("web").raw["command"] == ["serve"]


def test_the_files_of_an_override_replace_the_definition_s(register: Make, container: Make) -> None:
    mine, other = ([{"type": "s3", "value": f"arn:aws:s3:::b/{name}.env"}] for name in ("mine", "other"))
    definition = register(container("web", environmentFiles=mine))
    web = overrides.apply(definition, of("web", environmentFiles=other)).container("web")
    assert [file.key for file in web.environment_files] == ["other.env"]
    assert web.raw["environmentFiles"] == other


def test_the_size_of_the_task(definition: Any) -> None:
    raw = overrides.apply(definition, {"cpu": "1 vCPU", "memory": "2GB"}).raw
    assert (raw["cpu"], raw["memory"]) == ("1024", "2048")
    assert (definition.raw["cpu"], definition.raw["memory"]) == ("256", "512")


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (
            of("nope"),
            "InvalidParameterException",
            "Override for container named nope is not a container in the TaskDefinition.",
        ),
        (
            of("web", command=["x" * 8200]),
            "InvalidParameterException",
            "Container Overrides length must be at most 8192",
        ),
        ({"cpu": "1024"}, "ClientException", "No Fargate configuration exists for given values."),
        ({"cpu": "lots"}, "ClientException", "Invalid 'cpu' setting for task."),
        (
            {"inferenceAcceleratorOverrides": [{"deviceName": "d"}]},
            "ClientException",
            "The sandbox does not carry out overrides.inferenceAcceleratorOverrides",
        ),
        (
            of("web", resourceRequirements=[{"type": "GPU", "value": "1"}]),
            "ClientException",
            "The sandbox does not carry out overrides.containerOverrides[name=web].resourceRequirements",
        ),
    ],
)
def test_refused(definition: Any, asked: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(EcsError) as caught:
        overrides.apply(definition, asked)
    assert caught.value.code == code
    assert caught.value.message.startswith(message)


def test_they_are_shown_by_the_task_and_its_events(request_for: Make, container: Make) -> None:
    ecs = Ecs("123456789012", "us-east-1", lambda: "0" * 32)
    ecs.create_cluster({})
    ecs.register_task_definition(request_for(container("web"), container("db")), 0.0)
    asked = {**of("db", command=["dump"]), "cpu": "512", "memory": "1024", "taskRoleArn": "arn:aws:iam::1:role/r"}
    (task,), commands = starts.run_task(ecs, {**RUN, "overrides": asked}, 0.0)
    shown = task.describe()
    assert (shown["cpu"], shown["memory"]) == ("512", "1024")
    expected = {**asked, "containerOverrides": [{"name": "web"}, {"name": "db", "command": ["dump"]}]}
    assert shown["overrides"] == {**expected, "inferenceAcceleratorOverrides": []}
    event = task_state_change(commands[0].task, event_id="id", now=0.0, account="1", region="r")
    assert event["detail"]["overrides"] == expected
    assert "overrides" not in ecs.find_definition("blog").raw
    assert ecs.find_definition("blog").raw["cpu"] == "256"
