"""A run of an action on its way: what it is told, and how it tells what became of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.model.codepipeline.execution import ActionRun, Artifact, Execution, Failure, Success


class ActionFailedError(Exception):
    """An action has failed.

    Args:
        code: One of AWS's types of failure ("JobFailed", "ConfigurationError", "PermissionError", ...).
        message: For whoever looks at the pipeline.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Job:
    """One run.

    Attributes:
        execution: Of which it is a part.
        run: Of which action, with what configuration and artifacts.
        finish: Call it once, with what became of it. What comes after the end of the run is nobody's business.
        progress: Call it with facts that GetPipelineState is to show (see `CodePipeline.progress`).
        abandoned: Set when nobody waits for it any more.
    """

    execution: Execution
    run: ActionRun
    finish: Callable[[Success | Failure], None]
    progress: Callable[..., None]
    abandoned: threading.Event = field(default_factory=threading.Event)

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self.execution.pipeline.name

    def setting(self, name: str, default: str = "") -> str:
        """A value of the action's configuration."""
        return self.run.configuration.get(name, default)

    def json_setting(self, name: str) -> Any:
        """The same, read as JSON; None where there is none.

        Raises:
            ActionFailedError: It is not JSON.
        """
        text = self.setting(name)
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise ActionFailedError("ConfigurationError", f"{name} is not valid JSON: {error}") from None


class Runner(Protocol):
    """Carries out one kind of action."""

    def run(self, job: Job) -> Success | None:
        """Carry it out, on a thread of its own; None: `Job.finish` is called later.

        Raises:
            ActionFailedError: It has failed.
        """

    def abandon(self, job: Job) -> None:
        """Nobody waits for it any more; must not block."""


class Artifacts(Protocol):
    """Where artifacts are."""

    def get(self, artifact: Artifact) -> bytes:
        """An input artifact; ActionFailedError where it is not there."""

    def put(self, artifact: Artifact, content: bytes) -> None:
        """Store an output artifact; ActionFailedError where that is refused."""
