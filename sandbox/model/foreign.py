"""JSON and YAML that somebody else wrote, whatever it is: a value of bounded depth and size, or a ValueError.

PyYAML's constructors let out what Python raises in them (``!!int ''`` is an IndexError), and both readers stop with
RecursionError far down. What is less deep than that still ends whoever walks it, and a few lines of aliases of aliases
are more than any memory, once somebody writes them out; so both are bounded here, where the text comes in.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

MAX_DEPTH = 100
"""Levels of lists and mappings. No document that AWS takes is near."""

MAX_VALUES = 200_000
"""Values in a YAML document, those behind an alias counted each time."""


class ForeignError(ValueError):
    """The text is no document, or one that is out of bounds; the message says which, and where where that is known."""


def from_json(text: str | bytes) -> Any:
    """What the JSON says.

    Raises:
        ValueError: It is no JSON (JSONDecodeError where one character is to blame), or too deep (ForeignError).
    """
    try:
        return _bounded(json.loads(text), len(text))
    except RecursionError:
        raise _too_deep() from None


def from_yaml(text: str) -> Any:
    """What the YAML document says.

    Raises:
        ForeignError: It is no YAML, has several documents, tags of Python's, an alias in itself, or is out of bounds.
    """
    try:
        return _bounded(yaml.safe_load(text), MAX_VALUES)
    except RecursionError:
        raise _too_deep() from None
    except ForeignError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise ForeignError(str(error)) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:  # out of a constructor: see above
        raise ForeignError(f"a value is not of its type ({type(error).__name__}: {error})") from error


def yaml_nodes(text: str) -> yaml.Node | None:
    """The nodes of the YAML document, with their tags and marks, for whoever gives tags a meaning; None: it is empty.

    Raises:
        ForeignError: It is no YAML, has several documents, an alias in itself, or is out of bounds.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise _too_deep() from None
    except (yaml.YAMLError, ValueError) as error:
        raise ForeignError(str(error)) from error
    level, depth, count = [] if node is None else [node], 0, 1
    while level:
        if depth > MAX_DEPTH:
            raise _too_deep()
        count += sum(len(one.value) for one in level if isinstance(one, yaml.CollectionNode))
        if count > MAX_VALUES:
            raise ForeignError(f"it has more than {MAX_VALUES} values")
        level = [inner for one in level for inner in _inner(one)]
        depth += 1
    return node


def _inner(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _bounded(value: Any, most: int) -> Any:
    level, depth, values = [value], 0, 1
    while level:
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list | set)]
        if inner and depth >= MAX_DEPTH:
            raise _too_deep()
        values += sum(map(len, inner))
        if values > most:
            raise ForeignError(f"it has more than {most} values")
        level = [one for each in inner for one in each]
        depth += 1
    return value


def _too_deep() -> ForeignError:
    return ForeignError(f"it is nested more than {MAX_DEPTH} levels deep")
