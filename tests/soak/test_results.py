"""What is wrong with the files of a run: cut, torn, or without what was told."""

from __future__ import annotations

import json

import pytest

from sandbox.report.results import Files
from sandbox.runner import Result, Run
from tests.soak import results

TOLD = [("a", "one", "holds"), ("a", "two", "reproduces")]


@pytest.fixture
def folder(tmp_path):
    found = [Result(*told[:2], "stack", "holds", told[2], (), 1.0) for told in TOLD]
    Files(tmp_path / results.JSON, tmp_path / results.JUNIT).finish(Run(found))
    (tmp_path / results.TIMELINES).mkdir()
    for scenario, variant, _ in TOLD:
        (tmp_path / results.TIMELINES / f"{scenario}.{variant}.jsonl").write_text('{"at": 1}\n{"at": 2}\n')
    (tmp_path / results.REPORT).mkdir()
    (tmp_path / results.REPORT / "index.html").write_text("<html></html>\n")
    return tmp_path


def wrong(folder, told=TOLD, *, was_killed=False, may_lack=False):
    return results.wrong(folder, told, was_killed=was_killed, may_lack=may_lack)


def test_what_the_command_tells_is_read():
    lines = ["✓ a / one: holds (1.0 s)", "    a fact", "✗ a / two: not run (0.2 s)", "1 of 2 variants did"]
    assert results.told(lines) == [("a", "one", "holds"), ("a", "two", "not run")]


def test_whole_files_are_right(folder):
    assert wrong(folder) == []


def test_a_result_that_was_told_and_is_not_there(folder):
    found = wrong(folder, [*TOLD, ("a", "three", "holds")])
    assert [line.partition(" ")[0] for line in found] == ["results.json", "junit.xml", "a.three.jsonl:"]
    assert wrong(folder, [*TOLD, ("a", "three", "holds")], may_lack=True) == []


@pytest.mark.parametrize("name", [results.JSON, results.JUNIT])
def test_a_file_that_is_cut(folder, name):
    file = folder / name
    file.write_text(file.read_text()[:-20])
    assert wrong(folder, may_lack=True, was_killed=True)[0].startswith(f"{name} is no ")


def test_a_file_that_is_not_there(folder):
    (folder / results.JSON).unlink()
    assert wrong(folder) == ["results.json: there is none, and 2 results were told"]
    assert wrong(folder, []) == []


def test_a_page_that_is_cut(folder):
    (folder / results.REPORT / "index.html").write_text("")
    assert wrong(folder) == ["index.html ends in the middle (0 bytes)"]


def test_the_last_line_of_a_timeline_may_be_cut_by_a_kill_alone(folder):
    file = folder / results.TIMELINES / "a.one.jsonl"
    file.write_text(file.read_text() + json.dumps({"at": 3})[:-2])
    assert wrong(folder, was_killed=True) == []
    assert wrong(folder) == ["a.one.jsonl ends in the middle of a line"]
    file.write_text('{"at": 1}\n{"at"\n{"at": 2}\n')
    assert wrong(folder, was_killed=True) == ["a.one.jsonl: line 2 of 3 is no JSON"]


def test_a_file_that_was_being_written_may_stay_after_a_kill_alone(folder):
    (folder / ".results.json.new").write_text("{")
    assert wrong(folder, was_killed=True) == []
    assert wrong(folder) == [".results.json.new is left"]
