"""An execution environment: one process that runs one function, warm, one invocation at a time.

"Understanding the Lambda execution environment lifecycle". The process runs AWS's runtime client (awslambdaric)
behind our `bootstrap`; its own session lets it be killed with all its children.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sandbox.aws.lambda_runtime import bootstrap
from sandbox.aws.lambda_runtime.api import Invocation, RuntimeApi, Said
from sandbox.aws.lambda_runtime.function import RESPONSE_LIMIT, FunctionConfig, Result

# The initialisation phase has ten seconds of its own. On AWS a longer one starts over within the function's timeout;
# here it goes on within it.
INIT_SECONDS = 10.0


class Environment:
    """A process for ``function``.

    Args:
        function: What it runs.
        task_root: The folder with its unpacked code.
        home: An empty folder that belongs to this environment alone.
        variables: All of the process's environment variables but those that only this environment knows.
    """

    def __init__(self, function: FunctionConfig, task_root: Path, home: Path, variables: Mapping[str, str]) -> None:
        self.function = function
        self._api = RuntimeApi()
        self._initialised = False
        self._finished = False  # after a failed initialisation the process is about to end, but may still be there
        self._log = bytearray()
        self._log_lock = threading.Lock()
        self._closing = threading.Lock()
        self._started = time.monotonic()
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", bootstrap.__file__, str(lifeline)],
                cwd=task_root,
                env={
                    **variables,
                    "AWS_LAMBDA_RUNTIME_API": self._api.address,
                    "HOME": str(home),
                    "TMPDIR": str(home),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(lifeline,),
                start_new_session=True,
            )
        except BaseException:
            self._api.close()
            os.close(self._lifeline)
            raise
        finally:
            os.close(lifeline)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._watchers = [
            threading.Thread(target=target, name=f"lambda-{function.name}", daemon=True)
            for target in (self._read_output, self._await_exit)
        ]
        for watcher in self._watchers:
            watcher.start()

    @property
    def alive(self) -> bool:
        """Whether the process will take another invocation."""
        return not self._finished and self._process.poll() is None

    def invoke(self, invocation: Invocation) -> Result:
        """Run one invocation; the time for it starts when the environment is initialised."""
        init_ms = None
        said: Said | None = Said("ready")
        if not self._initialised:
            said = self._hear(INIT_SECONDS) or self._hear(self.function.timeout)
            init_ms = (time.monotonic() - self._started) * 1000
        log = self._take_log()
        started = time.monotonic()
        if said is not None and said.what == "ready":
            self._initialised = True
            timeout = self.function.timeout
            self._api.hand_out(replace(invocation, deadline=time.time() + timeout))
            said = self._hear(timeout)
        duration_ms = (time.monotonic() - started) * 1000
        self._finished = said is None or said.what not in {"response", "error"}
        if said is None:
            self._kill()
            self._process.wait()
        request_id = invocation.request_id
        log += f"START RequestId: {request_id} Version: $LATEST\n{self._take_log()}"
        if said is None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            log += f"{now} {request_id} Task timed out after {self.function.timeout:.2f} seconds\n\n"
        failed, payload = self._outcome(said, request_id)
        result = Result(request_id, payload, failed, log, duration_ms, init_ms)
        return replace(result, log=log + self._report(result))

    def close(self) -> None:
        """Kill the process and all that it started, and wait for its end. Any thread may call it, and again."""
        with self._closing:
            self._kill()
            self._process.wait()
            for watcher in self._watchers:
                watcher.join(timeout=5)
            self._api.close()
            if self._lifeline >= 0:
                os.close(self._lifeline)
                self._lifeline = -1

    # -- the course of an invocation --

    def _hear(self, within: float) -> Said | None:
        try:
            return self._api.said.get(timeout=within)
        except queue.Empty:
            return None

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

    def _report(self, result: Result) -> str:
        """The last lines of an invocation's log, as CloudWatch Logs shows them."""
        report = [
            f"REPORT RequestId: {result.request_id}",
            f"Duration: {result.duration_ms:.2f} ms",
            f"Billed Duration: {result.billed_ms} ms",
            f"Memory Size: {self.function.memory_size} MB",
            f"Max Memory Used: {self._peak_memory()} MB",
        ]
        if result.init_ms is not None:
            report.append(f"Init Duration: {result.init_ms:.2f} ms")
        return f"END RequestId: {result.request_id}\n" + "\t".join(report) + "\t\n"

    def _peak_memory(self) -> int:
        """In MiB; 0 where the kernel does not tell, or the process is gone."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            return int(status.split("VmHWM:")[1].split()[0]) // 1024
        return 0

    # -- the process --

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _await_exit(self) -> None:
        code = self._process.wait()
        self._kill()  # what it started and left behind
        if code < 0:
            name = signal.strsignal(-code) or str(-code)
            how = f"with error: signal: {name.lower()}"
        else:
            how = f"with error: exit status {code}" if code else "without providing a reason"
        self._api.said.put(Said("exit", body=how.encode()))

    def _read_output(self) -> None:
        """Keep the pipe empty while the function runs."""
        poll = select.poll()
        poll.register(self._output, select.POLLIN)
        while True:
            poll.poll()
            if not self._drain():
                with self._log_lock:
                    self._output.close()
                return

    def _drain(self) -> bool:
        """Take what is in the pipe; False at its end."""
        with self._log_lock:
            while not self._output.closed:
                try:
                    data = os.read(self._output.fileno(), 65536)
                except BlockingIOError:
                    return True
                if not data:
                    return False
                self._log += data
            return False

    def _take_log(self) -> str:
        # The function wrote its lines before it answered, so they are in the pipe by now.
        self._drain()
        with self._log_lock:
            text = self._log.decode("utf-8", "replace")
            self._log.clear()
        # awslambdaric keeps an entry of several lines together with carriage returns
        return text.replace("\r", "\n")


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()
