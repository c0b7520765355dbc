"""The CodePipeline API: pipelines, their executions, approvals, and the jobs of Lambda functions.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/. What the sandbox would have to ignore is refused; what
there is no method for (RollbackStage, webhooks, custom action types, conditions) is answered with NotImplemented. Roles
are kept and shown; nobody is refused by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services import codepipeline_shown as shown
from sandbox.model.codepipeline.control import CodePipeline
from sandbox.model.codepipeline.errors import PipelineError, execution_not_found
from sandbox.model.codepipeline.record import Command, Record

T = TypeVar("T")
Request = dict[str, Any]
Answer = dict[str, Any]


class Apply(Protocol):
    """Runs a change of the model alone, then has its commands carried out."""

    def __call__(self, change: Callable[[float], tuple[T, Iterable[Command]]]) -> T:
        """Call ``change`` with the time; it returns its result and the commands."""


class Jobs(Protocol):
    """The jobs of functions that pipelines have invoked."""

    def succeeded(self, job_id: str, request: Mapping[str, Any]) -> None:
        """PutJobSuccessResult; AwsError where the job is unknown or has ended."""

    def failed(self, job_id: str, details: Mapping[str, Any]) -> None:
        """PutJobFailureResult; AwsError likewise."""

    def details(self, job_id: str) -> dict[str, Any]:
        """GetJobDetails; AwsError where the job is unknown."""


class CodePipelineService:
    """The pipelines of one account.

    Args:
        model: Decides.
        apply: See `Apply`.
        jobs: See `Jobs`.
    """

    service_name = "codepipeline"
    validation_error_code = "ValidationException"

    def __init__(self, model: CodePipeline, apply: Apply, jobs: Jobs) -> None:
        self._model = model
        self._apply = apply
        self._jobs = jobs
        self._tags: dict[str, dict[str, str]] = {}

    # -- pipelines --

    def create_pipeline(self, request: Request, context: RequestContext) -> Answer:
        """CreatePipeline; the pipeline runs at once, as on AWS."""
        record = self._do(lambda now: self._model.create(request["pipeline"], now))
        tags = {item["key"]: item["value"] for item in request.get("tags") or ()}
        self._tags[record.pipeline.name] = tags
        return {"pipeline": shown.declaration(record), "tags": _tag_list(tags)}

    def update_pipeline(self, request: Request, context: RequestContext) -> Answer:
        """UpdatePipeline; the version that is given does not matter, as on AWS."""
        record = self._do(lambda now: self._model.update(request["pipeline"], now))
        return {"pipeline": shown.declaration(record)}

    def get_pipeline(self, request: Request, context: RequestContext) -> Answer:
        """GetPipeline; old versions are not kept."""

        def look(record: Record) -> Answer:
            if request.get("version", record.version) != record.version:
                raise AwsError(
                    "PipelineVersionNotFoundException", f"The sandbox keeps the latest version alone: {record.version}"
                )
            return {"pipeline": shown.declaration(record), "metadata": shown.metadata(record, context)}

        return self._look(request["name"], look)

    def delete_pipeline(self, request: Request, context: RequestContext) -> Answer:
        """DeletePipeline; one that there is not is deleted as well."""
        self._do(lambda now: (None, self._model.delete(request["name"], now)))
        self._tags.pop(request["name"], None)
        return {}

    def list_pipelines(self, request: Request, context: RequestContext) -> Answer:
        """ListPipelines."""
        records = self._do(lambda now: (list(self._model.pipelines.values()), ()))
        return _page([shown.summary(record) for record in records], request, "pipelines")

    def list_tags_for_resource(self, request: Request, context: RequestContext) -> Answer:
        """ListTagsForResource; one page."""
        return {"tags": _tag_list(self._tags_of(request))}

    def tag_resource(self, request: Request, context: RequestContext) -> Answer:
        """TagResource."""
        self._tags_of(request).update({item["key"]: item["value"] for item in request["tags"]})
        return {}

    def untag_resource(self, request: Request, context: RequestContext) -> Answer:
        """UntagResource."""
        for key in request["tagKeys"]:
            self._tags_of(request).pop(key, None)
        return {}

    # -- executions --

    def start_pipeline_execution(self, request: Request, context: RequestContext) -> Answer:
        """StartPipelineExecution."""
        if request.get("sourceRevisions"):
            raise AwsError("ValidationException", "The sandbox does not carry out sourceRevisions yet.")
        trigger = {
            "triggerType": "StartPipelineExecution",
            "triggerDetail": f"arn:aws:iam::{context.account_id}:root",
        }
        variables = {item["name"]: item["value"] for item in request.get("variables") or ()}
        token = request.get("clientRequestToken", "")
        execution = self._do(lambda now: self._model.start(request["name"], trigger, variables, token, now))
        return {"pipelineExecutionId": execution.id}

    def stop_pipeline_execution(self, request: Request, context: RequestContext) -> Answer:
        """StopPipelineExecution."""
        execution_id, reason = request["pipelineExecutionId"], request.get("reason", "")
        abandon = bool(request.get("abandon"))
        self._do(
            lambda now: (
                None,
                self._model.stop(request["pipelineName"], execution_id, reason, now, abandon=abandon),
            )
        )
        return {"pipelineExecutionId": execution_id}

    def retry_stage_execution(self, request: Request, context: RequestContext) -> Answer:
        """RetryStageExecution."""
        name, stage, execution_id = request["pipelineName"], request["stageName"], request["pipelineExecutionId"]
        self._do(lambda now: (None, self._model.retry(name, stage, execution_id, request["retryMode"], now)))
        return {"pipelineExecutionId": execution_id}

    def get_pipeline_state(self, request: Request, context: RequestContext) -> Answer:
        """GetPipelineState."""
        return self._look(request["name"], shown.state)

    def get_pipeline_execution(self, request: Request, context: RequestContext) -> Answer:
        """GetPipelineExecution."""
        execution_id = request["pipelineExecutionId"]
        return self._look(
            request["pipelineName"],
            lambda record: {"pipelineExecution": shown.execution(record, record.find(execution_id))},
        )

    def list_pipeline_executions(self, request: Request, context: RequestContext) -> Answer:
        """ListPipelineExecutions, the latest first."""
        stage = (request.get("filter") or {}).get("succeededInStage", {}).get("stageName")

        def look(record: Record) -> list[Answer]:
            chosen = [one for one in record.executions if stage is None or one.stages.get(stage) == "Succeeded"]
            return [shown.execution_summary(one) for one in reversed(chosen)]

        return _page(self._look(request["pipelineName"], look), request, "pipelineExecutionSummaries")

    def list_action_executions(self, request: Request, context: RequestContext) -> Answer:
        """ListActionExecutions, the latest first."""
        given = request.get("filter") or {}
        wanted = given.get("latestInPipelineExecution") or given
        execution_id = wanted.get("pipelineExecutionId")
        latest = wanted.get("startTimeRange") == "Latest"

        def look(record: Record) -> list[Answer]:
            if execution_id and all(one.id != execution_id for one in record.executions):
                raise execution_not_found(execution_id)
            return [
                shown.action_execution(one, run, context.region)
                for one in reversed(record.executions)
                if execution_id in (None, one.id)
                for run in reversed(one.runs)
                if not latest or one.latest_run(run.stage, run.action.name) is run
            ]

        return _page(self._look(request["pipelineName"], look), request, "actionExecutionDetails")

    # -- gates --

    def put_approval_result(self, request: Request, context: RequestContext) -> Answer:
        """PutApprovalResult."""
        answer = (request["result"]["status"] == "Approved", request["result"]["summary"])
        name, stage, action = request["pipelineName"], request["stageName"], request["actionName"]

        def approve(now: float) -> tuple[float, list[Command]]:
            return now, self._model.answer_approval(name, stage, action, request["token"], answer, now)

        return {"approvedAt": self._do(approve)}

    def enable_stage_transition(self, request: Request, context: RequestContext) -> Answer:
        """EnableStageTransition."""
        self._transition(request, enabled=True)
        return {}

    def disable_stage_transition(self, request: Request, context: RequestContext) -> Answer:
        """DisableStageTransition."""
        self._transition(request, enabled=False)
        return {}

    # -- jobs --

    def put_job_success_result(self, request: Request, context: RequestContext) -> Answer:
        """PutJobSuccessResult, of functions."""
        if request.get("continuationToken") and request.get("outputVariables"):
            raise AwsError("ValidationException", "outputVariables cannot be included with a continuationToken")
        if request.get("currentRevision"):
            raise AwsError("ValidationException", "The sandbox does not carry out currentRevision of functions' jobs.")
        self._jobs.succeeded(request["jobId"], request)
        return {}

    def put_job_failure_result(self, request: Request, context: RequestContext) -> Answer:
        """PutJobFailureResult, of functions."""
        self._jobs.failed(request["jobId"], request["failureDetails"])
        return {}

    def get_job_details(self, request: Request, context: RequestContext) -> Answer:
        """GetJobDetails, of functions' jobs."""
        return {"jobDetails": self._jobs.details(request["jobId"])}

    # -- inside --

    def _transition(self, request: Request, *, enabled: bool) -> None:
        if request["transitionType"] != "Inbound":
            raise AwsError("ValidationException", "The sandbox carries out Inbound transitions alone.")
        name, stage, reason = request["pipelineName"], request["stageName"], request.get("reason", "")
        self._do(lambda now: (None, self._model.enable(name, stage, reason, now, enabled=enabled)))

    def _do(self, change: Callable[[float], tuple[T, Iterable[Command]]]) -> T:
        try:
            return self._apply(change)
        except PipelineError as error:
            raise AwsError(error.code, error.message) from error

    def _look(self, name: str, look: Callable[[Record], T]) -> T:
        return self._do(lambda now: (look(self._model.find(name)), ()))

    def _tags_of(self, request: Request) -> dict[str, str]:
        name = request["resourceArn"].rpartition(":")[2]
        if name not in self._tags:
            raise AwsError("ResourceNotFoundException", f"There is no resource {request['resourceArn']}")
        return self._tags[name]


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _page(items: Sequence[Answer], request: Request, member: str) -> Answer:
    token = request.get("nextToken", "0")
    if not token.isdecimal():
        raise AwsError("InvalidNextTokenException", "The next token was specified in an invalid format.")
    begin, size = int(token), request.get("maxResults", 100)
    answer: Answer = {member: list(items[begin : begin + size])}
    if begin + size < len(items):
        answer["nextToken"] = str(begin + size)
    return answer
