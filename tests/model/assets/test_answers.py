"""Which answers a browser cannot use, and why."""

from __future__ import annotations

import pytest

from sandbox.model.assets.answers import allowed, by_browser, cause


@pytest.mark.parametrize(
    ("kind", "status", "content_type", "why"),
    [
        ("page", 200, "text/html; charset=utf-8", ""),
        ("page", 200, "application/json", "wrong type"),
        ("module", 200, "text/javascript", ""),
        ("module", 200, "Application/JavaScript;charset=utf-8", ""),
        ("module", 200, "text/html", "wrong type"),
        ("module", 200, "", "wrong type"),
        ("module", 200, "text/plain", "wrong type"),
        ("script", 200, "text/plain", ""),
        ("script", 200, "", ""),
        ("script", 200, "text/html", "wrong type"),
        ("script", 200, "image/png", "wrong type"),
        ("style", 200, "text/css", ""),
        ("style", 200, "text/html", "wrong type"),
        ("image", 200, "application/octet-stream", ""),
        ("image", 200, "text/html", "wrong type"),
        ("other", 200, "text/html", ""),
        ("module", 404, "application/json", "missing"),
        ("module", 410, "", "missing"),
        ("module", 403, "application/xml", "denied"),
        ("module", 429, "", "client error"),
        ("page", 503, "text/html", "server error"),
        ("page", 204, "", "odd status"),
        ("image", 304, "", "odd status"),
    ],
)
def test_cause(kind, status, content_type, why):
    assert cause(kind, status, content_type, nosniff=False) == why


@pytest.mark.parametrize(("kind", "content_type"), [("script", "text/plain"), ("style", "")])
def test_nosniff_makes_browsers_strict(kind, content_type):
    assert cause(kind, 200, content_type, nosniff=True) == "wrong type"


@pytest.mark.parametrize(
    ("kind", "url", "allow_origin", "is_allowed"),
    [
        ("module", "http://x/a.js", "", True),
        ("module", "http://x:80/a.js", "", True),
        ("module", "http://y/a.js", "", False),
        ("module", "https://x/a.js", "", False),
        ("module", "http://y/a.js", "*", True),
        ("module", "http://y/a.js", "http://x", True),
        ("module", "http://y/a.js", "http://z", False),
        ("script", "http://y/a.js", "", True),
        ("style", "http://y/a.css", "", True),
    ],
)
def test_modules_of_another_origin_need_its_leave(kind, url, allow_origin, is_allowed):
    assert allowed(kind, url, "http://x", allow_origin) is is_allowed


@pytest.mark.parametrize(
    ("kind", "url", "origin", "asked"),
    [
        ("script", "http://cdn.x/a.js", "http://x", "http://cdn.x/a.js"),
        ("script", "https://cdn.x/a.js", "https://x", "https://cdn.x/a.js"),
        ("page", "http://x/", "", "http://x/"),
        ("script", "http://x/a.js", "https://x", ""),
        ("module", "http://x/a.js", "https://x", ""),
        ("style", "http://x/a.css", "https://x", ""),
        ("image", "http://x/a.png?b=1", "https://x", "https://x/a.png?b=1"),
        ("image", "http://x:8080/a.png", "https://x", "https://x:8080/a.png"),
        ("script", "http://127.0.0.1:5000/a.js", "https://x", "http://127.0.0.1:5000/a.js"),
        ("script", "http://localhost/a.js", "https://x", "http://localhost/a.js"),
        ("script", "http://localhost.x/a.js", "https://x", ""),
    ],
)
def test_a_page_by_https_loads_nothing_by_plain_http(kind, url, origin, asked):
    assert by_browser(kind, url, origin) == asked
