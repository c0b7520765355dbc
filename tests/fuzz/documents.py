"""Documents to throw at parsers: good ones with something changed, other values, and texts that are none."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from hypothesis import strategies as st

# What JSON has, and what parsers of the sandbox look for, so that a wrong one may stand where another is right.
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", "*", "$.a", "${x}", "{{ x }}", "2024-01-01", "1e999", "-1", "0.2", "a" * 300, "\ud800", "\0", "[", "(", "%"]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 10**400, 0.5])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(inner, (*path, key))


@st.composite
def changed(draw: st.DrawFn, *documents: Any) -> Any:
    """One of the documents with up to three of its parts replaced, left out, named otherwise or given twice."""
    document = [copy.deepcopy(draw(st.sampled_from(documents)))]
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from([place for place in _places(document) if place]))
        holder: Any = document
        for key in path[:-1]:
            holder = holder[key]
        key, action = path[-1], draw(st.sampled_from(["replace", "leave out", "rename", "repeat"]))
        if action == "replace" or holder is document:
            holder[key] = draw(VALUES)
        elif action == "leave out":
            del holder[key]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[draw(TEXTS)] = holder.pop(key) if action == "rename" else copy.deepcopy(holder[key])
    return document[0]


def deep(levels: int) -> list[str]:
    """JSON, which is YAML too, that is nested so deep."""
    return ["[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels]


HOSTILE = [
    *deep(150),
    *deep(100_000),
    "",
    "\0",
    "\ufeff{}",
    "[" * 5000,
    "9" * 5000,
    '{"a": 1, "a": 2}',
    "NaN",
    '"\\ud800"',
]
"""Texts that break what reads them carelessly."""

HOSTILE_YAML = [
    "a: &a [*a]",
    "&a {k: *a}",
    "- !!int ''",
    "!!bool x",
    "!!timestamp x",
    "2024-13-45",
    "!!float ''",
    "? [a]\n: 1",
    "? {a: b}\n: 1",
    "!!python/object/apply:os.system [id]",
    "a: b: c",
    "<<: 1",
    "<<: [1]",
    "=: 1\n=",
    "1: a\nx: b\nnull: c",
    "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)),
    "!!binary x",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "--- a\n--- b",
    "%YAML 9.9\n---\na",
]


def json_texts(*documents: Any) -> st.SearchStrategy[str]:
    """JSON of changed documents, pieces of it, and texts that break what reads them carelessly."""
    texts = changed(*documents).map(json.dumps)
    pieces = st.tuples(texts, st.integers(0, 400)).map(lambda pair: pair[0][: pair[1]])
    return texts | pieces | st.text(max_size=30) | st.sampled_from(HOSTILE)


def yaml_texts(*documents: Any) -> st.SearchStrategy[str]:
    """As `json_texts`; JSON is YAML."""
    return json_texts(*documents) | st.sampled_from(HOSTILE_YAML)


def of_shape(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a shape of AWS's service model; its texts are anything."""
    if isinstance(shape, StructureShape):
        members = {} if depth > 4 else {name: of_shape(one, depth + 1) for name, one in shape.members.items()}
        required = {name: members[name] for name in shape.required_members if name in members}
        return st.fixed_dictionaries(required, optional={k: v for k, v in members.items() if k not in required})
    if isinstance(shape, ListShape):
        return st.lists(of_shape(shape.member, depth + 1), max_size=2)
    if isinstance(shape, MapShape):
        return st.dictionaries(TEXTS, of_shape(shape.value, depth + 1), max_size=2)
    if shape.type_name in {"integer", "long"}:
        return st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0, 1, 80, 256, 512])
    if shape.type_name in {"boolean", "double", "float"}:
        return st.booleans() if shape.type_name == "boolean" else st.floats(allow_nan=False)
    return (
        st.sampled_from(shape.enum)
        if getattr(shape, "enum", None)
        else TEXTS | st.sampled_from(["256", "1 vCPU", "web"])
    )


@st.composite
def reshaped(draw: st.DrawFn, good: dict[str, Any], shape: StructureShape) -> dict[str, Any]:
    """What is good with up to three members that are anything which AWS's service model lets through."""
    names = draw(st.lists(st.sampled_from(sorted(shape.members)), max_size=3))
    return {**copy.deepcopy(good), **{name: draw(of_shape(shape.members[name])) for name in names}}
