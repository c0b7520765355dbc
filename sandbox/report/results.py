"""The results of a run, written to its files as they come: whatever ends a run, what it knew is there."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.report import junit, terminal
from sandbox.report.files import check_writable, write_whole
from sandbox.runner import EXIT_NOT_RUN, Result, Run

STANDARD_OUTPUT = Path("-")


@dataclass(frozen=True)
class Files:
    """Where the results of a run are written.

    Attributes:
        json: As docs/formats.md has it; ``-`` is standard output, at the end of the run alone.
        junit: JUnit XML.
        code_quality: Written by ``reviewer``.
        page: Makes the report's page of the results so far, and gives its file.
        reviewer: Shows failures where who reviews the change sees them.
    """

    json: Path | None = None
    junit: Path | None = None
    code_quality: Path | None = None
    page: Callable[[Sequence[Result]], Path] | None = None
    reviewer: Callable[[Sequence[Result]], None] | None = None

    def check(self) -> None:
        """Find out before a run of minutes, not after it.

        Raises:
            SandboxError: One of them cannot be written.
        """
        for file in (None if self.is_output else self.json, self.junit, self.code_quality):
            check_writable(file)

    @property
    def is_output(self) -> bool:
        """Whether the results are standard output: then nothing else is."""
        return self.json == STANDARD_OUTPUT

    def update(self, run: Run) -> None:
        """Write the results so far, of a run that goes on; what cannot be written now is tried again with the next.

        The page is not among them: it takes as long as all results together.
        """
        for write in self._writers(_text(run, None)):
            try:
                write(run)
            except SandboxError:
                continue  # `finish` says so

    def finish(self, run: Run) -> int:
        """Write the results of a run that has ended, and say on standard error where the page is, or what failed.

        Returns:
            The exit code of the run: what cannot be written makes 2 of 0.
        """
        code = run.exit_code
        text = _text(run, code)
        writers = self._writers(text)
        if self.is_output:
            sys.stdout.write(text)
        if (show := self.reviewer) is not None:
            writers.append(lambda run: show(run.results))
        if (make := self.page) is not None:
            writers.append(lambda run: terminal.err.print(f"report: {make(run.results)}", soft_wrap=True))
        for write in writers:
            try:
                write(run)
            except SandboxError as error:
                terminal.error(error)
                code = code or EXIT_NOT_RUN
        return code

    def _writers(self, text: str) -> list[Callable[[Run], object]]:
        writers: list[Callable[[Run], object]] = []
        if (file := self.json) is not None and not self.is_output:
            writers.append(lambda run: write_whole(file, text))
        if (other := self.junit) is not None:
            writers.append(lambda run: junit.write(run.results, other))
        return writers


def _text(run: Run, exit_code: int | None) -> str:
    content = {"version": 1, "exit_code": exit_code, "results": [result.as_json() for result in run.results]}
    return json.dumps(content, indent=2) + "\n"
