"""``linuxParameters`` of a container: what Fargate allows of them.

Rules: API reference "LinuxParameters", "KernelCapabilities", "Tmpfs" as of botocore 1.44: tmpfs is no longer excluded
from Fargate, as older pages have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs.errors import client_exception, not_carried_out

FARGATE_CAPABILITIES = frozenset({"SYS_PTRACE"})
_NOT_ON_FARGATE = ("devices", "sharedMemorySize", "maxSwap", "swappiness")


@dataclass(frozen=True)
class Tmpfs:
    """A file system in memory: where, how big in MiB, and with which mount options."""

    path: str
    size: int
    options: tuple[str, ...]


@dataclass(frozen=True)
class LinuxParameters:
    """Capabilities more and fewer than usual, an init process, file systems in memory."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    init: bool = False
    tmpfs: tuple[Tmpfs, ...] = ()


def parse(container: str, raw: Mapping[str, Any] | None, *, fargate: bool) -> LinuxParameters:
    """Check a container definition's ``linuxParameters``.

    Raises:
        EcsError: ClientException; AWS documents the rules, the words are ours.
    """
    raw = raw or {}
    for parameter in _NOT_ON_FARGATE:
        if raw.get(parameter):
            if not fargate:
                raise not_carried_out(f"containerDefinitions[name={container}].linuxParameters.{parameter}")
            raise client_exception(
                f"Invalid setting for container '{container}'. '{parameter}' is not supported on Fargate."
            )
    capabilities = raw.get("capabilities") or {}
    add = tuple(capabilities.get("add") or ())
    refused = [name for name in add if name not in FARGATE_CAPABILITIES]
    if refused and not fargate:
        raise not_carried_out(
            f"containerDefinitions[name={container}].linuxParameters.capabilities.add {', '.join(refused)}"
        )
    if refused:
        raise client_exception(
            f"Invalid setting for container '{container}'. Fargate can only add the capability SYS_PTRACE, "
            f"not {', '.join(refused)}."
        )
    tmpfs = tuple(
        Tmpfs(item.get("containerPath") or "", int(item.get("size") or 0), tuple(item.get("mountOptions") or ()))
        for item in raw.get("tmpfs") or ()
    )
    for item in tmpfs:
        if not item.path.startswith("/") or item.size <= 0:
            raise client_exception(
                f"Invalid setting for container '{container}'. A tmpfs has an absolute containerPath and a size in MiB."
            )
    return LinuxParameters(add, tuple(capabilities.get("drop") or ()), bool(raw.get("initProcessEnabled")), tmpfs)
