"""The gateway with the services under test, and boto3 clients of it."""

from __future__ import annotations

import io
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
        logs = LogWriter(aws, gather=0.1)
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
