"""The files of a run's results: there while it goes on, and each by itself."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

from sandbox.errors import SandboxError
from sandbox.report.results import Files
from sandbox.runner import Result, Run

GOOD = Result("a", "one", "stack", "holds", "holds", ("a fact",), 1.5)


def cases(file):
    return [case.get("name") for case in ET.parse(file).getroot().iter("testcase")]


def test_a_run_that_goes_on_has_its_results_so_far_and_no_exit_code(tmp_path):
    files = Files(tmp_path / "results.json", tmp_path / "junit.xml")
    files.update(Run([GOOD]))
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["exit_code"] is None
    assert [one["variant"] for one in written["results"]] == ["one"]
    assert cases(tmp_path / "junit.xml") == ["one"]
    assert files.finish(Run([GOOD])) == 0
    assert json.loads((tmp_path / "results.json").read_text())["exit_code"] == 0


def test_a_file_that_cannot_be_written_does_not_keep_the_others_from_it(tmp_path, capsys):
    pages = []

    def page(results):
        pages.append(results)
        raise SandboxError("there is no room for the page")

    files = Files(tmp_path / "no folder" / "results.json", tmp_path / "junit.xml", page=page)
    files.update(Run([GOOD]))
    assert cases(tmp_path / "junit.xml") == ["one"]
    assert pages == []  # it is made once
    assert files.finish(Run([GOOD])) == 2
    said = capsys.readouterr().err
    assert "results.json cannot be written" in said
    assert "there is no room for the page" in said


def test_a_run_that_went_wrong_stays_one_where_a_file_cannot_be_written(tmp_path):
    wrong = Result("a", "one", "stack", "holds", "reproduces", (), 1.5)
    assert Files(tmp_path / "no folder" / "results.json").finish(Run([wrong])) == 1
