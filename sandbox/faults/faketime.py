"""libfaketime: a library that shows processes it is loaded into another time, by an offset that is read each second.

Times since the start of the machine stay as they are, as do those of files: a clock that is off has neither.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.faults.base import Reach

THERE = "/opt/faketime"
"""Where containers have the library and the offsets, read-only; also where its image has it."""
_LIBRARY = "libfaketime.so.1"
_NEEDS = "GLIBC_2.34"  # a version that it asks of the C library
_C_LIBRARIES = (
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/aarch64-linux-gnu/libc.so.6",
    "/lib64/libc.so.6",
    "/usr/lib/libc.so.6",
)
_PROBE = 1000.0  # seconds
_lock = threading.Lock()


@dataclass(frozen=True)
class Offset:
    """A clock that is off. The processes that have been given it see each change within a second.

    Attributes:
        folder: On this machine: the library, and the file with the offset.
        file: That file's name.
    """

    folder: Path
    file: str

    @classmethod
    def make(cls, reach: Reach, seconds: int) -> Offset:
        """One that is off by so many seconds.

        Raises:
            SandboxError: The library's image cannot be had.
        """
        made = cls(_folder(reach), f"offset-{uuid.uuid4().hex[:8]}")
        made.set(seconds)
        return made

    def set(self, seconds: int) -> None:
        """Let it be off by so much from now on; 0: it is right."""
        written = self.folder / f"{self.file}.new"
        written.write_text(f"{seconds:+d}\n")
        written.chmod(0o644)
        written.rename(self.folder / self.file)

    def variables(self, folder: str, preloaded: str = "") -> dict[str, str]:
        """The environment of a process that has it.

        Args:
            folder: Where the process has `folder`.
            preloaded: What is loaded into it already.
        """
        library = f"{folder}/{_LIBRARY}"
        return {
            "LD_PRELOAD": f"{library}:{preloaded}" if preloaded else library,
            "FAKETIME_TIMESTAMP_FILE": f"{folder}/{self.file}",
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def why_not(reach: Reach, image: str) -> str:
    """Why the processes of an image cannot be given another clock; "" where they can, unless linked statically."""
    from sandbox.engine import image_files  # loads Docker

    for path in _C_LIBRARIES:
        content = image_files.file(reach.containers, image, path)
        if content is not None:
            return (
                "" if _NEEDS.encode() + b"\0" in content else f"its C library is older than {_NEEDS.replace('_', ' ')}"
            )
    return "it has no GNU C library (Alpine's is another one), or an old one"


def why_not_here(offset: Offset) -> str:
    """The same of this machine's own Python, in which functions run."""
    offset.set(int(_PROBE))
    try:
        asked = subprocess.run(
            [sys.executable, "-I", "-c", "import time; print(time.time())"],
            env=offset.variables(str(offset.folder)),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        seen = float(asked.stdout) - time.time()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return str(getattr(error, "stderr", "") or error).strip()
    return "" if abs(seen - _PROBE) < _PROBE / 2 else "it does not see the other time"


def joined(environment: Mapping[str, str], image_environment: list[str] | None) -> str:
    """What a container has in LD_PRELOAD: its own, else its image's."""
    given = dict(item.partition("=")[::2] for item in image_environment or ())
    return environment.get("LD_PRELOAD", given.get("LD_PRELOAD", ""))


def _folder(reach: Reach) -> Path:
    from sandbox.engine import image_files

    folder = reach.containers.run.folder / "faketime"
    with _lock:
        if not (folder / _LIBRARY).exists():
            found = image_files.file(reach.containers, reach.faketime(), f"{THERE}/{_LIBRARY}")
            if found is None:
                raise SandboxError("libfaketime is not in its image", hint="sandbox images build faketime")
            folder.mkdir(exist_ok=True)
            (folder / f"{_LIBRARY}.new").write_bytes(found)
            (folder / f"{_LIBRARY}.new").rename(folder / _LIBRARY)
            folder.chmod(0o755)
            (folder / _LIBRARY).chmod(0o644)
    return folder
