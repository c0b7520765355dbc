"""Reads the configurations of proxies into the trees that `sandbox.model.websocket` judges."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.model.foreign import MAX_VALUES
from sandbox.model.websocket.h2o import Node
from sandbox.model.websocket.nginx_tree import Directive

INSTALLED = Path("/etc/nginx")
_HARMLESS = frozenset(
    ("mime.types", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params", "koi-utf", "koi-win", "win-utf")
)
_DEEPEST = 20
_UNTERMINATED = "is not terminated by"


def nginx(file: Path) -> list[Directive]:
    """An nginx.conf with what it includes in place, or a part of one (conf.d/default.conf).

    A path below /etc/nginx that this machine does not have is looked for beside FILE.

    Raises:
        SandboxError: It cannot be read, is malformed, or includes what there is not.
    """
    return _Reader(file.parent).read(file, ())


def _parsed(file: Path) -> list[dict[str, Any]]:
    """What crossplane makes of one file. Its tables of directives are older than today's nginx: they do not count."""
    import crossplane

    parsed = crossplane.parse(str(file), single=True, check_ctx=False, check_args=False)
    checked = crossplane.parse(str(file), single=True, check_ctx=False)
    errors = parsed["errors"] + [one for one in checked["errors"] if _UNTERMINATED in one["error"]]
    if errors:
        line = errors[0]["line"] or len(file.read_bytes().splitlines())
        state = errors[0]["error"].rpartition(" in ")[0] or "unexpected end of file"
        raise SandboxError(f"{file}:{line} is no configuration of nginx", state=state)
    content: list[dict[str, Any]] = parsed["config"][0]["parsed"]
    return content


class _Reader:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, file: Path, within: tuple[Path, ...]) -> list[Directive]:
        if file.resolve() in within or len(within) >= _DEEPEST:
            raise SandboxError(f"{file} includes itself", state=" -> ".join(map(str, (*within, file))))
        try:
            binary = b"\0" in file.read_bytes()
        except OSError as error:
            raise SandboxError(f"{file} cannot be read as a configuration of nginx", state=str(error)) from error
        if binary:
            raise SandboxError(f"{file} cannot be read as a configuration of nginx", state="it is no text")
        return self._tree(_parsed(file), file, (*within, file.resolve()))

    def _tree(self, parsed: list[dict[str, Any]], file: Path, within: tuple[Path, ...]) -> list[Directive]:
        found: list[Directive] = []
        for one in parsed:
            if one["directive"] == "include" and one["args"]:
                for included in self._included(one["args"][0], f"{file}:{one['line']}"):
                    found += self.read(included, within)
                continue
            block = tuple(self._tree(one.get("block") or [], file, within))
            found.append(Directive(one["directive"], tuple(one["args"]), str(file), one["line"], block))
        return found

    def _included(self, pattern: str, where: str) -> list[Path]:
        path = Path(pattern)
        candidates = [path] if path.is_absolute() else [self.folder / path]
        if path.is_relative_to(INSTALLED):
            candidates.append(self.folder / path.relative_to(INSTALLED))
        for candidate in candidates:
            if found := sorted(glob.glob(str(candidate))):  # noqa: PTH207 (Path.glob wants a relative pattern)
                return [Path(one) for one in found]
        if glob.has_magic(pattern) or path.name in _HARMLESS:
            return []
        raise SandboxError(
            f"{where}: include {pattern}: there is no such file",
            state=f"looked for {' and '.join(map(str, candidates))}",
            hint="put a copy there: what it sets is inherited, and may be what breaks WebSockets",
        )


def h2o(file: Path) -> Node:
    """An h2o.conf.

    Raises:
        SandboxError: It cannot be read, or is no YAML mapping.
    """
    import yaml

    try:
        root = yaml.compose(file.read_text(), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise SandboxError(f"{file} cannot be read as a configuration of H2O", state=str(error)) from error
    if not isinstance(root, yaml.MappingNode):
        raise SandboxError(f"{file} is no configuration of H2O", state="it is no mapping of YAML")
    return _node(root, str(file), 0, iter(range(MAX_VALUES)))


def _node(node: Any, file: str, depth: int, room: Iterator[int]) -> Node:
    import yaml

    line = node.start_mark.line + 1
    if depth > _DEEPEST:
        raise SandboxError(f"{file}:{line} is nested too deeply")
    if next(room, None) is None:  # a few lines of aliases of aliases
        raise SandboxError(f"{file}:{line} has too many values: more than {MAX_VALUES}")
    if isinstance(node, yaml.ScalarNode):
        return Node(node.value, file, line)
    if isinstance(node, yaml.SequenceNode):
        return Node(tuple(_node(one, file, depth + 1, room) for one in node.value), file, line)
    content: dict[str, Node] = {}
    for key, value in node.value:
        made = _node(value, file, depth + 1, room)
        if key.value == "<<" and isinstance(made.value, dict):
            content = {**made.value, **content}
        else:
            content[str(key.value)] = made
    return Node(content, file, line)
