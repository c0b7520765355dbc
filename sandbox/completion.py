"""What the shell completes: names of scenarios, variants, stacks and components.

Called when somebody presses Tab. What a name comes from is imported then, and where it cannot be had there is nothing
to complete: an error's text would only stand in the line that is being typed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from textwrap import shorten

import typer

from sandbox.errors import SandboxError

_WIDTH = 72  # of what is shown beside a name: Typer breaks longer lines, and shells show the break

Items = Iterator[tuple[str, str]]  # a name, and what some shells show beside it


def scenarios(incomplete: str) -> Items:
    """Names of scenarios, with their symptoms."""
    from sandbox import scenario

    with suppress(SandboxError):
        yield from _beginning(incomplete, ((item.name, item.symptom) for item in scenario.load_all().values()))


def variants(ctx: typer.Context, incomplete: str) -> Items:
    """Variants of the scenarios that are named already, or of any, each name once."""
    from sandbox import scenario

    with suppress(SandboxError):
        known = scenario.load_all()
        # Typer reads no further than the option that still has no value, and leaves the rest of the line as it is.
        named = [known[word] for word in (*ctx.params["names"], *ctx.args) if word in known]
        names = {variant.name: variant.description for item in named or known.values() for variant in item.variants}
        yield from _beginning(incomplete, names.items())


def stacks(incomplete: str) -> Items:
    """Stacks that come with the sandbox (a folder of one's own is for the shell to complete)."""
    from sandbox.controllers import stack_file

    with suppress(SandboxError):
        yield from _beginning(incomplete, ((name, stack_file.load(name).description) for name in stack_file.names()))


def components(incomplete: str) -> Items:
    """Components, with what their images have."""
    from sandbox.engine.catalogue import CATALOGUE

    yield from _beginning(incomplete, ((name, component.contract) for name, component in CATALOGUE.items()))


def _beginning(start: str, items: Iterable[tuple[str, str]]) -> Items:
    yield from ((name, shorten(text, _WIDTH, placeholder=" ...")) for name, text in items if name.startswith(start))
