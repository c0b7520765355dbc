"""Links in pages and style sheets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.probes import links

BASE = "https://example.org/blog/post/"


def test_a_page():
    page = """<html><head><link rel="stylesheet" href="/a.css?v=1"><link rel="canonical" href="https://other/">
      <link rel=preconnect href="https://cdn/"></head><body><a href="../next/#top">n</a><a href="mailto:x@y">m</a>
      <img src="i.png" srcset="i-2x.png 2x, /i-3x.png 3x"><script src=//cdn.example.org/x.js></script>
      <a href="../next/">again</a><a href="javascript:void(0)">j</a><a>none</a><a href="http://[">broken</a>"""
    needed, leading = links.of("text/html; charset=utf-8", page, BASE)
    assert needed == [
        "https://example.org/a.css?v=1",
        "https://example.org/blog/post/i.png",
        "https://example.org/blog/post/i-2x.png",
        "https://example.org/i-3x.png",
        "https://cdn.example.org/x.js",
    ]
    assert leading == ["https://example.org/blog/next/"]


def test_a_base():
    needed, _ = links.of("text/html", '<base href="/x/"><img src="i.png">', BASE)
    assert needed == ["https://example.org/x/i.png"]


def test_a_style_sheet():
    sheet = (
        "@import 'b.css'; @import url(c.css); a { background: url(\"/i.png\") } b { src: url( f.woff2 ) } url(data:x)"
    )
    assert links.of("text/css", sheet, "https://example.org/css/a.css") == (
        [
            "https://example.org/css/b.css",
            "https://example.org/css/c.css",
            "https://example.org/i.png",
            "https://example.org/css/f.woff2",
        ],
        [],
    )


@pytest.mark.parametrize("kind", ["image/png", "", "application/json"])
def test_nothing_in_anything_else(kind):
    assert links.of(kind, '<a href="/x">', BASE) == ([], [])


@given(st.text() | st.text("<a href=\"/>=' \n").map("<a href={}".format))
def test_any_text_can_be_looked_through(text):
    links.of("text/html", text, BASE)
    links.of("text/css", text, BASE)
