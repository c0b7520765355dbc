"""Files on their way into and out of containers, and build contexts, as tar archives."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import docker
from docker.errors import APIError, NotFound
from docker.utils.build import exclude_paths

from sandbox.errors import SandboxError


def packed(files: Mapping[str, bytes], mode: int = 0o644) -> bytes:
    """A tar archive of files by path."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def packed_folder(folder: Path) -> bytes:
    """A tar archive of what is in a folder, owned by root; the folder itself, and its mode, are not in it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name, filter=_owned_by_root)
    return made.getvalue()


def open_root() -> bytes:
    """A tar archive that lets every user write to the folder that it is unpacked into."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        root = tarfile.TarInfo(".")
        root.type, root.mode = tarfile.DIRTYPE, 0o777
        tar.addfile(root)
    return made.getvalue()


def build_context(folder: Path, instead: Mapping[str, bytes]) -> bytes:
    """The folder as a build context: without what its .dockerignore names, and with other content for some files."""
    ignored = folder / ".dockerignore"
    patterns = [line.strip() for line in ignored.read_text().splitlines()] if ignored.is_file() else []
    patterns = [line for line in patterns if line and not line.startswith("#")]
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path in sorted(exclude_paths(str(folder), patterns)):
            if path not in instead:
                tar.add(folder / path, arcname=path, recursive=False)
        for path, content in instead.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def put(client: docker.DockerClient, container: str, folder: str, archive: bytes) -> None:
    """Unpack an archive in a folder of a container, which need not run.

    Raises:
        SandboxError: The engine refused.
    """
    try:
        client.api.put_archive(container, folder, archive)
    except APIError as error:
        raise SandboxError(f"files could not be put into {folder}", state=str(error.explanation or error)) from error


def fetch(client: docker.DockerClient, container: str, folder: str, into: Path) -> bool:
    """Copy what is in a folder of a container to a folder here; False where the container has no such folder.

    Raises:
        SandboxError: There is a link in it that leads out of it, or a device.
    """
    try:
        pieces, _ = client.api.get_archive(container, f"{folder}/.")
    except NotFound:
        return False
    archive = io.BytesIO(b"".join(pieces))
    try:
        with tarfile.open(fileobj=archive) as tar:
            tar.extractall(into, filter="data")
    except tarfile.TarError as error:
        raise SandboxError(f"{folder} could not be copied out of its container", state=str(error)) from error
    return True


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
