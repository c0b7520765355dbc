"""Real functions in real processes, as AWS would report them."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.aws.lambda_runtime.function import RESPONSE_LIMIT, FunctionConfig
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.errors import SandboxError
from sandbox.timeline import Timeline

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


def function(source: str, name: str = "f", *, file: str = "app.py", revision: str = "1", **more: Any) -> FunctionConfig:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(file, source)
    more.setdefault("handler", "app.handler")
    return FunctionConfig(name, ARN + name, revision, runtime="python3.12", code=package.getvalue(), **more)


def test_a_value_goes_in_and_comes_out(run: Callable[..., Any]) -> None:
    value = {"a": [1, 2.5, None, True], "text": "Grüße, 世界 \U0001f600"}
    assert run("def handler(event, context):\n    return event", value) == value


def test_the_context(run: Callable[..., Any]) -> None:
    name, arn, left, request_id = run(
        "def handler(event, c):\n"
        "    return c.function_name, c.invoked_function_arn, c.get_remaining_time_in_millis(), c.aws_request_id",
        timeout=7,
    )
    assert (name, arn) == ("f", ARN + "f")
    assert 6000 < left <= 7000
    assert len(request_id) == 36


def test_a_warm_environment_keeps_its_state(runtime: FunctionRuntime) -> None:
    counter = function("n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n")
    results = [runtime.invoke(counter, b"{}") for _ in range(3)]
    assert [json.loads(result.payload) for result in results] == [1, 2, 3]
    assert [result.init_ms is None for result in results] == [False, True, True]


def test_a_warm_invocation_costs_a_few_milliseconds(runtime: FunctionRuntime) -> None:
    trivial = function("def handler(event, context):\n    return event")
    runtime.invoke(trivial, b"{}")
    taken = []
    for _ in range(50):
        started = time.perf_counter()
        runtime.invoke(trivial, b"{}")
        taken.append(time.perf_counter() - started)
    assert sorted(taken)[25] < 0.02


def test_the_log(runtime: FunctionRuntime) -> None:
    source = (
        "import logging, sys\nprint('loading')\n"
        "def handler(event, context):\n"
        "    print('to stdout é')\n    print('to stderr', file=sys.stderr)\n    logging.warning('careful')"
    )
    result = runtime.invoke(function(source), b"{}")
    first, start, *middle, end, report = result.log.splitlines()
    assert first == "loading"
    assert start == f"START RequestId: {result.request_id} Version: $LATEST"
    assert middle[:2] == ["to stdout é", "to stderr"]
    assert middle[2].startswith("[WARNING]\t")
    assert middle[2].endswith(f"\t{result.request_id}\tcareful")
    assert end == f"END RequestId: {result.request_id}"
    assert report.startswith(f"REPORT RequestId: {result.request_id}\tDuration: ")
    assert "Init Duration" in report
    again = runtime.invoke(function(source), b"{}").log
    assert "loading" not in again
    assert "Init Duration" not in again


def test_more_output_than_a_pipe_holds(runtime: FunctionRuntime) -> None:
    result = runtime.invoke(function("def handler(e, c):\n    print('x' * 1_000_000)"), b"{}")
    assert not result.failed
    assert "x" * 1_000_000 in result.log


def test_an_exception(runtime: FunctionRuntime, timeline: Timeline) -> None:
    source = "def handler(event, context):\n    raise ValueError('no')"
    result = runtime.invoke(function(source), b'{"a": 1}', trigger="test")
    error = json.loads(result.payload)
    assert result.failed
    assert (error["errorType"], error["errorMessage"], error["requestId"]) == ("ValueError", "no", result.request_id)
    assert "line 2, in handler" in error["stackTrace"][0]
    (observation,) = timeline.since()
    assert observation.kind == "lambda.invocation"
    facts = observation.fields
    assert (facts["function"], facts["status"], facts["error"], facts["trigger"]) == ("f", "ValueError", "no", "test")
    assert facts["payload"] == '{"a": 1}'
    assert "[ERROR] ValueError: no" in facts["log"]
    assert not runtime.invoke(function("def handler(e, c): pass", revision="2"), b"{}").failed


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        (
            "def handler(e, c): pass",
            "nothing.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'nothing': No module named 'nothing'",
        ),
        (
            "import nothing",
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nothing'",
        ),
        ("x = 1", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        (
            "def handler(:",
            "app.handler",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': invalid syntax (app.py, line 1)",
        ),
        ("1 / 0", "app.handler", "ZeroDivisionError", "division by zero"),
    ],
)
def test_a_function_that_does_not_load(
    run: Callable[..., Any], source: str, handler: str, error_type: str, message: str
) -> None:
    for _ in range(2):  # each invocation starts anew
        error = run(source, handler=handler)
        assert (error["errorType"], error["errorMessage"]) == (error_type, message)


@pytest.mark.parametrize(
    ("statement", "how"),
    [
        ("sys.exit(3)", "with error: exit status 3"),
        ("sys.exit()", "without providing a reason"),
        ("os._exit(1)", "with error: exit status 1"),
        ("os.kill(os.getpid(), 9)", "with error: signal: killed"),
    ],
)
def test_a_process_that_ends(runtime: FunctionRuntime, statement: str, how: str) -> None:
    config = function(f"import os, sys\ndef handler(event, context):\n    if event: {statement}\n    return 'fine'")
    result = runtime.invoke(config, b"1")
    assert json.loads(result.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {result.request_id} Error: Runtime exited {how}",
    }
    assert json.loads(runtime.invoke(config, b"0").payload) == "fine"


def test_an_endless_loop(runtime: FunctionRuntime) -> None:
    source = "def handler(event, context):\n    print('begun')\n    while event: pass\n    return 'fine'"
    config = function(source, timeout=1)
    result = runtime.invoke(config, b"1")
    told = f"RequestId: {result.request_id} Error: Task timed out after 1.00 seconds"
    assert json.loads(result.payload) == {"errorType": "Sandbox.Timedout", "errorMessage": told}
    assert 1000 <= result.duration_ms < 1500
    assert "begun\n" in result.log
    assert f"{result.request_id} Task timed out after 1.00 seconds" in result.log
    assert json.loads(runtime.invoke(config, b"0").payload) == "fine"


def test_what_a_function_started_dies_with_it(run: Callable[..., Any], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = (
        "import subprocess\ndef handler(path, context):\n"
        "    subprocess.Popen(['sleep', '600'], stdout=open(path, 'w'))\n    while True: pass"
    )
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run(source, str(pipe), timeout=1)["errorType"] == "Sandbox.Timedout"
        select.select([reader], [], [], 5)
        assert os.read(reader, 1) == b""  # the end: nobody has it open for writing any more
    finally:
        os.close(reader)


def test_a_loop_in_one_function_does_not_hold_up_another(runtime: FunctionRuntime) -> None:
    endless = function("def handler(e, c):\n    while True: pass", "endless", timeout=900)
    for _ in range(3):
        threading.Thread(target=runtime.invoke, args=(endless, b"{}"), daemon=True).start()
    started = time.monotonic()
    assert runtime.invoke(function("def handler(e, c): return 1", "quick"), b"{}").payload == b"1"
    assert time.monotonic() - started < 3


def test_no_more_environments_than_the_bound(timeline: Timeline) -> None:
    runtime = FunctionRuntime({}, timeline, concurrency=2)
    pid = function("import os, time\ndef handler(e, c):\n    time.sleep(0.05)\n    return os.getpid()")
    pids: list[int] = []
    threads = [
        threading.Thread(target=lambda: pids.append(json.loads(runtime.invoke(pid, b"{}").payload))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runtime.close()
    assert len(pids) == 8
    assert len(set(pids)) == 2


def test_a_new_revision_gets_new_environments(run: Callable[..., Any]) -> None:
    assert run("def handler(e, c): return 'old'") == "old"
    assert run("def handler(e, c): return 'new'", revision="2") == "new"


def test_big_payloads(runtime: FunctionRuntime) -> None:
    config = function("def handler(size, context):\n    return 'x' * size")
    assert len(runtime.invoke(config, b"6000000").payload) == 6_000_002
    result = runtime.invoke(config, str(RESPONSE_LIMIT).encode())
    assert result.error()["errorType"] == "Function.ResponseSizeTooLarge"


def test_the_environment_is_only_what_aws_gives(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the developer's own")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    source = "import os\ndef handler(event, context):\n    return dict(os.environ)"
    seen = run(source, environment={"COLOUR": "blue"}, memory_size=256)
    assert seen["COLOUR"] == "blue"
    assert seen["AWS_SECRET_ACCESS_KEY"] == "sandbox"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert seen["_HANDLER"] == "app.handler"
    assert seen["AWS_REGION"] == "us-east-1"
    assert seen["HOME"] != os.environ.get("HOME")
    known = {
        "PATH",
        "HOME",
        "TMPDIR",
        "TZ",
        "LANG",
        "LD_LIBRARY_PATH",
        "COLOUR",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "LC_CTYPE",
    }
    assert {name for name in seen if not name.startswith(("AWS_", "LAMBDA_"))} <= known
    assert "AWS_PROFILE" not in seen


@pytest.mark.parametrize(
    "call",
    [
        "__import__('boto3').client('sts').get_caller_identity()",
        "__import__('boto3').client('s3', endpoint_url='http://169.254.169.254').list_buckets()",
        "__import__('urllib.request').request.urlopen('http://example.com/')",
        "__import__('socket').create_connection(('192.0.2.1', 80))",
        "__import__('socket').socket(2, 2).sendto(b'x', ('192.0.2.1', 53))",
    ],
)
def test_nothing_outside_the_sandbox_is_reached(run: Callable[..., Any], call: str) -> None:
    error = run(f"def handler(event, context):\n    {call}", timeout=20)
    assert "the sandbox's functions reach only the sandbox; " in error["errorMessage"]
    assert "was refused: is AWS_ENDPOINT_URL used?" in error["errorMessage"]


def test_closing_ends_everything(timeline: Timeline, tmp_path: Path) -> None:
    runtime = FunctionRuntime({}, timeline)
    source = (
        "import os\nprint(os.getpid(), os.environ['HOME'])\n"
        "def handler(pipe, context):\n    if pipe: open(pipe, 'w').close()\n    while pipe: pass"
    )
    config = function(source, timeout=900)
    pid, home = runtime.invoke(config, b"null").log.split()[:2]
    assert Path(home).is_dir()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    results: list[Any] = []
    payload = json.dumps(str(pipe)).encode()
    thread = threading.Thread(target=lambda: results.append(runtime.invoke(config, payload)))
    thread.start()
    pipe.read_bytes()  # returns once the function is at work
    runtime.close()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert results[0].error()["errorType"] == "Runtime.ExitError"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert not Path(home).parent.exists()
    with pytest.raises(SandboxError):
        runtime.invoke(config, b"0")
    runtime.close()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits on a process that is not our child")
def test_functions_die_with_the_sandbox(tmp_path: Path) -> None:
    script = (
        "import sys, threading\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_runtime import *\n"
        "from sandbox.clock import RealClock\n"
        f"runtime = FunctionRuntime({{}}, Timeline(RealClock()), folder=Path({str(tmp_path)!r}))\n"
        "source = 'import os\\ndef handler(e, c):\\n    while e: pass\\n    return os.getpid()'\n"
        "config = function(source, timeout=900)\n"
        "print(runtime.invoke(config, b'0').payload.decode(), flush=True)\n"
        "runtime.invoke(config, b'1')\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        watched = os.pidfd_open(int(parent.stdout.readline()))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    ended, _, _ = select.select([watched], [], [], 10)
    os.close(watched)
    assert ended
