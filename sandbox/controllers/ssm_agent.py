"""Systems Manager's agent on an instance: runs the steps of commands, and kills them."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import docker
from docker.errors import APIError
from docker.utils.socket import frames_iter

from sandbox.aws.account import REGION
from sandbox.clock import Clock, aws_seconds
from sandbox.engine import archives
from sandbox.errors import SandboxError
from sandbox.model.ssm.documents import Step
from sandbox.model.ssm.invocation import KILLED, STDERR_KEPT, STDOUT_KEPT, StepResult, with_agents_words

FOLDER = "/var/lib/amazon/ssm/document/orchestration"
_TOOLS = "/usr/local/lib/sandbox"
_STDOUT = 1
_AN_ARGUMENT = 100_000
"""Bytes of an argument that Linux lets a program have; a little less than that."""
_BYTES_A_CHARACTER = 4
_UPLOADED = 256 * 2**20
"""Bytes of an output that S3 gets at most; what comes after them is left out."""
_LAST_WORDS = 1.0
"""Seconds of the wall clock for output that is still on its way when a script has been killed."""
_ATTEMPTS = 10
_LEAST_TIMEOUT = 2.0
"""Seconds of the wall clock. --speed does not shorten a time-out below this: a script takes the time that it takes."""


@dataclass
class Output:
    """What one stream of a script has printed: its beginning in memory, all of it in a file where S3 is to get it."""

    kept: int
    file: IO[bytes] | None = None
    _beginning: bytearray = field(default_factory=bytearray)
    _size: int = 0

    def add(self, data: bytes) -> None:
        """Take a piece."""
        room = self.kept * _BYTES_A_CHARACTER - len(self._beginning)
        if room > 0:
            self._beginning += data[:room]
        if self.file is not None and self._size < _UPLOADED:
            self.file.write(data[: _UPLOADED - self._size])
        self._size += len(data)

    @property
    def text(self) -> str:
        """Its beginning: one character more than is kept where there is more."""
        return self._beginning.decode(errors="replace")[: self.kept + 1]


@dataclass
class Finished:
    """What became of a step, and the files with its whole output (None: S3 does not get it)."""

    result: StepResult
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    def close(self) -> None:
        """Remove the files."""
        for file in (self.stdout, self.stderr):
            if file is not None:
                file.close()


class Running:
    """A step that runs. `kill` may be called at any time, by any thread.

    Args:
        client: The engine's.
        container: The instance's machine.
        instance_id: EC2's.
        command_id: The command's.
        step: What is run.
    """

    def __init__(self, client: docker.DockerClient, container: str, instance_id: str, command_id: str, step: Step):
        self._client = client
        self._container = container
        self._step = step
        self._folder = f"{FOLDER}/{command_id}/{step.name.replace(':', '')}"
        self._environment = {
            "AWS_SSM_INSTANCE_ID": instance_id,
            "AWS_SSM_REGION_NAME": REGION,
            "AWS_SSM_PLATFORM_NAME": "Debian GNU/Linux",
            "AWS_SSM_PLATFORM_TYPE": "linux",
            "AWS_SSM_PLATFORM_VERSION": "13",
        }
        self._connection: Any = None
        self._killed = ""
        self._over = threading.Event()
        self._lock = threading.Lock()

    def run(self, clock: Clock, *, to_s3: bool) -> Finished:
        """Run the step to its end, which its time-out may bring.

        Raises:
            SandboxError: The instance is gone.
        """
        out, err = (Output(kept, _file() if to_s3 else None) for kept in (STDOUT_KEPT, STDERR_KEPT))
        timeout = max(self._step.timeout, aws_seconds(clock, _LEAST_TIMEOUT))
        timer = clock.call_later(timeout, lambda: self._in_background(lambda: self.kill("ExecutionTimedOut")))
        try:
            code = self._read(out, err)
        except APIError as error:
            raise SandboxError("the instance does not run any more", state=str(error.explanation or error)) from error
        finally:
            timer.cancel()
            self._over.set()
        return Finished(self._result(code, out, err), out.file, err.file)

    def kill(self, why: str) -> None:
        """End all processes of the step; its result has the StatusDetails ``why``."""
        with self._lock:
            if self._killed or self._over.is_set():
                return
            self._killed = why
        api = self._client.api
        for _ in range(_ATTEMPTS):  # the script may be about to begin
            with contextlib.suppress(APIError):  # the instance is gone
                made = api.exec_create(self._container, [f"{_TOOLS}/ssm-end", self._folder])["Id"]
                api.exec_start(made)
            if self._over.wait(_LAST_WORDS):
                return
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection._sock.shutdown(2)

    def _in_background(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="ssm-kill", daemon=True).start()

    def _read(self, out: Output, err: Output) -> int:
        api = self._client.api
        command = [f"{_TOOLS}/ssm-run", self._folder, self._step.directory]
        script = "\n".join(self._step.script)
        if len(script.encode()) <= _AN_ARGUMENT:  # which costs the engine a third of what a file does
            command.append(script)
        else:
            files = {f"{self._folder}/_script.sh": script.encode() + b"\n"}
            archives.put(self._client, self._container, "/", archives.packed(files, 0o700))
        made = api.exec_create(self._container, command, environment=self._environment)["Id"]
        self._connection = api.exec_start(made, socket=True)
        try:
            with contextlib.suppress(OSError, ValueError):  # shut down by `kill`, or the instance is gone
                for stream, data in frames_iter(self._connection, tty=False):
                    (out if stream == _STDOUT else err).add(data)
        finally:
            self._connection.close()
        code = api.exec_inspect(made)["ExitCode"]
        return KILLED if code is None else int(code)

    def _result(self, code: int, out: Output, err: Output) -> StepResult:
        if self._killed:
            detail, code = self._killed, KILLED
        else:
            detail = "Success" if code == 0 else "Failed"
        words = with_agents_words(err.text, code)
        return StepResult(self._step.name, self._step.plugin, detail, code, out.text, words)


def _file() -> IO[bytes]:
    return tempfile.TemporaryFile()
