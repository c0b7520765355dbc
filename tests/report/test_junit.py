from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

from sandbox.report import junit
from sandbox.runner import Result


def written(tmp_path, *results):
    junit.write(results, tmp_path / "junit.xml")
    return ET.parse(tmp_path / "junit.xml").getroot()


GOOD = Result("a", "one", "stack", "holds", "holds", ("a fact", "another"), 1.5)
OTHER = Result("b", "two", "stack", "reproduces", "holds", ("HTTP 200",), 2.0)
NOT_RUN = Result("b", "three", "stack", "holds", "not run", (), 0.25, "no Docker engine answers")


def test_a_suite_a_scenario_and_a_case_a_variant(tmp_path):
    root = written(tmp_path, GOOD, OTHER, NOT_RUN)
    assert [dict(suite.attrib) for suite in root] == [
        {"name": "a", "tests": "1", "failures": "0", "errors": "0", "time": "1.50"},
        {"name": "b", "tests": "2", "failures": "1", "errors": "1", "time": "2.25"},
    ]
    assert dict(root[0][0].attrib) == {"classname": "a", "name": "one", "time": "1.50"}
    assert root.findtext("testsuite/testcase/system-out") == "a fact\nanother"


def test_files_are_named_after_the_evidence(tmp_path):
    pictured = dataclasses.replace(GOOD, files=("timelines/a.one/shop.png",))
    told = written(tmp_path, pictured).findtext("testsuite/testcase/system-out")
    assert told.splitlines()[-1] == "file: timelines/a.one/shop.png"


def test_not_as_declared_is_a_failure_with_its_evidence(tmp_path):
    failure = written(tmp_path, OTHER).find("testsuite/testcase/failure")
    assert failure.get("message") == "declared: reproduces; it holds"
    assert failure.text == "HTTP 200"


def test_not_run_is_an_error_with_its_reason(tmp_path):
    error = written(tmp_path, NOT_RUN).find("testsuite/testcase/error")
    assert (error.get("message"), error.text) == ("not run", "no Docker engine answers")


def test_what_xml_cannot_hold_is_replaced(tmp_path):
    evil = Result("a", "<&\"'", "s", "holds", "not run", ("\x1b[31mred\x00 ]]> \ud800 \ufffe \x7f é",), 0.0, "\x08")
    case = written(tmp_path, evil)[0][0]
    assert case.get("name") == "<&\"'"
    assert case.findtext("system-out") == "\ufffd[31mred\ufffd ]]> \ufffd \ufffd \x7f é"


def test_a_clean_up_that_failed_is_told_beside_a_verdict(tmp_path):
    root = written(tmp_path, Result("a", "one", "s", "holds", "holds", ("fact",), 1.0, "could not remove everything"))
    assert root[0].get("failures") == "0"
    assert root.findtext("testsuite/testcase/system-err") == "could not remove everything"
