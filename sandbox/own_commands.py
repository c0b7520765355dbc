"""``sandbox init`` and ``sandbox test``: somebody's own stack. What they need is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The folder with the files of the stack.")] = Path(),
) -> None:
    """Write a commented sandbox.toml for the compose file or task definitions in a folder; nothing is overwritten."""
    from sandbox.controllers import own_folder
    from sandbox.report import terminal

    file, found = own_folder.begin(folder)
    if found.has_stack:
        named = ["stack.yaml"]
    elif found.compose is not None:
        named = [found.compose[0]]
    else:
        named = [*found.task_definitions, *found.services]
    terminal.out.print(f"wrote {file} for {', '.join(named)}", soft_wrap=True, markup=False)
    terminal.out.print(f"next: read it, then sandbox up {folder}", soft_wrap=True, markup=False)
