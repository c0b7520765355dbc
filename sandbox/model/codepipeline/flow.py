"""How an execution goes through the stages of its pipeline.

Rules: user guide "How pipeline executions work": a stage is locked while an execution is in it; who waits in front of
it is superseded by who comes later, or stands in a queue. A stage has failed when an action of it has, and none is in
progress any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from sandbox.model.codepipeline import events
from sandbox.model.codepipeline.execution import ActionRun, Artifact, Execution, Failure, Success
from sandbox.model.codepipeline.record import AbandonAction, Command, Record, RunAction
from sandbox.model.codepipeline.structure import Action
from sandbox.model.codepipeline.variables import UnresolvedError, resolve


class Flow:
    """Moves executions; each method returns the commands that follow.

    Args:
        region: Of the pipelines.
        new_id: Makes ids: 8-4-4-4-12 hexadecimal digits.
    """

    def __init__(self, region: str, new_id: Callable[[], str]) -> None:
        self._region = region
        self._new_id = new_id

    def end_run(
        self, record: Record, execution: Execution, run: ActionRun, result: Success | Failure, now: float
    ) -> list[Command]:
        """A run in progress has ended."""
        run.updated_at = execution.updated_at = now
        run.external_id = result.external_id or run.external_id
        if isinstance(result, Success):
            run.status = "Succeeded"
            run.summary = result.summary or run.summary
            self._keep(execution, run, result)
        else:
            run.status, run.error_code, run.error_message = "Failed", result.code, result.message
        return [events.action_changed(execution, run, self._region), *self._settle(record, execution, now)]

    def _keep(self, execution: Execution, run: ActionRun, result: Success) -> None:
        """What the actions after this one get from it."""
        run.variables, run.revision = dict(result.variables), result.revision
        if run.action.namespace:
            execution.variables[run.action.namespace] = run.variables
        revision = ""
        if result.revision is not None:
            execution.revisions[run.action.name] = result.revision
            revision = result.revision.id
        for artifact in run.outputs:
            execution.artifacts[artifact.name] = replace(artifact, revision=revision)

    def _settle(self, record: Record, execution: Execution, now: float) -> list[Command]:
        """What follows when a run of an execution has ended: nothing while others of its group go on."""
        if execution.in_progress():
            return []
        stage = execution.stage
        if execution.status == "Stopping":
            return self.break_off(record, execution, "Stopped", now)
        if any(run.status == "Failed" for run in execution.latest_in(stage)):
            execution.stages[stage.name] = execution.status = "Failed"
            commands: list[Command] = [events.stage_changed(execution, stage.name), events.pipeline_changed(execution)]
            return commands + self._leave(record, execution, now)
        return self.next_group(record, execution, now)

    def next_group(self, record: Record, execution: Execution, now: float) -> list[Command]:
        """Run what is due next in the stage, or go on to the next one."""
        stage = execution.stage
        succeeded = [run.action for run in execution.latest_in(stage) if run.status == "Succeeded"]
        for group in stage.groups():
            due = [action for action in group if action not in succeeded]
            if due:
                return self.run(record, execution, due, now)
        execution.stages[stage.name] = "Succeeded"
        commands: list[Command] = [events.stage_changed(execution, stage.name)]
        if execution.place + 1 == len(execution.pipeline.stages):
            execution.status = "Succeeded"
            commands.append(events.pipeline_changed(execution))
            return commands + self._leave(record, execution, now)
        commands += self._leave(record, execution, now, admit=False)
        commands += self.arrive(record, execution, execution.place + 1, now)
        return commands + self.admit(record, stage.name, now)

    def arrive(self, record: Record, execution: Execution, place: int, now: float) -> list[Command]:
        """Come to a stage: enter it, or wait in front of it and supersede who waits there."""
        execution.place, execution.waits = place, True
        stage = execution.stage.name
        line = record.waiting.setdefault(stage, [])
        line.append(execution)
        commands: list[Command] = []
        if record.pipeline.mode == "SUPERSEDED":
            for older in line[:-1]:
                commands += self.break_off(record, older, "Superseded", now)
        return commands + self.admit(record, stage, now)

    def admit(self, record: Record, stage: str, now: float) -> list[Command]:
        """Let in who waits first, if the stage is free and the transition enabled."""
        line = record.waiting.get(stage) or []
        if not line or stage in record.occupants or not record.transition(stage).enabled:
            return []
        execution = line.pop(0)
        execution.waits, execution.updated_at = False, now
        execution.stages[stage] = "InProgress"
        execution.entered = len(execution.runs)
        record.occupants[stage] = record.latest[stage] = execution
        commands: list[Command] = [events.stage_changed(execution, stage, began="STARTED")]
        return commands + self.run(record, execution, execution.stage.groups()[0], now)

    def _leave(self, record: Record, execution: Execution, now: float, *, admit: bool = True) -> list[Command]:
        """Unlock the stage; who waits for it may come in."""
        stage = execution.stage.name
        if record.occupants.get(stage) is execution:
            del record.occupants[stage]
        return self.admit(record, stage, now) if admit else []

    def break_off(self, record: Record, execution: Execution, status: str, now: float) -> list[Command]:
        """End an execution that has not come to its end."""
        commands: list[Command] = []
        stage = execution.stage.name
        for run in execution.in_progress():
            run.status, run.updated_at = "Abandoned", now
            commands += [AbandonAction(run), events.action_changed(execution, run, self._region)]
        execution.status, execution.updated_at = status, now
        if execution.waits:
            line = record.waiting.get(stage, [])
            if execution in line:
                line.remove(execution)
        else:
            execution.stages[stage] = status
            commands.append(events.stage_changed(execution, stage))
        commands.append(events.pipeline_changed(execution))
        return commands if execution.waits else commands + self._leave(record, execution, now)

    def run(self, record: Record, execution: Execution, actions: Iterable[Action], now: float) -> list[Command]:
        """Begin runs that go on at the same time."""
        commands: list[Command] = []
        stage, bucket = execution.stage.name, execution.pipeline.bucket
        unresolved: list[tuple[ActionRun, str]] = []
        for action in actions:
            run = ActionRun(self._new_id(), stage, action, now, now)
            execution.runs.append(run)
            run.inputs = tuple(execution.artifacts[name] for name in action.inputs)
            run.outputs = tuple(Artifact(name, bucket, self._key(execution, name)) for name in action.outputs)
            if action.category == "Approval":
                run.token = self._new_id()
            commands.append(events.action_changed(execution, run, self._region))
            try:
                run.configuration = resolve(action.configuration, execution.variables)
            except UnresolvedError as error:
                unresolved.append((run, str(error)))
            else:
                commands.append(RunAction(execution, run))
        for run, why in unresolved:
            commands += self.end_run(record, execution, run, Failure("ConfigurationError", why), now)
        return commands

    def _key(self, execution: Execution, artifact: str) -> str:
        """As AWS makes keys: the names cut, and seven characters that no other artifact has."""
        return f"{execution.pipeline.name[:20]}/{artifact[:10]}/{self._new_id().replace('-', '')[:7]}"
