"""``dependsOn``: which containers of a task wait for which, at the start, and the other way round at the stop.

Rules: API reference "ContainerDependency" and "ContainerDefinition" (startTimeout); the words of failures are those of
the ECS agent (amazon-ecs-agent, agent/engine/dependencygraph/graph.go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.model.ecs.errors import client_exception

if TYPE_CHECKING:
    from sandbox.model.ecs.container import Container
    from sandbox.model.ecs.containerdef import ContainerDefinition

CONDITIONS = ("START", "COMPLETE", "SUCCESS", "HEALTHY")

# startTimeout bounds how long others wait for these; START is there as soon as there is anything to wait for.
TIMED_CONDITIONS = frozenset({"COMPLETE", "SUCCESS", "HEALTHY"})


@dataclass(frozen=True)
class Dependency:
    """A container must be in a ``condition`` before the one that depends on it is started."""

    container: str
    condition: str


class Unresolvable(Exception):
    """The condition can never be met any more."""


def parse(raw: Sequence[Mapping[str, Any]] | None) -> tuple[Dependency, ...]:
    """The dependencies of a container definition's ``dependsOn``.

    Raises:
        EcsError: ClientException.
    """
    found = tuple(Dependency(item.get("containerName") or "", item.get("condition") or "") for item in raw or ())
    for dependency in found:
        if dependency.condition not in CONDITIONS:
            raise client_exception(
                f"Invalid container dependency condition '{dependency.condition}': one of {', '.join(CONDITIONS)}."
            )
    return found


def check(containers: Sequence[ContainerDefinition]) -> None:
    """Refuse dependencies that no start could satisfy.

    Raises:
        EcsError: ClientException: an unknown container, a cycle (itself included), an essential container that must
            end, or a health that nobody checks.
    """
    by_name = {container.name: container for container in containers}
    for container in containers:
        for dependency in container.depends_on:
            other = by_name.get(dependency.container)
            if other is None:
                raise client_exception(
                    f"Cannot depend on container + '{dependency.container}' because it does not exist"
                )
            if dependency.condition in {"COMPLETE", "SUCCESS"} and other.essential:
                raise client_exception(
                    "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"
                )
            if dependency.condition == "HEALTHY" and other.health_check is None:
                raise client_exception(
                    "A dependency container with HEALTHY condition must have health check configured"
                )
        for name in container.volumes_from:
            if name not in by_name:
                raise client_exception(
                    f"Invalid setting for container '{container.name}'. The container '{name}' of its volumesFrom "
                    "does not exist."
                )
    started: set[str] = set()
    while ready := [c.name for c in containers if c.name not in started and _all_names(c) <= started]:
        started.update(ready)
    if len(started) < len(by_name):
        waiting = ", ".join(f"'{name}'" for name in by_name if name not in started)
        raise client_exception(f"The dependsOn of containers {waiting} forms a cycle.")


def met(dependency: Dependency, on: Container, target: str) -> bool:
    """Whether the condition holds now.

    Args:
        dependency: What ``target`` waits for.
        on: The container that it names, as it is.
        target: The name of the container that waits.

    Raises:
        Unresolvable: It can never hold any more.
    """
    stopped = on.status == "STOPPED"
    match dependency.condition:
        case "START":
            return stopped or on.status == "RUNNING"
        case "COMPLETE":
            return stopped
        case "SUCCESS":
            if stopped and on.exit_code != 0:
                raise Unresolvable(_failed(on.name, target) + " as dependency did not exit successfully.")
            return stopped
        case _:
            if stopped:
                raise Unresolvable(_failed(on.name, target) + " as dependency stopped before it was healthy.")
            return on.health == "HEALTHY"


def timed_out(on: str, target: str) -> str:
    """The reason of a container that gave up waiting for another."""
    return f"dependency graph: container ordering dependency [{on}] for target [{target}] has timed out."


def timed_dependants(on: str, containers: Sequence[ContainerDefinition]) -> list[str]:
    """The containers that wait for ``on`` to be healthy or done, which its startTimeout bounds."""
    return [
        container.name
        for container in containers
        if any(d.container == on and d.condition in TIMED_CONDITIONS for d in container.depends_on)
    ]


def dependants(on: str, containers: Sequence[ContainerDefinition]) -> list[str]:
    """The containers that depend on ``on`` in any way: they are stopped before it."""
    return [container.name for container in containers if on in _names(container)]


def _names(container: ContainerDefinition) -> set[str]:
    return {dependency.container for dependency in container.depends_on}


def _all_names(container: ContainerDefinition) -> set[str]:
    return {dependency.container for dependency in container.waits_for}


def _failed(on: str, target: str) -> str:
    return f"dependency graph: failed to resolve container ordering dependency [{on}] for target [{target}]"
