"""What a run makes of what happens in it. The sandbox itself is real where it matters (test_cli, test_bad_input)."""

from __future__ import annotations

import dataclasses

import pytest

from sandbox import runner
from sandbox.errors import SandboxError
from sandbox.runner import Listener, Options, Result, Run
from sandbox.scenario import Scenario, Variant, Verdict


def result(expectation="holds", outcome="holds", error=""):
    return Result("s", "v", "stack", expectation, outcome, ("a fact",), 1.234, error)


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], 0),
        ([result(), result("reproduces", "reproduces")], 0),
        ([result(), result("reproduces", "holds")], 1),
        ([result(), result(outcome="not run", error="no engine")], 2),
        ([result("reproduces", "holds"), result(outcome="not run", error="no engine")], 1),
        ([result(error="the sandbox could not remove everything")], 2),
    ],
)
def test_exit_codes(results, code):
    assert Run(results).exit_code == code


def test_an_interrupted_run_says_so_whatever_it_has():
    assert Run([result("reproduces", "holds")], interrupted=True).exit_code == 130


def test_a_result_as_json_has_what_the_format_promises():
    assert result().as_json() == {
        "scenario": "s",
        "variant": "v",
        "stack": "stack",
        "expectation": "holds",
        "outcome": "holds",
        "as_declared": True,
        "evidence": ["a fact"],
        "seconds": 1.23,
        "error": "",
        "timeline": "",
        "files": [],
        "install": "",
        "services": [],
    }


VARIANTS = (Variant("bad", "reproduces", "d"), Variant("good", "holds", "d"))


def scenario(stack="no-such-stack"):
    return Scenario("s", stack, "", "", "", VARIANTS, lambda play: None, lambda seen: Verdict(False, ()))


@pytest.mark.docker
def test_what_the_environment_refuses_is_in_the_result():
    refused = runner.run_variant(scenario(), VARIANTS[0], Options())
    assert (refused.outcome, refused.as_declared) == ("not run", False)
    assert "there is no stack 'no-such-stack'" in refused.error
    assert refused.seconds > 0


def test_an_interruption_keeps_the_results_before_it(monkeypatch):
    into = Run()

    def play(*arguments):
        if into.results:
            raise KeyboardInterrupt
        return result()

    monkeypatch.setattr(runner, "run_variant", play)
    told = []
    with pytest.raises(KeyboardInterrupt):
        runner.run([(scenario(), VARIANTS[0])] * 3, Options(), Listener(finished=told.append), into)
    assert (into.results, into.interrupted, told) == ([result()], True, [result()])


@pytest.mark.docker
@pytest.mark.parametrize(("file", "kept"), [(True, True), (False, False)])
def test_the_timeline_file_is_named_where_there_is_one(tmp_path, file, kept):
    options = Options(timelines=tmp_path / "lines" if file else None)
    assert bool(runner.run_variant(scenario(), VARIANTS[1], options).timeline) == kept


@pytest.mark.docker
def test_a_verdict_stands_when_the_clean_up_fails_after_it(small_stack, monkeypatch):
    from sandbox.controllers.sandbox import Sandbox

    close = Sandbox.close

    def failing(sandbox):
        close(sandbox)
        raise SandboxError("the sandbox could not remove everything")

    monkeypatch.setattr(Sandbox, "close", failing)
    done = runner.run_variant(scenario(str(small_stack())), VARIANTS[1], Options())
    assert (done.outcome, done.error) == ("holds", "the sandbox could not remove everything")
    assert Run([done]).exit_code == 2


@pytest.mark.docker
def test_a_scenario_may_divide_the_timers_unless_the_option_is_more(small_stack):
    speeds = []
    fast = dataclasses.replace(
        scenario(str(small_stack())), speed=20, play=lambda play: speeds.append(play.sandbox.speed)
    )
    for option in (2, 30):
        assert runner.run_variant(fast, VARIANTS[1], Options(speed=option)).outcome == "holds"
    assert speeds == [20, 30]


@pytest.mark.docker
def test_a_stack_has_the_parameters_of_the_scenario_unless_the_variant_has_its_own(small_stack):
    handlers = []

    def play(play):
        made = play.sandbox.aws("lambda").get_function_configuration(FunctionName="writes-dns")
        handlers.append(made["Handler"])

    asks = dataclasses.replace(
        scenario(str(small_stack())), parameters={"handler": "other"}, awaits_ready=False, play=play
    )
    for parameters in ({}, {"handler": "by_name"}):
        assert runner.run_variant(asks, dataclasses.replace(VARIANTS[1], parameters=parameters), Options()).as_declared
    assert handlers == ["other.handler", "by_name.handler"]


@pytest.mark.docker
def test_a_script_that_waits_itself_begins_before_the_stack_is_up(small_stack):
    """Its page is never good: a script that wants the stack up is not played."""
    stack = str(small_stack(within=3).conf("return 503;"))
    done = runner.run_variant(dataclasses.replace(scenario(stack), awaits_ready=False), VARIANTS[1], Options())
    assert done.outcome == "holds"
    assert runner.run_variant(scenario(stack), VARIANTS[1], Options()).outcome == "not run"


@pytest.mark.docker
def test_what_is_not_installed_is_named_with_what_installs_it(small_stack, tmp_path, monkeypatch):
    from sandbox.controllers import browser

    monkeypatch.setattr(browser, "playwright_version", lambda: "")
    asks = dataclasses.replace(scenario(str(small_stack())), play=lambda play: play.sandbox.browser())
    lacking = runner.run_variant(asks, VARIANTS[1], Options())
    assert (lacking.outcome, lacking.install) == ("not run", browser.install_playwright())
    assert lacking.error.endswith(f"next: {lacking.install}")
    assert Run([lacking, result()]).exit_code == 2


@pytest.mark.docker
def test_pictures_beside_the_timeline_are_files_of_the_result(small_stack, tmp_path):
    def play(play):
        play.sandbox.evidence_folder.mkdir(exist_ok=True)
        (play.sandbox.evidence_folder / "new.png").touch()

    (tmp_path / "s.good").mkdir()
    (tmp_path / "s.good" / "of-the-run-before.png").touch()
    takes = dataclasses.replace(scenario(str(small_stack())), play=play)
    done = runner.run_variant(takes, VARIANTS[1], Options(timelines=tmp_path))
    assert done.files == (str(tmp_path / "s.good" / "new.png"),)
    assert done.as_json()["files"] == list(done.files)
    assert runner.run_variant(takes, VARIANTS[1], Options()).files == ()
