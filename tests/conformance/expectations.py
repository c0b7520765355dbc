"""What a suite of tests says of a cache, against what is expected of it, and why.

Pure: results in, findings and text out. ``expected.json`` holds, for each test, its kind, its outcome and, where that
is another than the suite asks for, a reason: a page of AWS's that says so, or, where none does, what of ours differs.

Kinds are the suite's: "required" (the specification asks for it), "optimal" (it allows better), "check" (a question
about the cache, answered yes or no).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

KINDS = ("required", "optimal", "check")
OURS = "ours: "
_PASSED = frozenset(("pass", "yes"))


@dataclass(frozen=True)
class Test:
    """A test of the suite; ``needs`` are those without which the suite takes its outcome for nothing."""

    id: str
    kind: str
    needs: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a test.

    Attributes:
        word: "pass" or "fail"; of a check "yes" or "no"; "setup" where it came to nothing before the question was
            put, "retry" where the cache asked the origin twice, "error" where the client could not go on.
        message: The suite's.
    """

    word: str
    message: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is as the suite would have it."""
        return self.word in _PASSED


@dataclass(frozen=True)
class Reason:
    """Why an outcome is another than the suite's.

    Attributes:
        text: In a line; it begins with "ours: " where AWS's documentation does not say so.
        page: The page that does, and the section of it ("" without one).
    """

    text: str
    page: str = ""


@dataclass(frozen=True)
class Expectation:
    """What a test is expected to come to; ``reason`` is the name of one, "" where the test passes."""

    kind: str
    word: str
    reason: str = ""


@dataclass(frozen=True)
class Expected:
    """The whole file."""

    suite: str
    reasons: Mapping[str, Reason]
    tests: Mapping[str, Expectation]


@dataclass(frozen=True)
class Findings:
    """How outcomes differ from what is expected; a line for each test."""

    worse: Sequence[str]
    better: Sequence[str]
    other: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.worse or self.better or self.other)

    def __str__(self) -> str:
        groups = (("worse", self.worse), ("better", self.better), ("other", self.other))
        parts = [(f"{len(lines)} {how} than expected:", *lines) for how, lines in groups if lines]
        return "\n".join(line for part in parts for line in part)


def outcome(result: object, kind: str) -> Outcome:
    """The outcome of a test by its entry in the suite's results: true, or the name of an error and its message."""
    if result is True:
        return Outcome("yes" if kind == "check" else "pass")
    if not isinstance(result, list) or len(result) != 2:
        return Outcome("error", f"no result of a test: {result!r}")
    name, message = str(result[0]), str(result[1])
    if name == "Assertion":
        return Outcome("no" if kind == "check" else "fail", message)
    if name == "Setup":
        return Outcome("retry" if message == "retry" else "setup", message)
    return Outcome("error", f"{name}: {message}")


def outcomes(tests: Iterable[Test], results: Mapping[str, object]) -> dict[str, Outcome]:
    """The outcome of each test that the suite has; one without a result is an error."""
    return {test.id: outcome(results.get(test.id), test.kind) for test in tests}


def compare(expected: Expected, tests: Iterable[Test], found: Mapping[str, Outcome]) -> Findings:
    """What differs from what is expected: an outcome, a kind, a test that is there or that is not."""
    worse, better, other = [], [], []
    kinds = {test.id: test.kind for test in tests}
    for name in sorted({*expected.tests, *kinds}):
        was, now = expected.tests.get(name), found.get(name)
        if was is None or now is None:
            other.append(f"{name}: " + ("the suite has no such test" if now is None else "nothing is expected of it"))
            continue
        if kinds[name] != was.kind:
            other.append(f"{name}: {kinds[name]}, not {was.kind}")
        if now.word == was.word:
            continue
        line = f"{name} ({was.kind}): {now.word}, not {was.word}" + (f": {now.message}" if now.message else "")
        if was.kind == "check" or (was.word in _PASSED) == now.passed:
            other.append(line)
        else:
            (better if now.passed else worse).append(line)
    return Findings(worse, better, other)


