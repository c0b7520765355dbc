"""Whether the files of a run are whole, and have every result that the run has told of."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

JSON, JUNIT, TIMELINES, REPORT = "results.json", "junit.xml", "timelines", "report"
_TOLD = re.compile(r"^[✓✗] (\S+) / (\S+): (reproduces|holds|not run) \(")
_UNFINISHED = re.compile(r"^\..*\.new$")  # of a file that a killed process was writing beside the one it replaces

Told = tuple[str, str, str]
"""Scenario, variant and outcome."""


def told(lines: Iterable[str]) -> list[Told]:
    """The results that a run has told of on its standard output."""
    return [found.groups() for line in lines if (found := _TOLD.match(line))]  # type: ignore[misc]


def wrong(folder: Path, known: Iterable[Told], *, was_killed: bool, may_lack: bool) -> list[str]:
    """What is wrong with the files of a run.

    Args:
        folder: Of its results.
        known: What it has told of.
        was_killed: By SIGKILL; then the last line of a timeline may lack its end.
        may_lack: There was no room for what it had to write: then the files may lack results, and are whole all the
            same.
    """
    found: list[str] = []
    wanted = [] if may_lack else list(known)
    found += _json(folder / JSON, wanted)
    found += _junit(folder / JUNIT, wanted)
    for file in sorted(folder.glob(f"**/{TIMELINES}/*.jsonl")):
        found += _timeline(file, was_killed=was_killed)
    for scenario, variant, outcome in wanted:
        file = folder / TIMELINES / f"{scenario}.{variant}.jsonl"
        if outcome != "not run" and not file.exists():
            found.append(f"{file.name}: there is none, and its result was told")
    page = folder / REPORT / "index.html"
    if page.exists() and not page.read_text(errors="replace").rstrip().endswith("</html>"):
        found.append(f"{page.name} ends in the middle ({page.stat().st_size} bytes)")
    if not was_killed:
        found += [f"{file.name} is left" for file in folder.rglob("*") if _UNFINISHED.match(file.name)]
    return found


def _json(file: Path, wanted: list[Told]) -> list[str]:
    if not file.exists():
        return [f"{file.name}: there is none, and {len(wanted)} results were told"] if wanted else []
    try:
        results = json.loads(file.read_text())["results"]
        there = [(one["scenario"], one["variant"], one["outcome"]) for one in results]
    except (ValueError, KeyError, TypeError) as error:
        return [f"{file.name} is no such JSON ({file.stat().st_size} bytes): {error}"]
    return [f"{file.name} lacks {one}" for one in wanted if one not in there]


def _junit(file: Path, wanted: list[Told]) -> list[str]:
    if not file.exists():
        return [f"{file.name}: there is none, and {len(wanted)} results were told"] if wanted else []
    try:
        cases = [(case.get("classname"), case.get("name")) for case in ET.parse(file).getroot().iter("testcase")]
    except ET.ParseError as error:
        return [f"{file.name} is no XML ({file.stat().st_size} bytes): {error}"]
    return [f"{file.name} lacks {one[:2]}" for one in wanted if one[:2] not in cases]


def _timeline(file: Path, *, was_killed: bool) -> list[str]:
    lines = file.read_bytes().split(b"\n")
    cut = lines.pop()
    found = [f"{file.name} ends in the middle of a line"] if cut and not was_killed else []
    for number, line in enumerate(lines, 1):
        try:
            json.loads(line)
        except ValueError:
            found.append(f"{file.name}: line {number} of {len(lines)} is no JSON")
    return found
