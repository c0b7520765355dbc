"""Docker Compose 2 where the engine's own packages have none: Debian bookworm's Docker comes without it.

Debian trixie packages it as one file that also runs by itself; an image holds it, and it is copied to the cache.
Beside it stands a ``docker`` that knows `compose` only, because Testcontainers calls ``PROGRAM compose ...``.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import docker

from sandbox import paths

_DOCKER = """#!/bin/sh
# `docker compose` for tools that call it by that name, where Docker has no such plugin.
if [ "$1" != compose ]; then echo "this docker knows 'compose' only" >&2; exit 2; fi
shift
exec "$(dirname "$0")/docker-compose" "$@"
"""


def find() -> list[str] | None:
    """The command that is Docker Compose 2 here, or None: Docker's own plugin, else the copy in the cache.

    Its first word is Testcontainers' ``DockerCompose(docker_command_path=...)``.
    """
    for command in (["docker", "compose"], [str(_folder() / "docker"), "compose"]):
        try:
            done = subprocess.run([*command, "version"], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        except OSError:
            continue
        if done.returncode == 0:
            return command
    return None


def extract(client: docker.DockerClient, image: str) -> None:
    """Copy the plugin out of the component ``compose-plugin``."""
    container = client.api.create_container(image, command=["true"])["Id"]
    try:
        chunks, _ = client.api.get_archive(container, "/docker-compose")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            content = tar.extractfile("docker-compose")
            assert content is not None
            _folder().mkdir(parents=True, exist_ok=True)
            _install("docker-compose", content.read())
            _install("docker", _DOCKER.encode())
    finally:
        client.api.remove_container(container, force=True)


def _folder() -> Path:
    return paths.cache() / "bin"


def _install(name: str, content: bytes) -> None:
    """Put a program there in one step, so that nobody runs half of it."""
    partial = _folder() / f"{name}.{os.getpid()}.partial"
    partial.write_bytes(content)
    partial.chmod(0o755)
    partial.rename(_folder() / name)