def flaws(expected: Expected) -> list[str]:
    """What is wrong with the file itself: a departure without a reason, a reason without a source, one that is idle."""
    wrong = []
    for name, one in expected.tests.items():
        if one.kind not in KINDS:
            wrong.append(f"{name}: {one.kind!r} is no kind of test")
        if one.word in _PASSED and one.reason:
            wrong.append(f"{name}: it passes, and has a reason not to")
        if one.word not in _PASSED and one.reason not in expected.reasons:
            wrong.append(f"{name}: " + (f"there is no reason {one.reason!r}" if one.reason else "no reason is given"))
    used = {one.reason for one in expected.tests.values()}
    for name, reason in expected.reasons.items():
        if name not in used:
            wrong.append(f"reason {name}: no test has it")
        if bool(reason.page) == reason.text.startswith(OURS):
            wrong.append(f"reason {name}: either a page of AWS's says so, or it is {OURS.strip(': ')}")
    return wrong


def updated(expected: Expected, tests: Iterable[Test], found: Mapping[str, Outcome]) -> Expected:
    """What is expected from now on. A reason stays where the outcome does; a new departure has none yet."""
    known = {}
    for test in sorted(tests, key=lambda one: one.id):
        word = found[test.id].word
        was = expected.tests.get(test.id)
        known[test.id] = Expectation(test.kind, word, was.reason if was and was.word == word else "")
    used = {one.reason for one in known.values()}
    return replace(expected, reasons={k: v for k, v in expected.reasons.items() if k in used}, tests=known)


def left_out(tests: Sequence[Test], found: Mapping[str, Outcome]) -> set[str]:
    """Tests whose outcome the suite itself takes for nothing, because one that they need has not passed."""
    by_id = {test.id: test for test in tests}

    def counts(name: str) -> bool:
        return all(found[need].passed and counts(need) for need in by_id[name].needs)

    return {test.id for test in tests if not counts(test.id)}


def table(expected: Expected, tests: Sequence[Test], found: Mapping[str, Outcome]) -> str:
    """The outcomes in a few lines: by kind, then the expected departures by their reasons."""
    lines = [f"{expected.suite}: {len(tests)} tests", "", f"{'':10}{'passed':>8}{'not':>6}"]
    for kind in KINDS:
        words = [found[test.id] for test in tests if test.kind == kind]
        passed = sum(word.passed for word in words)
        lines.append(f"{kind:10}{passed:8}{len(words) - passed:6}" + (" (yes, no)" if kind == "check" else ""))
    idle = sum(not found[name].passed for name in left_out(tests, found))
    lines += ["", f"{idle} of those not passed build on another that has not, and the suite does not judge them."]
    as_expected = Counter(
        one.reason
        for name, one in expected.tests.items()
        if one.reason in expected.reasons and name in found and found[name].word == one.word
    )
    for title, documented in (("as AWS documents", True), ("ours", False)):
        here = [(expected.reasons[name], count) for name, count in as_expected.most_common()]
        here = [(reason, count) for reason, count in here if bool(reason.page) == documented]
        lines += ["", f"expected departures, {title}: {sum(count for _, count in here)}"]
        lines += [f"{count:4}  {_cited(reason)}" for reason, count in here]
    return "\n".join(lines)


def _cited(reason: Reason) -> str:
    return f"{reason.text} [{reason.page}]" if reason.page else reason.text


def parse(text: str) -> Expected:
    """From the file's text."""
    content = json.loads(text)
    return Expected(
        content["suite"],
        {name: Reason(**reason) for name, reason in content["reasons"].items()},
        {
            name: Expectation(one["kind"], one["outcome"], one.get("reason", ""))
            for name, one in content["tests"].items()
        },
    )


def unparse(expected: Expected) -> str:
    """As the file's text: a line for each test, so that a change of one is a change of a line."""
    reasons = {
        name: {"text": one.text, **({"page": one.page} if one.page else {})} for name, one in expected.reasons.items()
    }
    tests = {}
    for name, one in expected.tests.items():
        tests[name] = {"kind": one.kind, "outcome": one.word}
        if one.word not in _PASSED:
            tests[name]["reason"] = one.reason
    parts = (f'  "suite": {json.dumps(expected.suite)}', _member("reasons", reasons), _member("tests", tests))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _member(name: str, rows: Mapping[str, object]) -> str:
    lines = [f"    {json.dumps(key)}: {json.dumps(row, ensure_ascii=False)}" for key, row in rows.items()]
    return f'  "{name}": {{\n' + ",\n".join(lines) + "\n  }"
