"""The Docker engine itself: connect to it; where none answers and we may, install and start one.

``python -m sandbox.engine.daemon`` is what ``make`` calls: it makes sure of an engine, or prints the one line that
helps and exits 2.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import docker
import requests
from docker.errors import DockerException

from sandbox import paths
from sandbox.errors import SandboxError

# A stop waits for the container's own stop time-out (120 s at most on Fargate) before the engine answers.
REQUEST_TIMEOUT = 180
START_TIMEOUT = 60.0
PACKAGES = ("docker.io", "iptables", "mmdebstrap")
PID_FILE = Path("/var/run/docker.pid")


def connect() -> docker.DockerClient:
    """A client of the engine that the environment names (DOCKER_HOST), by default the local one.

    Raises:
        SandboxError: None answers; the hint is the one command that helps.
    """
    try:
        client = docker.from_env(timeout=REQUEST_TIMEOUT, max_pool_size=64, version="auto")
        client.ping()
    except (DockerException, requests.RequestException) as error:
        raise SandboxError("no Docker engine answers", state=_shortly(error), hint=_help()) from error
    return client


def ensure(say: Callable[[str], object]) -> None:
    """Make sure that an engine answers.

    Args:
        say: Told what is done; installing takes half a minute.

    Raises:
        SandboxError: There is none and this user may not start one, or it does not come up (with its last log lines).
    """
    try:
        connect().close()
    except SandboxError:
        if not _may_start():
            raise
    else:
        return
    if shutil.which("dockerd") is None or shutil.which("mmdebstrap") is None:
        _install(say)
    _start(say)


def _may_start() -> bool:
    if os.environ.get("DOCKER_HOST") or sys.platform != "linux" or os.geteuid() != 0:
        return False
    return shutil.which("dockerd") is not None or shutil.which("apt-get") is not None


def _help() -> str:
    if os.environ.get("DOCKER_HOST"):
        return "DOCKER_HOST names an engine that does not answer: start it, or unset DOCKER_HOST"
    if sys.platform != "linux":
        return "start Docker Desktop, or another engine"
    if os.geteuid() != 0:
        return "sudo systemctl start docker (and be in the group docker), or sudo make setup"
    return "make setup"


def _install(say: Callable[[str], object]) -> None:
    begun = time.monotonic()
    say(f"installing {', '.join(PACKAGES)} (apt-get)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(
            ["apt-get", "-q", *command],
            capture_output=True,
            text=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            raise SandboxError(
                "the Docker engine could not be installed",
                state=f"apt-get {command[0]} exited with code {done.returncode}",
                log=(done.stdout + done.stderr).splitlines()[-15:],
                hint=f"apt-get install {' '.join(PACKAGES)}",
            )
    say(f"installed in {time.monotonic() - begun:.0f} s")


def _start(say: Callable[[str], object]) -> None:
    begun = time.monotonic()
    log = paths.cache() / "dockerd.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale_pid_file()
    say("starting the Docker engine")
    with log.open("wb") as output:
        # A session of its own, so that neither Ctrl-C nor the end of `make` ends it.
        process = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    pause = 0.05
    while time.monotonic() - begun < START_TIMEOUT and process.poll() is None:
        with contextlib.suppress(SandboxError):
            connect().close()
            say(f"the Docker engine answers after {time.monotonic() - begun:.1f} s")
            return
        time.sleep(pause)  # its socket is the only sign of life that dockerd gives
    state = "still starting" if process.poll() is None else f"dockerd exited with code {process.returncode}"
    raise SandboxError(
        f"the Docker engine did not answer within {START_TIMEOUT:g} s",
        state=state,
        log=log.read_text(errors="replace").splitlines()[-15:],
        hint=f"the whole log is {log}",
    )


def _remove_stale_pid_file() -> None:
    """Remove the pid file of a dockerd that was killed; dockerd refuses to start while any process has that number."""
    try:
        pid = int(PID_FILE.read_text())
    except (OSError, ValueError):
        return
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        name = ""
    if name != "dockerd":
        PID_FILE.unlink(missing_ok=True)


def _shortly(error: Exception) -> str:
    """The innermost cause: docker-py wraps it three times."""
    while error.__context__ is not None and isinstance(error.__context__, Exception):
        error = error.__context__
    return str(error)


def main() -> None:
    """Make sure of an engine; exit 2 with the line that helps where it cannot be."""
    try:
        ensure(lambda text: print(text, file=sys.stderr, flush=True))
    except SandboxError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
