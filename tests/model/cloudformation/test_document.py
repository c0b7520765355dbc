"""Templates as text: what becomes of YAML's tags and scalars, which lines values stand on, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.cloudformation.document import DocumentError, document
from sandbox.model.foreign import MAX_DEPTH, ForeignError
from tests.fuzz.documents import HOSTILE, HOSTILE_YAML


def read(text):
    return document(text).content


@pytest.mark.parametrize(
    ("yaml", "value"),
    [
        ("!Ref A", {"Ref": "A"}),
        ("!Condition A", {"Condition": "A"}),
        ("!GetAtt A.B.C", {"Fn::GetAtt": ["A", "B.C"]}),
        ("!GetAtt [A, !Ref B]", {"Fn::GetAtt": ["A", {"Ref": "B"}]}),
        ("!Sub ['${A}', {A: !Ref B}]", {"Fn::Sub": ["${A}", {"A": {"Ref": "B"}}]}),
        ("!If [A, !Ref AWS::NoValue, b]", {"Fn::If": ["A", {"Ref": "AWS::NoValue"}, "b"]}),
        ("!Base64\n  Fn::Sub: x", {"Fn::Base64": {"Fn::Sub": "x"}}),
        ("2010-09-09", "2010-09-09"),
        ("012345678901", "012345678901"),
        ("0644", "0644"),
        ("80:80", "80:80"),
        ("1.10", "1.10"),
        ("1.5", 1.5),
        ("1e3", "1e3"),
        ("-7", -7),
        ("yes", True),
        ("'yes'", "yes"),
        ("off", False),
        (".inf", ".inf"),
        ("0x10", "0x10"),
        ("9" * 40, "9" * 40),
        ("''", ""),
        ('{\n\t"A": ["\\ud83d\\ude00", true, 1.25, "\\/"]}', {"A": ["😀", True, 1.25, "/"]}),
    ],
)
def test_values_are_as_cloudformation_reads_them(yaml, value):
    assert read(yaml) == value


@pytest.mark.parametrize(
    ("yaml", "line", "message"),
    [
        ("A: &a 1\nB: *a", 1, "YAML aliases are not allowed in CloudFormation templates"),
        ("A: {x: 1}\nB:\n  <<: {y: 1}", 3, "YAML hash merges (<<) are not allowed"),
        ("A: 1\nB:\n", 2, "[/B] 'null' values are not allowed in templates"),
        ("A: 1\nB: !!binary aGk=", 2, "does not take YAML's tag binary"),
        ("A: 1\nB: 2\nA: 3", 3, "the key 'A' stands twice, first on line 1"),
        ("A: 1\nB: !Transform {Name: x}", 2, "the function !Transform is not supported"),
        ("A: 1\nB: !Length [1]", 2, "the function !Length is not supported"),
        ("? [a]\n: 1", 1, "a key is a text"),
        ('{"A": "\\ud800"}', 1, "half a character"),
    ],
)
def test_what_cloudformation_does_not_take_is_refused_with_its_line(yaml, line, message):
    with pytest.raises(DocumentError) as refused:
        read(yaml)
    assert message in str(refused.value)
    assert refused.value.line in {line, line + 1}  # an alias is told where it leads to


def test_each_value_knows_its_line():
    found = document("A:\n  B:\n    - x\n    - !Sub\n      - y\n      - {Z: 1}\n")
    assert found.line(("A",)) == 1
    assert found.line(("A", "B", 1)) == 4
    assert found.line(("A", "B", 1, "Fn::Sub", 1, "Z")) == 6
    assert found.line(("A", "B", 7, "none")) == 2  # the nearest that there is
    assert found.line(("none",)) == 1


def test_a_document_is_bounded():
    with pytest.raises(ForeignError, match=f"more than {MAX_DEPTH} levels"):
        read("[" * 150 + "]" * 150)
    assert read("") == {}


# PyYAML takes seconds for thousands of levels; tests/fuzz has those for all that reads YAML.
QUICK = [one for one in HOSTILE + HOSTILE_YAML if len(one) < 5000]


@given(st.sampled_from(QUICK) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    with suppress(ValueError):
        document(text)


VALUES = st.recursive(
    st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1), inner, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), st.sampled_from([None, 2, "\t"]))
def test_json_is_read_as_json_reads_it(value, indent):
    assert read(json.dumps(value, indent=indent)) == value
