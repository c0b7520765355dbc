"""Which phases of a build come after which."""

from __future__ import annotations

import pytest

from sandbox.model.codebuild.build import Build

PROJECT = {
    "name": "app",
    "arn": "arn:aws:codebuild:us-east-1:123456789012:project/app",
    "source": {"type": "CODEPIPELINE"},
    "environment": {},
    "serviceRole": "role",
    "timeoutInMinutes": 60,
}
ORDER = ("DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS")


def build(**more) -> Build:
    return Build("app:0-1", 1, PROJECT, "codepipeline/release", 1.0, {}, {}, **more)


def run(failing: set[str], stop_in: str = "") -> tuple[list[str], str]:
    one = build()
    for phase in ORDER:
        if not one.goes_on_with(phase):
            continue
        one.begin(phase, 2.0)
        if phase == stop_in:
            one.stopping = "STOPPED"
        one.end_phase(3.0, code="COMMAND_EXECUTION_ERROR" if phase in failing else "")
    one.end(4.0)
    return [phase.type for phase in one.phases], one.status


@pytest.mark.parametrize(
    ("failing", "ran", "status"),
    [
        (set(), [*ORDER], "SUCCEEDED"),
        ({"INSTALL"}, [*ORDER[:2]], "FAILED"),
        ({"PRE_BUILD"}, [*ORDER[:3]], "FAILED"),
        ({"BUILD"}, [*ORDER], "FAILED"),
        ({"BUILD", "POST_BUILD"}, [*ORDER], "FAILED"),
        ({"POST_BUILD"}, [*ORDER], "FAILED"),
        ({"UPLOAD_ARTIFACTS"}, [*ORDER], "FAILED"),
    ],
)
def test_what_comes_after_a_failure(failing, ran, status):
    assert run(failing) == ([*ran, "COMPLETED"], status)


def test_after_a_stop_nothing_comes():
    assert run(set(), "PRE_BUILD") == ([*ORDER[:3], "COMPLETED"], "STOPPED")


def test_it_is_shown_with_its_phases_and_its_log():
    one = build(source_version="abc")
    one.begin("BUILD", 2.0)
    one.end_phase(5.0, code="COMMAND_EXECUTION_ERROR", message="no")
    one.end(6.0)
    shown = one.shown()
    assert (shown["buildStatus"], shown["currentPhase"], shown["buildComplete"]) == ("FAILED", "COMPLETED", True)
    assert shown["phases"][0]["contexts"] == [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": "no"}]
    assert shown["logs"]["groupName"] == "/aws/codebuild/app"
    assert one.arn == "arn:aws:codebuild:us-east-1:123456789012:build/app:0-1"


def test_the_last_lines_of_the_log_are_kept():
    one = build()
    for number in range(30):
        one.say(str(number))
    assert one.log == [str(number) for number in range(10, 30)]
    one.begin("BUILD", 2.0)
    one.end_phase(3.0, code="COMMAND_EXECUTION_ERROR")
    one.say("BUILD has failed")
    one.begin("POST_BUILD", 4.0)
    one.say("nothing to push")
    assert one.log[-1] == "BUILD has failed"
