"""Which Docker engines there are: one, or a list of them where one is too small for all that runs side by side.

The list has a variable of its own, `VARIABLE`, and is not a list in DOCKER_HOST: Docker's command line, Compose and
Testcontainers read that, and refuse a list.

An engine must be on this machine. Containers get files and sockets of this process, which connects to their bridges
and to ports on 127.0.0.1: none of it reaches, or is reached from, another machine.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from sandbox.errors import SandboxError

VARIABLE = "SANDBOX_DOCKER_HOSTS"
DEFAULT = "unix:///var/run/docker.sock"
_TCP = frozenset({"tcp", "http", "https"})

_placed: list[str] = []  # of this process: the engine's host, once there is one


def listed(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The engines' hosts, as DOCKER_HOST has them: those of the list, else DOCKER_HOST's own, else the local one.

    Args:
        environment: Of this process, unless another one is given.

    Raises:
        SandboxError: One of them is on another machine, or is no host.
    """
    environment = os.environ if environment is None else environment
    variable = VARIABLE if environment.get(VARIABLE, "").strip() else "DOCKER_HOST"
    text = environment.get(variable, "") or DEFAULT
    hosts = [host.strip() for host in text.split(",")] if variable == VARIABLE else [text.strip()]
    found = tuple(dict.fromkeys(host for host in hosts if host))
    for host in found:
        _check(host, variable)
    return found or (DEFAULT,)


def place(host: str) -> None:
    """Have an engine for this process, and by DOCKER_HOST for whatever it starts (Testcontainers, Compose)."""
    _placed[:] = [host]
    os.environ["DOCKER_HOST"] = host


def placed() -> str | None:
    """The engine that this process has been given of several; None where there is but one, or it has none yet."""
    hosts = listed()
    return _placed[0] if _placed and len(hosts) > 1 and _placed[0] in hosts else None


def here() -> str:
    """The engine of this process: the one that it is placed on, or the first of the list."""
    return placed() or listed()[0]


def socket_path() -> str:
    """The file of the engine's socket on the engine's machine, for a container that is to be given it."""
    host = urlsplit(here())
    return host.path if host.scheme == "unix" else urlsplit(DEFAULT).path


def _check(host: str, variable: str) -> None:
    parts = urlsplit(host)
    if parts.scheme == "unix" and parts.path.startswith("/"):
        return
    if parts.scheme in _TCP and parts.hostname:
        if _is_loopback(parts.hostname):
            return
    elif parts.scheme != "ssh":
        raise SandboxError(
            f"{variable}: '{host}' is no Docker engine", hint="unix:///PATH/docker.sock, or tcp://127.0.0.1:PORT"
        )
    raise SandboxError(
        f"{variable}: the engine {host} is on another machine",
        state="containers get files and sockets of this machine, and what they publish is reached on 127.0.0.1",
        hint="use engines of this machine (unix:///PATH, or tcp:// to a loopback address); to use another machine, run "
        "the sandbox there: docs/engines.md",
    )


def _is_loopback(name: str) -> bool:
    try:
        found = socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)
    except OSError:
        return False
    return all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)
