"""Stacks by name. What reads somebody's own files is loaded for those alone: it takes a tenth of a second."""

from __future__ import annotations

from pathlib import Path

from sandbox.controllers import stack_file
from sandbox.controllers.stack_file import StackDefinition
from sandbox.errors import SandboxError
from sandbox.model.own import FILE


def find(name: str) -> StackDefinition:
    """The stack called ``name``: one that comes with the sandbox, or a folder with a sandbox.toml or a stack.yaml.

    Raises:
        SandboxError: There is none, or a file of it is not as it must be; the error names file, table and key.
    """
    folder = Path(name)
    if (folder / FILE).is_file():
        from sandbox.controllers import own_stack

        return own_stack.read(folder)
    if folder.is_dir() and not (folder / stack_file.FILE).is_file() and ("/" in name or name in {".", ".."}):
        raise SandboxError(
            f"{folder} has neither a {FILE} nor a {stack_file.FILE}",
            hint=f"sandbox init {name}: it writes a {FILE} for what is there",
        )
    return stack_file.load(name)
