"""Runs Lambda functions in warm processes, each invocation alone in its own."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sandbox.aws.lambda_runtime.api import Invocation
from sandbox.aws.lambda_runtime.archive import unpack
from sandbox.aws.lambda_runtime.bootstrap import INTERNET_VARIABLE, OPT_VARIABLE
from sandbox.aws.lambda_runtime.environment import Environment
from sandbox.aws.lambda_runtime.function import FunctionConfig, Result
from sandbox.aws.log_writer import LogEvent, LogWriter
from sandbox.aws.protocol import AwsError
from sandbox.aws.sessions import Sessions, is_role
from sandbox.errors import SandboxError
from sandbox.timeline import Timeline

PROCESSES = 20
"""Processes of one function. More than the invocations after which a function that calls itself is stopped, so that it
is stopped rather than waiting for itself."""
_PATH = "/usr/local/bin:/usr/bin:/bin"
_EXCERPT = 1000  # characters of an event on the timeline
_LOG_LINES = 40


class FunctionRuntime:
    """Execution environments of all functions.

    Args:
        environment: Variables that every function gets: the sandbox's endpoint and its dummy credentials.
        timeline: Gets one ``lambda.invocation`` for each attempt.
        concurrency: How many environments one function has at most; further invocations of it wait for one.
        folder: Where the functions' code and files go; by default where the system has temporary files.
        logs: Writes what the functions log to CloudWatch Logs; without it only the results of invocations have it.
        sessions: Gives each function credentials of its role; without it all have those of ``environment``.

    Attributes:
        folder: Where the functions' code and files are.
        internet: The internet that functions reach, as `bootstrap.Internet` takes it; "" for none.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        timeline: Timeline,
        *,
        concurrency: int = PROCESSES,
        folder: Path | None = None,
        logs: LogWriter | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        self._logs = logs
        self._sessions = sessions
        self._environment = dict(environment)
        self._timeline = timeline
        self._concurrency = concurrency
        self.folder = Path(tempfile.mkdtemp(prefix="functions-", dir=folder))
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, str], _Pool] = {}  # by name and version
        self._closed = False
        self._further: dict[str, Mapping[str, str]] = {}  # by function
        self.internet = ""

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def invoke(
        self,
        function: FunctionConfig,
        payload: bytes,
        *,
        trigger: str = "invoke",
        request_id: str | None = None,
        attempt: int = 1,
        client_context: str | None = None,
        lineage: str = "",
    ) -> Result:
        """Run ``function`` and wait for its result.

        Args:
            function: What to run.
            payload: The event, JSON.
            trigger: What caused it, for the timeline.
            request_id: Lambda's id, made up if None.
            attempt: 1 for the first, 2 and 3 for the retries of an asynchronous invocation.
            client_context: JSON.
            lineage: What else the trace header has, which the SDKs within the function send along.

        Raises:
            SandboxError: The runtime is closed.
            AwsError: ServiceException: this machine cannot run it now (no space for files, no more processes).
        """
        request_id = request_id or str(uuid.uuid4())
        trace = uuid.uuid4().hex
        trace_id = f"Root=1-{trace[:8]}-{trace[8:]};Parent={uuid.uuid4().hex[:16]};Sampled=0"
        if lineage:
            trace_id += f";{lineage}"
        arn = function.arn if function.version == "$LATEST" else f"{function.arn}:{function.version}"
        invocation = Invocation(request_id, payload, 0.0, arn, trace_id, client_context)
        pool = self._pool(function)
        try:
            environment = pool.acquire(function)
            try:
                result = environment.invoke(invocation)
            finally:
                pool.release(environment)
        except OSError as error:
            raise AwsError("ServiceException", f"the sandbox cannot run {function.name}: {error}", 500) from error
        self._record(function, payload, result, trigger, attempt)
        return result

    def retire(self, name: str, version: str = "$LATEST") -> None:
        """End the environments of a version that was deleted or changed; those at work end after it."""
        with self._lock:
            pool = self._pools.pop((name, version), None)
        if pool is not None:
            pool.close(kill=False)

    def change_environment(self, name: str, variables: Mapping[str, str]) -> Callable[[], None]:
        """Have further variables in the processes of a function; the returned function takes them away.

        Those that are warm end, those at work after their invocation: on AWS a new execution environment would come.
        """
        self._further[name] = variables
        self._retire_all(name)

        def undo() -> None:
            self._further.pop(name, None)
            self._retire_all(name)

        return undo

    def _retire_all(self, name: str) -> None:
        with self._lock:
            versions = [version for known, version in self._pools if known == name]
        for version in versions:
            self.retire(name, version)

    def close(self) -> None:
        """Kill every process and remove all files. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            pools = list(self._pools.values())
        for pool in pools:
            pool.close(kill=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- environments --

    def _pool(self, function: FunctionConfig) -> _Pool:
        with self._lock:
            if self._closed:
                raise SandboxError(f"function {function.name} was invoked after the sandbox was closed")
            key = (function.name, function.version)
            return self._pools.setdefault(key, _Pool(self._start, self._concurrency))

    def _start(self, function: FunctionConfig) -> Environment:
        home = Path(tempfile.mkdtemp(prefix="home-", dir=self.folder))
        task, opt = self._unpack(function)
        variables = self._variables(function, task, opt)
        group, stream = variables["AWS_LAMBDA_LOG_GROUP_NAME"], variables["AWS_LAMBDA_LOG_STREAM_NAME"]

        def sink(events: list[LogEvent]) -> None:
            if self._logs is not None:
                self._logs.write(group, stream, events, region=function.region)

        return Environment(function, task, home, variables, sink)

    def _unpack(self, function: FunctionConfig) -> tuple[Path, Path]:
        """The folders with a revision's code and its layers, which its environments share, as /var/task and /opt."""
        task, opt = (self.folder / place / f"{function.name}-{function.revision}" for place in ("task", "opt"))
        with self._lock:
            if not task.exists():
                try:
                    task.mkdir(parents=True)
                    opt.mkdir(parents=True)
                    unpack(function.code, task)
                    for layer in function.layers:
                        unpack(layer.code, opt)
                except BaseException:  # the disk is full: what is half unpacked must not be taken for the code
                    shutil.rmtree(task, ignore_errors=True)
                    shutil.rmtree(opt, ignore_errors=True)
                    raise
        return task, opt

    def _variables(self, function: FunctionConfig, task: Path, opt: Path) -> dict[str, str]:
        """Those of AWS's "Defined runtime environment variables"; nothing of the sandbox's own environment."""
        today = datetime.now(UTC).strftime("%Y/%m/%d")
        credentials = {}
        if self._sessions is not None and is_role(function.role):
            credentials = self._sessions.issue(function.role, function.name).environment()
        return {
            "PATH": f"{_PATH}:{opt}/bin",
            "LD_LIBRARY_PATH": f"{task}:{task}/lib:{opt}/lib",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            **self._environment,
            **credentials,
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group or f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{today}/[{function.version}]{uuid.uuid4().hex}",
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": os.fspath(Path(__file__).parent),
            "_HANDLER": function.handler,
            **function.environment,
            **self._further.get(function.name, {}),
            OPT_VARIABLE: str(opt),
            INTERNET_VARIABLE: self.internet,
        }

    def _record(self, function: FunctionConfig, payload: bytes, result: Result, trigger: str, attempt: int) -> None:
        error = result.error()
        self._timeline.record(
            "lambda.invocation",
            function=function.name,
            request_id=result.request_id,
            trigger=trigger,
            attempt=attempt,
            status=error.get("errorType", "Unhandled") if result.failed else "Success",
            error=error.get("errorMessage"),
            duration_ms=round(result.duration_ms, 2),
            billed_ms=result.billed_ms,
            init_ms=None if result.init_ms is None else round(result.init_ms, 2),
            payload=payload[: _EXCERPT * 4].decode("utf-8", "replace")[:_EXCERPT],
            log=result.log.splitlines()[-_LOG_LINES:],
        )


