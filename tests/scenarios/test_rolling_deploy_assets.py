"""The verdict of rolling-deploy-assets, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["rolling-deploy-assets"]
MISSING = "/_nuxt/entry.1.js: HTTP 404, text/html, Error from cloudfront"


def measured(measure, broken, *, decides=True, cause="missing", counted=None):
    facts = {
        "measure": measure,
        "way": "through CloudFront",
        "loads": 40,
        "broken": broken,
        "causes": {cause: broken} if broken else {},
        "example": MISSING if broken else "",
        "decides": decides,
        "counted": broken if counted is None else counted,
    }
    return Observation(100.0, "roll.measured", facts)


def visited(action, works, status=404, error=""):
    failures = [] if works else [{"url": "http://a/_nuxt/x.js", "status": status, "kind": "script", "error": error}]
    return Observation(101.0, "browser.visited", {"action": action, "works": works, "failures": failures})


def test_broken_loads_reproduce():
    verdict = SCENARIO.judge([measured("mixed", 0), measured("tabs", 8)])
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "first loads while both builds answer, through CloudFront: 0 of 40 broken",
        f"tabs left open over the deploy, through CloudFront: 8 of 40 broken: missing 8; such as {MISSING}",
    )


def test_what_does_not_decide_is_told_and_no_more():
    verdict = SCENARIO.judge([measured("mixed", 0), measured("rollback-tabs", 8, decides=False)])
    assert verdict.outcome == "holds"
    assert "tabs left open over the rollback" in verdict.evidence[1]


def test_breakage_of_another_cause_does_not_count():
    assert SCENARIO.judge([measured("mixed", 9, counted=0)]).outcome == "holds"


@pytest.mark.parametrize("dead", ["open", "click"])
def test_a_dead_page_in_the_browser_reproduces(dead):
    visits = [visited("open", True), visited("open", dead != "open"), visited("click", dead != "click")]
    verdict = SCENARIO.judge([measured("mixed", 0), *visits])
    assert verdict.outcome == "reproduces"
    assert any("dead (/_nuxt/x.js: 404)" in fact for fact in verdict.evidence)


def test_a_file_that_is_late_in_the_browser_is_told_and_no_more():
    verdict = SCENARIO.judge([measured("mixed", 0), visited("open", True), visited("open", False, 0, "no answer")])
    assert verdict.outcome == "holds"
    assert verdict.evidence[1] == "Chromium, page opened in mid-deploy: dead (/_nuxt/x.js: no answer)"


def test_a_browser_in_which_all_works_holds():
    visits = [visited("open", True), visited("open", True), visited("click", True)]
    verdict = SCENARIO.judge([measured("mixed", 0), *visits])
    assert verdict.outcome == "holds"
    assert verdict.evidence[1:] == (
        "Chromium, page opened in mid-deploy: works",
        "Chromium, tab left open, click on its button: works",
    )


@pytest.mark.parametrize("variant", SCENARIO.variants, ids=lambda variant: variant.name)
def test_a_variant_says_what_decides(variant):
    assert set(variant.settings["decides"]) <= {"mixed", "tabs", "after", "rollback", "rollback-tabs"}
