"""The sub-commands of ``sandbox images``. What they need is imported when they run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated

import typer

from sandbox import completion, options
from sandbox.errors import SandboxError
from sandbox.options import ImagesOption

app = typer.Typer(no_args_is_help=True, help="The images that stacks are made of.")


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="As JSON (docs/formats.md).")] = False) -> None:
    """List the components, whether their image is present, and where it comes from."""
    from sandbox.engine import placement
    from sandbox.engine.images import Images
    from sandbox.report import terminal

    rows = []
    with placement.opened() as engines:
        for host, client in engines.answering.items():
            engine = host if engines.are_several else ""
            rows += [replace(row, engine=engine) for row in Images(client, "auto", lambda text: None).list()]
        engines.complain(terminal.err.print)
        exit_code = engines.exit_code
    if as_json:
        print(json.dumps([row.as_json() for row in rows], indent=2))
    else:
        terminal.images(rows)
    raise typer.Exit(exit_code)


@app.command()
def build(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Components (all where none is named).", autocompletion=completion.components),
    ] = None,
    images: ImagesOption = "auto",
) -> None:
    """Get images: pull or build what is missing."""
    from sandbox.engine import compose_plugin, placement
    from sandbox.engine.catalogue import CATALOGUE
    from sandbox.engine.image_copies import OtherEngines
    from sandbox.engine.images import Images
    from sandbox.report import terminal

    options.check(images)
    for name in names or ():
        if name not in CATALOGUE:
            raise SandboxError(f"there is no component '{name}'", hint=f"components: {', '.join(CATALOGUE)}")
    # Compose is only a tool of this machine: where there is one already, its component is not needed.
    wanted = names or [name for name in CATALOGUE if name != "compose-plugin" or compose_plugin.find() is None]
    with placement.opened() as engines, terminal.Progress("images") as progress:
        engines.complain(terminal.err.print)
        for host, client in engines.answering.items():
            # What the first one has got, the others get from it.
            source = Images(client, images, progress.step, OtherEngines(host, progress.step))
            source.ensure_all(wanted)
            if "compose-plugin" in wanted:
                compose_plugin.extract(client, source.ensure("compose-plugin"))
        exit_code = engines.exit_code
    raise typer.Exit(exit_code)
