"""CodePipeline as a state machine: the pipelines of an account, and what is asked of their executions.

Rules: user guide "Stop a pipeline execution", "Configuring stage retry for a failed stage or failed actions"; API
reference. What happens is said by `finish` and by the operations of the API; each returns the commands that follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.model.codepipeline import events
from sandbox.model.codepipeline.errors import PipelineError, invalid_structure, pipeline_not_found, stage_not_found
from sandbox.model.codepipeline.execution import MAY_RETRY, ActionRun, Execution, Failure, Success
from sandbox.model.codepipeline.flow import Flow
from sandbox.model.codepipeline.record import AbandonAction, Command, Record, Transition
from sandbox.model.codepipeline.structure import Pipeline, parse


class CodePipeline:
    """The pipelines of one account in one region.

    Args:
        region: Of the account's pipelines.
        new_id: Makes ids: 8-4-4-4-12 hexadecimal digits.
    """

    def __init__(self, region: str, new_id: Callable[[], str]) -> None:
        self._region = region
        self._new_id = new_id
        self._flow = Flow(region, new_id)
        self.pipelines: dict[str, Record] = {}

    def find(self, name: str) -> Record:
        """A pipeline.

        Raises:
            PipelineError: PipelineNotFoundException.
        """
        if name not in self.pipelines:
            raise pipeline_not_found(name)
        return self.pipelines[name]

    def create(self, declaration: Mapping[str, Any], now: float) -> tuple[Record, list[Command]]:
        """CreatePipeline, which also starts the first execution.

        Raises:
            PipelineError: PipelineNameInUseException, or what `parse` raises.
        """
        if declaration["name"] in self.pipelines:
            raise PipelineError(
                "PipelineNameInUseException", f"A pipeline with the name '{declaration['name']}' already exists"
            )
        record = Record(parse(declaration, self._region), 1, now, now)
        missing = sorted(name for name, default in record.pipeline.variables.items() if default is None)
        self.pipelines[record.pipeline.name] = record
        if missing:  # there is nobody to give them
            return record, []
        _, commands = self.start(record.pipeline.name, {"triggerType": "CreatePipeline"}, {}, "", now)
        return record, commands

    def update(self, declaration: Mapping[str, Any], now: float) -> tuple[Record, list[Command]]:
        """UpdatePipeline: executions that are under way are Cancelled.

        Raises:
            PipelineError: There is no such pipeline, or what `parse` raises.
        """
        record = self.find(declaration["name"])
        pipeline = parse(declaration, self._region)
        commands: list[Command] = []
        # Who waits ends first: nobody enters what another one leaves.
        for execution in sorted(record.executions, key=lambda one: not one.waits):
            if not execution.ended:
                commands += self._flow.break_off(record, execution, "Cancelled", now)
        record.pipeline, record.version, record.updated_at = pipeline, record.version + 1, now
        record.occupants.clear()
        record.waiting.clear()
        return record, commands

    def delete(self, name: str, now: float) -> list[Command]:
        """DeletePipeline; one that there is not is deleted as well. What runs is abandoned."""
        record = self.pipelines.pop(name, None)
        if record is None:
            return []
        return [AbandonAction(run) for execution in record.executions for run in execution.in_progress()]

    def start(
        self, name: str, trigger: Mapping[str, str], variables: Mapping[str, str], token: str, now: float
    ) -> tuple[Execution, list[Command]]:
        """StartPipelineExecution; a request with a token that has been is answered with its execution.

        Raises:
            PipelineError: There is no such pipeline, or a variable is unknown or has no value.
        """
        record = self.find(name)
        if token and token in record.tokens:
            return record.find(record.tokens[token]), []
        values = _variables(record.pipeline, variables)
        execution = Execution(
            self._new_id(), len(record.executions) + 1, record.pipeline, record.version, trigger, now, now
        )
        execution.variables = {"variables": values, "codepipeline": {"PipelineExecutionId": execution.id}}
        record.executions.append(execution)
        if token:
            record.tokens[token] = execution.id
        commands: list[Command] = [events.pipeline_changed(execution, began="STARTED")]
        return execution, commands + self._flow.arrive(record, execution, 0, now)

    def stop(self, name: str, execution_id: str, reason: str, now: float, *, abandon: bool) -> list[Command]:
        """StopPipelineExecution.

        Raises:
            PipelineError: There is no such execution, it has ended, or it is Stopping and is not to be abandoned.
        """
        record = self.find(name)
        execution = record.find(execution_id)
        if execution.ended:
            raise PipelineError(
                "PipelineExecutionNotStoppableException",
                f"The pipeline execution {execution_id} is in the status {execution.status} and cannot be stopped",
            )
        if execution.status == "Stopping" and not abandon:
            raise PipelineError(
                "DuplicatedStopRequestException",
                f"The pipeline execution {execution_id} is already being stopped. To abandon its actions in progress, "
                "use abandon",
            )
        execution.stop_reason = reason
        if execution.waits or abandon or not execution.in_progress():
            return self._flow.break_off(record, execution, "Stopped", now)
        execution.status, execution.updated_at = "Stopping", now
        execution.stages[execution.stage.name] = "Stopping"
        return [events.pipeline_changed(execution), events.stage_changed(execution, execution.stage.name)]

    def retry(self, name: str, stage_name: str, execution_id: str, mode: str, now: float) -> list[Command]:
        """RetryStageExecution.

        Raises:
            PipelineError: There is no such stage or execution, another one has entered the stage since, or nothing in
                the stage has failed.
        """
        record = self.find(name)
        self._check_stage(record, stage_name)
        execution = record.find(execution_id)
        stage = execution.stage
        if record.latest.get(stage_name) is not execution:
            raise PipelineError(
                "NotLatestPipelineExecutionException",
                "The stage has failed in a later run of the pipeline and the pipelineExecutionId associated with the "
                "request is out of date.",
            )
        runs = execution.latest_in(stage)
        failed = [run for run in runs if run.status in {"Failed", "Abandoned"}]
        busy = any(run.in_progress for run in runs)
        retryable = execution.status in MAY_RETRY or (execution.status == "InProgress" and busy and failed)
        moved = stage.name != stage_name or execution.waits or execution.version != record.version
        nothing = mode == "FAILED_ACTIONS" and not failed and execution.status != "Stopped"
        if moved or not retryable or nothing or (busy and mode == "ALL_ACTIONS"):
            raise PipelineError(
                "StageNotRetryableException",
                "Unable to retry. The pipeline structure or stage state might have changed while actions awaited "
                "retry, or the stage contains no failed actions.",
            )
        execution.attempt += 1
        execution.status, execution.updated_at, execution.stop_reason = "InProgress", now, None
        execution.stages[stage.name] = "InProgress"
        record.occupants[stage.name] = execution
        commands: list[Command] = [
            events.pipeline_changed(execution, began="RESUMED"),
            events.stage_changed(execution, stage.name, began="RESUMED"),
        ]
        if mode == "ALL_ACTIONS":
            execution.entered = len(execution.runs)
            return commands + self._flow.run(record, execution, stage.groups()[0], now)
        if not failed:  # it was stopped between two groups
            return commands + self._flow.next_group(record, execution, now)
        return commands + self._flow.run(record, execution, [run.action for run in failed], now)

    def enable(self, name: str, stage: str, reason: str, now: float, *, enabled: bool) -> list[Command]:
        """EnableStageTransition and DisableStageTransition, inbound.

        Raises:
            PipelineError: There is no such pipeline or stage.
        """
        record = self.find(name)
        self._check_stage(record, stage)
        record.transitions[stage] = Transition(enabled, "" if enabled else reason, now)
        return self._flow.admit(record, stage, now)

    def answer_approval(
        self, name: str, stage: str, action: str, token: str, answer: tuple[bool, str], now: float
    ) -> list[Command]:
        """PutApprovalResult: whether it is approved, and the comment.

        Raises:
            PipelineError: There is no such action, the token is not of the approval that is awaited, or it has been
                answered already.
        """
        record = self.find(name)
        place = self._check_stage(record, stage)
        if record.pipeline.stages[place].find(action) is None:
            raise PipelineError("ActionNotFoundException", f"Action '{action}' does not exist in stage '{stage}'")
        runs = [
            (execution, run)
            for execution in record.executions
            for run in execution.runs
            if run.stage == stage and run.action.name == action and run.token == token
        ]
        if not runs:
            raise PipelineError("InvalidApprovalTokenException", "The approval token is not valid")
        execution, run = runs[-1]
        if not run.in_progress:
            raise PipelineError("ApprovalAlreadyCompletedException", "The approval has already been completed")
        approved, comment = answer
        run.updated_by = "arn:aws:iam::123456789012:root"
        if approved:
            return self.finish(execution.id, run.id, Success(comment), now)
        run.summary = comment
        return self.finish(execution.id, run.id, Failure("", f"Rejected by {run.updated_by}: {comment}"), now)

    def progress(self, run: ActionRun, now: float, **facts: Any) -> None:
        """A run that goes on says something of itself: ``external_id``, ``summary``, ``log_stream_arn``, ..."""
        for name, fact in facts.items():
            setattr(run, name, fact)
        run.updated_at = now

    def finish(self, execution_id: str, run_id: str, result: Success | Failure, now: float) -> list[Command]:
        """A run has ended. What was abandoned, or has gone with its pipeline, is nobody's business."""
        for record in self.pipelines.values():
            for execution in record.executions:
                if execution.id == execution_id:
                    run = next((run for run in execution.runs if run.id == run_id and run.in_progress), None)
                    return [] if run is None else self._flow.end_run(record, execution, run, result, now)
        return []

    @staticmethod
    def _check_stage(record: Record, stage: str) -> int:
        place = record.pipeline.index(stage)
        if place < 0:
            raise stage_not_found(stage, record.pipeline.name)
        return place


def _variables(pipeline: Pipeline, given: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(set(given) - set(pipeline.variables))
    if unknown:
        raise PipelineError("ValidationException", f"The pipeline has no variable '{unknown[0]}'")
    values = {**pipeline.variables, **given}
    for name, value in values.items():
        if value is None:
            raise invalid_structure(f"The variable '{name}' has no default value, and none was given")
    return {name: value for name, value in values.items() if value is not None}
