"""Tags: on what they are, what is refused, and where they are propagated."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from sandbox.model.ecs import services, starts, tagging
from sandbox.model.ecs.control import Ecs
from sandbox.model.ecs.errors import EcsError

ARN = "arn:aws:ecs:us-east-1:123456789012"
RUN = {
    "taskDefinition": "blog",
    "launchType": "FARGATE",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
}


def tags(**values: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


@pytest.fixture
def ecs(request_for: Callable[..., dict[str, Any]]) -> Ecs:
    ids = count(1)
    made = Ecs("123456789012", "us-east-1", lambda: f"{next(ids):032x}")
    made.create_cluster({"tags": tags(of="cluster")})
    made.register_task_definition(request_for(tags=tags(of="definition", d="1")), 0.0)
    return made


def test_every_resource_has_them(ecs: Ecs) -> None:
    (task,), _ = starts.run_task(ecs, {**RUN, "tags": tags(of="task")}, 0.0)
    service, _ = services.create(ecs, {**RUN, "serviceName": "web", "tags": tags(of="service")}, 0.0)
    for arn, kind in (
        (f"{ARN}:cluster/default", "cluster"),
        (f"{ARN}:task-definition/blog:1", "definition"),
        (task.arn, "task"),
        (service.arn, "service"),
    ):
        assert tagging.of(ecs, arn)[0] == {"key": "of", "value": kind}
        tagging.add(ecs, arn, tags(of="new", more="yes"))
        tagging.remove(ecs, arn, ["d", "more", "nope"])
        assert list(tagging.of(ecs, arn)) == tags(of="new")
    assert task.describe()["tags"] == tags(of="new")
    assert ecs.describe_cluster(ecs.find_cluster(None))["tags"] == tags(of="new")


@pytest.mark.parametrize(
    "arn", ["", "nope", f"{ARN}:task/default/nope", f"{ARN}:task/nope", f"{ARN}:service/default/nope", f"{ARN}:x/y"]
)
def test_there_is_no_such_resource(ecs: Ecs, arn: str) -> None:
    for call in (lambda: tagging.of(ecs, arn), lambda: tagging.add(ecs, arn, []), lambda: tagging.remove(ecs, arn, [])):
        with pytest.raises(EcsError):
            call()


@pytest.mark.parametrize(
    "given",
    [
        [{"key": str(number)} for number in range(51)],
        [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}],
        [{"key": ""}],
        [{"key": "k" * 129}],
        [{"key": "k", "value": "v" * 257}],
        [{"key": "AWS:mine", "value": "x"}],
    ],
)
def test_refused(ecs: Ecs, given: list[dict[str, str]]) -> None:
    for call in (
        lambda: tagging.add(ecs, f"{ARN}:cluster/default", given),
        lambda: starts.run_task(ecs, {**RUN, "tags": given}, 0.0),
    ):
        with pytest.raises(EcsError) as caught:
            call()
        assert caught.value.code == "InvalidParameterException"


def test_there_are_never_more_than_fifty(ecs: Ecs) -> None:
    arn = f"{ARN}:cluster/default"
    tagging.add(ecs, arn, [{"key": str(number)} for number in range(49)])
    with pytest.raises(EcsError, match="more than 50"):
        tagging.add(ecs, arn, [{"key": "one more"}])


def started(ecs: Ecs, **request: Any) -> dict[str, str]:
    (task,), _ = starts.run_task(ecs, {**RUN, **request}, 0.0)
    return {tag["key"]: tag["value"] for tag in task.tags}


def test_run_task(ecs: Ecs) -> None:
    assert started(ecs) == {}
    assert started(ecs, tags=tags(of="task")) == {"of": "task"}
    assert started(ecs, propagateTags="TASK_DEFINITION") == {"of": "definition", "d": "1"}
    assert started(ecs, propagateTags="TASK_DEFINITION", tags=tags(of="task")) == {"of": "task", "d": "1"}
    assert started(ecs, enableECSManagedTags=True) == {"aws:ecs:clusterName": "default"}
    with pytest.raises(EcsError):
        started(ecs, propagateTags="SERVICE")


@pytest.mark.parametrize(
    ("propagate", "expected"),
    [
        ({}, {}),
        ({"propagateTags": "SERVICE"}, {"of": "service"}),
        ({"propagateTags": "TASK_DEFINITION"}, {"of": "definition", "d": "1"}),
        ({"enableECSManagedTags": True}, {"aws:ecs:clusterName": "default", "aws:ecs:serviceName": "web"}),
    ],
)
def test_services(ecs: Ecs, propagate: dict[str, Any], expected: dict[str, str]) -> None:
    service, _ = services.create(ecs, {**RUN, "serviceName": "web", "tags": tags(of="service"), **propagate}, 0.0)
    (task,) = ecs.tasks_of(service)
    assert {tag["key"]: tag["value"] for tag in task.tags} == expected
