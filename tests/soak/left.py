"""What is on a machine apart beside what was there at the beginning: nothing, once a run and what it left are gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker

from sandbox.engine.run import LABEL_OWNER, OWNER_FILE
from tests.apart import Dockerd, control_groups

RUN_VARIABLE = "SOAK_RUN"
"""Of a run's environment: its number, by which its processes are known."""

_ENDS = 30.0  # seconds in which processes end, and the engine lets go of what it had for them
_DEFAULT_NETWORKS = frozenset({"bridge", "host", "none"})
_LISTENS = "0A"  # the state of a TCP socket


class Machine:
    """Looks at a machine apart. What is there when this is made is not left by anybody.

    Args:
        engine: The machine's.
        folder: For temporary files of the runs, which have nothing else there.
        number_of: The number of a run, by the id of its process.
    """

    def __init__(self, engine: Dockerd, folder: Path, number_of: Callable[[int], int | None]) -> None:
        self._engine = engine
        self._folder = folder
        self._number_of = number_of
        self._lost_groups: set[str] = set()
        with contextlib.closing(engine.client()) as client:
            self._images = {str(image["Id"]) for image in client.api.images(all=True)}
        self._before = set(self._on_machine())

    def left(self) -> list[str]:
        """What is left, each with the run that left it where that can be told; waits for what is just ending."""
        deadline = time.monotonic() + _ENDS
        while (found := self._left()) and time.monotonic() < deadline:
            time.sleep(0.1)  # nobody tells of the end of a mount, a link or another's process
        return found

    def end_what_the_engine_lost(self) -> list[str]:
        """End what an engine that was killed has lost sight of, as a person would; what it was.

        Each container's process has one of containerd's above it, a shim. If dockerd is killed after it has had a
        container started and before it has written that down, it takes the container for one that has not started: it
        is removed from the engine, and its process runs on. Nobody can end that through Docker's API.
        """
        with contextlib.closing(self._engine.client()) as client:
            known = {container["Id"] for container in client.api.containers(all=True)}
        children: dict[int, list[int]] = {}
        shims: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                if "containerd-shim" in words[0] and (container := words[words.index("-id") + 1]) not in known:
                    shims[int(folder.name)] = container
        for shim, container in shims.items():
            for pid in (*children.get(shim, ()), shim):  # the first process of a container takes the others with it
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._lost_groups.add(container)
        return sorted(shims.values())

    def _remove_lost_groups(self) -> None:
        for container in self._lost_groups:
            for group in control_groups(f"{self._engine.cgroup}/{container}"):
                with contextlib.suppress(OSError):  # its processes are just ending
                    group.rmdir()

    def _left(self) -> list[str]:
        self._remove_lost_groups()
        with contextlib.closing(self._engine.client()) as client:
            in_engine = list(self._in_engine(client))
        on_machine = [thing for thing in self._on_machine() if thing not in self._before]
        return [*in_engine, *on_machine, *self._processes(), *self._files()]

    def _in_engine(self, client: docker.DockerClient) -> Iterator[str]:
        api = client.api
        for container in api.containers(all=True):
            yield f"container {container['Names'][0]} ({container['State']}){self._by(container['Labels'])}"
        for network in api.networks():
            if network["Name"] not in _DEFAULT_NETWORKS:
                yield f"network {network['Name']}{self._by(network['Labels'])}"
        for volume in api.volumes()["Volumes"] or ():
            yield f"volume {volume['Name']}{self._by(volume['Labels'] or {})}"
        for image in api.images(all=True):
            if image["Id"] not in self._images:
                yield f"image {image['Id']} {image['RepoTags']}{self._by(image['Labels'] or {})}"

    def _by(self, labels: dict[str, str]) -> str:
        return self._by_owner(labels.get(LABEL_OWNER, ""))

    def _by_owner(self, owner: str) -> str:
        pid = (owner.split(":") + [""] * 3)[2]
        number = self._number_of(int(pid)) if pid.isdigit() else None
        return "" if number is None else f" of run {number}"

    def _on_machine(self) -> Iterator[str]:
        for kind in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
                address, state = line.split()[1], line.split()[3]
                if state == _LISTENS:
                    yield f"port {int(address.rpartition(':')[2], 16)} ({kind}) listens"
        for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
            yield f"port {int(line.split()[1].rpartition(':')[2], 16)} (udp) is bound"
        for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
            yield f"network interface {line.partition(':')[0].strip()}"
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            yield f"mount {line.split()[4]}"
        for table in ("filter", "nat"):
            done = subprocess.run(["iptables", "-t", table, "-S"], capture_output=True, text=True, check=False)
            yield from (f"rule of {table}: {line}" for line in done.stdout.splitlines())
        for group in control_groups(f"{self._engine.cgroup}/*/"):
            yield f"control group {group}"
        for what in ("containers", "volumes"):
            yield from (f"{what} {path.name} on the engine's disk" for path in (self._engine.data / what).glob("*/"))

    def _processes(self) -> Iterator[str]:
        ours = {1, os.getpid(), self._engine.pid}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
                state, parent = rest.split()[:2]
                if int(folder.name) in ours or state == "Z" or (name == "containerd" and int(parent) in ours):
                    continue
                environment = (folder / "environ").read_bytes().split(b"\0")
                number = next((one for one in environment if one.startswith(f"{RUN_VARIABLE}=".encode())), b"")
                run = f" of run {number.decode().partition('=')[2]}" if number else ""
                yield f"process {folder.name} ({name}){run}"

    def _files(self) -> Iterator[str]:
        for path in sorted(self._folder.rglob("*")):
            if path.parent == self._folder and path.is_dir():
                continue  # the empty folder of all runs
            owner = ""
            with contextlib.suppress(OSError):
                owner = self._by_owner((path / OWNER_FILE).read_text())
            yield f"file {path.relative_to(self._folder)}{owner}"
