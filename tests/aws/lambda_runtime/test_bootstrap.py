from __future__ import annotations

import errno
import sys
import tempfile
from pathlib import Path

import pytest

from sandbox.aws.lambda_runtime.bootstrap import (
    FORKS_BYTES,
    Guard,
    Internet,
    OutsideSandboxError,
    ProcessLimit,
    is_loopback,
    made_for_this_python,
)

refuse_outside = Guard(Internet())


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", b"localhost", "S3.localhost.", "", None]
)
def test_loopback(host: object) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "sts.amazonaws.com", "localhost.example.com", "127.example.com", "169.254.169.254", "::2", 3]
)
def test_outside(host: object) -> None:
    assert not is_loopback(host)


def test_unix_sockets_and_other_events_pass() -> None:
    refuse_outside("socket.connect", (None, "/run/socket"))
    refuse_outside("socket.sendmsg", (None, None))
    refuse_outside("open", ("/etc/passwd", "r", 0))


def test_the_sandbox_s_internet_is_within_reach() -> None:
    internet = Internet("198.51.100.0/24 /run/dns.sock")
    guard = Guard(internet)
    guard("socket.connect", (None, ("198.51.100.16", 80)))
    guard("socket.getaddrinfo", ("198.51.100.255", 80, 0, 0, 0))
    for host in ("198.51.101.1", "198.51.100", "198.51.100.256", "198.51.100.1.example.com", "site.example.com"):
        with pytest.raises(OutsideSandboxError):
            guard("socket.connect", (None, (host, 80)))
    assert Internet().resolve("site.example.com") == []


def test_the_refusal_says_why() -> None:
    with pytest.raises(OutsideSandboxError, match=r"sts\.amazonaws\.com was refused: is AWS_ENDPOINT_URL used\?"):
        refuse_outside("socket.getaddrinfo", ("sts.amazonaws.com", 443, 0, 0, 0))


def test_a_fork_above_the_limit_fails() -> None:
    with tempfile.TemporaryFile() as forks:
        forks.truncate(FORKS_BYTES)
        tight = ProcessLimit(forks.fileno(), limit=1)  # this test is a process itself
        wide = ProcessLimit(forks.fileno(), limit=10_000)
    for event in ("os.fork", "subprocess.Popen", "os.posix_spawn"):
        wide(event, ())
        with pytest.raises(BlockingIOError) as caught:
            tight(event, ())
        assert caught.value.errno == errno.EAGAIN
    tight("open", ())


OWN = f"cp{sys.version_info.major}{sys.version_info.minor}"


def bring(folder: Path, name: str, *tags: str) -> None:
    info = folder / f"{name}.dist-info"
    info.mkdir(parents=True)
    (info / "WHEEL").write_text("".join(["Wheel-Version: 1.0\n", *(f"Tag: {tag}\n" for tag in tags)]))


@pytest.mark.parametrize(
    ("tags", "is_replaced"),
    [
        (["cp39-cp39-manylinux_2_28_x86_64"], True),
        ([f"{OWN}-{OWN}-manylinux_2_28_x86_64"], False),
        (["cp39-abi3-manylinux_2_28_x86_64"], False),
        (["py2-none-any", "py3-none-any"], False),
        ([], False),
    ],
)
def test_a_package_compiled_for_another_python_is_replaced(tags: list[str], is_replaced: bool, tmp_path: Path) -> None:
    bring(tmp_path / "task", "pillow-13.0.0", *tags)
    bring(tmp_path / "packages/pillow", "pillow-13.0.0", f"{OWN}-{OWN}-manylinux_2_28_x86_64")
    found = made_for_this_python([str(tmp_path / "task"), str(tmp_path / "none")], tmp_path / "packages")
    assert found == ([str(tmp_path / "packages/pillow")] if is_replaced else [])


def test_another_version_of_a_package_is_not_taken_for_it(tmp_path: Path) -> None:
    bring(tmp_path / "task", "pillow-12.0.0", "cp39-cp39-manylinux_2_28_x86_64")
    bring(tmp_path / "packages/pillow", "pillow-13.0.0", f"{OWN}-{OWN}-manylinux_2_28_x86_64")
    assert made_for_this_python([str(tmp_path / "task")], tmp_path / "packages") == []
