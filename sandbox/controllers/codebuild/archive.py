"""ZIP archives: what pipelines keep sources and results of builds in."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from sandbox.errors import SandboxError


def unzip(content: bytes, folder: Path) -> None:
    """Unpack an archive, and let be executable what was.

    Raises:
        SandboxError: It is not a ZIP archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                path = Path(archive.extract(entry, folder))
                mode = entry.external_attr >> 16 & 0o777
                if mode and path.is_file():
                    path.chmod(mode | 0o400)
    except zipfile.BadZipFile as error:
        raise SandboxError("the source is not a ZIP archive", state=str(error)) from error


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP archive of files by path, which anybody may read: an image that copies them may have a user of its own."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()
