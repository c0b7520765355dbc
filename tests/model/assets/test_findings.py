"""What is found wrong with a site's files, and with page loads over a deploy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.assets import findings
from sandbox.model.assets.answers import CAUSES
from sandbox.model.assets.findings import Command
from sandbox.model.assets.loads import Answer, PageLoad

YEAR = "public, max-age=31536000, immutable"
PAGE = Answer("http://x/", "page", True, 0.0, 200, content_type="text/html")
SCRIPT = Answer("http://x/_nuxt/C6tQu9ZN.js", "module", True, 0.0, 200, "", "text/javascript", YEAR)
MISSING = replace(SCRIPT, status=404, cause="missing", cache_control="no-cache")
COMMAND = Command("deploy", 100.0, 130.0, 0)


def of_files(*files, made_up=None):
    return [(one.rule, one.severity) for one in findings.of_files(files, made_up)]


def test_a_site_that_is_right():
    assert of_files(PAGE, SCRIPT, made_up=MISSING) == []


@pytest.mark.parametrize(
    ("answer", "rules"),
    [
        (MISSING, [("missing", "error")]),
        (replace(MISSING, cache_control=YEAR), [("missing", "error"), ("error-kept", "error")]),
        (replace(MISSING, kind="image", needed=False), [("missing", "warning")]),
        (replace(SCRIPT, status=403, cause="denied", cache_control=""), [("denied", "error")]),
        (replace(SCRIPT, cause="wrong type", content_type="text/html"), [("wrong-type", "error")]),
        (replace(SCRIPT, status=502, cause="server error", cache_control=""), [("error-answer", "error")]),
        (replace(SCRIPT, status=302, cause="redirect", cache_control=""), [("redirect", "error")]),
        (replace(SCRIPT, status=0, cause="mixed content", cache_control=""), [("mixed-content", "error")]),
        (replace(SCRIPT, status=0, cause="timeout", error="no answer in time"), [("no-answer", "error")]),
        (replace(SCRIPT, cache_control=""), [("kept-shortly", "warning")]),
        (replace(SCRIPT, cache_control="no-cache"), [("kept-shortly", "warning")]),
        (replace(SCRIPT, cache_control="max-age=0, s-maxage=31536000"), []),
        (replace(SCRIPT, url="http://x/app.js", cache_control=""), []),
        (replace(PAGE, cache_control="public, max-age=3600"), [("page-kept", "warning")]),
        (replace(PAGE, cache_control="private, max-age=3600"), []),
        (replace(PAGE, cache_control="no-cache"), []),
    ],
)
def test_of_one_file(answer, rules):
    assert of_files(answer) == rules


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/_nuxt/a.js", True),
        ("/static/js/main.0a1b2c3d.chunk.js", True),
        ("/assets/index-DiwrgTda.css", True),
        ("/js/index-B1wrgTda.mjs", True),
        ("/1074d90.js", True),
        ("/app.js", False),
        ("/jquery-3.7.1.min.js", False),
        ("/facade.js", False),
    ],
)
def test_names_that_change_with_their_content(path, changes):
    assert bool(of_files(replace(SCRIPT, url=f"http://x{path}", cache_control=""))) is changes


@pytest.mark.parametrize(
    ("made_up", "rules"),
    [
        (replace(MISSING, status=200, content_type="text/html", cause="wrong type", cache_control=""), ["fallback"]),
        (replace(MISSING, cache_control=YEAR), ["error-kept"]),
        (MISSING, []),
        (replace(MISSING, status=0, cause="timeout", cache_control=""), []),
    ],
)
def test_what_a_file_that_there_is_not_is_answered_with(made_up, rules):
    assert [one.rule for one in findings.of_files([PAGE], made_up)] == rules


def load(at, *failures, requests=5):
    return PageLoad(0, "first", "http://x/", at, 0.1, requests, failures)


def test_a_deploy_that_breaks_nothing():
    assert findings.of_loads([load(99.0), load(110.0), load(140.0)], [load(150.0)], COMMAND) == []


def test_a_deploy_that_breaks_loads_and_tabs():
    loads = [load(99.0), load(104.2, MISSING), load(110.0), load(131.0, MISSING)]
    found = findings.of_loads(loads, [load(150.0, MISSING), load(150.0)], COMMAND)
    assert [(one.rule, one.severity) for one in found] == [("loads-broken", "error"), ("tabs-broken", "error")]
    assert found[0].text == (
        "2 of 3 page loads (66.7%) were broken, from 4.2 s after the command began to 1.0 s after it ended: missing (2)"
    )
    assert found[0].urls == (MISSING.url,)
    assert "S3" in found[0].fix
    assert "1 of 2 tabs left open" in found[1].text
    assert "Stickiness does not help" in found[1].fix


@pytest.mark.parametrize(
    ("failure", "rule"),
    [
        (replace(MISSING, age=31), "error-kept"),
        (replace(MISSING, cache_control="max-age=86400"), "error-kept"),
        (replace(MISSING, kind="image", needed=False), "images-missing"),
    ],
)
def test_what_else_a_deploy_shows(failure, rule):
    assert rule in [one.rule for one in findings.of_loads([load(104.0, failure)], [], COMMAND)]


def test_what_is_told_of_the_run_itself():
    command = replace(COMMAND, exit_code=2)
    found = findings.of_loads([load(90.0, MISSING)], [load(150.0, requests=0)], command, shed=3)
    assert [one.rule for one in found] == ["broken-before", "command-failed", "too-slow", "no-lazy-chunks"]
    stopped = findings.of_loads([load(140.0)], [], replace(COMMAND, exit_code=None), settled=False)
    assert [one.rule for one in stopped] == ["not-settled", "command-stopped"]


def test_at_least():
    found = findings.of_files([replace(SCRIPT, cache_control="")])
    assert [findings.at_least(found, one) for one in findings.SEVERITIES] == [True, True, False]


ANSWERS = st.builds(
    Answer,
    st.sampled_from(["http://x/", "http://x/a.js", "http://x/_nuxt/a.js"]),
    st.sampled_from(["page", "module", "style", "image", "other"]),
    st.booleans(),
    st.floats(0, 200),
    st.sampled_from([0, 200, 302, 403, 404, 500]),
    st.sampled_from(["", *CAUSES]),
    st.text(max_size=5),
    st.sampled_from(["", "no-store", "max-age=99999", "max-age=-1", "max-age=x", ","]),
    age=st.none() | st.integers(0, 10**6),
)
LOADS = st.lists(
    st.builds(lambda at, some: load(at, *(one for one in some if one.cause)), st.floats(0, 200), st.lists(ANSWERS))
)


@given(LOADS, LOADS, st.booleans())
def test_there_is_an_error_exactly_where_something_is_broken_after_the_command_began(loads, tabs, stopped):
    found = findings.of_loads(loads, tabs, replace(COMMAND, exit_code=None if stopped else 0))
    broken = any(one.broken and one.at >= COMMAND.began for one in loads) or any(one.broken for one in tabs)
    assert findings.at_least(found, "error") is broken
    assert all(one.severity in findings.SEVERITIES and one.text and one.fix for one in found)


@given(st.lists(ANSWERS), st.none() | ANSWERS)
def test_each_file_that_cannot_be_used_is_found(files, made_up):
    found = findings.of_files(files, made_up)
    urls = {url for one in found for url in one.urls}
    assert {one.url for one in files if one.cause} <= urls
