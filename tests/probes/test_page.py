from __future__ import annotations

import pytest

from sandbox.probes.page import FailedRequest, PageVisit, refused


@pytest.mark.parametrize(
    ("kind", "content_type", "words"),
    [
        ("script", "text/html; charset=utf-8", "answered as text/html"),
        ("script", "application/javascript", ""),
        ("script", "text/javascript; charset=utf-8", ""),
        ("script", "", ""),  # where the server does not say, browsers guess
        ("stylesheet", "text/html", "answered as text/html"),
        ("stylesheet", "text/css", ""),
        ("image", "text/html", ""),
        ("document", "text/html", ""),
    ],
)
def test_what_a_browser_refuses(kind, content_type, words):
    assert refused(kind, content_type) == words


def visit(**changes):
    made = {
        "url": "http://x/",
        "status": 200,
        "title": "",
        "text": "",
        "works": None,
        "seconds": 0.12345,
        "error": "",
        "console": (),
        "failures": (),
        "page_errors": (),
    }
    return PageVisit(**{**made, **changes})


MISSING = FailedRequest("http://x/a.js", 404, "script", "")


@pytest.mark.parametrize(
    ("changes", "failed", "words"),
    [
        ({}, False, "http://x/: HTTP 200"),
        ({"works": True}, False, "http://x/: HTTP 200, works"),
        ({"works": False}, True, "http://x/: HTTP 200, does not work"),
        ({"status": 404}, True, "http://x/: HTTP 404"),
        ({"status": 0, "error": "net::ERR_NAME_NOT_RESOLVED"}, True, "http://x/: net::ERR_NAME_NOT_RESOLVED"),
        ({"failures": (MISSING,)}, True, "http://x/: HTTP 200, 1 failed request"),
        ({"works": True, "failures": (MISSING, MISSING)}, False, "http://x/: HTTP 200, works, 2 failed requests"),
        ({"page_errors": ("Error: no",)}, True, "http://x/: HTTP 200"),
    ],
)
def test_whether_a_user_was_let_down(changes, failed, words):
    assert (visit(**changes).failed, str(visit(**changes))) == (failed, words)


def test_the_facts_are_json_values():
    facts = visit(failures=(MISSING,)).facts()
    assert facts["failures"] == [{"url": "http://x/a.js", "status": 404, "kind": "script", "error": ""}]
    assert facts["seconds"] == 0.123
    assert facts["works"] is None


def test_a_failed_request_in_words():
    assert str(MISSING) == "script http://x/a.js: HTTP 404"
    html = FailedRequest("http://x/a.js", 200, "script", "answered as text/html")
    assert str(html) == "script http://x/a.js: HTTP 200 answered as text/html"
    assert (
        str(FailedRequest("http://x/a.js", 0, "script", "net::ERR_FAILED")) == "script http://x/a.js: net::ERR_FAILED"
    )
