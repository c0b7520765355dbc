"""Containers of one run: create, start, stop, look into, and learn of their end as it happens."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, NotFound
from docker.types import CancellableStream, Mount

from sandbox.engine import archives, daemon, removal
from sandbox.engine.run import LABEL_RUN, Run
from sandbox.errors import SandboxError

LOG_TAIL = 20
_RUNS = 3  # of a command whose output is lost
# What is raised where a container has been removed, or the engine has gone away, which a request says in our words.
_GONE = (APIError, requests.RequestException, OSError, SandboxError)


@dataclass(frozen=True)
class Check:
    """A health check that the engine runs. ``test`` begins with CMD or CMD-SHELL; seconds of the wall clock."""

    test: Sequence[str]
    interval: float
    timeout: float
    retries: int
    start_period: float

    def as_engine_has_it(self) -> dict[str, Any]:
        """In nanoseconds; 0 would mean the engine's own default."""
        return {
            "Test": list(self.test),
            "Interval": _nanoseconds(self.interval),
            "Timeout": _nanoseconds(self.timeout),
            "Retries": self.retries,
            "StartPeriod": _nanoseconds(self.start_period) if self.start_period else 0,
        }


@dataclass(frozen=True)
class Spec:
    """What a container is made of.

    Attributes:
        name: Becomes part of the container's name; unique within the run.
        image: A reference that the engine has.
        network_of: The id of a container whose network namespace this one joins.
        networks: Otherwise the networks it is attached to, as (network id, address or None).
        no_network: It has no network but its loopback.
        sysctls: Kernel parameters of its network namespace.
        link_local: An address of 169.254.0.0/16 that it has, for itself, on the first of them.
        mounts: Volumes and files.
        publish: Container port (TCP) to port of 127.0.0.1 (0: any free one).
        memory: A hard limit in MiB (None: none); memory_reservation is a soft one.
        tmpfs: Path to mount options ("size=64m,noexec").
        volumes_from: Containers whose volumes it mounts, as ``ID`` or ``ID:ro``.
        check: The health check; None: none, not the image's either.
        labels: Beside those of the run.
    """

    name: str
    image: str
    command: Sequence[str] | None = None
    entrypoint: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    working_dir: str | None = None
    network_of: str | None = None
    networks: Sequence[tuple[str, str | None]] = ()
    no_network: bool = False
    sysctls: Mapping[str, str] = field(default_factory=dict)
    link_local: str | None = None
    mac_address: str | None = None
    hostname: str | None = None
    mounts: Sequence[Mount] = ()
    publish: Mapping[int, int] = field(default_factory=dict)
    memory: int | None = None
    memory_reservation: int | None = None
    cpu_shares: int | None = None
    ulimits: Sequence[Mapping[str, Any]] = ()
    read_only: bool = False
    init: bool = False
    stdin: bool = False
    tty: bool = False
    cap_add: Sequence[str] = ()
    cap_drop: Sequence[str] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    volumes_from: Sequence[str] = ()
    check: Check | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exit:
    """A container's process has ended."""

    container_id: str
    exit_code: int
    labels: Mapping[str, str]


@dataclass(frozen=True)
class HealthReport:
    """What the engine says of a container's health has changed."""

    container_id: str
    healthy: bool
    labels: Mapping[str, str]


