"""The first thing that runs in a function's process: it closes the way out, then starts AWS's own runtime client.

Run as ``python -I -X utf8 bootstrap.py LIFELINE FORKS``; imports nothing of the sandbox, so that it starts fast and so
that the function cannot be tripped by it. LIFELINE is the reading end of a pipe that the sandbox holds open, FORKS a
file in which the sandbox sees how many processes were started, and how many were refused.

The guard is an audit hook, which Python code cannot remove. It does not see programs that the function starts.
"""

import contextlib
import errno
import mmap
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

OPT_VARIABLE = "SANDBOX_OPT"
"""The environment variable that names the folder which stands for /opt; the function does not see it."""
INTERNET_VARIABLE = "SANDBOX_INTERNET"
"""The same for the sandbox's internet, as `Internet` is told of it; without it nothing is refused."""

# "Lambda quotas": execution processes and threads.
PROCESSES = 1024
FORKS_BYTES = 16
# Processes of one function above which each new one runs only when nothing else wants the processor: hundreds of them
# would leave the sandbox, which is to end them, one turn in hundreds.
_CROWD = 64

PACKAGES = Path("/usr/lib/sandbox/packages")
"""Has packages for this Python, in a folder each, where it may be another than the code was made for (LocalStack's)."""

_FORKS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
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


class Internet:
    """The sandbox's internet, where a function may connect to: addresses of its network, names by its own DNS.

    Args:
        told: The network, "198.51.100.0/24", and after a space the Unix socket of the DNS server; "" for none.
    """

    def __init__(self, told: str = "") -> None:
        network, _, self._dns = told.partition(" ")
        base, _, length = network.partition("/")
        self._shift = 32 - int(length or 32)
        self._network = _number(base)

    def has(self, host: object) -> bool:
        """Whether a host is an address of the network."""
        number = _number(host)
        return (
            number is not None and self._network is not None and number >> self._shift == self._network >> self._shift
        )

    def resolve(self, name: str) -> list[str]:
        """The addresses of a name within the network; [] where it has none."""
        if not self._dns:
            return []
        import dnslib  # few functions need it

        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            server.settimeout(5)
            server.connect(self._dns)
            server.send(dnslib.DNSRecord.question(name).pack())
            answer = dnslib.DNSRecord.parse(server.recv(65535))
        found = [str(record.rdata) for record in answer.rr if record.rtype == dnslib.QTYPE.A]
        return [address for address in found if self.has(address)]

    def serve_names(self) -> None:
        """Let this process find names by the sandbox's DNS; those that it does not know are looked up, and refused."""
        look_up = socket.getaddrinfo

        def getaddrinfo(host: Any, *arguments: Any, **more: Any) -> list[Any]:
            name = host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else host
            inside = [] if is_loopback(name) or _number(name) is not None else self.resolve(name)
            return [found for address in inside or [host] for found in look_up(address, *arguments, **more)]

        socket.getaddrinfo = getaddrinfo


class Guard:
    """The audit hook that refuses everything but this machine's loopback and the sandbox's internet."""

    def __init__(self, internet: Internet) -> None:
        self._internet = internet

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        position = _CALLS.get(event)
        if position is None:
            return
        host = arguments[position]
        if event.startswith(("socket.connect", "socket.send")):
            if not isinstance(host, tuple):
                return  # a Unix socket, or a connected one
            host = host[0]
        if not is_loopback(host) and not self._internet.has(host):
            raise OutsideSandboxError(
                f"the sandbox's functions reach only the sandbox; {host} was refused: is AWS_ENDPOINT_URL used?"
            )


def _number(host: object) -> int | None:
    """An IPv4 address as a number; None for anything else."""
    parts = host.split(".") if isinstance(host, str) else []
    if len(parts) != 4 or not all(part.isdecimal() and int(part) < 256 for part in parts):
        return None
    return int.from_bytes(bytes(map(int, parts)), "big")


class ProcessLimit:
    """An audit hook that lets a fork fail, as on AWS, where there are too many processes already.

    All forks share one count of processes, which needs to be exact only near the limit. Programs that the function
    starts are counted, but can start others.

    Args:
        forks: A file of `FORKS_BYTES` for the count and, after it, that of the refusals: eight bytes each, least
            significant first.
        limit: Processes.
    """

    def __init__(self, forks: int, limit: int = PROCESSES) -> None:
        self._limit = limit
        self._yielding = False
        # shared with every child, which has no file descriptor of it to close
        self._count = mmap.mmap(forks, FORKS_BYTES)

    def __call__(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if event not in _FORKS:
            return
        count = int.from_bytes(self._count[:8], "little") + 1
        if count >= _CROWD and not self._yielding:  # with those that have ended since
            count = _session_size()
            if count >= _CROWD:
                _yield_to_others()
                self._yielding = True  # and so do its children
        if count >= self._limit:
            count = _session_size()
            if count >= self._limit:
                refused = int.from_bytes(self._count[8:16], "little") + 1
                self._count[8:16] = refused.to_bytes(8, "little")
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._count[:8] = count.to_bytes(8, "little")


def _session_size() -> int:
    """How many processes this process's session has; 0 where the system does not tell."""
    own, size = os.getsid(0), 0
    with contextlib.suppress(OSError):
        for folder in os.scandir("/proc"):
            with contextlib.suppress(OSError, ValueError):
                size += os.getsid(int(folder.name)) == own
    return size


def _yield_to_others() -> None:
    """Let this process run only when nothing else wants to (Linux), or seldom."""
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


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


def made_for_this_python(folders: list[str], packages: Path) -> list[str]:
    """The folders of ``packages`` that come before a function's own: what it brings is compiled for another Python.

    Args:
        folders: Where the function's own packages are.
        packages: Has a folder for each package, by its name. One of another version is not taken.
    """
    own = f"cp{sys.version_info.major}{sys.version_info.minor}"
    found = []
    for wheel in (wheel for folder in folders for wheel in Path(folder).glob("*.dist-info/WHEEL")):
        tags = [line.split()[1].split("-") for line in wheel.read_text().splitlines() if line.startswith("Tag: ")]
        if not tags or any(python.startswith("py") or python == own or abi == "abi3" for python, abi, *_ in tags):
            continue
        instead = packages / wheel.parent.name.split("-")[0]
        if (instead / wheel.parent.name).is_dir():
            found.append(str(instead))
    return found


def main() -> None:
    """Start awslambdaric, which imports the handler and asks for invocations until it is killed."""
    _die_with(int(sys.argv[1]))
    _be_first_victim()
    told = os.environ.pop(INTERNET_VARIABLE, None)
    if told is not None:
        internet = Internet(told)
        internet.serve_names()
        sys.addaudithook(Guard(internet))
    forks = int(sys.argv[2])
    sys.addaudithook(ProcessLimit(forks))
    os.close(forks)
    opt = os.environ.pop(OPT_VARIABLE)
    runtime = os.environ["AWS_EXECUTION_ENV"].removeprefix("AWS_Lambda_")  # "python3.12", whatever Python this is
    own = [os.environ["LAMBDA_TASK_ROOT"], f"{opt}/python/lib/{runtime}/site-packages", f"{opt}/python"]
    sys.path[:0] = [*(made_for_this_python(own, PACKAGES) if PACKAGES.is_dir() else ()), *own]
    sys.argv = ["bootstrap", os.environ["_HANDLER"]]
    from awslambdaric.__main__ import main as run

    run(sys.argv)


if __name__ == "__main__":
    main()
