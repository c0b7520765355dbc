"""An execution of a pipeline and what it has run so far.

Statuses: API reference "PipelineExecution", "StageExecution", "ActionExecution".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.codepipeline.structure import Action, Pipeline, Stage

ENDED = frozenset({"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"})
MAY_RETRY = frozenset({"Failed", "Stopped"})


@dataclass(frozen=True)
class Artifact:
    """An artifact in the pipeline's bucket; ``revision`` is that of the source, or ""."""

    name: str
    bucket: str
    key: str
    revision: str = ""

    def shown(self) -> dict[str, Any]:
        """As ListActionExecutions shows it."""
        return {"name": self.name, "s3location": {"bucket": self.bucket, "key": self.key}}


@dataclass(frozen=True)
class Revision:
    """What a source action found."""

    action: str
    id: str
    summary: str = ""
    url: str = ""


@dataclass(frozen=True)
class Success:
    """What an action says when it has succeeded.

    Attributes:
        summary: For a person.
        external_id: Of what it has started elsewhere (a build).
        variables: For its namespace.
        revision: Of a source action.
    """

    summary: str = ""
    external_id: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    revision: Revision | None = None


@dataclass(frozen=True)
class Failure:
    """What an action says when it has failed; ``code`` is one of FailureDetails ("JobFailed", "ConfigurationError")."""

    code: str
    message: str
    external_id: str = ""


@dataclass(eq=False)
class ActionRun:
    """One run of an action; a retry is another one. Times are seconds since the epoch.

    Attributes:
        id: Its ``actionExecutionId``.
        status: InProgress, Succeeded, Failed or Abandoned.
        configuration: With its variables resolved.
        token: Of an approval that is awaited.
        updated_by: Who answered an approval.
        log_stream_arn: Where its log is.
    """

    id: str
    stage: str
    action: Action
    started_at: float
    updated_at: float
    status: str = "InProgress"
    configuration: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Artifact, ...] = ()
    outputs: tuple[Artifact, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""
    error_code: str = ""
    error_message: str = ""
    external_id: str = ""
    log_stream_arn: str = ""
    percent: int | None = None
    token: str = ""
    updated_by: str = ""
    revision: Revision | None = None

    @property
    def in_progress(self) -> bool:
        """Whether it still runs."""
        return self.status == "InProgress"


@dataclass(eq=False)
class Execution:
    """One execution.

    Attributes:
        id: Its ``pipelineExecutionId``.
        number: It was the so-and-so-many-th to be started.
        pipeline: The structure with which it was started.
        version: The structure's.
        place: The index of the stage in which it is, or in front of which it waits.
        waits: It is in front of that stage, not in it.
        entered: How many runs there were when it entered the stage in which it is.
        attempt: 1, and one more for each retry.
        stages: The status of each stage that it has entered.
        runs: All that it has run, oldest first.
        artifacts: The latest of each name.
        variables: Of the pipeline (``variables``), of CodePipeline, and of the actions' namespaces.
    """

    id: str
    number: int
    pipeline: Pipeline
    version: int
    trigger: Mapping[str, str]
    started_at: float
    updated_at: float
    status: str = "InProgress"
    place: int = 0
    waits: bool = True
    entered: int = 0
    attempt: int = 1
    stop_reason: str | None = None
    stages: dict[str, str] = field(default_factory=dict)
    runs: list[ActionRun] = field(default_factory=list)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    variables: dict[str, Mapping[str, str]] = field(default_factory=dict)
    revisions: dict[str, Revision] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it runs no more; a retry may take it up again."""
        return self.status in ENDED

    @property
    def stage(self) -> Stage:
        """The stage in which it is, or in front of which it waits."""
        return self.pipeline.stages[self.place]

    def latest_run(self, stage: str, action: str) -> ActionRun | None:
        """The latest run of an action in it."""
        found = (run for run in reversed(self.runs) if run.stage == stage and run.action.name == action)
        return next(found, None)

    def in_progress(self) -> list[ActionRun]:
        """The runs that have not ended."""
        return [run for run in self.runs if run.in_progress]

    def latest_in(self, stage: Stage) -> list[ActionRun]:
        """The latest run of each action since the stage was entered, or retried with all its actions."""
        latest = {run.action.name: run for run in self.runs[self.entered :] if run.stage == stage.name}
        return list(latest.values())
