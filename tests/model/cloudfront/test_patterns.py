"""Path patterns and the paths of invalidations."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.cloudfront import patterns
from sandbox.model.cloudfront.errors import CloudFrontError


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("images/*.jpg", "/images/product1/a.jpg", True),
        ("/images/*.jpg", "/images/a.jpg", True),
        ("images/*.jpg", "/Images/a.jpg", False),
        ("images/*.jpg", "/images/a.JPG", False),
        ("*.gif", "/images/sample.gif", True),
        ("a??.jpg", "/ant.jpg", True),
        ("a??.jpg", "/abce.jpg", False),
        ("a*.jpg", "/a.jpg", True),
        ("a.b", "/axb", False),
        ("*", "/", True),
    ],
)
def test_patterns(pattern, path, matches):
    assert patterns.matcher(pattern)(path) is matches


@pytest.mark.parametrize("pattern", ["", "a" * 256, "a b", "/ä", "a{b}"])
def test_what_is_no_pattern(pattern):
    with pytest.raises(CloudFrontError) as refused:
        patterns.check(pattern)
    assert refused.value.code == "InvalidArgument"


def test_invalidations():
    gone = patterns.invalidated(["/a.jpg", "/images/*", "/b?x=*"])
    assert [
        gone(uri) for uri in ("/a.jpg", "/a.jpg?x=1", "/A.jpg", "/images/", "/images/c/d", "/images", "/b?x=1")
    ] == [
        True,
        False,
        False,
        True,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("path", ["images/*", "/*.jpg", "", "/" + "a" * 4000])
def test_paths_that_no_invalidation_takes(path):
    with pytest.raises(CloudFrontError, match="Your request contains one or more invalid invalidation paths"):
        patterns.invalidated([path])


def test_what_covers_what():
    assert patterns.covers("images/*", "/images/*.jpg")
    assert patterns.covers("a?", "ab")
    assert not patterns.covers("?", "*")
    assert not patterns.covers("*.jpg", "images/*")


@given(st.text("ab/*?", min_size=1, max_size=6), st.text("ab/*?", min_size=1, max_size=6), st.text("ab/", max_size=6))
def test_a_pattern_that_covers_another_matches_all_its_paths(earlier, later, path):
    rooted = f"/{path}"
    if patterns.covers(earlier, later) and patterns.matcher(later)(rooted):
        assert patterns.matcher(earlier)(rooted)


@given(st.text("ab.*?+&$/", max_size=12))
def test_every_pattern_is_an_expression(text):
    re.compile(patterns.expression(text))


@pytest.mark.parametrize("path", ["/a", "/a.b", "/a*", "/*", "/a?b=1", "/a+(b)*"])
@pytest.mark.parametrize("uri", ["/a", "/a.b", "/axb", "/ab", "/a?b=1", "/a?b=12", "/a+(b)", "/a+(b)c", "/"])
def test_an_invalidation_s_path_as_an_expression(path, uri):
    expression = patterns.invalidation_expression(path)
    assert bool(re.search(expression, uri)) == patterns.invalidated([path])(uri)
