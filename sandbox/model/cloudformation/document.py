"""The text of a template, YAML with its short forms of functions or JSON, as plain values that know their lines.

`!Ref X` becomes ``{"Ref": "X"}``, `!GetAtt A.B` ``{"Fn::GetAtt": ["A", "B"]}``, and so on. What CloudFormation does not
take of YAML 1.1 is refused: aliases, hash merges, the tags binary, omap, pairs, set and timestamp, and null.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from sandbox.model.foreign import yaml_nodes

Path = tuple[str | int, ...]

_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 30  # characters
_TRUE = frozenset({"true", "yes", "on"})
_STANDARD = "tag:yaml.org,2002:"
_REFUSED = frozenset({"binary", "omap", "pairs", "set"})
_WITHOUT_PREFIX = frozenset({"Ref", "Condition"})
FUNCTIONS = frozenset(
    {
        "Ref",
        "Condition",
        "Fn::And",
        "Fn::Base64",
        "Fn::Cidr",
        "Fn::Equals",
        "Fn::FindInMap",
        "Fn::GetAZs",
        "Fn::GetAtt",
        "Fn::If",
        "Fn::ImportValue",
        "Fn::Join",
        "Fn::Not",
        "Fn::Or",
        "Fn::Select",
        "Fn::Split",
        "Fn::Sub",
    }
)
"""The functions that are carried out."""


@dataclass(frozen=True)
class Document:
    """A template's content, and by path the line (from 1) on which each of its values begins."""

    content: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of the value at ``path``, or of the nearest one that it is in."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


class DocumentError(ValueError):
    """The text is no template.

    Attributes:
        line: Where that shows; 0: nowhere.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def document(text: str) -> Document:
    """Read a template.

    Raises:
        ValueError: It is neither YAML nor JSON (ForeignError), or has what CloudFormation does not take of them
            (DocumentError).
    """
    # JSON may be indented with tabs, which YAML does not take, and has them nowhere else.
    node = yaml_nodes(text.replace("\t", " ") if text.lstrip("\ufeff \t\r\n").startswith("{") else text)
    reader = _Reader()
    content = reader.value(node, ()) if node is not None else {}
    return Document(content, reader.lines)


class _Reader:
    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if id(node) in self._seen:
            raise DocumentError("YAML aliases are not allowed in CloudFormation templates", line)
        self._seen.add(id(node))
        tag = str(node.tag)
        if not tag.startswith(_STANDARD):
            return self._function(node, tag, path, line)
        if tag.removeprefix(_STANDARD) in _REFUSED:
            raise DocumentError(f"CloudFormation does not take YAML's tag {tag.removeprefix(_STANDARD)}", line)
        return self._plain(node, path, line)

    def _plain(self, node: yaml.Node, path: Path, line: int) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, (*path, index)) for index, one in enumerate(node.value)]
        return _scalar(node, path, line)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, inner in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise DocumentError("a key is a text", line)
            name = _text(key, line)
            if key.tag == f"{_STANDARD}merge":
                raise DocumentError("YAML hash merges (<<) are not allowed in CloudFormation templates", line)
            if name in found:
                raise DocumentError(f"the key '{name}' stands twice, first on line {self.lines[(*path, name)]}", line)
            self.lines[(*path, name)] = line
            found[name] = self.value(inner, (*path, name))
        return found

    def _function(self, node: yaml.Node, tag: str, path: Path, line: int) -> dict[str, Any]:
        short = tag.removeprefix("!")
        name = short if short in _WITHOUT_PREFIX else f"Fn::{short}"
        if name not in FUNCTIONS:
            raise DocumentError(f"the function {tag} is not supported", line)
        inner = (*path, name)
        self.lines[inner] = line
        if isinstance(node, yaml.ScalarNode):
            text = _text(node, line)
            logical, dot, attribute = text.partition(".")
            return {name: [logical, attribute] if name == "Fn::GetAtt" and dot else text}
        return {name: self._plain(node, inner, line)}


def _scalar(node: yaml.Node, path: Path, line: int) -> Any:
    text = _text(node, line)
    if getattr(node, "style", None):  # quoted, or a block
        return text
    kind = str(node.tag).removeprefix(_STANDARD)
    if kind == "null":
        where = "/".join(map(str, path))
        raise DocumentError(f"[/{where}] 'null' values are not allowed in templates", line)
    if kind == "bool":
        return text.lower() in _TRUE
    if kind == "int" and _WHOLE.fullmatch(text) and len(text) <= _LONGEST_NUMBER:
        return int(text)
    # What a number would not be written as again stays as it is: 1.10 of a version, 0644 of a mode, 80:80 of ports.
    if kind == "float" and _DECIMAL.fullmatch(text) and len(text) <= _LONGEST_NUMBER and str(float(text)) == text:
        return float(text)
    return text


def _text(node: yaml.Node, line: int) -> str:
    text = str(node.value)
    try:  # JSON writes characters beyond the first plane as two escapes
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise DocumentError("half a character (a lone surrogate) is no text", line) from None
