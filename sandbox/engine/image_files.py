"""Files of an image, read out of it by way of a container that never runs (as `docker create` and `docker cp` do)."""

from __future__ import annotations

import io
import secrets
import tarfile
from pathlib import PurePosixPath

from docker.errors import NotFound

from sandbox.engine.containers import Containers, Spec
from sandbox.errors import SandboxError


def files(containers: Containers, image: str, folder: str) -> dict[str, bytes]:
    """What each file under a folder of an image holds, by its path in the folder ("_nuxt/entry.js"), sorted.

    Args:
        containers: Whose engine has the image.
        image: A reference that the engine has.
        folder: An absolute path; a link is not followed.

    Raises:
        SandboxError: The image has no such folder.
    """
    packed = _archive(containers, image, folder)
    if packed is None:
        raise SandboxError(f"there is no {folder} in the image {image}")
    found = {}
    with tarfile.open(fileobj=packed) as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isfile() else None
            if content is not None:
                # The engine's archive begins with the folder's own name.
                found[str(PurePosixPath(*PurePosixPath(entry.name).parts[1:]))] = content.read()
    return dict(sorted(found.items()))


def file(containers: Containers, image: str, path: str) -> bytes | None:
    """What a file of an image holds; None where there is none, or a link.

    Args:
        containers: Whose engine has the image.
        image: A reference that the engine has.
        path: An absolute path; folders in it may be links.
    """
    packed = _archive(containers, image, path)
    if packed is None:
        return None
    with tarfile.open(fileobj=packed) as tar:
        content = next((tar.extractfile(entry) for entry in tar if entry.isfile()), None)
        return None if content is None else content.read()


def _archive(containers: Containers, image: str, path: str) -> io.BytesIO | None:
    """A file or folder of an image as the engine packs it; None where there is no such thing."""
    container = containers.create(Spec(f"files-{secrets.token_hex(4)}", image, command=["true"], no_network=True))
    try:
        pieces, _ = containers.client.api.get_archive(container, path)
        return io.BytesIO(b"".join(pieces))
    except NotFound:
        return None
    finally:
        containers.remove(container)
