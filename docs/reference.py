"""Makes the site's reference of the code itself: what the command line, the pytest plugin and sandbox.toml take.

`docs/site.py` puts the pages into the site when it is built, so nothing here can be out of date. The Python API is
mkdocstrings' work, of docstrings; here is only what belongs to it.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import typer

from sandbox import cli, manual, pytest_plugin
from sandbox.model.own import checks, settings
from sandbox.model.own.tables import Fields, words

# By heading: what authors of scenarios and tests use, and what a call of theirs returns.
_API: Mapping[str, tuple[str, ...]] = {
    "Scenarios": ("sandbox.scenario.Scenario", "sandbox.scenario.Variant", "sandbox.scenario.Verdict"),
    "What `play` is given": ("sandbox.scenario.Play",),
    "The sandbox": ("sandbox.controllers.sandbox.Sandbox", "sandbox.controllers.stack.Stack"),
    "The timeline": ("sandbox.timeline.Timeline", "sandbox.timeline.Observation"),
    "What probes return": (
        "sandbox.probes.http.HttpResult",
        "sandbox.probes.burst.Burst",
        "sandbox.probes.dns.DnsResult",
        "sandbox.probes.visitor.Visitor",
        "sandbox.probes.assets.Crowd",
        "sandbox.probes.socketio_crowd.Crowd",
        "sandbox.probes.socketio_session.Step",
        "sandbox.probes.browser.Browser",
        "sandbox.probes.browser.Tab",
    ),
    "Faults": ("sandbox.controllers.faults.Begun", "sandbox.faults.base.Fault", "sandbox.faults.base.Option"),
    "Replaying events": ("sandbox.replay.replay", "sandbox.replay.Outcome", "sandbox.model.replay.compose.Composer"),
    "Errors": ("sandbox.errors.SandboxError", "sandbox.errors.NotRunnable"),
}
# What stands for a value, where an option has no word of its own for it.
_VALUES = {
    "<str>": "TEXT",
    "<path>": "PATH",
    "<int>": "N",
    "<int range>": "N",
    "<float>": "NUMBER",
    "<float range>": "NUMBER",
}


def pages() -> dict[str, str]:
    """The pages, by the names of their files."""
    return {
        "commands.md": commands(typer.main.get_command(cli.app).with_all()),
        "pytest.md": plugin(),
        "api.md": api(),
        "sandbox-toml.md": toml(),
    }


def commands(root: Any) -> str:
    """Every command with its arguments and options, as its ``--help`` has them."""
    lines = [
        "# Commands",
        "",
        f"{root.help}",
        "",
        "What they are for is in the [user guide](../user-guide.md#commands).",
    ]

    def walk(command: Any, name: str) -> None:
        for child, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{name} {child}")
        if hasattr(command, "commands"):
            return
        context = typer.Context(command, info_name=name)
        usage = " ".join(command.collect_usage_pieces(context))
        lines.extend(["", f"## {name}", "", inspect.cleandoc(command.help or ""), ""])
        lines.extend(["```text", f"{name} {usage}", "```"])
        lines.extend(_parameters(command, context))
        examples, codes, variables = manual.page(name.removeprefix("sandbox "))
        if examples:
            lines.extend(["", "```sh", *examples, "```"])
        for title, told in (("Exit codes", codes), ("Environment", variables)):
            if told:
                lines.extend(["", f"{title}:", "", *_told(told)])

    walk(root, "sandbox")
    return "\n".join(lines) + "\n"


def _told(lines: tuple[str, ...]) -> Iterator[str]:
    """``NAME: meaning`` as a list; a line without a colon goes on to the next one."""
    for line in re.sub(r"(and|,)\n", r"\1 ", "\n".join(lines)).splitlines():
        name, colon, meaning = line.partition(": ")
        yield f"- `{name}`: {meaning}" if colon and re.fullmatch(r"[A-Z_0-9]+", name) else f"- {line}"


def _parameters(command: Any, context: Any) -> Iterator[str]:
    by_panel: dict[str, list[tuple[str, ...]]] = {}
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            panel, name = "Arguments", parameter.name.upper()
        else:
            panel = parameter.rich_help_panel or "Options"
            name = ", ".join(parameter.opts)
            if not parameter.is_flag:
                shown = parameter.make_metavar(context)
                name += f" {_VALUES.get(shown, shown)}"
        by_panel.setdefault(panel, []).append((f"`{name}`", _cell(parameter.help), _default(parameter)))
    for panel, rows in by_panel.items():
        yield from _table((panel, "Meaning", "Default"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A table; where no row has anything in its last column, without that."""
    lines = [head, ("---",) * len(head), *rows]
    if not any(row[-1] for row in lines[2:]):
        lines = [row[:-1] for row in lines]
    return ["", *(f"| {' | '.join(row)} |" for row in lines)]


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if getattr(parameter, "is_flag", False) or parameter.default in (None, "", ()):
        return ""
    return f"`{parameter.default}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


