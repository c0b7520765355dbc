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
    container = containers.create(Spec(f"files-{secrets.token_hex(4)}", image, command=["true"], no_network=True))
    try:
        pieces, _ = containers.client.api.get_archive(container, folder)
        packed = io.BytesIO(b"".join(pieces))
    except NotFound:
        raise SandboxError(f"there is no {folder} in the image {image}") from None
    finally:
        containers.remove(container)
    found = {}
    with tarfile.open(fileobj=packed) as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isfile() else None
            if content is not None:
                # The engine's archive begins with the folder's own name.
                found[str(PurePosixPath(*PurePosixPath(entry.name).parts[1:]))] = content.read()
    return dict(sorted(found.items()))
