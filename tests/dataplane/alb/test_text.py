from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.dataplane.alb.text import expression, is_plain, literal, word


@pytest.mark.parametrize(
    ("pattern", "holds", "fails"),
    [
        ("*", ["", "anything"], []),
        ("/a?c", ["/abc"], ["/ac", "/abbc"]),
        ("*.example.org", ["www.example.org", ".example.org"], ["example.org", "www-example-org"]),
        (r"a\b", [r"a\b"], ["ab"]),
        (r"a\*", ["a\\", r"a\b"], ["a*"]),
    ],
)
def test_patterns(pattern, holds, fails):
    assert all(re.fullmatch(expression(pattern), text) for text in holds)
    assert not any(re.fullmatch(expression(pattern), text) for text in fails)


@pytest.mark.parametrize(
    ("pattern", "holds", "fails"),
    [
        (r"what\?", "what?", "whatx"),
        (r"\*", "*", "x"),
        (r"a\\b", r"a\b", "ab"),
        (r"a\b", r"a\b", "ab"),
    ],
)
def test_patterns_with_escapes(pattern, holds, fails):
    assert re.fullmatch(expression(pattern, has_escapes=True), holds)
    assert not re.fullmatch(expression(pattern, has_escapes=True), fails)


@given(st.text(st.characters(exclude_characters="*?")))
def test_a_plain_pattern_stands_for_itself_alone(text):
    assert is_plain(text)
    assert re.fullmatch(expression(text), text)
    assert not re.fullmatch(expression(text), text + "x")


@pytest.mark.parametrize(("text", "made"), [("a b", "'a b'"), ("it's", "'it'\\''s'"), ('"$x"', "'\"$x\"'")])
def test_words(text, made):
    assert word(text) == made


def test_a_word_is_one_line():
    with pytest.raises(ValueError, match="control character"):
        word("a\nuse_backend b")


def test_a_literal_in_a_log_format():
    assert literal("100%[x]") == "100%%[x]"
