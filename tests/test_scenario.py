"""What a scenario must be, and what is said of one that is not."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.errors import SandboxError
from sandbox.scenario import Scenario, Variant, Verdict

BAD, GOOD = Variant("bad", "reproduces", "d"), Variant("good", "holds", "d")


def made(*variants, name="s"):
    return Scenario(name, "ghost", "", "", "", variants, lambda play: None, lambda seen: Verdict(True, ("fact",)))


@pytest.mark.parametrize("variants", [(), (BAD,), (GOOD,)])
def test_a_scenario_reproduces_and_holds(variants):
    with pytest.raises(ValueError, match="needs a variant that reproduces and one that holds"):
        made(*variants)


def test_variants_have_names_of_their_own():
    with pytest.raises(ValueError, match="two variants of one name"):
        made(BAD, GOOD, Variant("bad", "holds", "d"))


def test_a_verdict_is_in_the_words_of_what_was_declared():
    assert Verdict(True, ()).outcome == BAD.expect
    assert Verdict(False, ()).outcome == GOOD.expect


def test_an_unknown_variant_is_answered_with_those_that_there_are():
    with pytest.raises(SandboxError) as caught:
        made(BAD, GOOD).variant("ugly")
    assert caught.value.message == "scenario 's' has no variant 'ugly'"
    assert caught.value.hint == "variants: bad, good"


def test_choose_takes_the_named_in_their_order_or_all():
    known = {"a": made(BAD, GOOD, name="a"), "b": made(BAD, GOOD, name="b")}
    assert [item.name for item in scenario.choose(known, ["b", "a"])] == ["b", "a"]
    assert [item.name for item in scenario.choose(known, [])] == ["a", "b"]
    with pytest.raises(SandboxError, match="there is no scenario 'c'") as caught:
        scenario.choose(known, ["a", "c"])
    assert caught.value.hint == "scenarios: a, b"


def test_the_scenarios_of_the_sandbox_load():
    loaded = scenario.load_all()
    assert "dns-lambda" in loaded
    assert all(name == item.name for name, item in loaded.items())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "import no_such_module",
            "cannot be loaded: ModuleNotFoundError\nlast state: No module named 'no_such_module'\nlast log lines:",
        ),
        ("SCENARIO = (", "cannot be loaded: SyntaxError\nlast state: '(' was never closed (mine.py, line 1)"),
        ("x = 1", "defines no SCENARIO\nnext: see docs/adding-a-scenario.md"),
        ("SCENARIO = 'dns-lambda'", "defines no SCENARIO"),
    ],
)
def test_a_file_that_is_no_scenario_is_named(tmp_path, source, message):
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(SandboxError) as caught:
        scenario.load_all(tmp_path)
    assert f"scenario file {tmp_path / 'mine.py'} {message}" in str(caught.value)


def test_two_files_with_one_name_are_refused(tmp_path):
    source = (
        "from sandbox.scenario import *\n"
        "SCENARIO = Scenario('same', 'ghost', '', '', '', \n"
        "    (Variant('a', 'holds', ''), Variant('b', 'reproduces', '')),\n"
        "    lambda play: None, lambda seen: Verdict(False, ()))\n"
    )
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(source)
    with pytest.raises(SandboxError, match=r"two\.py: there is a scenario 'same' already"):
        scenario.load_all(tmp_path)
