"""Files that results are written to."""

from __future__ import annotations

import os
import stat
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
        SandboxError: There can be none, or nothing can be written to it.
    """
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SandboxError(f"there can be no folder {folder}", state=error.strerror or str(error)) from error
    if not os.access(folder, os.W_OK):
        raise SandboxError(f"nothing can be written to folder {folder}", hint="name another one")


def write_whole(file: Path, text: str) -> None:
    """Write a file whole at once: whoever reads it, at any moment, finds what it was before or ``text``.

    So a process that is killed in the middle, or a disk that is full, loses nothing that was written before. What is no
    file (``/dev/null``, a pipe), or is in a folder that may not be written, is written in place.

    Raises:
        SandboxError: It cannot be written; what it was before is still there.
    """
    file = file.resolve()  # what a link leads to, and not the link, is replaced
    # One name for all attempts, so that what a killed process leaves is taken up by the next one that writes the file.
    partial = file.with_name(f".{file.name}.new")
    try:
        mode = file.stat().st_mode if file.exists() else None
        if (mode is not None and not stat.S_ISREG(mode)) or not os.access(file.parent, os.W_OK):
            file.write_text(text)
            return
        try:
            with partial.open("w") as written:
                written.write(text)
                if mode is not None:
                    os.fchmod(written.fileno(), stat.S_IMODE(mode))
            partial.replace(file)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SandboxError(
            f"{file} cannot be written",
            state=error.strerror or str(error),
            hint="what it was before is still there",
        ) from error