class Containers:
    """The containers of ``run``. Safe to use from several threads."""

    def __init__(self, client: docker.DockerClient, run: Run) -> None:
        self.client = client
        self.run = run
        self._events: Any = None
        self._closing = False

    def create(self, spec: Spec) -> str:
        """Create a container and return its id.

        Raises:
            SandboxError: The engine refused; its own words are in the error.
        """
        api = self.client.api
        host: dict[str, Any] = {
            "mounts": list(spec.mounts),
            "mem_limit": None if spec.memory is None else f"{spec.memory}m",
            "mem_reservation": None if spec.memory_reservation is None else f"{spec.memory_reservation}m",
            "cpu_shares": spec.cpu_shares,
            "port_bindings": {port: ("127.0.0.1", host_port or None) for port, host_port in spec.publish.items()},
            "ulimits": [docker.types.Ulimit(**ulimit) for ulimit in spec.ulimits],
            "read_only": spec.read_only,
            "init": spec.init,
            "cap_add": list(spec.cap_add),
            "cap_drop": list(spec.cap_drop),
            "tmpfs": dict(spec.tmpfs),
            "volumes_from": list(spec.volumes_from),
            "sysctls": dict(spec.sysctls),
        }
        networking = None
        if spec.network_of is not None:
            host["network_mode"] = f"container:{spec.network_of}"
        elif spec.no_network:
            host["network_mode"] = "none"
        elif spec.networks:
            first, address = spec.networks[0]
            host["network_mode"] = first
            local = [spec.link_local] if spec.link_local else None
            endpoint = api.create_endpoint_config(ipv4_address=address, link_local_ips=local)
            networking = api.create_networking_config({first: endpoint})
        try:
            container_id: str = api.create_container(
                spec.image,
                name=self.run.name(spec.name),
                command=None if spec.command is None else list(spec.command),
                entrypoint=None if spec.entrypoint is None else list(spec.entrypoint),
                environment=dict(spec.environment),
                user=spec.user or None,
                working_dir=spec.working_dir,
                stdin_open=spec.stdin,
                tty=spec.tty,
                ports=list(spec.publish) or None,
                mac_address=spec.mac_address,
                hostname=spec.hostname,
                healthcheck=spec.check.as_engine_has_it() if spec.check else {"Test": ["NONE"]},
                networking_config=networking,
                labels={**self.run.labels, **spec.labels},
                host_config=api.create_host_config(**host),
            )["Id"]
            for network, address in spec.networks[1:]:
                api.connect_container_to_network(container_id, network, ipv4_address=address)
        except APIError as error:
            raise _refused(f"the engine refused to create container '{spec.name}' from {spec.image}", error) from error
        return container_id

    def start(self, container_id: str) -> None:
        """Start a created container.

        Raises:
            SandboxError: The engine could not: its command is missing, its port is in use, ...
        """
        try:
            self.client.api.start(container_id)
        except APIError as error:
            raise _refused(f"the engine could not start container '{self.name(container_id)}'", error) from error

    def run_new(self, spec: Spec) -> str:
        """Create and start; a container that could not be started is removed again."""
        container_id = self.create(spec)
        try:
            self.start(container_id)
        except SandboxError:
            self.remove(container_id)
            raise
        return container_id

    def stop(self, container_id: str, timeout: float) -> None:
        """Send the stop signal, then SIGKILL after ``timeout`` seconds; return when the container has stopped."""
        try:
            self.client.api.stop(container_id, timeout=max(round(timeout), 0))
        except NotFound:
            return

    def remove(self, container_id: str) -> None:
        """Remove a container, running or not; one that is gone is fine."""
        try:
            removal.remove(self.client.api, container_id)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:  # its removal is already in progress
                raise

    def name(self, container_id: str) -> str:
        """The container's name, or its id where it is gone."""
        try:
            return str(self.client.api.inspect_container(container_id)["Name"].lstrip("/"))
        except APIError:
            return container_id[:12]

    def runs(self, container_id: str) -> bool:
        """Whether it runs; not where it is gone."""
        try:
            return bool(self.client.api.inspect_container(container_id)["State"]["Running"])
        except APIError:
            return False

    def published(self, container_id: str, port: int) -> int:
        """The port of 127.0.0.1 on which the container's TCP ``port`` is published."""
        ports = self.client.api.inspect_container(container_id)["NetworkSettings"]["Ports"]
        return int(ports[f"{port}/tcp"][0]["HostPort"])

    def log_tail(self, container_id: str, lines: int = LOG_TAIL) -> list[str]:
        """The last ``lines`` lines of its output ([] where it is gone)."""
        try:
            output: bytes = self.client.api.logs(container_id, tail=lines)
        except APIError:
            return []
        return output.decode(errors="replace").splitlines()

    def follow(self, container_id: str, since: float | None = None) -> Iterator[bytes]:
        """A started container's output from its beginning, or from a time, in pieces as they come, until it ends."""
        try:
            pieces = self.client.api.logs(container_id, stream=True, follow=True, since=since)
        except _GONE:
            return
        yield from _until_lost(pieces)

    def output(self, container_id: str, since: float | None = None) -> bytes:
        """All that a container has printed up to now, or since a time, as `follow` orders it; b"" where it is gone."""
        try:
            return bytes(self.client.api.logs(container_id, since=since))
        except _GONE:
            return b""

    def ran_out_of_memory(self, container_id: str) -> bool:
        """Whether the kernel has ended it because of its memory limit."""
        try:
            return bool(self.client.api.inspect_container(container_id)["State"]["OOMKilled"])
        except APIError:
            return False

    def check_output(self, container_id: str) -> str:
        """What its last health check printed ("" where it is gone)."""
        try:
            log = self.client.api.inspect_container(container_id)["State"].get("Health", {}).get("Log")
        except APIError:
            return ""
        return str(log[-1]["Output"]).strip() if log else ""

    def stats(self, container_id: str, *, once: bool = False) -> dict[str, Any] | None:
        """Its statistics as the engine has them (None where it does not run); ``once``: without those of before."""
        try:
            stats: dict[str, Any] = self.client.api.stats(container_id, stream=False, one_shot=once or None)
        except APIError:
            return None
        return stats if stats.get("pids_stats") else None

    def execute(self, container_id: str, command: Sequence[str], *, prints: bool = False) -> tuple[int, str, str]:
        """Run a command inside and return (exit code, standard output, standard error).

        Args:
            container_id: Where.
            command: The program and its arguments.
            prints: It prints something whenever it succeeds, and does no harm when it is run again: on a busy machine
                Docker 20.10 now and then loses all that a command has printed, which is taken for that.
        """
        for left in range(_RUNS - 1, -1, -1):
            code, out, err = self._execute(container_id, command)
            if not prints or code or out or err or not left:
                break
        return code, out.decode(errors="replace"), err.decode(errors="replace")

    def _execute(self, container_id: str, command: Sequence[str]) -> tuple[int, bytes, bytes]:
        api = self.client.api
        try:
            exec_id = api.exec_create(container_id, list(command))["Id"]
            out, err = api.exec_start(exec_id, demux=True)
            code = api.exec_inspect(exec_id)["ExitCode"]
        except APIError as error:
            raise _refused(f"could not run a command in container '{self.name(container_id)}'", error) from error
        return int(code), out or b"", err or b""

    def stream(self, container_id: str, command: Sequence[str]) -> Iterator[bytes]:
        """Run a command inside and return what it prints, in pieces as they come, until it or the container ends.

        Raises:
            SandboxError: The engine could not run it.
        """
        api = self.client.api
        try:
            pieces = api.exec_start(api.exec_create(container_id, list(command))["Id"], stream=True)
        except APIError as error:
            raise _refused(f"could not run a command in container '{self.name(container_id)}'", error) from error
        return _until_lost(pieces)

    # -- volumes --

    def create_volume(self, what: str) -> str:
        """Create a named volume of the run, or find it again."""
        name = self.run.name(what)
        self.client.api.create_volume(name, labels=self.run.labels)
        return name

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone is fine."""
        try:
            self.client.api.remove_volume(name, force=True)
        except NotFound:
            return

    def fill_volume(self, name: str, folder: Path, image: str) -> None:
        """Copy what is in ``folder`` to the root of a volume, owned by root; ``image`` is any that the engine has."""
        self._unpack(name, archives.packed_folder(folder), image)

    def copy_to_volume(self, name: str, image: str, path: str) -> None:
        """Copy what an image has in a folder to the root of an empty volume, with its owners."""
        command = ["never"]  # the engine copies when a container is made, and this one never runs
        self.remove(self.create(Spec(f"fill-{name[-24:]}", image, command=command, mounts=[Mount(path, name)])))

    def open_volume(self, name: str, image: str) -> None:
        """Let every user write to the root of a volume; ``image`` is any that the engine has."""
        self._unpack(name, archives.open_root(), image)

    def _unpack(self, name: str, archive: bytes, image: str) -> None:
        """Where the volume is a folder that this process may write to, it does.

        Else a container that never runs, which takes the engine 0.2 s, is the way in.
        """
        place = Path(self.client.api.inspect_volume(name)["Mountpoint"])
        # The root of an engine with user namespaces is another user here.
        if os.geteuid() == 0 and place.is_dir() and place.stat().st_uid == 0:
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                tar.extractall(place, filter="fully_trusted")
            return
        container_id = self.create(
            Spec(
                f"fill-{name[-24:]}",
                image,
                command=["true"],
                mounts=[Mount("/volume", name, type="volume", no_copy=True)],
            )
        )
        self.client.api.put_archive(container_id, "/volume", archive)
        self.remove(container_id)

    # -- what the engine tells --

    def watch(
        self,
        on_exit: Callable[[Exit], None],
        on_lost: Callable[[SandboxError], None],
        on_health: Callable[[HealthReport], None] = lambda report: None,
    ) -> None:
        """Call ``on_exit`` for each container of the run that ends, and ``on_lost`` once if the engine goes away.

        ``on_lost`` is also told of what one of the others raises: whoever waits for what follows would wait in vain.
        All are called on a thread of the watch. It is listening when this method returns.
        """
        filters = {"type": "container", "event": ["die", "health_status"], "label": f"{LABEL_RUN}={self.run.id}"}
        self._events = self.client.api.events(decode=True, filters=filters)
        thread = threading.Thread(
            target=self._listen, args=(on_exit, on_lost, on_health), name="engine-events", daemon=True
        )
        thread.start()

    def _listen(
        self,
        on_exit: Callable[[Exit], None],
        on_lost: Callable[[SandboxError], None],
        on_health: Callable[[HealthReport], None],
    ) -> None:
        def tell(event: dict[str, Any]) -> None:
            container_id, attributes = event["Actor"]["ID"], event["Actor"]["Attributes"]
            if event["Action"] == "die":
                on_exit(Exit(container_id, int(attributes.get("exitCode", -1)), attributes))
            else:
                on_health(HealthReport(container_id, event["Action"] == "health_status: healthy", attributes))

        cause = "its event stream ended"
        try:
            for event in self._events:
                try:
                    tell(event)
                except Exception as error:  # it is not the engine's, and later events are to be told of
                    if not self._closing:
                        on_lost(_not_taken(event, error))
        except (requests.RequestException, OSError, ValueError, AttributeError) as error:
            cause = str(error)
        if not self._closing:
            on_lost(daemon.lost(cause))

    def close(self) -> None:
        """End the watch. Containers stay: `sandbox.engine.sweep.remove_run` removes them."""
        self._closing = True
        if self._events is not None:
            self._events.close()


def closed_at_the_end(pieces: CancellableStream) -> Iterator[bytes]:
    """What a stream of the engine gives; its connection, which docker's client leaves to the caller, is closed then."""
    try:
        yield from pieces
    finally:
        with contextlib.suppress(OSError):
            pieces.close()
        pieces._response.close()  # the socket is open as long as the file that was made of it


def _until_lost(pieces: CancellableStream) -> Iterator[bytes]:
    try:
        yield from closed_at_the_end(pieces)
    except _GONE:
        return


def _not_taken(event: Mapping[str, Any], error: Exception) -> SandboxError:
    if isinstance(error, SandboxError):
        return error
    name = event["Actor"]["Attributes"].get("name", event["Actor"]["ID"][:12])
    return SandboxError.unforeseen(f"what follows from {event['Action']} of container {name} failed", error)


def _refused(what: str, error: APIError) -> SandboxError:
    words = str(error.explanation or error)
    hint = "read the engine's words above"
    if "port is already allocated" in words or "address already in use" in words:
        hint = "another program has that port: choose another one, or leave it out for any free port"
    elif "No such image" in words:
        hint = "run `sandbox images build`"
    return SandboxError(what, state=words, hint=hint)


def _nanoseconds(seconds: float) -> int:
    return max(round(seconds * 1e9), 1_000_000)  # the engine's least
