"""The events that CodePipeline sends to EventBridge.

Source: user guide "Monitoring CodePipeline events".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.codepipeline.execution import ActionRun, Execution

# How events call what the API calls InProgress, Succeeded, ...
_PIPELINE_STATES = {
    "Cancelled": "CANCELED",
    "Failed": "FAILED",
    "Stopped": "STOPPED",
    "Stopping": "STOPPING",
    "Succeeded": "SUCCEEDED",
    "Superseded": "SUPERSEDED",
}
_STAGE_STATES = {name: state for name, state in _PIPELINE_STATES.items() if name != "Superseded"}
_ACTION_STATES = {"InProgress": "STARTED", "Succeeded": "SUCCEEDED", "Failed": "FAILED", "Abandoned": "ABANDONED"}


@dataclass(frozen=True)
class Changed:
    """A pipeline execution, a stage or an action has another status; ``detail`` is the event's.

    Attributes:
        level: "Pipeline", "Stage" or "Action".
        status: As the API has it.
    """

    level: str
    pipeline: str
    execution_id: str
    status: str
    stage: str
    run: ActionRun | None
    detail: Mapping[str, Any]

    @property
    def detail_type(self) -> str:
        """The event's ``detail-type``."""
        return f"CodePipeline {self.level} Execution State Change"


def pipeline_changed(execution: Execution, *, began: str = "") -> Changed:
    """The execution has another status; ``began`` is STARTED or RESUMED where it goes on from now."""
    detail = {
        **_common(execution, began or _PIPELINE_STATES[execution.status]),
        "execution-trigger": {
            "trigger-type": execution.trigger["triggerType"],
            "trigger-detail": execution.trigger.get("triggerDetail", ""),
        },
    }
    if execution.stop_reason is not None and execution.status in {"Stopping", "Stopped"}:
        detail["stop-execution-comments"] = execution.stop_reason
    return Changed("Pipeline", execution.pipeline.name, execution.id, execution.status, "", None, detail)


def stage_changed(execution: Execution, stage: str, *, began: str = "") -> Changed:
    """A stage has another status."""
    status = execution.stages[stage]
    detail = {**_common(execution, began or _STAGE_STATES[status]), "stage": stage}
    if status == "Failed" and not began:
        detail["failure"] = {
            "failed-actions": [
                {"action": run.action.name, "additional-information": run.error_message}
                for run in execution.runs
                if run.stage == stage and run.status == "Failed"
            ]
        }
    return Changed("Stage", execution.pipeline.name, execution.id, status, stage, None, detail)


def action_changed(execution: Execution, run: ActionRun, region: str) -> Changed:
    """A run of an action has another status."""
    detail: dict[str, Any] = {
        **_common(execution, _ACTION_STATES[run.status]),
        "action-execution-id": run.id,
        "stage": run.stage,
        "action": run.action.name,
        "type": dict(run.action.type_id),
        "region": region,
        "input-artifacts": [_artifact(item.name, item.bucket, item.key) for item in run.inputs],
    }
    if run.status == "Succeeded":
        detail["output-artifacts"] = [_artifact(item.name, item.bucket, item.key) for item in run.outputs]
    if not run.in_progress:
        detail["execution-result"] = {
            "external-execution-id": run.external_id,
            "external-execution-summary": run.summary or run.error_message,
            **({"error-code": run.error_code} if run.error_code else {}),
        }
    return Changed("Action", execution.pipeline.name, execution.id, run.status, run.stage, run, detail)


def _artifact(name: str, bucket: str, key: str) -> dict[str, Any]:
    return {"name": name, "s3location": {"bucket": bucket, "key": key}}


def _common(execution: Execution, state: str) -> dict[str, Any]:
    return {
        "pipeline": execution.pipeline.name,
        "execution-id": execution.id,
        "state": state,
        "version": float(execution.version),
        "pipeline-execution-attempt": float(execution.attempt),
    }
