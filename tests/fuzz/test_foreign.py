"""Any text is a JSON or YAML document within bounds, or refused."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.foreign import MAX_DEPTH, ForeignError, from_json, from_yaml
from tests.fuzz.documents import HOSTILE, HOSTILE_YAML, VALUES, deep, yaml_texts


@given(yaml_texts({"a": [1, {"b": "c"}]}))
def test_any_text_is_read_or_refused(text):
    for read in (from_json, from_yaml):
        with suppress(ValueError):
            repr(read(text))


@pytest.mark.parametrize("text", [*HOSTILE, *HOSTILE_YAML], ids=lambda text: repr(text[:30]))
def test_hostile_texts_are_read_or_refused_at_once(text):
    for read in (from_json, from_yaml):
        with suppress(ValueError):
            repr(read(text))


@given(st.binary(max_size=30))
def test_any_bytes_are_json_or_refused(content):
    with suppress(ValueError):
        from_json(content)


@given(VALUES)
def test_json_is_read_as_it_is(value):
    text = json.dumps(value)
    assert json.dumps(from_json(text)) == text


@pytest.mark.parametrize("read", [from_json, from_yaml])
def test_the_bounds(read):
    for text in deep(MAX_DEPTH):
        assert read(text)
    for text in deep(MAX_DEPTH + 1):
        with pytest.raises(ForeignError, match="nested more than 100 levels"):
            read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [*a]", "nested more than"),
        ("- !!int ''", "a value is not of its type"),
        ("!!bool x", "a value is not of its type"),
        ("!!timestamp x", "a value is not of its type"),
        ("2024-13-45", "month must be in 1..12"),
        ("!!python/object/apply:os.system [id]", "could not determine a constructor"),
        (next(text for text in HOSTILE_YAML if "x,x,x" in text), "more than 200000 values"),
    ],
)
def test_why_yaml_is_refused(text, words):
    with pytest.raises(ForeignError, match=words):
        from_yaml(text)
