from __future__ import annotations

import pytest

from tests.conformance import expectations
from tests.conformance.expectations import Expectation, Expected, Outcome, Reason

SUITE = [
    expectations.Test("fresh", "required"),
    expectations.Test("vary", "required", ["fresh"]),
    expectations.Test("early", "optimal", ["vary"]),
    expectations.Test("asks", "check"),
]
REASONS = {"key": Reason("Vary is not in the key", "Cache content based on request headers"), "us": Reason("ours: so")}
EXPECTED = Expected(
    "a suite",
    REASONS,
    {
        "asks": Expectation("check", "no", "us"),
        "early": Expectation("optimal", "pass"),
        "fresh": Expectation("required", "pass"),
        "vary": Expectation("required", "fail", "key"),
    },
)
AS_EXPECTED = {
    "fresh": True,
    "vary": ["Assertion", "it is cached"],
    "early": True,
    "asks": ["Assertion", "it does not"],
}


def outcomes(**changes):
    return expectations.outcomes(SUITE, {**AS_EXPECTED, **changes})


def findings(**changes):
    return expectations.compare(EXPECTED, SUITE, outcomes(**changes))


@pytest.mark.parametrize(
    ("result", "kind", "expected"),
    [
        (True, "required", Outcome("pass")),
        (True, "check", Outcome("yes")),
        (["Assertion", "no"], "optimal", Outcome("fail", "no")),
        (["Assertion", "no"], "check", Outcome("no", "no")),
        (["Setup", "status 502"], "check", Outcome("setup", "status 502")),
        (["Setup", "retry"], "required", Outcome("retry", "retry")),
        (["FetchError", "reset"], "required", Outcome("error", "FetchError: reset")),
        (None, "required", Outcome("error", "no result of a test: None")),
    ],
)
def test_outcomes_by_the_suite_s_results(result, kind, expected):
    assert expectations.outcome(result, kind) == expected


def test_what_is_as_expected_is_no_finding():
    assert not findings()


def test_a_test_that_fails_is_worse():
    assert findings(fresh=["Assertion", "it is old"]).worse == ["fresh (required): fail, not pass: it is old"]


def test_a_test_that_comes_to_nothing_is_worse():
    assert findings(early=["Setup", "502"]).worse == ["early (optimal): setup, not pass: 502"]


def test_a_test_that_passes_is_better():
    assert findings(vary=True).better == ["vary (required): pass, not fail"]


def test_a_failure_of_another_sort_is_neither():
    found = findings(vary=["Setup", "502"])
    assert (found.worse, found.better, found.other) == ([], [], ["vary (required): setup, not fail: 502"])


def test_an_answer_to_a_question_is_neither_better_nor_worse():
    found = findings(asks=True)
    assert (found.worse, found.better, found.other) == ([], [], ["asks (check): yes, not no"])


def test_tests_that_came_and_went_and_changed():
    suite = [expectations.Test("asks", "required"), expectations.Test("new", "check"), *SUITE[:2]]
    results = {**AS_EXPECTED, "new": True}
    assert expectations.compare(EXPECTED, suite, expectations.outcomes(suite, results)).other == [
        "asks: required, not check",
        "asks (check): fail, not no: it does not",
        "early: the suite has no such test",
        "new: nothing is expected of it",
    ]


def test_findings_are_told_in_groups():
    assert str(findings(fresh=["Assertion", "old"], vary=True)).splitlines() == [
        "1 worse than expected:",
        "fresh (required): fail, not pass: old",
        "1 better than expected:",
        "vary (required): pass, not fail",
    ]


def test_an_update_keeps_reasons_and_leaves_new_departures_without():
    updated = expectations.updated(EXPECTED, SUITE, outcomes(asks=True, fresh=["Assertion", "old"]))
    assert updated.tests == {
        "asks": Expectation("check", "yes"),
        "early": Expectation("optimal", "pass"),
        "fresh": Expectation("required", "fail"),
        "vary": Expectation("required", "fail", "key"),
    }
    assert set(updated.reasons) == {"key"}
    assert expectations.flaws(updated) == ["fresh: no reason is given"]


def test_flaws():
    tests = {
        "a": Expectation("required", "pass", "key"),
        "b": Expectation("optimal", "fail", "nowhere"),
        "c": Expectation("nice", "yes"),
    }
    reasons = {**REASONS, "bare": Reason("so"), "both": Reason("ours: so", "a page")}
    assert expectations.flaws(Expected("a suite", reasons, tests)) == [
        "a: it passes, and has a reason not to",
        "b: there is no reason 'nowhere'",
        "c: 'nice' is no kind of test",
        "reason us: no test has it",
        "reason bare: no test has it",
        "reason bare: either a page of AWS's says so, or it is ours",
        "reason both: no test has it",
        "reason both: either a page of AWS's says so, or it is ours",
    ]
    assert expectations.flaws(EXPECTED) == []


def test_what_builds_on_a_failure_is_left_out():
    assert expectations.left_out(SUITE, outcomes()) == {"early"}
    assert expectations.left_out(SUITE, outcomes(fresh=["Assertion", "old"])) == {"vary", "early"}


def test_the_table():
    assert expectations.table(EXPECTED, SUITE, outcomes(early=["Assertion", "late"])).splitlines() == [
        "a suite: 4 tests",
        "",
        "            passed   not",
        "required         1     1",
        "optimal          0     1",
        "check            0     1 (yes, no)",
        "",
        "1 of those not passed build on another that has not, and the suite does not judge them.",
        "",
        "expected departures, as AWS documents: 1",
        "   1  Vary is not in the key [Cache content based on request headers]",
        "",
        "expected departures, ours: 1",
        "   1  ours: so",
    ]


def test_the_file_is_read_as_it_was_written():
    assert expectations.parse(expectations.unparse(EXPECTED)) == EXPECTED
