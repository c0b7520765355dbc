"""Groups of commands whose modules are loaded when somebody names one, and not at every start."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Self

import typer
from typer.core import TyperGroup


class LaterGroup(TyperGroup):
    """A group with sub-groups that are loaded later.

    Attributes:
        later: The module of each sub-group by its name; the module's ``app`` is the Typer application.
    """

    later: ClassVar[Mapping[str, str]] = {}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, None where there is none."""
        if cmd_name in self.later and cmd_name not in self.commands:
            loaded = typer.main.get_command(import_module(self.later[cmd_name]).app)
            self.commands[cmd_name] = self.prepare(cmd_name, loaded)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands."""
        return [*(name for name in self.commands if name not in self.later), *self.later]

    def prepare(self, name: str, group: Any) -> Any:
        """What becomes of a sub-group that has been loaded."""
        group.name = name
        return group

    def with_all(self) -> Self:
        """This group with all of them loaded, in the order of its list."""
        self.commands = {name: self.get_command(None, name) for name in self.list_commands(None)}
        return self
