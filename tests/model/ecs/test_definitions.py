"""Revisions that are taken out of use, and the lists of task definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.model.ecs import definitions, starts
from sandbox.model.ecs.control import Ecs
from sandbox.model.ecs.errors import EcsError

ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition"
RUN = {
    "launchType": "FARGATE",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
}


@pytest.fixture
def ecs(request_for: Callable[..., dict[str, Any]]) -> Ecs:
    """blog:1, blog:2 and shop:1."""
    made = Ecs("123456789012", "us-east-1", lambda: "0" * 32)
    made.create_cluster({})
    for family in ("blog", "blog", "shop"):
        made.register_task_definition(request_for(family=family), 0.0)
    return made


def refused(message: str) -> Any:
    return pytest.raises(EcsError, check=lambda error: error.code == "ClientException" and error.message == message)


def test_a_revision_that_is_deregistered(ecs: Ecs) -> None:
    gone = definitions.deregister(ecs.definitions, "blog:2", 9.0)
    assert (gone.raw["status"], gone.raw["deregisteredAt"]) == ("INACTIVE", 9.0)
    assert ecs.find_definition("blog:2") is gone  # it can be looked at
    assert ecs.find_definition("blog").revision == 1  # the latest that is ACTIVE
    with refused("TaskDefinition is inactive"):
        starts.run_task(ecs, {**RUN, "taskDefinition": "blog:2"}, 10.0)
    assert definitions.deregister(ecs.definitions, "blog:2", 11.0) is gone


def test_a_new_revision_has_a_new_number(ecs: Ecs, request_for: Callable[..., dict[str, Any]]) -> None:
    definitions.deregister(ecs.definitions, "blog:2", 9.0)
    assert ecs.register_task_definition(request_for(), 10.0).revision == 3


def test_a_family_without_an_active_revision(ecs: Ecs) -> None:
    definitions.deregister(ecs.definitions, f"{ARN}/shop:1", 9.0)
    with refused("Unable to describe task definition."):
        ecs.find_definition("shop")
    with refused("TaskDefinition not found."):
        starts.run_task(ecs, {**RUN, "taskDefinition": "shop"}, 10.0)


def test_what_cannot_be_deregistered(ecs: Ecs) -> None:
    with refused("Task definition revision must be specified."):
        definitions.deregister(ecs.definitions, "blog", 9.0)
    for reference in ("blog:0", "blog:3", "nope:1"):
        with refused("Unable to describe task definition."):
            definitions.deregister(ecs.definitions, reference, 9.0)


def test_lists(ecs: Ecs) -> None:
    definitions.deregister(ecs.definitions, "shop:1", 9.0)

    def listed(**request: Any) -> list[str]:
        return [definition.name for definition in definitions.listed(ecs.definitions, request)]

    assert listed() == ["blog:1", "blog:2"]
    assert listed(sort="DESC") == ["blog:2", "blog:1"]
    assert listed(status="INACTIVE") == ["shop:1"]
    assert listed(familyPrefix="blo") == []  # despite its name, the whole family

    def families(**request: Any) -> list[str]:
        return definitions.families(ecs.definitions, request)

    assert families() == ["blog", "shop"]
    assert families(status="ACTIVE") == ["blog"]
    assert families(status="INACTIVE") == families(familyPrefix="sh") == ["shop"]
