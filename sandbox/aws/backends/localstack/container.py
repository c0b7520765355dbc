"""LocalStack in a container, started by Testcontainers: on the loopback interface, with no route to real AWS."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from docker.errors import APIError, DockerException, NotFound
from testcontainers.community.localstack import LocalStackContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from sandbox.aws.account import REGION
from sandbox.errors import SandboxError

PORT = 4566
TOKEN = "LOCALSTACK_AUTH_TOKEN"
SOCKETS = Path("/run/sandbox")  # inside the container: the folder of the gateway's socket
ENGINE = "/var/run/docker.sock"  # inside the container

_READY = "Ready."
_READY_WITHIN = 120.0  # seconds
_LOG_LINES = 20
_OUT_OF_MEMORY = "its container was out of memory"

ENVIRONMENT: Mapping[str, str] = {
    # Nothing is fetched or told, and no name is asked for at the start: there is no way out.
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "DISABLE_EVENTS": "1",
    "DNS_ADDRESS": "0",
    # A queue's URL has the host that the client used, so that it leads through the gateway.
    "SQS_ENDPOINT_STRATEGY": "dynamic",
    "LAMBDA_RUNTIME_EXECUTOR": "process",
    "SANDBOX_GATEWAY_SOCKET": str(SOCKETS / "gateway.sock"),
    "SANDBOX_INTERNET": f"@{SOCKETS / 'internet'}",
    # The keys of functions begin as AWS's do, so that whoever asks whose they are knows them for those of roles.
    "PARITY_AWS_ACCESS_KEY_ID": "1",
    # As after CreateFunction on AWS a function is waited for: a stack's next call may need it.
    "LAMBDA_SYNCHRONOUS_CREATE": "1",
}


@dataclass(frozen=True)
class Options:
    """How LocalStack's container is made.

    Attributes:
        image: A reference that the engine has.
        name: The container's.
        labels: By which it is found when its owner has died.
        sockets: The folder of this machine in which the gateway has its socket ``gateway.sock``.
        network: The Docker network that it is on.
        resolv_conf: The file that it has as /etc/resolv.conf.
        environment: Beside `ENVIRONMENT`.
        memory: A limit in MiB (None: none).
        functions: The image of containers that LocalStack makes for functions, for which it gets the engine's socket;
            "": functions are processes in its own container.
        engine_socket: That socket, on the engine's machine.
    """

    image: str
    name: str
    labels: Mapping[str, str]
    sockets: Path
    network: str
    resolv_conf: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    memory: int | None = None
    functions: str = ""
    engine_socket: str = "/var/run/docker.sock"


class Container:
    """A LocalStack that runs from `start` until `close`, or until it dies.

    Args:
        options: See there.

    Attributes:
        has_died: It has ended without having been told to.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._closing = False
        self.has_died = False
        if "TESTCONTAINERS_RYUK_DISABLED" not in os.environ:
            # The reaper is an image from a registry, which may be out of reach. Our labels do its work.
            testcontainers_config.ryuk_disabled = True
        self._container = container = LocalStackContainer(options.image, PORT, REGION)
        container.ports = {f"{PORT}/tcp": ("127.0.0.1", None)}  # type: ignore[dict-item] # Docker's own form
        container.with_name(options.name)
        container.with_volume_mapping(options.sockets, str(SOCKETS), "rw")
        container.with_volume_mapping(options.resolv_conf, "/etc/resolv.conf", "ro")
        environment = {**ENVIRONMENT, **options.environment}
        if options.functions:
            container.with_volume_mapping(options.engine_socket, ENGINE, "rw")
            environment["LAMBDA_RUNTIME_EXECUTOR"] = "container"
            environment["SANDBOX_LAMBDA_IMAGE"] = options.functions
            environment["LAMBDA_DOCKER_NETWORK"] = options.network  # later it is on a sandbox's, too
        container.with_envs(**environment)
        if os.environ.get(TOKEN):
            container.with_env(TOKEN, os.environ[TOKEN])
        limits = {"mem_limit": f"{options.memory}m"} if options.memory else {}
        container.with_kwargs(labels=dict(options.labels), network=options.network, **limits)

    @property
    def id(self) -> str:
        """The container's id, once it has been created."""
        return str(self._container.get_container_id())

    def start(self) -> None:
        """Start it.

        Raises:
            SandboxError: The engine refused.
        """
        with _starting():
            # Its own start would look at the log once a second.
            DockerContainer.start(self._container)

    def wait_ready(self) -> None:
        """Wait until it says that it is ready.

        Raises:
            SandboxError: It ended, or was not ready in time; with its last log lines.
        """
        with _starting():
            self._wait_ready()

    def url(self) -> str:
        """Where it is now: with a network, the engine may publish its port anew, at another one of this machine's."""
        return f"http://127.0.0.1:{self._container.get_exposed_port(PORT)}"

    def watch(self, on_death: Callable[[], None]) -> None:
        """Call ``on_death``, on a thread of the watch, when it ends without having been told to."""

        def wait() -> None:
            with contextlib.suppress(DockerException, requests.RequestException):
                self._container.get_wrapped_container().wait()
            if not self._closing:
                self.has_died = True
                on_death()

        threading.Thread(target=wait, name="localstack", daemon=True).start()

    def lost(self, cause: str) -> SandboxError:
        """The error for whoever has asked it in vain: what became of it, and its last log lines."""
        return SandboxError(
            "LocalStack does not answer any more"
            if self.is_running
            else "LocalStack has ended in the middle of the run",
            state=self._state() or cause,
            log=self.log_tail(),
            hint=self._hint(),
        )

    def log_tail(self, lines: int = _LOG_LINES) -> list[str]:
        """The last lines of its output ([] where it is gone)."""
        try:
            output: bytes = self._container.get_wrapped_container().logs(tail=lines)
        except (DockerException, requests.RequestException, RuntimeError):
            return []
        return output.decode(errors="replace").splitlines()

    def connect(self, network: str, address: str) -> None:
        """Attach it to another network, too, at an address of it.

        Raises:
            SandboxError: The engine refused.
        """
        try:
            self._api.connect_container_to_network(self.id, network, ipv4_address=address)
        except APIError as error:
            raise SandboxError(f"LocalStack could not join network {network}", state=str(error.explanation)) from error

    def disconnect(self, network: str) -> None:
        """Take it off a network; one that it is not on is fine."""
        with contextlib.suppress(APIError):
            self._api.disconnect_container_from_network(self.id, network, force=True)

    def close(self) -> None:
        """Remove it. A second call does nothing."""
        self._closing = True
        try:
            self._container.stop()
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:  # its removal is already in progress
                raise

    @property
    def _api(self) -> Any:
        return self._container.get_docker_client().client.api

    def _wait_ready(self) -> None:
        container = self._container.get_wrapped_container()
        output = container.logs(stream=True, follow=True)
        ready = threading.Event()

        def read() -> None:
            last = ""
            with contextlib.suppress(DockerException, requests.RequestException, OSError):
                for piece in output:
                    last += piece.decode(errors="replace")
                    if _READY in last.splitlines():
                        self._is_ready = True
                        break
                    last = last.rpartition("\n")[2]
            ready.set()

        self._is_ready = False
        threading.Thread(target=read, name="localstack-log", daemon=True).start()
        in_time = ready.wait(_READY_WITHIN)
        with contextlib.suppress(OSError):
            output.close()
        if not self._is_ready:
            what = "ended before it was ready" if in_time else f"was not ready within {_READY_WITHIN:g} s"
            raise SandboxError(f"LocalStack {what}", state=self._state(), log=self.log_tail(), hint=self._hint())

    def _inspected(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = self._api.inspect_container(self.id)["State"]
        except (DockerException, requests.RequestException, RuntimeError):
            return {}
        return state

    @property
    def is_running(self) -> bool:
        """Whether the engine has it running."""
        return bool(self._inspected().get("Running"))

    def _state(self) -> str:
        state = self._inspected()
        if not state:
            return "its container is gone"
        if state["OOMKilled"]:
            return f"{_OUT_OF_MEMORY} (exit code {state['ExitCode']})"
        return "" if state["Running"] else f"exit code {state['ExitCode']}"

    def _hint(self) -> str:
        return hint(self._state(), self.log_tail())


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    try:
        yield
    except (DockerException, requests.RequestException) as error:
        explanation = getattr(error, "explanation", "") or str(error)
        raise SandboxError("LocalStack's container could not be started", state=str(explanation)) from error


def hint(state: str, said: Sequence[str]) -> str:
    """What to do about a LocalStack that has ended: by its container's state, and its last log lines."""
    words = "\n".join(said).lower()
    if state.startswith(_OUT_OF_MEMORY):
        return "give the engine more memory: LocalStack needs about 1 GB with its services loaded"
    if "license" in words or "auth token" in words:
        return f"the token in {TOKEN} was refused: unset it (the catalogue's image needs none), or use a valid one"
    return "the lines above are LocalStack's own last words"
