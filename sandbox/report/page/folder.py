"""The folder of a report: what its page is made of is kept there until all has run."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.report.files import write_whole
from sandbox.report.page import html
from sandbox.report.page.entry import Entry
from sandbox.runner import Result
from sandbox.scenario import Scenario

_ENTRIES, _TIMELINES = "entries", "timelines"


class ReportFolder:
    """Several processes may add entries, as pytest-xdist's workers do; one of them begins it and makes the page.

    Args:
        path: It is made where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def timelines(self) -> Path:
        """The folder for the observations that the page shows."""
        return self._path / _TIMELINES

    def begin(self) -> None:
        """Forget what an earlier run has left.

        Raises:
            SandboxError: The folder cannot be made or written.
        """
        try:
            shutil.rmtree(self._path / _ENTRIES, ignore_errors=True)
            self.timelines.mkdir(parents=True, exist_ok=True)
            (self._path / html.INDEX).unlink(missing_ok=True)
            if not os.access(self._path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise SandboxError(f"there can be no report in {self._path}", state=error.strerror or str(error)) from error

    def add(self, entry: Entry) -> None:
        """Have it on the page."""
        folder = self._path / _ENTRIES
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{file_name(f'{entry.group}.{entry.name}')}.json", entry.as_json())

    def write(self, title: str) -> Path:
        """Make the page, ordered by name; its file."""
        files = sorted((self._path / _ENTRIES).glob("*.json"))
        return html.write(self._path, title, [Entry.from_json(file.read_text()) for file in files])

    def write_run(self, results: Sequence[Result], scenarios: Iterable[Scenario]) -> Path:
        """Make the page of a run of scenarios, in the order in which they ran; its file."""
        named = {scenario.name: scenario for scenario in scenarios}
        title = f"{len(results)} {'variant' if len(results) == 1 else 'variants'} of {len(named)} scenarios"
        return html.write(self._path, title, [Entry.of(result, named[result.scenario]) for result in results])


def file_name(name: str) -> str:
    """A name that may be any text, as one for a file."""
    return re.sub(r"[^\w.\-\[\]]+", "_", name)[:200]
