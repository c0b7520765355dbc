"""A container of a task, as ECS sees it."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.model.ecs.health import Health


@dataclass
class Container:
    """A container of a task. ``status`` is PENDING, RUNNING or STOPPED.

    Attributes:
        asked: It has been told to start: it is being started, runs, or has ended.
        stopping: It has been told to stop.
        may_restart: It has run for as long as its restart policy wants.
        restarts: How often it has been started again.
        address: Its own on its instance's bridge ("": it has none of its own).
        created_at, started_at, finished_at: Seconds since the epoch; None: not yet.
    """

    name: str
    arn: str
    image: str
    status: str = "PENDING"
    runtime_id: str | None = None
    digest: str | None = None
    exit_code: int | None = None
    reason: str = ""
    pulled: bool = False
    asked: bool = False
    stopping: bool = False
    health: Health = "UNKNOWN"
    may_restart: bool = False
    restarts: int = 0
    created_at: float | None = None
    started_at: float | None = None
    address: str = ""
    finished_at: float | None = None
