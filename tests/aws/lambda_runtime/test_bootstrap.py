from __future__ import annotations

import errno
import tempfile

import pytest

from sandbox.aws.lambda_runtime.bootstrap import (
    FORKS_BYTES,
    Guard,
    Internet,
    OutsideSandboxError,
    ProcessLimit,
    is_loopback,
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
