"""The process of an execution environment: started, listened to, kept within its limits, and ended with its children.

It runs AWS's runtime client (awslambdaric) behind our `bootstrap`, in a session of its own.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox.aws.lambda_runtime import bootstrap
from sandbox.aws.lambda_runtime.api import Invocation, RuntimeApi, Said
from sandbox.aws.lambda_runtime.usage import Usage, kill_marked, peak_memory, usage

# What Python code cannot start, other programs may; the process is killed when that is seen.
PROCESSES = bootstrap.PROCESSES
_MIB = 2**20
# Seconds between two looks at the memory of a function at work. The kernel tells nobody of it without cgroups, which
# need privileges; a function that fills memory at full speed gets some 100 MiB too much in this time.
_LOOK = 0.02
# Forks since the last look, or processes, above which they are stopped while it looks: where hundreds of them run, it
# waits for the processor behind all of them, again and again.
_MANY = 16
# Seconds between the end of a look and the next one, for each second that it took.
_REST = 4


class Process:
    """A process for one environment.

    Args:
        name: Of its threads.
        task_root: Its working folder: the function's code.
        variables: Its environment variables but for the Runtime API's address.
        memory_size: The limit for it and all that it starts, in MiB.
        output: Gets what it writes, from any thread.
        python: The interpreter.
    """

    def __init__(
        self,
        name: str,
        task_root: Path,
        variables: Mapping[str, str],
        memory_size: int,
        output: Callable[[bytes], object],
        python: str = sys.executable,
    ) -> None:
        self.out_of_memory = False
        self._limit = memory_size * _MIB
        self._take = output
        self._peak = 0
        self._had_children = False
        self._api = RuntimeApi()
        self._reading = threading.Lock()
        self._closing = threading.Lock()
        lifeline, self._lifeline = os.pipe()
        forks = _shared_file()
        self._forks = mmap.mmap(forks, bootstrap.FORKS_BYTES)
        self._forks_seen = 0
        self._stopped = False  # at the last look
        try:
            self._process = subprocess.Popen(
                [python, "-I", "-X", "utf8", bootstrap.__file__, str(lifeline), str(forks)],
                cwd=task_root,
                env={**variables, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(lifeline, forks),
                start_new_session=True,
            )
        except BaseException:
            self._api.close()
            os.close(self._lifeline)
            raise
        finally:
            os.close(lifeline)
            os.close(forks)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._watchers = [
            threading.Thread(target=target, name=f"lambda-{name}", daemon=True)
            for target in (self._read_output, self._await_exit)
        ]
        for watcher in self._watchers:
            watcher.start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def peak(self) -> int:
        """The most memory that it and its children have been seen with, in MiB; 0 where the system does not tell."""
        return self._peak // _MIB

    @property
    def crowded(self) -> bool:
        """Whether it had as many processes as it may have, and was refused one more."""
        return self._forks[8:16] != bytes(8)

    def hand_out(self, invocation: Invocation) -> None:
        """Give it its next event."""
        self._api.hand_out(invocation)

    def hear(self, within: float) -> Said | None:
        """What it says next; None if it says nothing for so many seconds.

        Meanwhile it is killed, and `out_of_memory` set, if it takes too much memory; what it says then is its exit. One
        that was above its limit in between and answers all the same is told by `out_of_memory` alone.
        """
        deadline = time.monotonic() + within
        pause = _LOOK
        while True:
            left = deadline - time.monotonic()
            try:
                said = self._api.said.get(timeout=max(min(left, pause), 0))
            except queue.Empty:
                if left <= 0:
                    return None
                began = time.monotonic()
                self._look()
                pause = max(_LOOK, _REST * (time.monotonic() - began))
                continue
            self._look()
            self._peak = max(self._peak, peak_memory(self._process.pid))
            if self._stopped:
                self._signal(signal.SIGCONT)
            self.out_of_memory = self.out_of_memory or self._peak > self._limit
            return said

    def drain(self) -> None:
        """Take what it has written so far."""
        self._drain()

    def end(self) -> None:
        """Kill it and all that it started, and wait for the end. Any thread may call it, and again."""
        with self._closing:
            self._kill()
            self._process.wait()
            for watcher in self._watchers:
                watcher.join(timeout=5)
            self._api.close()
            if self._lifeline >= 0:
                os.close(self._lifeline)
                self._lifeline = -1

    def _look(self) -> None:
        forks = int.from_bytes(self._forks[:8], "little")
        many = abs(forks - self._forks_seen) > _MANY or self.crowded
        self._forks_seen = forks
        if self._stopped:  # seen: a process that was just being forked stops after its group goes on
            self._signal(signal.SIGCONT)
        if not many:
            seen = usage(self._process.pid, most=_MANY)
            many = seen.processes > _MANY
        self._stopped = many
        if not many:
            self._judge(seen)
            return
        self._signal(signal.SIGSTOP)
        try:
            self._judge(usage(self._process.pid))
        finally:
            self._signal(signal.SIGCONT)

    def _judge(self, seen: Usage) -> None:
        self._peak = max(self._peak, seen.memory)
        self._had_children = self._had_children or seen.processes > 1
        if seen.memory > self._limit:
            self.out_of_memory = True
            self._kill()
        elif seen.processes > PROCESSES:
            self._kill()

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _await_exit(self) -> None:
        code = self._process.wait()
        self._kill()  # what it started and left behind
        if self._had_children:  # some may have left its session
            kill_marked(f"AWS_LAMBDA_RUNTIME_API={self._api.address}\0".encode())
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
                with self._reading:
                    self._output.close()
                return

    def _drain(self) -> bool:
        """Take what is in the pipe; False at its end."""
        with self._reading:
            while not self._output.closed:
                try:
                    data = os.read(self._output.fileno(), 65536)
                except BlockingIOError:
                    return True
                if not data:
                    return False
                self._take(data)
            return False


def _shared_file() -> int:
    """A file that two processes can map into memory."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("forks")
    else:
        with tempfile.TemporaryFile() as made:
            file = os.dup(made.fileno())
    os.truncate(file, bootstrap.FORKS_BYTES)
    return file
