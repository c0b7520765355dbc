"""``restartPolicy``: a container that is started again in its task.

Rules: developer guide "Restart individual containers in Amazon ECS tasks with container restart policies"; API
reference "ContainerRestartPolicy".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs.errors import client_exception

DEFAULT_PERIOD, LEAST_PERIOD, MOST_PERIOD = 300, 60, 1800
MAX_IGNORED = 50


@dataclass(frozen=True)
class RestartPolicy:
    """Exit codes after which a container stays stopped, and the seconds that it must have run to be started again."""

    ignored: frozenset[int]
    period: int


def parse(container: str, raw: Mapping[str, Any] | None) -> RestartPolicy | None:
    """The policy of a container definition (None: none, or one that is not enabled).

    Raises:
        EcsError: ClientException; AWS documents the limits, the words are ours.
    """
    if not raw or not raw.get("enabled"):
        return None
    ignored = list(raw.get("ignoredExitCodes") or ())
    period = raw.get("restartAttemptPeriod")
    period = DEFAULT_PERIOD if period is None else int(period)
    if len(ignored) > MAX_IGNORED or not LEAST_PERIOD <= period <= MOST_PERIOD:
        raise client_exception(
            f"Invalid setting for container '{container}'. A restart policy has {MAX_IGNORED} ignoredExitCodes at "
            f"most, and a restartAttemptPeriod of {LEAST_PERIOD} to {MOST_PERIOD} seconds."
        )
    return RestartPolicy(frozenset(ignored), period)