class _Options:
    """Stands where pytest's parser does, and notes what is added to it."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []

    def getgroup(self, *_: str) -> _Options:
        return self

    def addoption(self, name: str, **about: Any) -> None:
        flag = about.get("action") == "store_true"
        value = "" if flag else f" {about.get('metavar') or '|'.join(about['choices'])}"
        default = about.get("default")
        self.rows.append((f"`{name}{value}`", _cell(about["help"]), f"`{default}`" if default else ""))

    def addini(self, name: str, told: str, *, default: str, **_: Any) -> None:
        self.rows.append((f"`{name}` (pytest.ini)", _cell(told), f"`{default}`"))


def plugin() -> str:
    """Fixtures and options of the pytest plugin."""
    options = _Options()
    pytest_plugin.pytest_addoption(options)  # type: ignore[arg-type]
    lines = ["# pytest", "", inspect.cleandoc(pytest_plugin.__doc__ or ""), ""]
    lines += ["The [user guide](../user-guide.md#pytest) has an example.", ""]
    lines += ["## Options", *_table(("Option", "Meaning", "Default"), options.rows), "", "## Fixtures"]
    for name, scope, doc in _fixtures(Path(inspect.getfile(pytest_plugin))):
        lines += ["", f"### {name}", "", f"Scope: {scope}.", "", doc]
    return "\n".join(lines) + "\n"


def _fixtures(file: Path) -> Iterator[tuple[str, str, str]]:
    for node in ast.parse(file.read_text()).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        for decorator in node.decorator_list:
            made = ast.unparse(decorator)
            if made.startswith("pytest.fixture"):
                (scope,) = re.findall(r"scope='?(\w+)", made) or ["function"]
                told = "the ini option `sandbox_scope`" if scope == "_scope" else scope
                yield node.name, told, inspect.cleandoc(ast.get_docstring(node) or "")


def api() -> str:
    """What mkdocstrings is to fill in."""
    lines = ["# Python API", "", "What scenarios ([a guide](../adding-a-scenario.md)) and tests are written with.", ""]
    for heading, names in _API.items():
        lines += [f"## {heading}", "", *(line for name in names for line in (f"::: {name}", ""))]
    lines += ["Kinds of observation, and their fields, are in [formats](../formats.md#timeline).", ""]
    return "\n".join(lines)


def toml() -> str:
    """Every table and key of sandbox.toml with its type; defaults where they are the model's.

    Raises:
        KeyError: Of a table it is not known what it may have: neither `settings.KEYS` nor `_FREE` says so.
    """
    lines = [
        "# sandbox.toml",
        "",
        "What each key means is in [your own stack](../own-stacks.md#sandboxtoml). An unknown",
    ]
    lines += [
        "table or key, or a value of another type, is an error that names it. Keys in capitals are names of yours."
    ]
    for table, kind in settings.TABLES.items():
        if table == "check":
            continue
        heading = f"[[{table}]]" if kind is list else f"[{table}]"
        if table == "images":
            lines += ["", f"## `{heading}`", "", '`"REFERENCE"` is a text, or a table with these keys:']
            lines += _keys(settings.KEYS[table], settings.Build)
        elif table in _FREE:
            lines += ["", f"## `{heading}`", "", "Its keys are names of yours."]
        else:
            name = f"[{table}.NAME]" if table == "target_groups" else heading
            lines += ["", f"## `{name}`", *_keys(settings.KEYS[table], _CLASSES.get(table))]
    lines += ["", "## `[compose.public.SERVICE]`", *_keys(settings.KEYS["compose.public"], settings.Public)]
    lines += ["", "## `[[check]]`", "", "`name`, `kind` and `url` are texts. The other keys depend on the kind:"]
    for check, keys in checks.KINDS.items():
        lines += ["", f'### `kind = "{check}"`', *_keys(keys)]
    return "\n".join(lines) + "\n"


# Tables whose keys are names of the user's own.
_FREE = ("secrets", "environment", "environment_files", "efs", "registries", "desired_counts")
_CLASSES: Mapping[str, Any] = {
    "target_groups": settings.Group,
    "compose": settings.Compose,
    "terraform": settings.Terraform,
    "cloudformation": settings.CloudFormation,
}


def _keys(keys: Fields, made: Any = None) -> list[str]:
    """A table of keys; ``made`` is the dataclass that has their defaults."""
    defaults = {one.name: one.default for one in fields(made)} if made is not None else {}
    rows = []
    for key, kind in keys.items():
        default = defaults.get(key, MISSING)
        rows.append((f"`{key}`", words(kind), "" if default in (MISSING, None, "", ()) else f"`{_as_toml(default)}`"))
    return _table(("Key", "Type", "Default"), rows)


def _as_toml(value: str | float) -> str:
    """A value as TOML writes it; of plain texts, numbers and truth values JSON is TOML."""
    return json.dumps(value)
