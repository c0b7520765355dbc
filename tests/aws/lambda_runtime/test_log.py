"""A log's lines, cut from what a process writes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.lambda_runtime.log import EnvironmentLog


def collected() -> tuple[EnvironmentLog, list[str]]:
    seen: list[str] = []
    return EnvironmentLog(lambda events: seen.extend(message for _, message in events)), seen


@given(st.lists(st.binary(max_size=20)))
def test_nothing_is_lost_however_it_is_cut(chunks: list[bytes]) -> None:
    log, seen = collected()
    for chunk in chunks:
        log.output(chunk)
    log.say("END\n")
    text = b"".join(chunks)
    whole, _, rest = text.rpartition(b"\n")
    expected = [line + b"\n" for line in (whole.split(b"\n") if b"\n" in text else [])]
    expected += [rest + b"\n"] if rest else []
    assert seen == [line.decode("utf-8", "replace").replace("\r", "\n") for line in expected] + ["END\n"]
    assert log.take() == "".join(seen)
    assert log.take() == ""


def test_what_an_invocation_answers_with_is_bounded_and_ends_with_the_end() -> None:
    log, _ = collected()
    for number in range(100):
        log.output(b"%02d" % number + b"x" * 100_000 + b"\n")
    log.say("END\n")
    text = log.take()
    assert len(text) < 2_200_000
    assert text.endswith("x\nEND\n")


def test_a_line_without_end_is_cut() -> None:
    log, seen = collected()
    for _ in range(10):
        log.output(b"x" * 65536)
    assert seen[0] == "x" * 4 * 65536


def test_a_line_that_is_not_shown_is_in_the_log_alone() -> None:
    log, seen = collected()
    log.say("INIT_START\n", shown=False)
    assert (seen, log.take()) == (["INIT_START\n"], "")


def test_events_have_the_time_they_came() -> None:
    at: list[float] = []
    log = EnvironmentLog(lambda events: at.extend(when for when, _ in events))
    log.output(b"a\nb")
    log.say("c\n")
    assert at == sorted(at)
    assert len(at) == 3
