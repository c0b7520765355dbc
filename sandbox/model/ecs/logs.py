"""``logConfiguration`` of a container: where its output goes.

Rules: developer guide "Send Amazon ECS logs to CloudWatch" (awslogs); API reference "LogConfiguration".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs.errors import client_exception, not_carried_out

FARGATE_DRIVERS = ("awslogs", "splunk", "awsfirelens")
REQUIRED = ("awslogs-region", "awslogs-group")
# Lines are handed over without holding up the container, so that mode and its buffer make no difference.
_TAKEN = frozenset({*REQUIRED, "awslogs-stream-prefix", "awslogs-create-group", "mode", "max-buffer-size"})


@dataclass(frozen=True)
class LogTarget:
    """A log group, and how the streams in it are named."""

    group: str
    region: str
    stream_prefix: str
    create_group: bool

    def stream(self, container: str, task_id: str) -> str:
        """The log stream of a container of a task."""
        return f"{self.stream_prefix}/{container}/{task_id}"


def parse(container: str, raw: Mapping[str, Any] | None, *, fargate: bool) -> LogTarget | None:
    """The target of a container definition's ``logConfiguration`` (None: there is none).

    Raises:
        EcsError: ClientException, in words that users have seen, but for that of the missing prefix.
    """
    if not raw:
        return None
    driver, options = raw.get("logDriver") or "", raw.get("options") or {}
    if fargate and driver not in FARGATE_DRIVERS:
        raise client_exception(f"{driver} is not a valid log driver. Must be one of [{','.join(FARGATE_DRIVERS)}]")
    where = f"containerDefinitions[name={container}].logConfiguration"
    if driver != "awslogs":
        raise not_carried_out(f"{where} with logDriver {driver}")
    if raw.get("secretOptions"):
        raise not_carried_out(f"{where}.secretOptions")
    if not all(options.get(name) for name in REQUIRED):
        raise client_exception(f"Log driver awslogs requires options: {', '.join(REQUIRED)}")
    if not options.get("awslogs-stream-prefix"):
        raise client_exception("Log driver awslogs requires option awslogs-stream-prefix on Fargate")
    for name in options:
        if name not in _TAKEN:
            raise not_carried_out(f"{where}.options.{name}")
    return LogTarget(
        options["awslogs-group"],
        options["awslogs-region"],
        options["awslogs-stream-prefix"],
        options.get("awslogs-create-group") == "true",
    )
