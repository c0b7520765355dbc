"""A machine apart: processes, network and mounts of its own, in which Docker engines can be killed and filled up.

`run` runs a module of the tests there. With the first process of a pid namespace all others end, and with the last
one its network and its mounts, so whatever happens in there leaves nothing on this machine but the module's folder.
This machine's own engine is within reach by its socket, to copy images from, and nothing else of it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import docker
import requests
from docker.errors import DockerException

from sandbox.engine import daemon

IS_POSSIBLE = (
    sys.platform == "linux" and os.geteuid() == 0 and all(map(shutil.which, ("dockerd", "unshare", "setpriv", "ip")))
)
"""Only root may have namespaces with a dockerd in them."""

_START, _END, _GROUPS_END = 60.0, 60.0, 10.0  # seconds


def run(module: str, *arguments: object, folder: Path, stdout: IO[str] | None = None) -> int:
    """Run a module of the tests on a machine apart; its exit code. Whatever ends it, no engine is left.

    Args:
        module: Has ``if __name__ == "__main__"``.
        arguments: Its own.
        folder: In which its engines have theirs.
        stdout: Where its output goes, if not where this process's does.
    """
    namespaces = ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    # The shell is the first process: it waits for the orphans of all others, too.
    first = ["sh", "-c", 'ip link set lo up && "$@"; exit $?', "sh"]
    module_command = [sys.executable, "-u", "-m", module, *map(str, arguments)]
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, *first, *module_command],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
    )
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return process.wait()
    finally:
        process.kill()
        process.wait()
        signal.signal(signal.SIGTERM, before)
        deadline = time.monotonic() + _GROUPS_END
        while groups := control_groups(f"{_cgroup(folder)}*"):
            for group in groups:
                _remove_group(group)
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)  # a group is empty once the last of its processes is gone: nothing tells


def control_groups(pattern: str) -> list[Path]:
    """The control groups of a name: one of each controller, or a single one where they are unified."""
    root = Path("/sys/fs/cgroup")
    return [*root.glob(pattern), *root.glob(f"*/{pattern}")]


def _cgroup(folder: Path) -> str:
    return f"{folder.name}-"


def _remove_group(group: Path) -> None:
    for path in (*sorted(group.rglob("*/"), reverse=True), group):
        with contextlib.suppress(OSError):
            path.rmdir()


class Disk:
    """A file system of its own, in memory, that can be full.

    Args:
        folder: Where it is mounted; made where it is not there.
        megabytes: How much it holds.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
        self._filler = folder / ".filler"

    def fill(self, left: int = 0) -> None:
        """Take all room but ``left`` bytes."""
        with self._filler.open("wb") as file:
            free = shutil.disk_usage(self._filler.parent).free - left
            while free > 0:
                try:
                    os.posix_fallocate(file.fileno(), 0, free)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    free -= 1 << 16  # somebody has taken some meanwhile
                else:
                    return

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink(missing_ok=True)


class Dockerd:
    """A Docker engine on a machine apart. Start it with `start`.

    Its containerd is a service beside it, as Docker's packages install it: it goes on when dockerd ends or is killed.

    Args:
        folder: In the one that `run` was told of, with a short name, for its sockets; what it has is on a `disk` there.
        megabytes: The disk's size.
        number: 0 for the first engine of the machine, which has docker0 and the packet filter's rules; any further one
            has a bridge of its own and no rules, as Docker's manual wants it for several on one machine.
    """

    def __init__(self, folder: Path, megabytes: int, number: int = 0) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.disk = Disk(folder / "data", megabytes)
        self.data = folder / "data"
        self.host = f"unix://{folder}/engine.sock"
        self.cgroup = f"{_cgroup(folder.parent)}{folder.name}"
        (folder / "daemon.json").write_text("{}")
        self._arguments = [
            f"--host={self.host}",
            f"--data-root={self.data}",
            f"--exec-root={folder / 'exec'}",
            f"--pidfile={folder / 'engine.pid'}",
            f"--config-file={folder / 'daemon.json'}",
            f"--cgroup-parent=/{self.cgroup}",
            f"--containerd={folder / 'containerd.sock'}",
        ]
        (folder / "containerd.toml").write_text(
            f"""
            version = 2
            root = "{self.data / "containerd"}"
            state = "{folder / "containerd"}"
            disabled_plugins = ["io.containerd.grpc.v1.cri"]
            [grpc]
            address = "{folder / "containerd.sock"}"
            """
        )
        if number:
            bridge = f"acs{number}"
            _run("ip", "link", "add", bridge, "type", "bridge")
            _run("ip", "address", "add", f"192.168.{200 + number}.1/24", "dev", bridge)
            _run("ip", "link", "set", bridge, "up")
            self._arguments += [f"--bridge={bridge}", "--iptables=false", "--ip-forward=false"]
        # With it, what crosses a bridge is led through the first engine's rules, which know the first engine's alone.
        with contextlib.suppress(OSError):
            Path("/proc/sys/net/bridge/bridge-nf-call-iptables").write_text("0")
        self._process: subprocess.Popen[bytes] | None = None
        self._containerd: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if self._containerd is None:
            self._containerd = self._service("containerd", f"--config={self._folder / 'containerd.toml'}")
            self._wait(self._containerd, (self._folder / "containerd.sock").exists)
        daemon.remove_stale_pid_file(self._folder / "engine.pid", "dockerd")
        self._process = self._service("dockerd", *self._arguments)
        self._wait(self._process, self._answers)

    def _service(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / "engine.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def _wait(self, process: subprocess.Popen[bytes], is_up: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START
        while not is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                last = (self._folder / "engine.log").read_text(errors="replace").splitlines()[-10:]
                raise AssertionError("the engine does not start:\n" + "\n".join(last))
            time.sleep(0.05)  # its socket is the only sign of life that it gives

    def client(self) -> docker.DockerClient:
        """A client of it."""
        return docker.DockerClient(base_url=self.host, timeout=daemon.REQUEST_TIMEOUT, version="auto")

    def stop(self) -> None:
        """End it in its own time (SIGTERM); its containers end with it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_END)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL: containers run on until it is started again, which ends them."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def remove(self) -> None:
        """End it, and remove its folder."""
        self.stop()
        if self._containerd is not None:
            self._containerd.terminate()
            self._containerd.wait(_END)
        subprocess.run(["umount", "-l", str(self.data)], check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            client = self.client()
        except (DockerException, requests.RequestException):
            return False
        with contextlib.closing(client):
            return bool(client.ping())


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
