"""What a page refers to, as transcripts: a document in, references out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL as Parsed

from sandbox.model.assets import references
from sandbox.model.assets.references import Reference
from sandbox.model.assets.urls import Scope, absolute, place

URL = "http://shop.example.org/a/page"


def of(html):
    page = references.of(html, URL)
    return [(one.url.removeprefix("http://shop.example.org"), one.kind, one.needed) for one in page.now]


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<script src="/x.js"></script>', [("/x.js", "script", True)]),
        ('<script type="module" src="x.js"></script>', [("/a/x.js", "module", True)]),
        ('<SCRIPT SRC="../x.js?v=1#y">', [("/x.js?v=1", "script", True)]),
        ('<script type="text/template" src="/x.js"></script>', []),
        ('<script nomodule src="/x.js"></script>', []),
        ('<link rel="stylesheet" href="/x.css">', [("/x.css", "style", True)]),
        ('<link rel="alternate stylesheet" href="/x.css">', [("/x.css", "style", False)]),
        ('<link rel="stylesheet" href="/x.css" disabled>', []),
        ('<link rel="modulepreload" as="script" crossorigin href="/x.js">', [("/x.js", "module", True)]),
        ('<link rel="preload" as="script" href="/x.js">', [("/x.js", "script", True)]),
        ('<link rel="preload" as="font" href="/x.woff2">', [("/x.woff2", "other", False)]),
        ('<link rel="preload" as="fetch" href="/m.json">', [("/m.json", "other", False)]),
        ('<link rel="icon" href="/x.ico"><link rel="preconnect" href="//cdn.example.net">', []),
        ('<img src="/x.png">', [("/x.png", "image", False)]),
        (
            '<img srcset="/1.png 1x, /2.png 2x" src="/0.png">',
            [("/0.png", "image", False), ("/1.png", "image", False), ("/2.png", "image", False)],
        ),
        ('<picture><source srcset="/x.webp"></picture>', [("/x.webp", "image", False)]),
        ('<base href="/b/"><base href="/c/"><img src="x.png">', [("/b/x.png", "image", False)]),
        ("<noscript><img src='/x.png'></noscript><template><img src='/y.png'></template>", []),
        ('<img src="data:image/png;base64,AAAA"><script src="javascript:1"></script>', []),
        ('<img src="http://[::1"><img src="http://x:99999/"><img src=""><img>', []),
        ('<img src="/x.png"><img src="/x.png">', [("/x.png", "image", False)]),
        (
            '<link rel="preload" as="script" href="/x.js"><script type="module" src="/x.js">',
            [("/x.js", "module", True)],
        ),
        ("<![foo[ <img src='/x.png'>", []),
    ],
)
def test_what_is_fetched(html, found):
    assert of(html) == found


def test_what_a_navigation_will_want_is_for_later():
    html = (
        '<link rel="prefetch" as="script" href="/x.js"><link rel="prefetch" href="/x.css"><script src="/y.js"></script>'
    )
    page = references.of(html, URL)
    assert [(one.url, one.kind) for one in page.later] == [
        ("http://shop.example.org/x.js", "module"),
        ("http://shop.example.org/x.css", "style"),
    ]
    assert len(page.now) == 1


def test_the_import_map_and_the_scripts_that_stand_in_the_page():
    html = """<script type="importmap">{"imports":{"#entry":"/_nuxt/a.js","bad":3}}</script>
      <script type="module">import "#entry"</script><script>var x = 1</script>
      <script type="application/json">{}</script>"""
    page = references.of(html, URL)
    assert page.imports == {"#entry": "http://shop.example.org/_nuxt/a.js"}
    assert page.inline == (('import "#entry"', True), ("var x = 1", False))


def test_another_host_is_named_and_not_in_scope():
    page = references.of('<script src="//cdn.example.net/x.js"></script>', URL)
    assert page.now == (Reference("http://cdn.example.net/x.js", "script", True),)
    assert not Scope(["shop.example.org"]).allows("http://cdn.example.net/x.js")
    assert Scope(["shop.example.org", "cdn.example.net"]).allows("http://cdn.example.net/x.js")


@pytest.mark.parametrize(
    ("hosts", "url", "allowed"),
    [
        (["a.org"], "http://a.org/x", True),
        (["a.org"], "https://A.ORG/x", True),
        (["a.org"], "http://a.org:8080/x", False),
        (["a.org:8080"], "http://a.org:8080/x", True),
        (["a.org:8080"], "http://a.org/x", False),
        (["a.org"], "http://a.org.evil.net/", False),
        (["a.org"], "http://a.org@evil.net/", False),
        (["[::1]:80"], "http://[::1]/", True),
        ([], "", False),
    ],
)
def test_scope(hosts, url, allowed):
    assert Scope(hosts).allows(url) is allowed


def test_names_that_are_known_are_in_scope_for_good_and_others_are_told_of():
    known = {"cdn.example.net"}
    scope = Scope(["shop.example.org"], known.__contains__)
    assert scope.allows("https://cdn.example.net:8443/x.js")
    assert not scope.allows("https://ads.example.com/x.js")
    known.clear()
    assert scope.allows("http://cdn.example.net/x.js")
    assert scope.left_out == {"ads.example.com"}


@pytest.mark.parametrize(
    ("srcset", "found"),
    [
        ("/a.png", ["/a.png"]),
        ("/a.png, /b.png 2x", ["/a.png", "/b.png"]),
        ("/a,b.png 100w,/c.png 200w", ["/a,b.png", "/c.png"]),
        (" , ,", []),
        ("", []),
    ],
)
def test_srcset(srcset, found):
    assert list(references.candidates(srcset)) == found


PIECES = st.sampled_from(
    [
        *(
            "<script",
            " src=",
            " type=module",
            ">",
            "</script>",
            "<link rel=",
            "prefetch",
            " href=",
            "//evil.net/",
            "'",
            '"',
        ),
        *(
            "<![",
            "<base",
            "<img srcset=",
            "http://[",
            "<!--",
            "<noscript>",
            "</noscript>",
            "{",
            '"imports"',
            "importmap",
        ),
        *("\x00", "&#0;"),
    ]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=8))).map("".join))
def test_hostile_documents_give_references_or_nothing(html):
    page = references.of(html, URL)
    for one in (*page.now, *page.later):
        assert one.url.startswith(("http://", "https://"))
        assert "#" not in one.url
        assert all(place(one.url))


@given(st.text(max_size=40), st.sampled_from([URL, "https://x/", "http://[::1]:8080/a?b"]))
def test_a_url_stays_what_it_is(reference, base):
    url = absolute(reference, base)
    assert not url or absolute(url, base) == url


@given(
    st.one_of(st.text(max_size=40), st.lists(PIECES).map("".join), st.sampled_from(["//shop.example.org@evil.net/"]))
)
def test_what_is_in_scope_is_at_the_host(reference):
    url = absolute(reference, URL)
    if Scope(["shop.example.org"]).allows(url):
        assert Parsed(url).host == "shop.example.org"
