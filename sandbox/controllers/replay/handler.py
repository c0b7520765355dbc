"""``FILE:FUNCTION``: the user's own code, as a Lambda function or as an invariant."""

from __future__ import annotations

import importlib.util
import io
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError

UNZIPPED_LIMIT = 250 * 2**20
"""Bytes. "Lambda quotas": deployment package, unzipped."""
_FILES = 20_000
_SKIPPED = frozenset({"__pycache__", "node_modules"})


def split(reference: str) -> tuple[Path, str]:
    """File and name.

    Raises:
        SandboxError: It is not ``FILE:NAME``, or there is no such file.
    """
    file, _, name = reference.rpartition(":")
    if not file or not name.isidentifier():
        raise SandboxError(f"'{reference}' is not FILE:FUNCTION", hint="for example lambda/dns.py:handler")
    path = Path(file)
    if not path.is_file():
        raise SandboxError(f"there is no file {file}")
    if path.suffix != ".py" or "." in path.stem:
        raise SandboxError(f"{file} is not a Python module", hint="its name ends in .py, and has no other dot")
    return path, name


@dataclass(frozen=True)
class Handler:
    """A function to replay through.

    Attributes:
        name: For messages and the log.
        handler: Lambda's handler, ``module.function``.
        code: The deployment package: the folder that the module is in.
        environment: Its environment variables.
        timeout: Seconds that an invocation may take; 3 is Lambda's default.
        memory_size: MiB; 128 is Lambda's default.
    """

    name: str
    handler: str
    code: bytes = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: int = 3
    memory_size: int = 128

    @classmethod
    def load(
        cls,
        reference: str,
        *,
        environment: Mapping[str, str] | None = None,
        timeout: int = 3,
        memory_size: int = 128,
    ) -> Handler:
        """The function ``FILE:FUNCTION``; whatever lies in the file's folder can be imported, as in a package.

        Raises:
            SandboxError: There is no such file, or the folder is larger than Lambda takes. Whether it has the function
                shows when it is loaded, in its own process.
        """
        file, function = split(reference)
        name = re.sub(r"[^A-Za-z0-9-_]", "-", file.stem)
        return cls(name, f"{file.stem}.{function}", _package(file), environment or {}, timeout, memory_size)


def load_object(reference: str) -> Any:
    """What ``FILE:NAME`` stands for, imported into this process: an invariant, or a sequence.

    Raises:
        SandboxError: There is no such file or name, or importing it fails.
    """
    file, name = split(reference)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SandboxError.unforeseen(f"{file} cannot be imported", error) from error
    finally:
        sys.path.remove(str(file.parent.resolve()))
    if not hasattr(module, name):
        raise SandboxError(f"{file} has no '{name}'")
    return getattr(module, name)


def _package(file: Path) -> bytes:
    """The zipped folder of ``file``, without what is hidden and without virtual environments."""
    packed = io.BytesIO()
    size = files = 0
    try:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            for path in _files(file.parent):
                size += path.stat().st_size
                files += 1
                if size > UNZIPPED_LIMIT or files > _FILES:
                    raise SandboxError(
                        f"the folder {file.parent.resolve()} is larger than a deployment package of Lambda's may be",
                        state="250 MB unzipped",
                        hint=f"put {file.name}, and what it imports, into a folder of its own",
                    )
                archive.write(path, path.relative_to(file.parent))
    except OSError as error:
        raise SandboxError(f"{error.filename} cannot be read", state=error.strerror or str(error)) from error
    return packed.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    pending = [folder]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            if path.name.startswith(".") or path.name in _SKIPPED or (path / "pyvenv.cfg").exists():
                continue
            if path.is_dir() and not path.is_symlink():
                pending.append(path)
            elif path.is_file():
                yield path
