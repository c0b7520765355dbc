"""Where the sandbox's own files are, and where it may keep some."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def share() -> Path:
    """The folder that holds ``compose/`` and ``scenarios/``: the repository, or the installed package's copy."""
    installed = _PACKAGE / "_share"
    return installed if installed.is_dir() else _PACKAGE.parent


def cache() -> Path:
    """A folder for what can be made again, by the XDG convention; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "aws-container-sandbox"
