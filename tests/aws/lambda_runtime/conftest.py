"""A runtime, and functions for it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.aws.lambda_runtime.function import FunctionConfig
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.clock import RealClock
from sandbox.timeline import Timeline

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox"}


def function(source: str, name: str = "f", *, revision: str = "1", **more: Any) -> FunctionConfig:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", source)
    more.setdefault("handler", "app.handler")
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    return FunctionConfig(name, arn, revision, runtime="python3.12", code=package.getvalue(), **more)


@pytest.fixture
def make() -> Callable[..., FunctionConfig]:
    """Makes a function of a handler's source: ``make(source, name, timeout=1)``."""
    return function


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(RealClock())


@pytest.fixture
def runtime(timeline: Timeline) -> Iterator[FunctionRuntime]:
    runtime = FunctionRuntime(CREDENTIALS, timeline)
    yield runtime
    runtime.close()


@pytest.fixture
def run(runtime: FunctionRuntime) -> Callable[..., Any]:
    """Runs a handler's source, or a function, and returns the payload, parsed."""

    def run(what: str | FunctionConfig, event: Any = None, **more: Any) -> Any:
        config = function(what, **more) if isinstance(what, str) else what
        return json.loads(runtime.invoke(config, json.dumps(event).encode()).payload)

    return run
