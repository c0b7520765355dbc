"""CodePipeline at work: the model decides, runners carry actions out, each change goes to timeline and EventBridge."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.clock import Clock, Timer
from sandbox.controllers.pipeline.job import ActionFailedError, Job, Runner
from sandbox.errors import log_failure
from sandbox.model.codepipeline.control import CodePipeline
from sandbox.model.codepipeline.events import Changed
from sandbox.model.codepipeline.execution import ActionRun, Execution, Failure, Success
from sandbox.model.codepipeline.record import AbandonAction, Command, RunAction
from sandbox.timeline import Timeline

log = logging.getLogger(__name__)
T = TypeVar("T")

_AT_ONCE = 32  # runs that block; approvals and functions do not


class PipelineController:
    """Owns the model: one change at a time, actions carried out on a pool.

    Args:
        model: Decides.
        runners: Carry actions out, by their provider.
        publish: Puts an event on EventBridge's default bus; must not block.
        timeline: Gets ``pipeline.execution``, ``pipeline.stage`` and ``pipeline.action`` for each change of a status.
        clock: Dates everything, and times actions out.
    """

    def __init__(
        self,
        model: CodePipeline,
        runners: Mapping[str, Runner],
        publish: Callable[[dict[str, Any]], None],
        timeline: Timeline,
        clock: Clock,
    ) -> None:
        self._model = model
        self._runners = runners
        self._publish = publish
        self._timeline = timeline
        self._clock = clock
        self._lock = threading.RLock()
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pipeline")
        self._jobs: dict[str, tuple[Job, Timer]] = {}
        self._closed = False

    def apply(self, change: Callable[[float], tuple[T, Iterable[Command]]]) -> T:
        """Change the model alone and have the commands carried out (see `sandbox.aws.services.codepipeline.Apply`)."""
        with self._lock:
            result, commands = change(self._clock.now())
            for command in commands:
                self._carry_out(command)
        return result

    def object_put(self, path: str) -> None:
        """Somebody has put an object, at ``/BUCKET/KEY`` of S3: pipelines that look out for it start."""
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        with self._lock:
            names = [
                (record.pipeline.name, action.name)
                for record in self._model.pipelines.values()
                for action in record.pipeline.stages[0].actions
                if action.provider == "S3"
                and (action.configuration["S3Bucket"], action.configuration["S3ObjectKey"]) == (bucket, key)
                and action.configuration.get("PollForSourceChanges", "true") != "false"
            ]
            for name, action in names:
                trigger = {"triggerType": "PollForSourceChanges", "triggerDetail": action}
                self.apply(partial(self._started, name, trigger))

    def _started(self, name: str, trigger: Mapping[str, str], now: float) -> tuple[Execution, list[Command]]:
        return self._model.start(name, trigger, {}, "", now)

    def close(self) -> None:
        """Abandon what runs and take no more changes."""
        with self._lock:
            self._closed = True
            jobs = list(self._jobs.values())
            self._jobs.clear()
        for job, timer in jobs:
            timer.cancel()
            self._abandon(job)
        self._timeline.record("pipeline.closed")  # wakes who waits for what the timeline tells
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _carry_out(self, command: Command) -> None:
        if self._closed:
            return
        match command:
            case Changed():
                self._announce(command)
            case RunAction(execution, run):
                job = self._job(execution, run)
                timer = self._clock.call_later(run.action.timeout, lambda: self._time_out(job))
                self._jobs[run.id] = (job, timer)
                self._pool.submit(self._run, job)
            case AbandonAction(run):
                found = self._jobs.pop(run.id, None)
                if found is not None:
                    found[1].cancel()
                    self._abandon(found[0])

    def _job(self, execution: Execution, run: ActionRun) -> Job:
        def finish(result: Success | Failure) -> None:
            with self._lock:
                found = self._jobs.pop(run.id, None)
                if found is None or self._closed:
                    return
                found[1].cancel()
                self.apply(lambda now: (None, self._model.finish(execution.id, run.id, result, now)))

        def progress(**facts: Any) -> None:
            with self._lock:
                if run.in_progress:
                    self._model.progress(run, self._clock.now(), **facts)

        return Job(execution, run, finish, progress)

    def _run(self, job: Job) -> None:
        runner = self._runners[job.run.action.provider]
        try:
            result = runner.run(job)
        except ActionFailedError as error:
            job.finish(Failure(error.code, str(error)))
        except Exception as error:
            if self._closed:
                return
            log_failure(log, error, f"the action {job.run.action.name} could not be carried out")
            job.finish(Failure("SystemUnavailable", f"{type(error).__name__}: {error}"))
        else:
            if result is not None:
                job.finish(result)

    def _time_out(self, job: Job) -> None:
        job.finish(Failure("JobFailed", f"The action timed out after {job.run.action.timeout / 60:g} minutes"))
        self._abandon(job)

    def _abandon(self, job: Job) -> None:
        job.abandoned.set()
        self._runners[job.run.action.provider].abandon(job)

    def _announce(self, changed: Changed) -> None:
        facts = {"pipeline": changed.pipeline, "execution": changed.execution_id}
        if changed.stage:
            facts["stage"] = changed.stage
        if changed.run is not None:
            run = changed.run
            facts.update(
                action=run.action.name,
                provider=run.action.provider,
                action_execution=run.id,
                summary=run.summary,
                error_code=run.error_code,
                error=run.error_message,
                external_id=run.external_id,
            )
        kind = {"Pipeline": "execution", "Stage": "stage", "Action": "action"}[changed.level]
        self._timeline.record(f"pipeline.{kind}", **facts, status=changed.status, state=changed.detail["state"])
        self._publish(
            {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": changed.detail_type,
                "source": "aws.codepipeline",
                "account": ACCOUNT_ID,
                "time": datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": REGION,
                "resources": [f"arn:aws:codepipeline:{REGION}:{ACCOUNT_ID}:{changed.pipeline}"],
                "detail": dict(changed.detail),
            }
        )
