"""The first thing that runs in a function's process: it closes the way out, then starts AWS's own runtime client.

Run as ``python -I -X utf8 bootstrap.py LIFELINE``; imports nothing of the sandbox, so that it starts fast and so that
the function cannot be tripped by it. LIFELINE is the reading end of a pipe that the sandbox holds open.

The guard is an audit hook, which Python code cannot remove. It does not see programs that the function starts.
"""

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

OPT_VARIABLE = "SANDBOX_OPT"
"""The environment variable that names the folder which stands for /opt; the function does not see it."""

_CALLS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0}
_CALLS.update({"socket.gethostbyname": 0})


class OutsideSandboxError(RuntimeError):
    """Not an OSError: boto3 would try again until the function's time is up, and the reason would be lost."""


def is_loopback(host: object) -> bool:
    """Whether a host, as Python's socket functions take it, is this machine's loopback."""
    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str):
        return host is None  # getaddrinfo(None, ...) is for loopback or for listening
    host = host.lower().rstrip(".")
    if host in ("", "::1", "localhost") or host.endswith(".localhost"):
        return True
    host = host.removeprefix("::ffff:")
    numbers = host.split(".")
    return len(numbers) == 4 and numbers[0] == "127" and all(number.isdigit() for number in numbers)


def refuse_outside(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook."""
    position = _CALLS.get(event)
    if position is None:
        return
    host = arguments[position]
    if event.startswith(("socket.connect", "socket.send")):
        if not isinstance(host, tuple):
            return  # a Unix socket, or a connected one
        host = host[0]
    if not is_loopback(host):
        raise OutsideSandboxError(
            f"the sandbox's functions reach only the sandbox; {host} was refused: is AWS_ENDPOINT_URL used?"
        )


def _die_with(lifeline: int) -> None:
    """End this process and its children when the sandbox is gone, however it ended."""

    def wait() -> None:
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def _be_first_victim() -> None:
    """Where memory runs out, the kernel is to kill functions rather than the sandbox (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> None:
    """Start awslambdaric, which imports the handler and asks for invocations until it is killed."""
    _die_with(int(sys.argv[1]))
    _be_first_victim()
    sys.addaudithook(refuse_outside)
    opt = os.environ.pop(OPT_VARIABLE)
    runtime = os.environ["AWS_EXECUTION_ENV"].removeprefix("AWS_Lambda_")  # "python3.12", whatever Python this is
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], f"{opt}/python/lib/{runtime}/site-packages", f"{opt}/python"]
    sys.argv = ["bootstrap", os.environ["_HANDLER"]]
    from awslambdaric.__main__ import main as run

    run(sys.argv)


if __name__ == "__main__":
    main()
