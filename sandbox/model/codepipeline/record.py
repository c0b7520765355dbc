"""A pipeline with its executions, and the commands that follow from what happens to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.model.codepipeline.errors import execution_not_found
from sandbox.model.codepipeline.events import Changed
from sandbox.model.codepipeline.execution import ActionRun, Execution
from sandbox.model.codepipeline.structure import Pipeline


@dataclass(frozen=True)
class RunAction:
    """Start this run; `CodePipeline.finish` is told of its end."""

    execution: Execution
    run: ActionRun


@dataclass(frozen=True)
class AbandonAction:
    """Nobody waits for this run any more."""

    run: ActionRun


Command = RunAction | AbandonAction | Changed


@dataclass
class Transition:
    """The transition into a stage; it is enabled unless somebody has disabled it."""

    enabled: bool = True
    reason: str = ""
    changed_at: float | None = None


@dataclass(eq=False)
class Record:
    """A pipeline and its executions.

    Attributes:
        executions: Oldest first.
        occupants: Which execution has locked which stage.
        waiting: Who is in front of which stage, oldest first.
        latest: Which execution entered a stage last.
        tokens: The executions of requests that may come again, by client token.
    """

    pipeline: Pipeline
    version: int
    created_at: float
    updated_at: float
    executions: list[Execution] = field(default_factory=list)
    occupants: dict[str, Execution] = field(default_factory=dict)
    waiting: dict[str, list[Execution]] = field(default_factory=dict)
    latest: dict[str, Execution] = field(default_factory=dict)
    transitions: dict[str, Transition] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def transition(self, stage: str) -> Transition:
        """The transition into a stage."""
        return self.transitions.setdefault(stage, Transition())

    def find(self, execution_id: str) -> Execution:
        """An execution.

        Raises:
            PipelineError: PipelineExecutionNotFoundException.
        """
        found = next((one for one in self.executions if one.id == execution_id), None)
        if found is None:
            raise execution_not_found(execution_id)
        return found
