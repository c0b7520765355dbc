"""An execution environment: a function's process, warm, one invocation at a time.

"Understanding the Lambda execution environment lifecycle". A process that failed to start, crashed or timed out is
replaced within the next invocation and its time-out, which AWS calls a suppressed init; the folder for temporary files
stays as it was.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sandbox.aws.lambda_runtime.api import Invocation, Said
from sandbox.aws.lambda_runtime.function import RESPONSE_LIMIT, FunctionConfig, Result
from sandbox.aws.lambda_runtime.log import EnvironmentLog, Sink
from sandbox.aws.lambda_runtime.process import Process

INIT_SECONDS = 10.0
"""The init phase has so many seconds of its own; one that takes longer starts over within the invocation."""


class Environment:
    """An environment for ``function``, whose process starts at once.

    Args:
        function: What it runs.
        task_root: The folder with its unpacked code.
        home: An empty folder that belongs to this environment alone.
        variables: All of the process's environment variables but those that only this environment knows.
        sink: Gets the events of its log.
        python: The interpreter of its process.
    """

    def __init__(
        self,
        function: FunctionConfig,
        task_root: Path,
        home: Path,
        variables: Mapping[str, str],
        sink: Sink,
        python: str = sys.executable,
    ) -> None:
        self.function = function
        self._task_root = task_root
        self._python = python
        self._variables = {**variables, "HOME": str(home), "TMPDIR": str(home)}
        self._log = EnvironmentLog(sink)
        version = f"{function.runtime.replace('python', 'python:')}.v0"
        arn = f"arn:aws:lambda:{function.region}::runtime:{'0' * 64}"
        self._log.say(f"INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n", shown=False)
        self._closed = False
        self._fresh = True  # its init phase has not ended
        self._ready = False  # its process waits for an event
        self._init_ms: float | None = None
        self._started = time.monotonic()
        self._process = self._start()

    @property
    def alive(self) -> bool:
        """Whether it takes another invocation. One whose process ended between invocations is given up, as on AWS."""
        return not self._closed and (not self._ready or self._process.alive)

    def initialise(self) -> bool:
        """Wait for the end of the init phase, as the first invocation does; False if it failed."""
        if self._fresh:
            self._init_ms = self._init_phase()
        return self._ready

    def invoke(self, invocation: Invocation) -> Result:
        """Run one invocation; the time for it starts when the init phase is over."""
        request_id, timeout = invocation.request_id, float(self.function.timeout)
        self.initialise()
        init_ms, self._init_ms = self._init_ms, None
        started = time.monotonic()
        said: Said | None = None
        if not self._ready:
            said = self._initialise_again(timeout)
        self._process.drain()  # what it wrote before its event belongs before START
        self._log.say(f"START RequestId: {request_id} Version: {self.function.version}\n")
        if self._ready:
            left = timeout - (time.monotonic() - started)
            self._process.hand_out(replace(invocation, deadline=time.time() + left))
            said = self._process.hear(left)
        duration_ms = (time.monotonic() - started) * 1000
        out_of_memory = self._process.out_of_memory
        if out_of_memory:
            said = Said("exit", body=b"with error: signal: killed")
        # Processes without number would be frozen on AWS now; here they would run on, and answer the next event.
        self._ready = said is not None and said.what in {"response", "error"} and not self._process.crowded
        if not self._ready:
            self._process.end()
        self._process.drain()
        failed, payload = self._outcome(said, request_id)
        result = Result(request_id, payload, failed, "", duration_ms, init_ms)
        self._log_end(result, said, out_of_memory=out_of_memory)
        return replace(result, log=self._log.take())

    def close(self) -> None:
        """Kill the process and all that it started, and wait for its end. Any thread may call it, and again."""
        self._closed = True
        self._process.end()

    # -- initialisation --

    def _start(self) -> Process:
        return Process(
            self.function.name,
            self._task_root,
            self._variables,
            self.function.memory_size,
            self._log.output,
            self._python,
        )

    def _init_phase(self) -> float | None:
        """Wait for the first process; how long it took in ms, or None if it is to start over."""
        self._fresh = False
        said = self._process.hear(INIT_SECONDS)
        init_ms = (time.monotonic() - self._started) * 1000
        self._ready = said is not None and said.what == "ready" and not self._process.out_of_memory
        if self._ready:
            return init_ms
        self._log_init(said, init_ms, "init")
        return None

    def _initialise_again(self, timeout: float) -> Said | None:
        started = time.monotonic()
        self._process.end()
        self._process = self._start()
        if self._closed:
            self._process.end()  # its exit is what is heard
        said = self._process.hear(timeout)
        self._ready = said is not None and said.what == "ready" and not self._process.out_of_memory
        if not self._ready:
            self._log_init(said, (time.monotonic() - started) * 1000, "invoke")
        return said

    # -- what is said of it --

    def _log_init(self, said: Said | None, init_ms: float, phase: str) -> None:
        if said is None:
            status = "timeout"
        else:
            kind = "Runtime.OutOfMemory" if self._process.out_of_memory else _error_type(said)
            status = f"error\tError Type: {kind}"
        self._process.drain()
        self._log.say(f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\tStatus: {status}\n")

    def _outcome(self, said: Said | None, request_id: str) -> tuple[bool, bytes]:
        """Whether it failed, and the payload."""
        if said is None:
            message = f"RequestId: {request_id} Error: Task timed out after {self.function.timeout:.2f} seconds"
            return True, _error("Sandbox.Timedout", message)
        if said.what == "exit":
            how = said.body.decode()
            return True, _error("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited {how}")
        if said.what == "response" and len(said.body) > RESPONSE_LIMIT:
            limit = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
            return True, _error("Function.ResponseSizeTooLarge", limit)
        return said.what != "response", said.body

    def _log_end(self, result: Result, said: Said | None, *, out_of_memory: bool) -> None:
        """The last lines of an invocation's log, as CloudWatch Logs shows them."""
        request_id, memory_size = result.request_id, self.function.memory_size
        status = None
        if said is None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._log.say(f"{now} {request_id} Task timed out after {self.function.timeout:.2f} seconds\n\n")
            status = "timeout"
        elif said.what == "exit":
            how = said.body.decode()
            self._log.say(f"RequestId: {request_id} Error: Runtime exited {how}\nRuntime.ExitError\n")
            status = f"error\tError Type: {'Runtime.OutOfMemory' if out_of_memory else 'Runtime.ExitError'}"
        elif said.what == "init/error":
            status = f"error\tError Type: {_error_type(said)}"
        report = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {result.duration_ms:.2f} ms",
            f"Billed Duration: {result.billed_ms} ms",
            f"Memory Size: {memory_size} MB",
            f"Max Memory Used: {memory_size if out_of_memory else self._process.peak} MB",
        ]
        if result.init_ms is not None:
            report.append(f"Init Duration: {result.init_ms:.2f} ms")
        if status is not None:
            report.append(f"Status: {status}")
        self._log.say(f"END RequestId: {request_id}\n")
        self._log.say("\t".join(report) + "\t\n")


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def _error_type(said: Said) -> str:
    if said.what == "exit":
        return "Runtime.ExitError"
    try:
        return str(json.loads(said.body)["errorType"])
    except (ValueError, KeyError, TypeError):
        return "Runtime.Unknown"
