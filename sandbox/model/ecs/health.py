"""Container health checks: what a definition may ask for, and what the containers' health makes of the task's.

Rules: API reference "HealthCheck"; developer guide "Determine Amazon ECS task health using container health checks".
Whether a container is healthy decides the engine, whose HEALTHCHECK has the same parameters: the ECS agent, too, takes
the word of Docker's. A check that an image brings along is not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.model.ecs.errors import client_exception

Health = Literal["UNKNOWN", "HEALTHY", "UNHEALTHY"]

# Parameter -> default, least, most; seconds but for retries.
LIMITS: Mapping[str, tuple[int, int, int]] = {
    "interval": (30, 5, 300),
    "timeout": (5, 2, 60),
    "retries": (3, 1, 10),
    "startPeriod": (0, 0, 300),
}


@dataclass(frozen=True)
class HealthCheck:
    """A check as a container definition has it. ``command`` begins with CMD or CMD-SHELL; times are in seconds."""

    command: tuple[str, ...]
    interval: int
    timeout: int
    retries: int
    start_period: int


def parse(container: str, raw: Mapping[str, Any] | None) -> HealthCheck | None:
    """The check of a container definition's ``healthCheck``; None for none, and for the command ``NONE``.

    Raises:
        EcsError: ClientException; AWS documents the limits, the words are ours.
    """
    if not raw:
        return None
    command = tuple(raw.get("command") or ())
    if command[:1] == ("NONE",):
        return None
    if command[:1] not in {("CMD",), ("CMD-SHELL",)} or len(command) < 2:
        raise _refused(container, "the command must start with CMD or CMD-SHELL and have something to run")
    if command[0] == "CMD-SHELL" and len(command) > 2:
        raise _refused(container, "CMD-SHELL takes one string")
    values = {}
    for name, (default, least, most) in LIMITS.items():
        given = raw.get(name)
        values[name] = default if given is None else int(given)
        if not least <= values[name] <= most:
            raise _refused(container, f"{name} must be between {least} and {most}")
    return HealthCheck(command, values["interval"], values["timeout"], values["retries"], values["startPeriod"])


def shown(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A ``healthCheck`` as DescribeTaskDefinition answers it: with the defaults (startPeriod has none)."""
    return {**{name: LIMITS[name][0] for name in ("interval", "timeout", "retries")}, **raw}


def of_task(essential: Iterable[Health]) -> Health:
    """The health of a task from that of its essential containers that have a check."""
    seen = set(essential)
    if "UNHEALTHY" in seen:
        return "UNHEALTHY"
    return "HEALTHY" if seen == {"HEALTHY"} else "UNKNOWN"


def _refused(container: str, why: str) -> Exception:
    return client_exception(f"Invalid setting for container '{container}'. Health check: {why}.")
