"""Delivery of events to functions that are slow, broken or missing."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.aws.clients import Clients
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.aws.protocol import RequestContext
from sandbox.aws.services.events_state import Arrival
from sandbox.aws.services.lambda_ import LambdaService
from sandbox.clock import RealClock
from sandbox.controllers.event_targets import EventTargets
from sandbox.controllers.events import EventDelivery
from sandbox.timeline import Timeline

RULE = "arn:aws:events:us-east-1:123456789012:rule/r"
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"


class World:
    def __init__(self) -> None:
        self.clock = RealClock(600)
        self.timeline = Timeline(self.clock)
        self.runtime = FunctionRuntime({}, self.timeline)
        self.functions = LambdaService(self.runtime, self.timeline, self.clock)
        targets = EventTargets(self.functions, Clients("http://127.0.0.1:9"), self.clock)
        self.delivery = EventDelivery(targets, self.timeline, self.clock)

    def function(self, name: str, source: str, timeout: int = 3) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("app.py", source)
        request = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": "arn:aws:iam::123456789012:role/x",
            "Handler": "app.handler",
            "Code": {"ZipFile": file.getvalue()},
            "Timeout": timeout,
        }
        self.functions.create_function(request, RequestContext())

    def send(self, name: str, number: int) -> None:
        event = {"id": str(number), "source": "x", "detail-type": "y", "resources": [], "detail": {"n": number}}
        self.delivery.deliver(RULE, {"Id": name, "Arn": LAMBDA + name}, Arrival(event, 0.0))

    def wait(self, count: int, wanted: Callable[[Any], bool]) -> list[Any]:
        found: list[Any] = []

        def enough(observation: Any) -> bool:
            if wanted(observation):
                found.append(observation)
            return len(found) >= count

        self.timeline.wait_for("deliveries", enough, within=20)
        return found

    def close(self) -> None:
        self.delivery.close()
        self.runtime.close()
        self.clock.close()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def ran(name: str) -> Callable[[Any], bool]:
    return lambda o: o.kind == "lambda.invocation" and o["function"] == name


def test_a_target_gets_its_events_in_order(world: World) -> None:
    world.function("f", "def handler(event, context):\n    return event")
    for number in range(30):
        world.send("f", number)
    assert [json.loads(o["payload"])["detail"]["n"] for o in world.wait(30, ran("f"))] == list(range(30))


def test_an_endless_function_delays_only_itself(world: World) -> None:
    world.function("endless", "def handler(event, context):\n    while True: pass", timeout=900)
    world.function("quick", "def handler(event, context):\n    return 1")
    started = time.monotonic()
    for number in range(20):
        world.send("endless", number)
    world.send("quick", 1)
    assert time.monotonic() - started < 0.5
    assert world.wait(1, ran("quick"))[0]["status"] == "Success"


def test_a_broken_function_is_tried_three_times(world: World) -> None:
    world.function("broken", "def handler(event, context):\n    raise ValueError(event['id'])")
    world.send("broken", 1)
    assert [o["attempt"] for o in world.wait(3, ran("broken"))] == [1, 2, 3]
    assert sum(o.kind == "event.delivered" for o in world.timeline.since()) == 1


def test_a_missing_function(world: World) -> None:
    world.send("nobody", 7)
    (failed,) = world.wait(1, lambda o: o.kind == "event.failed")
    assert failed.fields == {
        "id": "7",
        "rule": "r",
        "target": LAMBDA + "nobody",
        "error": "NO_RESOURCE",
        "reason": f"Function not found: {LAMBDA}nobody",
        "retries": 0,
        "exhausted": None,
    }


def test_nothing_is_delivered_after_closing(world: World) -> None:
    world.function("f", "def handler(event, context):\n    return event")
    world.delivery.close()
    world.send("f", 1)
    assert not [o for o in world.timeline.since() if o.kind.startswith("event.")]
