"""The gateway with the services under test, and boto3 clients of it."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.aws.log_writer import LogWriter
from sandbox.aws.services.events import EventsService
from sandbox.aws.services.lambda_ import LambdaService
from sandbox.clock import RealClock
from sandbox.controllers.event_targets import EventTargets
from sandbox.controllers.events import EventDelivery
from sandbox.timeline import Timeline


@dataclass
class Control:
    """A control plane of Lambda and EventBridge."""

    aws: Clients
    timeline: Timeline
    events: EventsService
    logs: LogWriter
    functions_folder: Path

    def zipped(self, source: str, file: str = "app.py") -> bytes:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr(file, source)
        return package.getvalue()

    def function(self, source: str, name: str = "f", **more: Any) -> str:
        created = self.aws("lambda").create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role="arn:aws:iam::123456789012:role/function",
            Handler="app.handler",
            Code={"ZipFile": self.zipped(source)},
            **more,
        )
        return str(created["FunctionArn"])

    def invocations(self, name: str, count: int, since: int = 0) -> list[Any]:
        """The first ``count`` observed invocations of a function."""
        found: list[Any] = []

        def enough(observation: Any) -> bool:
            if observation.kind == "lambda.invocation" and observation["function"] == name:
                found.append(observation)
            return len(found) >= count

        self.timeline.wait_for(f"{count} invocations of {name}", enough, within=20, since=since)
        return found


@pytest.fixture
def start_control() -> Iterator[Callable[..., Control]]:
    closers: list[Callable[[], None]] = []

    def start(speed: float = 1.0) -> Control:
        clock = RealClock(speed)
        timeline = Timeline(clock)
        backend = Embedded()
        gateway = Gateway([], backend)
        gateway.start()
        aws = Clients(gateway.url)
        logs = LogWriter(aws)
        runtime = FunctionRuntime(aws.environment(), timeline, logs=logs)
        functions = LambdaService(runtime, timeline, clock, aws)
        targets = EventTargets(functions, aws, clock)
        delivery = EventDelivery(targets, timeline, clock)
        events = EventsService(delivery, clock)
        targets.forward = events.receive
        gateway.add(functions)
        gateway.add(events)
        closers.extend(
            [clock.close, backend.reset, gateway.close, logs.close, runtime.close, functions.close, delivery.close]
        )
        return Control(aws, timeline, events, logs, runtime.folder)

    yield start
    for close in reversed(closers):
        close()


@pytest.fixture
def control(start_control: Callable[..., Control]) -> Control:
    return start_control()


# Folders that may hold providers, laid out as "terraform providers mirror" lays them out.
MIRRORS = [
    Path(folder).expanduser()
    for folder in (
        "/opt/tf-plugins",
        "~/.terraform.d/plugins",
        "/usr/local/share/terraform/plugins",
        "/usr/share/terraform/plugins",
    )
]
PROVIDER = "*/hashicorp/aws/**/terraform-provider-aws_*"


@dataclass
class Terraform:
    """Terraform in a folder of its own, which knows no other endpoint than the gateway's."""

    program: str
    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        done = subprocess.run(
            [self.program, *arguments, "-input=false", "-no-color"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def make_terraform(tmp_path: Path) -> Callable[[str, Clients], Terraform]:
    """Terraform for a configuration and clients' endpoint; skips where it or AWS's provider is not installed."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("Terraform is not installed")
    mirror = next((folder for folder in MIRRORS if any(folder.glob(PROVIDER))), None)
    if mirror is None:
        pytest.skip(f"no mirror of Terraform's AWS provider in {', '.join(map(str, MIRRORS))}")

    def make(configuration: str, clients: Clients) -> Terraform:
        settings = tmp_path / "terraform.rc"
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
        (tmp_path / "main.tf").write_text(configuration)
        environment = {
            **clients.environment(),
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TF_CLI_CONFIG_FILE": str(settings),
            "CHECKPOINT_DISABLE": "1",
        }
        return Terraform(program, tmp_path, environment)

    return make
