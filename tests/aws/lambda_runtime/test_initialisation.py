"""How an environment's process starts, fails to start, and starts again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.aws.lambda_runtime.function import FunctionConfig
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime

Make = Callable[..., FunctionConfig]


def reports(log: str) -> list[str]:
    return [line.partition("Phase: ")[2] for line in log.splitlines() if line.startswith("INIT_REPORT")]


@pytest.fixture
def short_init(monkeypatch: pytest.MonkeyPatch) -> None:
    """The init phase has a second instead of ten."""
    monkeypatch.setattr("sandbox.aws.lambda_runtime.environment.INIT_SECONDS", 1.0)


def test_an_error_is_reported_for_both_phases(runtime: FunctionRuntime, make: Make) -> None:
    result = runtime.invoke(make("print('loading')\n1 / 0"), b"{}")
    error = "Status: error\tError Type: ZeroDivisionError"
    assert reports(result.log) == [f"init\t{error}", f"invoke\t{error}"]
    assert result.log.count("loading\n") == 2
    assert result.init_ms is None
    assert "Init Duration" not in result.log.splitlines()[-1]
    assert result.log.splitlines()[-1].endswith(f"\t{error}\t")
    words = [line.partition(" ")[0] for line in result.log.splitlines()]
    assert [word for word in words if word in {"START", "INIT_REPORT", "END"}] == [*["INIT_REPORT"] * 2, "START", "END"]


def test_a_long_initialisation_starts_over_within_the_timeout(
    runtime: FunctionRuntime, make: Make, short_init: None
) -> None:
    config = make("import time\ntime.sleep(1.5)\ndef handler(e, c): return c.get_remaining_time_in_millis()", timeout=4)
    result = runtime.invoke(config, b"{}")
    assert not result.failed
    assert reports(result.log) == ["init\tStatus: timeout"]
    assert result.init_ms is None
    assert 1500 <= result.duration_ms < 3500
    assert 500 < json.loads(result.payload) < 2600  # what the initialisation left
    assert runtime.invoke(config, b"{}").duration_ms < 1000


def test_one_that_is_longer_than_the_timeout_never_gets_there(
    runtime: FunctionRuntime, make: Make, short_init: None
) -> None:
    result = runtime.invoke(make("import time\ntime.sleep(60)", timeout=1), b"{}")
    assert result.error()["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in result.log
    assert reports(result.log) == ["init\tStatus: timeout", "invoke\tStatus: timeout"]


def test_after_a_crash_the_same_environment_starts_anew(run: Callable[..., Any], make: Make) -> None:
    config = make(
        "import os, pathlib, tempfile\nmarker = pathlib.Path(tempfile.gettempdir(), 'marker')\n"
        "def handler(event, context):\n"
        "    if event: marker.write_text('x'); os._exit(1)\n"
        "    return marker.exists(), os.environ['AWS_LAMBDA_LOG_STREAM_NAME']"
    )
    before = run(config, 0)
    assert run(config, 1)["errorType"] == "Runtime.ExitError"
    assert run(config, 0) == [True, before[1]]  # neither /tmp nor the log stream is another one


def test_starting_anew_counts_as_the_invocation_s_time(runtime: FunctionRuntime, make: Make) -> None:
    config = make(
        "import os, time\ntime.sleep(0.3)\ndef handler(event, context):\n    if event: os._exit(1)", timeout=5
    )
    assert runtime.invoke(config, b"1").duration_ms < 300
    again = runtime.invoke(config, b"0")
    assert again.duration_ms >= 300
    assert again.init_ms is None
    assert reports(again.log) == []
