"""What this machine has and lacks, each lack with the one command that mends it. ``sandbox doctor`` prints it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import docker

from sandbox.controllers import browser
from sandbox.engine import compose_plugin, placement, sweep
from sandbox.engine.images import Images
from sandbox.errors import SandboxError

MIN_DISK_GB = 6  # all images and what their builds leave in the engine's cache
MIN_MEMORY_GB = 2


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. ``fix`` is a command ("" where all is well)."""

    name: str
    ok: bool
    detail: str
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        """The check as docs/formats.md has it."""
        return asdict(self)


def check() -> list[Check]:
    """Look at everything; what needs the engine is left out where none answers."""
    return list(_checks())


def _checks() -> Iterator[Check]:
    yield _python()
    yield _memory()
    yield _browser()
    try:
        with placement.opened() as engines:
            for host, client in engines.answering.items():
                of = f" of {host}" if engines.are_several else ""
                for check in (_engine(client), _disk(client), *_images(client), _left_overs(client)):
                    yield replace(check, name=check.name + of)
            for host, error in engines.dead.items():
                yield Check(f"engine of {host}", False, f"{error.message}: {error.state}", error.hint)
            yield _compose()
    except SandboxError as error:
        yield Check("engine", False, f"{error.message}: {error.state}", error.hint)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(
        "python", sys.version_info >= (3, 11), version, "" if sys.version_info >= (3, 11) else "make PYTHON=python3.11"
    )


def _memory() -> Check:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError):
        return Check("memory", True, "unknown on this system")
    fix = "" if total >= MIN_MEMORY_GB else f"run on a machine with {MIN_MEMORY_GB} GB"
    return Check("memory", not fix, f"{total:.1f} GB", fix)


def _browser() -> Check:
    version = browser.playwright_version()
    if not version:
        return Check("browser", False, "no Playwright: what needs a browser is not run", browser.install_playwright())
    return Check("browser", True, f"Playwright {version}, which drives image {browser.COMPONENT}")


def _engine(client: docker.DockerClient) -> Check:
    info = client.info()
    return Check(
        "engine", True, f"Docker {info['ServerVersion']}, {info['Driver']}, cgroup {info.get('CgroupVersion', '?')}"
    )


def _disk(client: docker.DockerClient) -> Check:
    root = Path(client.info()["DockerRootDir"])
    if not root.is_dir():  # the engine is on another machine
        return Check("disk", True, f"{root} is not on this machine")
    free = shutil.disk_usage(root).free / 1e9
    fix = "" if free >= MIN_DISK_GB else "docker system prune"
    return Check("disk", not fix, f"{free:.0f} GB free in {root}", fix)


def _images(client: docker.DockerClient) -> Iterator[Check]:
    for row in Images(client, "auto", lambda text: None).list():
        detail = f"{row.reference} ({row.origin}, {row.megabytes} MB)" if row.origin else "not present"
        yield Check(
            f"image {row.name}", bool(row.origin), detail, "" if row.origin else f"sandbox images build {row.name}"
        )


def _compose() -> Check:
    command = compose_plugin.find()
    if command is None:
        return Check("compose", False, "no Docker Compose 2", "sandbox images build compose-plugin")
    return Check("compose", True, " ".join(command))


def _left_overs(client: docker.DockerClient) -> Check:
    names = sweep.left_overs(client)
    detail = f"{len(names)} containers of dead runs: {', '.join(names[:3])}" if names else "none"
    return Check("left-overs", not names, detail, "sandbox down" if names else "")
