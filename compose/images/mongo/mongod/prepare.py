"""``python3 -m mongod.prepare FILE``: run when the image is built, so that a new dbpath is unpacked in no time."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from mongod.engine import Engine


def main() -> None:
    """Make FILE."""
    with tempfile.TemporaryDirectory(prefix="prepare-") as folder:
        asyncio.run(Engine(Path(folder)).make(Path(sys.argv[1])))


main()
