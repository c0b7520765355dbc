from __future__ import annotations

import re

import pytest

from sandbox.dataplane.cdn import vcl
from sandbox.dataplane.cdn.templates import inner_headers, text
from sandbox.model.cloudfront.policies import Selection


@pytest.mark.parametrize(
    ("value", "string"),
    [
        ("", '{""}'),
        ('say "x"', '{"say "x""}'),
        ('{"a"}', '{"{"a""} + {"}"}'),  # a long string of VCL ends at the first quote that a brace follows
        (r"\d", r'{"\d"}'),
    ],
)
def test_strings(value, string):
    assert text(value) == string


def test_a_string_has_no_control_characters():
    with pytest.raises(ValueError, match="a control character"):
        text("a\r\nX-Other: 1")


@pytest.mark.parametrize(
    ("selections", "query", "left"),
    [
        ([Selection()], "a=1", None),
        ([Selection("all")], "a=1&&b", "a=1&&b"),
        ([Selection("whitelist", ("a", "w*"))], "a=1&b=2&&a&wx=3&aa=4", "a=1&a&wx=3"),
        ([Selection("allExcept", ("a", "t?"))], "a=1&b=2&&tx=1&t=2&txx", "b=2&t=2&txx"),
        ([Selection("whitelist", ("a",)), Selection("allExcept", ("a", "b"))], "a=1&b=2&c=3", "a=1&c=3"),
        ([Selection("whitelist", ("a",)), Selection("all")], "a=1&b=2", "a=1&b=2"),
        ([Selection("whitelist", ("a.b",))], "a.b=1&axb=2", "a.b=1"),
    ],
)
def test_what_a_selection_leaves_of_a_query_string(selections, query, left):
    expression = vcl._removed(selections)
    if left is None:
        assert expression is None
    else:
        assert (re.sub(expression, "", query).removeprefix("&") if expression else query) == left


def test_the_proxy_knows_every_header_that_varnish_makes_for_itself():
    assert {"X-Cdn-Path", "X-Cdn-Origin", "X-Cdn-Page-Ttl", "X-Cdn-Key-Query", "X-Cdn-Hash"} <= set(inner_headers())