class _Pool:
    """The environments of one version of a function. All but one thread at a time wait for those that are busy."""

    def __init__(self, start: Callable[[FunctionConfig], Environment], bound: int) -> None:
        self._start = start
        self._bound = bound
        self._idle: list[Environment] = []
        self._busy: set[Environment] = set()
        self._starting = 0
        self._closed = False
        self._killed = False
        self._changed = threading.Condition()

    def acquire(self, function: FunctionConfig) -> Environment:
        """A warm environment of this revision, or a new one."""
        with self._changed:
            while True:
                stale = [e for e in self._idle if not e.alive or e.function.revision != function.revision]
                self._idle = [e for e in self._idle if e not in stale]
                for environment in stale:
                    environment.close()
                if self._idle:
                    environment = self._idle.pop()
                    self._busy.add(environment)
                    return environment
                if len(self._busy) + self._starting < self._bound:
                    self._starting += 1
                    break
                self._changed.wait()
        try:
            environment = self._start(function)
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify()
        with self._changed:
            self._busy.add(environment)
            if self._killed:
                environment.close()  # its invocation then ends with Runtime.ExitError
        return environment

    def release(self, environment: Environment) -> None:
        """Give an environment back; it stays warm unless its process ended or nobody will want it."""
        with self._changed:
            self._busy.discard(environment)
            keep = environment.alive and not self._closed
            if keep:
                self._idle.append(environment)
            self._changed.notify()
        if not keep:
            environment.close()

    def close(self, *, kill: bool) -> None:
        """End the idle environments at once; the busy ones too with ``kill``, otherwise after their invocation."""
        with self._changed:
            self._closed = True
            self._killed = kill
            doomed = self._idle + (list(self._busy) if kill else [])
            self._idle = []
        for environment in doomed:
            environment.close()
