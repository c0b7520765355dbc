"""Container health checks: what is taken, what is refused, and what makes a task healthy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.model.ecs import health
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.events import task_state_change
from sandbox.model.ecs.health import HealthCheck
from sandbox.model.ecs.messages import ContainerExited, HealthChanged

Make = Callable[..., Any]
CHECK = {"command": ["CMD-SHELL", "curl -f http://localhost/ || exit 1"]}


def test_defaults(register: Make, container: Make) -> None:
    definition = register(container("web", healthCheck=CHECK)).container("web")
    assert definition.health_check == HealthCheck(tuple(CHECK["command"]), 30, 5, 3, 0)
    assert definition.raw["healthCheck"] == {**CHECK, "interval": 30, "timeout": 5, "retries": 3}


@pytest.mark.parametrize("raw", [None, {}, {"command": ["NONE"]}])
def test_no_check(register: Make, container: Make, raw: Any) -> None:
    assert register(container("web", healthCheck=raw)).container("web").health_check is None


@pytest.mark.parametrize(("name", "least", "most"), [(n, low, high) for n, (_, low, high) in health.LIMITS.items()])
def test_limits(name: str, least: int, most: int) -> None:
    for good in (least, most):
        assert health.parse("web", {**CHECK, name: good}) is not None
    for bad in (least - 1, most + 1):
        with pytest.raises(EcsError, match=f"'web'. Health check: {name} must be between {least} and {most}."):
            health.parse("web", {**CHECK, name: bad})


@pytest.mark.parametrize(
    "command", [[], ["curl", "localhost"], ["CMD"], ["CMD-SHELL"], ["CMD-SHELL", "curl", "localhost"]]
)
def test_commands_that_are_none(command: list[str]) -> None:
    with pytest.raises(EcsError) as caught:
        health.parse("web", {"command": command, "interval": 30})
    assert caught.value.code == "ClientException"


@pytest.mark.parametrize(
    ("containers", "task"),
    [
        ("UNHEALTHY UNKNOWN", "UNHEALTHY"),
        ("UNHEALTHY HEALTHY", "UNHEALTHY"),
        ("HEALTHY UNKNOWN", "UNKNOWN"),
        ("HEALTHY HEALTHY", "HEALTHY"),
        ("UNHEALTHY UNKNOWN UNKNOWN", "UNHEALTHY"),
        ("UNHEALTHY UNKNOWN HEALTHY", "UNHEALTHY"),
        ("UNHEALTHY HEALTHY HEALTHY", "UNHEALTHY"),
        ("HEALTHY UNKNOWN HEALTHY", "UNKNOWN"),
        ("HEALTHY UNKNOWN UNKNOWN", "UNKNOWN"),
        ("HEALTHY HEALTHY HEALTHY", "HEALTHY"),
        ("", "UNKNOWN"),
    ],
)
def test_the_table_of_the_developer_guide(containers: str, task: str) -> None:
    assert health.of_task(containers.split()) == task  # type: ignore[arg-type]


def test_only_essential_containers_with_a_check_count(play: Make, container: Make) -> None:
    checked = {"healthCheck": CHECK}
    three = play(container("web", **checked), container("proxy"), container("aside", essential=False, **checked))
    three.running().shows(healthStatus="UNKNOWN", version=3)
    three.on(HealthChanged("aside", "UNHEALTHY")).shows(healthStatus="UNKNOWN")
    three.on(HealthChanged("web", "HEALTHY")).shows(healthStatus="HEALTHY")
    assert [c["healthStatus"] for c in three.task.describe()["containers"]] == ["HEALTHY", "UNKNOWN", "UNHEALTHY"]
    three.on(HealthChanged("web", "UNHEALTHY")).shows(healthStatus="UNHEALTHY", lastStatus="RUNNING", version=3)
    assert three.task.health_status == "UNHEALTHY"


def test_health_is_not_in_events(play: Make, container: Make) -> None:
    one = play(container("web", healthCheck=CHECK)).running().on(HealthChanged("web", "HEALTHY"))
    event = task_state_change(one.task.describe(), event_id="id", now=0.0, account="1", region="r")
    assert "healthStatus" not in str(event)


def test_a_late_report_of_a_stopped_container_changes_nothing(play: Make, container: Make) -> None:
    two = play(container("web"), container("aside", essential=False, healthCheck=CHECK)).running()
    two.on(ContainerExited("aside", 0), "event RUNNING v4")
    two.on(HealthChanged("aside", "HEALTHY"))
    assert two.task.containers["aside"].health == "UNKNOWN"
