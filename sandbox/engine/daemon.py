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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import DockerException

from sandbox import paths
from sandbox.engine import hosts
from sandbox.engine.turns import turn
from sandbox.errors import SandboxError

# A stop waits for the container's own stop time-out (120 s at most on Fargate) before the engine answers.
REQUEST_TIMEOUT = 180
START_TIMEOUT = 60.0
# What an engine and a base image without a registry take; the keyring is missing on Ubuntu only.
PACKAGES = ("docker.io", "iptables", "mmdebstrap", "debian-archive-keyring")
# Go's garbage collection, less often than usual: dockerd begins a process of its own program several times for each
# container that starts, and the collection was two fifths of what each took.
GARBAGE_COLLECTION = {"GOGC": "400"}
# Files in which dockerd and the containerd that it starts keep their process ids.
PID_FILES = {
    "dockerd": Path("/var/run/docker.pid"),
    "containerd": Path("/var/run/docker/containerd/containerd.pid"),
}


def connect() -> docker.DockerClient:
    """A client of this process's engine: the one that it is placed on, else the first of the list that answers.

    Raises:
        SandboxError: None answers; the hint is the one command that helps.
    """
    listed = hosts.listed()
    if (placed := hosts.placed()) is not None:
        return connect_to(placed)
    for host in listed[:-1]:
        with contextlib.suppress(SandboxError):
            return connect_to(host)
    return connect_to(listed[-1])


def connect_to(host: str) -> docker.DockerClient:
    """A client of one engine.

    Args:
        host: As DOCKER_HOST has it.

    Raises:
        SandboxError: It does not answer; the hint is the one command that helps.
    """
    environment = {**os.environ, "DOCKER_HOST": host}
    try:
        client = docker.from_env(timeout=REQUEST_TIMEOUT, max_pool_size=64, version="auto", environment=environment)
        client.ping()
    except (DockerException, requests.RequestException) as error:
        raise SandboxError("no Docker engine answers", state=_shortly(error), hint=_help()) from error
    client.api.send = _says_when_lost(client.api.send)
    return client


def lost(cause: str) -> SandboxError:
    """The error of everyone who waits for an engine that went away."""
    return SandboxError(
        "the Docker engine went away in mid-run",
        state=cause,
        hint="start it again (`make run` does); `sandbox down` removes what this run left",
    )


def _says_when_lost(send: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    """Every request of a client goes through its ``send``; an engine that answers no more is told from there on."""

    def sent(*arguments: Any, **options: Any) -> requests.Response:
        try:
            return send(*arguments, **options)
        except requests.RequestException as error:
            raise lost(_shortly(error)) from error

    return sent


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
    with turn("engine", lambda: say("waiting: another process is starting a Docker engine already")):
        if shutil.which("dockerd") is None:
            install(PACKAGES, say)
        if not _answers():  # the package starts it where a service manager runs; so may another `make`
            start(say)


def may_install() -> bool:
    """Whether this user can install Debian packages."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str], say: Callable[[str], object]) -> None:
    """Install Debian packages.

    Raises:
        SandboxError: apt-get fails; its last lines are in the error.
    """
    begun = time.monotonic()
    say(f"installing {', '.join(packages)} (apt-get)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *command],
            capture_output=True,
            text=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        # An index that fails is not ours to mend: another may have all that is needed, and `install` will tell.
        if done.returncode != 0 and command[0] != "update":
            raise SandboxError(
                f"{', '.join(packages)} could not be installed",
                state=f"apt-get {command[0]} exited with code {done.returncode}",
                log=(done.stdout + done.stderr).splitlines()[-15:],
                hint=f"apt-get install {' '.join(packages)}",
            )
    say(f"installed in {time.monotonic() - begun:.0f} s")


def _answers() -> bool:
    try:
        connect().close()
    except SandboxError:
        return False
    return True


def _may_start() -> bool:
    if _is_named() or sys.platform != "linux" or os.geteuid() != 0:
        return False
    return shutil.which("dockerd") is not None or may_install()


def _is_named() -> bool:
    """Whether the user has named engines: none of ours takes their place."""
    return bool(os.environ.get(hosts.VARIABLE) or os.environ.get("DOCKER_HOST"))


def _help() -> str:
    if os.environ.get(hosts.VARIABLE):
        return f"start it, or take it out of {hosts.VARIABLE}"
    if os.environ.get("DOCKER_HOST"):
        return "DOCKER_HOST names an engine that does not answer: start it, or unset DOCKER_HOST"
    if sys.platform != "linux":
        return "start Docker Desktop, or another engine"
    if os.geteuid() != 0:
        return "sudo systemctl start docker (and be in the group docker), or sudo make setup"
    return "make setup"


def start(say: Callable[[str], object], arguments: Sequence[str] = ()) -> None:
    """Start dockerd in the background and wait until it answers.

    Args:
        say: Told what is done.
        arguments: dockerd's own. Where they name another socket, DOCKER_HOST must do so too.

    Raises:
        SandboxError: It ends, or does not answer in time; its last log lines are in the error.
    """
    begun = time.monotonic()
    log = paths.cache() / "dockerd.log"
    for program, file in PID_FILES.items():
        remove_stale_pid_file(file, program)
    say("starting the Docker engine")
    with log.open("wb") as output:
        # A session of its own, so that neither Ctrl-C nor the end of `make` ends it.
        process = subprocess.Popen(
            ["dockerd", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**GARBAGE_COLLECTION, **os.environ},
            start_new_session=True,
        )
    while process.poll() is None and time.monotonic() - begun < START_TIMEOUT:
        if _answers():
            say(f"the Docker engine answers after {time.monotonic() - begun:.1f} s")
            return
        time.sleep(0.05)  # its socket is the only sign of life that dockerd gives
    ended = process.returncode is not None
    state = f"dockerd exited with code {process.returncode}" if ended else f"no answer within {START_TIMEOUT:g} s"
    raise SandboxError(
        "the Docker engine could not be started",
        state=state,
        log=log.read_text(errors="replace").splitlines()[-15:],
        hint=f"the whole log is {log}",
    )


def remove_stale_pid_file(file: Path, program: str) -> None:
    """Remove the pid file of a ``program`` that was killed; dockerd trusts it while any process has that number."""
    try:
        pid = int(file.read_text())
    except (OSError, ValueError):
        return
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        name = ""
    if name != program:
        file.unlink(missing_ok=True)


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
