"""Files that results are written to."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.errors import SandboxError


def check_writable(file: Path | None) -> None:
    """Find out before a run of minutes, not after it.

    Raises:
        SandboxError: It cannot be written.
    """
    if file is None:
        return
    if not file.parent.is_dir():
        raise SandboxError(f"there is no folder {file.parent} to write {file.name} to")
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise SandboxError(f"{file} cannot be written", state="it is a folder" if file.is_dir() else "not permitted")


def make_folder(folder: Path | None) -> None:
    """Make a folder where it is not there.

    Raises:
        SandboxError: There can be none.
    """
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SandboxError(f"there can be no folder {folder}", state=error.strerror or str(error)) from error
