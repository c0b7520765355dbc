"""Functions that take too much: memory, processes. Each ends itself, and nothing else."""

from __future__ import annotations

import json
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.aws.lambda_runtime.function import FunctionConfig
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="/proc tells of memory")

Make = Callable[..., FunctionConfig]

HUNGRY = (
    "def handler(event, context):\n    held = []\n    while event: held.append(bytearray(1_000_000))\n    return 'fine'"
)


def test_memory_above_the_limit(runtime: FunctionRuntime, make: Make) -> None:
    config = make(HUNGRY, timeout=60)
    result = runtime.invoke(config, b"1")
    told = f"RequestId: {result.request_id} Error: Runtime exited with error: signal: killed"
    assert json.loads(result.payload) == {"errorType": "Runtime.ExitError", "errorMessage": told}
    assert f"{told}\nRuntime.ExitError\nEND RequestId: {result.request_id}\nREPORT" in result.log
    assert "Memory Size: 128 MB\tMax Memory Used: 128 MB\t" in result.log
    assert result.log.endswith("\tStatus: error\tError Type: Runtime.OutOfMemory\t\n")
    assert result.duration_ms < 10_000
    again = runtime.invoke(config, b"0")
    assert again.payload == b'"fine"'
    assert "Status" not in again.log


def test_a_peak_that_has_passed_counts(runtime: FunctionRuntime, make: Make) -> None:
    result = runtime.invoke(make("def handler(event, context):\n    len(b'x' * 400_000_000)"), b"{}")
    assert "Error Type: Runtime.OutOfMemory" in result.log


def test_more_memory_where_it_is_configured(run: Callable[..., Any], make: Make) -> None:
    assert run(make("def handler(e, c):\n    return len(b'x' * 400_000_000)", memory_size=1024)) == 400_000_000


def test_memory_counts_with_that_of_children(runtime: FunctionRuntime, make: Make) -> None:
    child = "import time; held = bytearray(90_000_000); time.sleep(60)"
    source = (
        "import subprocess, sys\ndef handler(event, context):\n"
        f"    children = [subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in range(3)]\n"
        "    [child.wait() for child in children]"
    )
    result = runtime.invoke(make(source, timeout=60), b"{}")
    assert "Error Type: Runtime.OutOfMemory" in result.log


def test_memory_that_children_share_counts_once(run: Callable[..., Any], make: Make) -> None:
    source = (
        "import os, time\nheld = b'x' * 60_000_000\n"
        "def handler(event, context):\n"
        "    for _ in range(5):\n"
        "        if not os.fork():\n            time.sleep(0.3)\n            os._exit(0)\n"
        "    return [os.wait()[1] for _ in range(5)]"
    )
    assert run(make(source)) == [0] * 5


def test_memory_in_the_initialisation(runtime: FunctionRuntime, make: Make) -> None:
    result = runtime.invoke(make("held = [bytearray(1_000_000) for _ in range(1000)]\ndef handler(e, c): pass"), b"{}")
    assert result.error()["errorType"] == "Runtime.ExitError"
    first, second = (line for line in result.log.splitlines() if line.startswith("INIT_REPORT"))
    assert first.endswith("\tPhase: init\tStatus: error\tError Type: Runtime.OutOfMemory")
    assert second.endswith("\tPhase: invoke\tStatus: error\tError Type: Runtime.OutOfMemory")


def test_forks_without_end_are_ended(runtime: FunctionRuntime, make: Make) -> None:
    source = "import os, time\ndef handler(event, context):\n    while True:\n        os.fork() or time.sleep(60)"
    result = runtime.invoke(make(source, timeout=3, memory_size=512), b"{}")
    assert result.failed
    assert runtime.invoke(make("def handler(e, c): return 1", "other"), b"{}").payload == b"1"


@pytest.mark.parametrize("memory_size", [128, 10_240])
def test_a_fork_bomb_ends_long_before_its_time(runtime: FunctionRuntime, make: Make, memory_size: int) -> None:
    """By its memory, by the number of its processes, or by the error of a fork that was refused: the first one wins."""
    source = "import os\ndef handler(event, context):\n    while event: os.fork()\n    return 'fine'"
    bomb = make(source, timeout=60, memory_size=memory_size)
    result = runtime.invoke(bomb, b"1")
    assert result.failed
    assert result.duration_ms < 60_000
    again = runtime.invoke(bomb, b"0")  # which none of those processes answers
    assert (again.payload, again.failed) == (b'"fine"', False)


def test_many_processes_one_after_another_are_fine(run: Callable[..., Any], make: Make) -> None:
    source = (
        "import os\ndef handler(count, context):\n"
        "    for _ in range(count):\n"
        "        for _ in range(20):\n"  # a busy machine makes each wait for a child long
        "            if not os.fork(): os._exit(0)\n"
        "        for _ in range(20): os.wait()\n"
        "    return 'fine'"
    )
    assert run(make(source, timeout=600), 55) == "fine"


def test_too_many_processes(runtime: FunctionRuntime, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.aws.lambda_runtime.process.PROCESSES", 3)
    source = (
        "import subprocess\ndef handler(count, context):\n"
        "    [c.wait() for c in [subprocess.Popen(['sleep', '0.5']) for _ in range(count)]]"
    )
    assert not runtime.invoke(make(source, memory_size=512), b"2").failed
    result = runtime.invoke(make(source, memory_size=512), b"5")
    assert result.error()["errorMessage"].endswith("signal: killed")
    assert "Error Type: Runtime.ExitError" in result.log


@pytest.mark.parametrize("how", ["close", "crash"])
def test_children_that_left_the_session_end_too(runtime: FunctionRuntime, make: Make, tmp_path: Path, how: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = (
        "import os, subprocess\ndef handler(event, context):\n"
        "    if event is None: os._exit(1)\n"
        "    subprocess.Popen(['sleep', '600'], stdout=open(event, 'w'), start_new_session=True)"
    )
    config = make(source)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert not runtime.invoke(config, json.dumps(str(pipe)).encode()).failed
        if how == "crash":
            assert runtime.invoke(config, b"null").failed
        else:
            runtime.close()
        assert select.select([reader], [], [], 5)[0]
        assert os.read(reader, 1) == b""  # the end: nobody has it open for writing any more
    finally:
        os.close(reader)


def test_nothing_else_is_disturbed(runtime: FunctionRuntime, make: Make) -> None:
    hungry = [make(HUNGRY, f"hungry{n}", timeout=60) for n in range(2)]
    threads = [threading.Thread(target=runtime.invoke, args=(config, b"1")) for config in hungry]
    for thread in threads:
        thread.start()
    calm = make("def handler(e, c): return e", "calm")
    assert [runtime.invoke(calm, str(n).encode()).payload for n in range(20)] == [str(n).encode() for n in range(20)]
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
