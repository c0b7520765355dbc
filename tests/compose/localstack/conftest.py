"""LocalStack in a container of a run of the module's own, and functions in it."""

from __future__ import annotations

import base64
import http.server
import io
import json
import shutil
import socketserver
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from docker.types import Mount

from sandbox.engine import daemon, sweep
from sandbox.engine.containers import Containers, Spec
from sandbox.engine.images import Images
from sandbox.engine.run import Run

ROLE = "arn:aws:iam::000000000000:role/function"
SOCKETS = "/run/sandbox"
GATEWAY = "gateway.sock"
READY_WITHIN = 90.0


@dataclass
class Invoked:
    """What an invocation gave: its payload, the type of its error ("" for none) and the end of its log."""

    payload: Any
    failed: bool
    log: str


def zipped(files: dict[str, str]) -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return package.getvalue()


class LocalStack:
    """A container of LocalStack.

    Args:
        containers: Of the run that it belongs to.
        image: Its image.
        gateway: What its functions have for the sandbox's gateway.
        environment: Its variables.
        mounts: Beside the sockets.
    """

    def __init__(
        self,
        containers: Containers,
        image: str,
        gateway: Gateway,
        environment: dict[str, str] | None = None,
        mounts: tuple[Mount, ...] = (),
    ) -> None:
        self.containers = containers
        self.id = containers.run_new(
            Spec(
                "localstack",
                image,
                environment={"SANDBOX_GATEWAY_SOCKET": f"{SOCKETS}/{GATEWAY}", **(environment or {})},
                mounts=[Mount(SOCKETS, str(gateway.folder), type="bind"), *mounts],
                publish={4566: 0},
            )
        )
        self.await_line("Ready.")
        self.url = f"http://127.0.0.1:{containers.published(self.id, 4566)}"

    @property
    def name(self) -> str:
        """The container's name."""
        return self.containers.name(self.id)

    def log(self) -> str:
        """The container's whole log."""
        return self.containers.output(self.id).decode()

    def await_line(self, line: str) -> None:
        """Wait for a line of the container's log."""
        deadline = time.monotonic() + READY_WITHIN
        log: list[str] = []
        for piece in self.containers.follow(self.id):
            log += piece.decode().splitlines()
            if line in log:
                return
            assert time.monotonic() < deadline, "\n".join(log[-20:])
        raise AssertionError(f"it ended without '{line}':\n" + "\n".join(log[-20:]))

    def client(self, service: str) -> Any:
        """A client of one of its services."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(read_timeout=60, retries={"total_max_attempts": 1}),
        )

    def create(self, name: str, source: str, **more: Any) -> str:
        """Create a function and wait until it is active; its ARN."""
        client = self.client("lambda")
        more.setdefault("Timeout", 20)
        made = client.create_function(
            FunctionName=name,
            Runtime=more.pop("Runtime", "python3.12"),
            Role=ROLE,
            Handler="app.handler",
            Code={"ZipFile": zipped({"app.py": source})},
            **more,
        )
        self.await_state(name, State="Active")
        return str(made["FunctionArn"])

    def failure(self, name: str, **more: Any) -> str:
        """Create a function that cannot be run; why."""
        client = self.client("lambda")
        client.create_function(
            FunctionName=name, Role=ROLE, Handler="app.handler", Code={"ZipFile": zipped({"app.py": ""})}, **more
        )
        return str(self.await_state(name, State="Failed")["StateReason"])

    def await_state(self, name: str, **state: str) -> dict[str, Any]:
        """A function's configuration once it says so; a state that is not on the way to it is an error."""
        client = self.client("lambda")
        deadline = time.monotonic() + 60
        while True:
            found: dict[str, Any] = client.get_function(FunctionName=name)["Configuration"]
            if state.items() <= found.items():
                return found
            assert all(found.get(key) in {"Pending", "InProgress"} for key in state), found
            assert time.monotonic() < deadline, found
            threading.Event().wait(0.05)

    def invoke(self, name: str, event: Any = None) -> Invoked:
        """Invoke a function and wait for its result."""
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail")
        log = base64.b64decode(answer.get("LogResult", "")).decode()
        return Invoked(json.loads(answer["Payload"].read()), answer.get("FunctionError") == "Unhandled", log)

    def await_logged(self, function: str, *texts: str, within: float = 30.0) -> list[str]:
        """The messages of a function in CloudWatch Logs, once each of the texts is in one of them."""
        client = self.client("logs")
        deadline = time.monotonic() + within
        messages: list[str] = []
        while True:
            try:
                found = client.filter_log_events(logGroupName=f"/aws/lambda/{function}")
                messages = [event["message"] for event in found["events"]]
            except client.exceptions.ResourceNotFoundException:
                pass
            if all(any(text in message for message in messages) for text in texts):
                return messages
            assert time.monotonic() < deadline, f"no {texts} in {messages}\n" + self.log()[-2000:]
            threading.Event().wait(0.1)

    def its_containers(self) -> list[str]:
        """The names of the containers of its functions, whatever their state."""
        found = self.containers.client.api.containers(all=True, filters={"name": f"{self.name}-lambda-"})
        return [container["Names"][0].lstrip("/") for container in found]


class _Gateway(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        body = f"the gateway was asked for {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "a Unix socket"

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Gateway(socketserver.ThreadingUnixStreamServer):
    """Something that answers in the place of the sandbox's gateway.

    Attributes:
        folder: Where its socket is.
        asked: The paths that were asked for.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        super().__init__(str(folder / GATEWAY), _Gateway)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """What stands for the sandbox's gateway."""
    folder = Path(tempfile.mkdtemp(prefix="acs-test-"))
    with Gateway(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def owned() -> Iterator[Containers]:
    """Containers of a run of the module's own."""
    client = daemon.connect()
    run = Run.begin()
    made = Containers(client, run)
    yield made
    made.close()
    sweep.remove_run(client, run.id)
    run.end()
    client.close()


@pytest.fixture(scope="module")
def component(owned: Containers, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """The reference of a component."""
    return Images(owned.client, request.config.getoption("--sandbox-images"), lambda text: None).ensure
