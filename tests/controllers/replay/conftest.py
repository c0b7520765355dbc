"""Functions and recordings of the replayer's tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.controllers.replay.handler import Handler
from sandbox.controllers.replay.replayer import Replayer
from sandbox.model.eventbridge import compile_pattern
from sandbox.model.replay.compose import Composer
from sandbox.model.replay.plan import Recording
from sandbox.model.route53 import HostedZone

GHOST = Path(__file__).parents[3] / "compose" / "ghost" / "lambda"
ENVIRONMENT = {"HOSTED_ZONE_ID": "Z1", "RECORD_NAME": "blog.example.com"}
RUNNING = compile_pattern(json.dumps({"detail": {"lastStatus": ["RUNNING"], "desiredStatus": ["RUNNING"]}}))


@pytest.fixture
def replacement() -> Recording:
    """A task is replaced by another; the function is told of RUNNING alone."""
    return Composer().start().replace().recording().matching(RUNNING.matches)


@pytest.fixture
def ghost() -> Callable[..., Handler]:
    """One of the functions of the Ghost stack, by its module."""
    return lambda module, **more: Handler.load(f"{GHOST / module}.py:handler", environment=ENVIRONMENT, **more)


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Handler]:
    """A function by its source; ``def handler(event, context)``."""

    def make(text: str, **more: Any) -> Handler:
        (tmp_path / "app.py").write_text(text)
        return Handler.load(f"{tmp_path / 'app.py'}:handler", **more)

    return make


@pytest.fixture
def replayer() -> Iterator[Callable[..., Replayer]]:
    """Makes a replayer, in a zone example.com; it is closed after the test."""
    made: list[Replayer] = []

    def make(recording: Recording, handler: Handler, **more: Any) -> Replayer:
        made.append(Replayer(recording, handler, zones=[HostedZone("Z1", "example.com")], **more))
        return made[-1]

    yield make
    for one in made:
        one.close()
