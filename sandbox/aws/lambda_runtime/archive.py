"""Deployment packages: ZIP files of functions and layers."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path


def unpacked_size(package: bytes) -> int:
    """How many bytes a package has unpacked.

    Raises:
        ValueError: It is not a ZIP file, or a damaged one.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            broken = archive.testzip()
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ValueError(str(error)) from error
    if broken:
        raise ValueError(f"{broken} is damaged")
    return size


def unpack(package: bytes, folder: Path) -> None:
    """Unpack a package into a folder, over what is there; files keep their permissions, as on AWS."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, folder))
            mode = entry.external_attr >> 16 & 0o777
            if mode and path.is_file():
                path.chmod(mode | 0o400)
