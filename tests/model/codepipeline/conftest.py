"""Pipelines in short, and their executions as transcripts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sandbox.model.codepipeline.control import CodePipeline
from sandbox.model.codepipeline.events import Changed
from sandbox.model.codepipeline.execution import ActionRun, Execution, Failure, Success
from sandbox.model.codepipeline.record import AbandonAction, RunAction

_KINDS = {
    "source": ("Source", "S3", {"S3Bucket": "code", "S3ObjectKey": "app.zip", "PollForSourceChanges": "false"}),
    "build": ("Build", "CodeBuild", {"ProjectName": "app"}),
    "approve": ("Approval", "Manual", {}),
    "invoke": ("Invoke", "Lambda", {"FunctionName": "f"}),
    "deploy": ("Deploy", "ECS", {"ClusterName": "c", "ServiceName": "s"}),
}


def action(name: str, kind: str, *, order: int = 1, inputs=(), outputs=(), **more: Any) -> dict[str, Any]:
    """An ActionDeclaration."""
    category, provider, configuration = _KINDS[kind]
    made = {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "runOrder": order,
        "configuration": dict(configuration),
        "inputArtifacts": [{"name": item} for item in inputs],
        "outputArtifacts": [{"name": item} for item in outputs],
    }
    made.update(more)
    return made


SOURCE = action("Get", "source", outputs=["code"])
DEPLOY = action("Roll", "deploy", inputs=["code"])


def pipeline(*stages: tuple[str, list[dict[str, Any]]], name: str = "release", **more: Any) -> dict[str, Any]:
    """A PipelineDeclaration of these stages, or of a source and a deployment."""
    return {
        "name": name,
        "roleArn": "arn:aws:iam::123456789012:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": stage, "actions": actions}
            for stage, actions in stages or (("Source", [SOURCE]), ("Deploy", [DEPLOY]))
        ],
        **more,
    }


class World:
    """A `CodePipeline` and what it has said: ``told`` has one line for each command."""

    def __init__(self, declaration: dict[str, Any] | None = None) -> None:
        counter = itertools.count(1)
        self.model = CodePipeline("us-east-1", lambda: f"{next(counter):08x}-0000-0000-0000-000000000000")
        self.told: list[str] = []
        self.commands: list[Any] = []
        self.now = 0.0
        self.name = (declaration or {}).get("name", "release")
        if declaration is not None:
            record, commands = self.model.create(declaration, self.tick())
            self.record = record
            self._take(commands)

    def tick(self) -> float:
        self.now += 1
        return self.now

    def _take(self, commands) -> None:
        self.commands += commands
        for command in commands:
            match command:
                case Changed():
                    what = command.run.action.name if command.run else command.stage
                    number = self._execution(command.execution_id).number
                    self.told.append(" ".join(part for part in (f"#{number}", what, command.detail["state"]) if part))
                case RunAction():
                    self.told.append(f"#{command.execution.number} run {command.run.action.name}")
                case AbandonAction():
                    self.told.append(f"abandon {command.run.action.name}")

    def _execution(self, execution_id: str) -> Execution:
        return self.record.find(execution_id) if hasattr(self, "record") else self._created(execution_id)

    def _created(self, execution_id: str) -> Execution:
        return self.model.find(self.name).find(execution_id)

    def take(self) -> list[str]:
        """What was told since the last call."""
        told, self.told = self.told, []
        return told

    def start(self, **variables: str) -> Execution:
        execution, commands = self.model.start(
            self.name, {"triggerType": "StartPipelineExecution"}, variables, "", self.tick()
        )
        self._take(commands)
        return execution

    def run_of(self, name: str, number: int = 0) -> tuple[Execution, ActionRun]:
        """The run of an action that is in progress, in the execution of that number or in any."""
        (found,) = [
            (execution, run)
            for execution in self.record.executions
            for run in execution.runs
            if run.action.name == name and run.in_progress and number in (0, execution.number)
        ]
        return found

    def ok(self, name: str, number: int = 0, **facts: Any) -> list[str]:
        """An action succeeds; what follows."""
        execution, run = self.run_of(name, number)
        self._take(self.model.finish(execution.id, run.id, Success(**facts), self.tick()))
        return self.take()

    def fail(self, name: str, number: int = 0, message: str = "no") -> list[str]:
        """An action fails; what follows."""
        execution, run = self.run_of(name, number)
        self._take(self.model.finish(execution.id, run.id, Failure("JobFailed", message), self.tick()))
        return self.take()

    def stop(self, execution: Execution, *, abandon: bool = False) -> list[str]:
        self._take(self.model.stop(self.name, execution.id, "enough", self.tick(), abandon=abandon))
        return self.take()

    def retry(self, stage: str, execution: Execution, mode: str = "FAILED_ACTIONS") -> list[str]:
        self._take(self.model.retry(self.name, stage, execution.id, mode, self.tick()))
        return self.take()

    def transition(self, stage: str, *, enabled: bool) -> list[str]:
        self._take(self.model.enable(self.name, stage, "not now", self.tick(), enabled=enabled))
        return self.take()

    def approve(self, stage: str, name: str, token: str, *, approved: bool = True) -> list[str]:
        answer = (approved, "looked at it")
        self._take(self.model.answer_approval(self.name, stage, name, token, answer, self.tick()))
        return self.take()

    def update(self, declaration: dict[str, Any]) -> list[str]:
        self._take(self.model.update(declaration, self.tick())[1])
        return self.take()


@pytest.fixture
def world():
    """Makes a `World` of a pipeline; the lines of its creation are taken."""

    def make(*stages, **more) -> World:
        made = World(pipeline(*stages, **more))
        made.first = made.record.executions[0] if made.record.executions else None
        return made

    return make
