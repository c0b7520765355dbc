"""Failures where a reviewer sees them: as annotations of GitHub Actions, or as GitLab's code quality report."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.report.files import write_whole
from sandbox.runner import Result

MODES = ("auto", "github", "none")
"""``auto`` is ``github`` within GitHub Actions, and ``none`` elsewhere."""

Place = tuple[Path | None, int]
"""A file, and a line of it, counted from 1; no file where nothing of the user's is to blame."""


@dataclass(frozen=True)
class Annotation:
    """One failure.

    Attributes:
        title: What failed, in a line.
        message: Its evidence, or why it was not run.
        file: Where, relative to the repository; "" if it is outside, or nowhere.
        line: Of the file, counted from 1.
        not_run: It is the environment's fault.
    """

    title: str
    message: str
    file: str
    line: int
    not_run: bool


def of(results: Sequence[Result], place: Callable[[Result], Place], root: Path) -> list[Annotation]:
    """One for each result because of which a run ends with another exit code than 0.

    Args:
        results: Of the run.
        place: Where a result comes from.
        root: The repository.
    """
    found = []
    for result in results:
        if result.as_declared and not result.error:
            continue
        title = f"{result.scenario} / {result.variant}: {result.outcome}, declared: {result.expectation}"
        message = "\n".join([*result.evidence, *result.error.splitlines()])
        found.append(Annotation(title, message, *_within(root, *place(result)), result.outcome == "not run"))
    return found


def refusal(error: SandboxError, file: Path, root: Path) -> Annotation:
    """Of a file because of which nothing could be run; the line is TOML's, where its error tells one.

    Args:
        error: What is wrong.
        file: With what.
        root: The repository.
    """
    said = re.search(r"\(at line (\d+)", str(error))
    line = int(said[1]) if said is not None else 1
    return Annotation(error.message, str(error), *_within(root, file, line), True)


def _within(root: Path, file: Path | None, line: int) -> tuple[str, int]:
    if file is None or not file.resolve().is_relative_to(root.resolve()):
        return "", 0
    return str(file.resolve().relative_to(root.resolve())), line


def github(annotation: Annotation) -> str:
    """The workflow command that makes GitHub Actions show an annotation, in one line.

    Percent signs and ends of lines are escaped in the message, and in properties colons and commas, too
    (https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions, and what actions/toolkit does).
    """
    properties: Mapping[str, str] = {
        "file": annotation.file,
        "line": str(annotation.line) if annotation.file else "",
        "title": annotation.title,
    }
    shown = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::error {shown}::{_data(annotation.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def code_quality(annotations: Sequence[Annotation], otherwise: str) -> str:
    """What GitLab takes as ``artifacts:reports:codequality``.

    A fingerprint is of the title and the file alone, so that one failure is the same in two pipelines.

    Args:
        annotations: The failures.
        otherwise: The file of those that have none: GitLab wants one.
    """
    issues = [
        {
            "description": f"{one.title}\n{one.message}".strip(),
            "check_name": "aws-container-sandbox",
            "fingerprint": hashlib.sha256(f"{one.file}\n{one.title}".encode(errors="replace")).hexdigest(),
            "severity": "blocker" if one.not_run else "major",
            "location": {"path": one.file or otherwise, "lines": {"begin": one.line or 1}},
        }
        for one in annotations
    ]
    return json.dumps(issues, indent=2) + "\n"


def repository() -> Path:
    """The root of the repository, to which CI's paths are relative: as GitHub or GitLab names it, else this folder."""
    return Path(os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR") or Path())


def write(found: Sequence[Annotation], mode: str, quality_file: Path | None, otherwise: str) -> None:
    """Tell GitHub Actions, on standard error, and write the code quality report, whichever of them is wanted.

    Args:
        found: The failures.
        mode: One of `MODES`.
        quality_file: Where the report goes; None: there is none.
        otherwise: The file of failures that have none, in the report.
    """
    if _for_github(mode):
        for one in found:
            print(github(one), file=sys.stderr, flush=True)
    if quality_file is not None:
        write_whole(quality_file, code_quality(found, otherwise))


@contextmanager
def nothing_obeyed(mode: str) -> Iterator[None]:
    """Where GitHub Actions reads what is printed: no line of it is a workflow command. Evidence has lines of logs.

    "Stopping and starting workflow commands" of GitHub's page on them.

    Args:
        mode: One of `MODES`.
    """
    if not _for_github(mode):
        yield
        return
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        sys.stdout.flush()
        print(f"::{token}::", file=sys.stderr, flush=True)


def _for_github(mode: str) -> bool:
    return mode == "github" or (mode == "auto" and os.environ.get("GITHUB_ACTIONS") == "true")


def check_mode(mode: str) -> None:
    """Refuse what ``--annotations`` cannot be.

    Raises:
        SandboxError: There is no such mode.
    """
    if mode not in MODES:
        raise SandboxError(f"--annotations {mode}: there is no such mode", hint=", ".join(MODES))


def line_of_check(text: str, name: str) -> int:
    """The line of a sandbox.toml at which the ``[[check]]`` of this name begins; 1 if there is none.

    Args:
        text: The file, which TOML can be read from.
        name: As its result has it: a check without a name is called by its kind and number.
    """
    for number, (line, check) in enumerate(_checks(text), 1):
        if check.get("name", f"{check.get('kind')}-{number}") == name:
            return line
    return 1


def _checks(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Each ``[[check]]`` with its line. One within a text of several lines is none: what is before it is no TOML."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if not re.match(r"\s*\[\[\s*check\s*\]\]", line):
            continue
        try:
            before = tomllib.loads("".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            continue
        count = len(before.get("check", ()))
        yield number + 1, tomllib.loads(text)["check"][count]


def place_of_variant(folder: Path, result: Result) -> Place:
    """The file of a scenario, and the line that names the variant.

    Args:
        folder: That of the scenarios; a scenario's file is named as it is, with ``_`` for ``-``.
        result: Of the variant.
    """
    file = folder / f"{result.scenario.replace('-', '_')}.py"
    if not file.is_file():
        return None, 0
    before = file.read_text().partition(f'"{result.variant}"')[0]
    return file, before.count("\n") + 1
