"""Docker Compose 2 where the engine's own packages have none: Debian bookworm's Docker comes without it.

Debian trixie packages it as one file that also runs by itself; an image holds it, and it is copied to the cache.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import docker

from sandbox import paths


def find() -> list[str] | None:
    """The command that is Docker Compose 2 here, or None: Docker's own plugin, else the copy in the cache."""
    for command in (["docker", "compose"], [str(_copy())]):
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
            _copy().parent.mkdir(parents=True, exist_ok=True)
            partial = _copy().with_suffix(".partial")
            partial.write_bytes(content.read())
            partial.chmod(0o755)
            partial.rename(_copy())
    finally:
        client.api.remove_container(container, force=True)


def _copy() -> Path:
    return paths.cache() / "docker-compose"
