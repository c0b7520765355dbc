"""Pipelines and executions as the CodePipeline API shows them."""

from __future__ import annotations

from typing import Any

from sandbox.aws.protocol import RequestContext
from sandbox.model.codepipeline.execution import ActionRun, Execution, Revision
from sandbox.model.codepipeline.record import Record
from sandbox.model.codepipeline.structure import Action, Stage

Answer = dict[str, Any]


def declaration(record: Record) -> Answer:
    """The PipelineDeclaration, with what it left out."""
    raw = record.pipeline.raw
    stages = [{**stage, "actions": [_action(item) for item in stage["actions"]]} for stage in raw["stages"]]
    return {**raw, "stages": stages, "version": record.version}


def _action(given: Answer) -> Answer:
    return {"runOrder": 1, "configuration": {}, "inputArtifacts": [], "outputArtifacts": [], **given}


def metadata(record: Record, context: RequestContext) -> Answer:
    """PipelineMetadata."""
    arn = f"arn:aws:codepipeline:{context.region}:{context.account_id}:{record.pipeline.name}"
    return {"pipelineArn": arn, "created": record.created_at, "updated": record.updated_at}


def summary(record: Record) -> Answer:
    """PipelineSummary."""
    return {
        "name": record.pipeline.name,
        "version": record.version,
        "pipelineType": record.pipeline.raw["pipelineType"],
        "executionMode": record.pipeline.mode,
        "created": record.created_at,
        "updated": record.updated_at,
    }


def execution(record: Record, one: Execution) -> Answer:
    """PipelineExecution."""
    variables = one.variables.get("variables", {})
    return {
        "pipelineName": record.pipeline.name,
        "pipelineVersion": one.version,
        "pipelineExecutionId": one.id,
        "status": one.status,
        "artifactRevisions": [
            {"name": artifact.name, **_artifact_revision(one.revisions[action.name])}
            for action in one.pipeline.stages[0].actions
            for artifact in (one.artifacts.get(name) for name in action.outputs)
            if artifact is not None and action.name in one.revisions
        ],
        "variables": [{"name": name, "resolvedValue": value} for name, value in variables.items()],
        "trigger": dict(one.trigger),
        "executionMode": one.pipeline.mode,
        "executionType": "STANDARD",
    }


def _artifact_revision(revision: Revision) -> Answer:
    made = {"revisionId": revision.id, "revisionSummary": revision.summary, "revisionUrl": revision.url}
    return {name: text for name, text in made.items() if text}


def execution_summary(one: Execution) -> Answer:
    """PipelineExecutionSummary."""
    made: Answer = {
        "pipelineExecutionId": one.id,
        "status": one.status,
        "startTime": one.started_at,
        "lastUpdateTime": one.updated_at,
        "sourceRevisions": [
            {"actionName": revision.action, **_artifact_revision(revision)} for revision in one.revisions.values()
        ],
        "trigger": dict(one.trigger),
        "executionMode": one.pipeline.mode,
        "executionType": "STANDARD",
    }
    if one.stop_reason is not None:
        made["stopTrigger"] = {"reason": one.stop_reason}
    return made


def state(record: Record) -> Answer:
    """GetPipelineState's answer."""
    return {
        "pipelineName": record.pipeline.name,
        "pipelineVersion": record.version,
        "stageStates": [_stage(record, stage) for stage in record.pipeline.stages],
        "created": record.created_at,
        "updated": record.updated_at,
    }


def _stage(record: Record, stage: Stage) -> Answer:
    transition = record.transition(stage.name)
    inbound: Answer = {"enabled": transition.enabled}
    if transition.changed_at is not None:
        inbound["lastChangedAt"] = transition.changed_at
    if not transition.enabled:
        inbound["disabledReason"] = transition.reason
    made: Answer = {
        "stageName": stage.name,
        "inboundExecutions": [],
        "inboundTransitionState": inbound,
        "actionStates": [_action_state(record, stage, action) for action in stage.actions],
    }
    waiting = [_stage_execution(one, one.status) for one in record.waiting.get(stage.name, ())]
    if waiting:
        made.update(inboundExecution=waiting[0], inboundExecutions=waiting)
    latest = record.latest.get(stage.name)
    if latest is not None:
        made["latestExecution"] = _stage_execution(latest, latest.stages[stage.name])
    return made


def _stage_execution(one: Execution, status: str) -> Answer:
    return {"pipelineExecutionId": one.id, "status": status, "type": "STANDARD"}


def _action_state(record: Record, stage: Stage, action: Action) -> Answer:
    made: Answer = {"actionName": action.name}
    runs = (one.latest_run(stage.name, action.name) for one in record.executions)
    run = max((run for run in runs if run is not None), key=lambda run: run.started_at, default=None)
    if run is None:
        return made
    made["latestExecution"] = {
        "actionExecutionId": run.id,
        "status": run.status,
        "lastStatusChange": run.updated_at,
        **_result(run, "summary"),
    }
    if run.in_progress and run.token:
        made["latestExecution"]["token"] = run.token
    if run.percent is not None:
        made["latestExecution"]["percentComplete"] = run.percent
    if run.updated_by:
        made["latestExecution"]["lastUpdatedBy"] = run.updated_by
    if run.revision is not None:
        made["currentRevision"] = {
            "revisionId": run.revision.id,
            "revisionChangeId": run.revision.id[:100],
            "created": run.updated_at,
        }
    if link := run.configuration.get("ExternalEntityLink"):
        made["entityUrl"] = link
    return made


def _result(run: ActionRun, called: str) -> Answer:
    made: Answer = {}
    if run.summary:
        made[called] = run.summary
    if run.external_id:
        made["externalExecutionId"] = run.external_id
    if run.error_message:
        made["errorDetails"] = {"message": run.error_message, **({"code": run.error_code} if run.error_code else {})}
    if run.log_stream_arn:
        made["logStreamARN"] = run.log_stream_arn
    return made


def action_execution(one: Execution, run: ActionRun, region: str) -> Answer:
    """ActionExecutionDetail."""
    return {
        "pipelineExecutionId": one.id,
        "actionExecutionId": run.id,
        "pipelineVersion": one.version,
        "stageName": run.stage,
        "actionName": run.action.name,
        "startTime": run.started_at,
        "lastUpdateTime": run.updated_at,
        **({"updatedBy": run.updated_by} if run.updated_by else {}),
        "status": run.status,
        "input": {
            "actionTypeId": dict(run.action.type_id),
            "configuration": dict(run.action.configuration),
            "resolvedConfiguration": dict(run.configuration),
            "region": region,
            "inputArtifacts": [artifact.shown() for artifact in run.inputs],
            **({"namespace": run.action.namespace} if run.action.namespace else {}),
        },
        "output": {
            "outputArtifacts": [artifact.shown() for artifact in run.outputs if run.status == "Succeeded"],
            "executionResult": _result(run, "externalExecutionSummary"),
            "outputVariables": dict(run.variables),
        },
    }
