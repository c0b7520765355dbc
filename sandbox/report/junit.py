"""JUnit XML of a run, as CI systems read it: a suite a scenario, a case a variant."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from sandbox.report.files import write_whole
from sandbox.runner import Result

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(results: Sequence[Result], path: Path) -> None:
    """Write ``results`` to ``path``. Not as declared is a failure; not run is an error; evidence is the output.

    Raises:
        SandboxError: It cannot be written.
    """
    root = ET.Element("testsuites", name="sandbox")
    for scenario in dict.fromkeys(result.scenario for result in results):
        own = [result for result in results if result.scenario == scenario]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=scenario,
            tests=str(len(own)),
            failures=str(sum(r.outcome != "not run" and not r.as_declared for r in own)),
            errors=str(sum(r.outcome == "not run" for r in own)),
            time=f"{sum(r.seconds for r in own):.2f}",
        )
        for result in own:
            _case(suite, result)
    ET.indent(root)
    write_whole(path, f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, encoding='unicode')}")


def _case(suite: ET.Element, result: Result) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=result.scenario, name=result.variant, time=f"{result.seconds:.2f}"
    )
    if result.outcome == "not run":
        ET.SubElement(case, "error", message="not run").text = _xml_text(result.error)
    elif not result.as_declared:
        message = f"declared: {result.expectation}; it {result.outcome}"
        ET.SubElement(case, "failure", message=message).text = _xml_text("\n".join(result.evidence))
    elif result.error:
        ET.SubElement(case, "system-err").text = _xml_text(result.error)
    lines = [*result.evidence, *(f"file: {path}" for path in result.files)]
    ET.SubElement(case, "system-out").text = _xml_text("\n".join(lines))


def _xml_text(text: str) -> str:
    """Logs may have what XML 1.0 has not: most control characters, surrogates, U+FFFE and U+FFFF."""
    return _NOT_IN_XML.sub("\ufffd", text)
