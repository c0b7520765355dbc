"""`sandbox exec`: commands in containers, from a process that does not own the sandbox."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def task(tasks):
    return tasks.start({}, {"entryPoint": ["sh", "-c"], "command": ["exit 0"], "essential": False})


def run(*arguments, given=b""):
    command = [sys.executable, "-m", "sandbox.cli", "exec", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=30)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_command_has_its_output_its_errors_and_its_exit_code(task):
    script = "cat; echo out; echo err >&2; exit 7"
    assert run(task, "c0", "--", "sh", "-c", script, given=b"in ") == (7, "in out\n", "err\n")


def test_a_task_is_named_by_the_beginning_of_its_id(task):
    assert run(task.rpartition("/")[2][:8], "c0", "--", "echo", "-n", "--help") == (0, "--help", "")


def test_output_of_any_size_comes_whole(task):
    code, out, _ = run(task, "c0", "--", "sh", "-c", "seq 200000")
    assert (code, out.count("\n")) == (0, 200000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{task}", "nope", "--", "true"], "no container 'nope' of task"),
        (["{task}", "c1", "--", "true"], "no container 'c1' of task"),
        (["0000", "c0", "--", "true"], "no task 0000 runs"),
        (["", "c0", "--", "true"], "no task"),
        (["{task}", "c0"], "missing argument 'command"),
    ],
)
def test_what_cannot_be(task, arguments, message):
    code, out, err = run(*(argument.format(task=task) for argument in arguments))
    assert (code, out) == (2, "")
    assert message in err.lower()


def test_a_command_that_there_is_not(task):
    code, out, err = run(task, "c0", "--", "no-such-command")
    assert code in {126, 127}
    assert "no-such-command" in out + err


def read_until(terminal, text):
    seen = b""
    while text not in seen:
        assert select.select([terminal], [], [], 20)[0], seen
        seen += os.read(terminal, 4096)


def test_at_a_terminal_the_command_gets_one(task):
    us, them = pty.openpty()
    command = [sys.executable, "-m", "sandbox.cli", "exec", task, "c0", "--", "sh"]
    process = subprocess.Popen(command, stdin=them, stdout=them, stderr=them, close_fds=True)
    os.close(them)
    read_until(us, b"# ")
    os.write(us, b"test -t 0 && test -t 1 && echo a-$((40+2))-terminal; exit 5\r")
    read_until(us, b"a-42-terminal")
    assert process.wait(20) == 5
    os.close(us)


def test_the_api_says_what_to_run_instead(tasks, task):
    with pytest.raises(ClientError, match=f"run: sandbox exec {task.rpartition('/')[2]} c0 -- /bin/sh"):
        tasks.ecs.execute_command(cluster="c", task=task, container="c0", command="/bin/sh", interactive=True)
