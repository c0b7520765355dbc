"""Somebody's own commands: their output as it comes, their bounds, and that nothing of them goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sandbox.controllers import commands


def alive(pid):
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_lines_are_told_as_they_come_and_the_last_are_kept(tmp_path):
    told = []
    ended = commands.run("echo one; echo two >&2; exit 3", tmp_path, os.environ, 20, told.append)
    assert ended == commands.Ended(3, ("one", "two"))
    assert told == ["one", "two"]
    many = commands.run([sys.executable, "-c", "print('\\n'.join(map(str, range(100))))"], tmp_path, {}, 20)
    assert (many.exit_code, many.lines[0], many.lines[-1]) == (0, "60", "99")


def test_it_runs_in_the_folder_with_the_environment_alone(tmp_path):
    ended = commands.run("pwd; echo $ONLY-$HOME", tmp_path, {"ONLY": "this"}, 20)
    assert ended.lines == (str(tmp_path.resolve()), "this-")


def test_what_is_not_over_in_time_ends_with_all_that_it_has_started(tmp_path, until):
    # The shell and its child both say who they are, and wait.
    began = time.monotonic()
    ended = commands.run("sleep 300 & echo $$ $!; wait", tmp_path, os.environ, 0.5)
    assert ended.exit_code is None
    assert time.monotonic() - began < 60
    pids = ended.lines[0].split()
    until(lambda: not any(map(alive, pids)))


def test_what_a_command_has_left_running_ends_too(tmp_path, until):
    ended = commands.run("sleep 300 & echo $!", tmp_path, os.environ, 20)
    assert ended.exit_code == 0
    until(lambda: not alive(ended.lines[0]))


DEAF = """
import os, pathlib
from sandbox import interrupts
from sandbox.controllers import commands

interrupts._ONE = 0.0
interrupts.install()
script = "trap 'echo asked' TERM; echo $$; while :; do sleep 0.1; done"
commands.run(script, pathlib.Path(), os.environ, 60, lambda line: print(line, flush=True))
"""


def test_a_second_interruption_leaves_nothing_that_has_not_heeded_the_first(tmp_path, until):
    command = [sys.executable, "-c", DEAF]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, **streams) as running:
        pid = running.stdout.readline().strip()
        running.send_signal(signal.SIGINT)
        assert any("asked" in line for line in running.stdout)
        running.send_signal(signal.SIGINT)
        running.wait(30)
    until(lambda: not alive(pid))


EARLY = """
import os, pathlib, signal, subprocess
from sandbox import interrupts
from sandbox.controllers import commands

class Started(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        print(self.pid, flush=True)
        signal.raise_signal(signal.SIGINT)

subprocess.Popen = Started
interrupts.install()
commands.run("sleep 300", pathlib.Path(), os.environ, 60)
"""


def test_an_interruption_while_it_starts_leaves_nothing(tmp_path, until):
    done = subprocess.run([sys.executable, "-c", EARLY], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.endswith("KeyboardInterrupt\n")
    until(lambda: not alive(done.stdout.strip()))


def test_the_environment_leads_to_the_sandbox_alone():
    inherited = {"AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "t", "PATH": "/bin", "no_proxy": "a"}
    made = commands.environment(inherited, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert made == {
        "PATH": "/bin",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "no_proxy": "a,127.0.0.1",
        "NO_PROXY": "a,127.0.0.1",
    }
