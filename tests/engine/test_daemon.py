from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from sandbox.engine import daemon
from sandbox.engine.turns import turn
from sandbox.errors import SandboxError

can_start = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("dockerd") is None, reason="only root can start a dockerd of its own"
)


@pytest.fixture
def nobody_listens(tmp_path, monkeypatch):
    socket = tmp_path / "engine.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache" / "aws-container-sandbox").mkdir(parents=True)
    return socket


def test_an_engine_that_does_not_answer_is_an_error_with_the_next_step(nobody_listens):
    with pytest.raises(SandboxError) as caught:
        daemon.connect()
    assert caught.value.message == "no Docker engine answers"
    assert "No such file or directory" in caught.value.state
    assert "DOCKER_HOST" in caught.value.hint


def test_an_engine_that_the_user_has_named_is_not_replaced_by_ours(nobody_listens):
    said: list[str] = []
    with pytest.raises(SandboxError):
        daemon.ensure(said.append)
    assert said == []


def test_as_a_program_it_prints_the_error_and_exits_2(nobody_listens):
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.engine.daemon"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert "error: no Docker engine answers" in done.stderr
    assert "Traceback" not in done.stderr


def test_whoever_waits_for_an_engine_that_another_process_starts_says_so(nobody_listens, monkeypatch):
    monkeypatch.setattr(daemon, "_may_start", lambda: True)
    monkeypatch.setattr(daemon.shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(daemon, "start", lambda say: say("starting"))
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    with turn("engine"):
        waiting = threading.Thread(target=daemon.ensure, args=(said.put,))
        waiting.start()
        assert said.get(timeout=20) == "waiting: another process is starting a Docker engine already"
    waiting.join(20)
    assert said.get(timeout=20) == "starting"


@pytest.mark.docker
def test_an_engine_that_answers_is_left_as_it_is():
    said: list[str] = []
    daemon.ensure(said.append)
    assert said == []


def test_a_pid_file_of_a_process_that_is_gone_is_removed(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    file = tmp_path / "docker.pid"
    file.write_text(str(ended.pid))
    daemon.remove_stale_pid_file(file, "dockerd")
    assert not file.exists()


def test_a_pid_file_whose_number_is_another_program_now_is_removed(tmp_path):
    file = tmp_path / "docker.pid"
    file.write_text(str(os.getpid()))
    daemon.remove_stale_pid_file(file, "dockerd")
    assert not file.exists()


def test_a_pid_file_of_a_living_process_stays(tmp_path):
    file = tmp_path / "docker.pid"
    file.write_text(str(os.getpid()))
    daemon.remove_stale_pid_file(file, Path("/proc/self/comm").read_text().strip())
    assert file.exists()


@can_start
def test_a_dockerd_that_ends_at_once_shows_its_last_words(nobody_listens):
    with pytest.raises(SandboxError) as caught:
        daemon.start(lambda text: None, ["--no-such-option"])
    assert "exited with code" in caught.value.state
    assert "unknown flag: --no-such-option" in "\n".join(caught.value.log)
    assert "dockerd.log" in caught.value.hint


@can_start
def test_dockerd_is_started_in_a_session_of_its_own(nobody_listens):
    # In network and mount namespaces of its own, because a dockerd takes docker0 for its own. In a folder with
    # a short name, because the path of containerd's socket must not have more than 107 characters.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["unshare", "--net", "--mount", sys.executable, "-c", STARTS_DOCKERD, folder],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "starting the Docker engine"
    assert "the Docker engine answers after" in said[1]
    assert said[2] == "in a session of its own: True"


STARTS_DOCKERD = """
import json, os, signal, sys
from pathlib import Path
from sandbox.engine import daemon

folder = Path(sys.argv[1])
pid_file = folder / "docker.pid"
(folder / "daemon.json").write_text(json.dumps({"bridge": "none", "iptables": False}))
daemon.start(
    print,
    [f"--host={os.environ['DOCKER_HOST']}", f"--pidfile={pid_file}", f"--config-file={folder / 'daemon.json'}"]
    + [f"--data-root={folder / 'data'}", f"--exec-root={folder / 'exec'}"],
)
pid = int(pid_file.read_text())
print("in a session of its own:", os.getsid(pid) == pid)
os.kill(pid, signal.SIGTERM)
os.waitpid(pid, 0)
"""
