"""The folder of a report: what its page is made of is kept there until all has run."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
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
        file = self._entry(entry.group, entry.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, entry.as_json())

    def _entry(self, group: str, name: str) -> Path:
        return self._path / _ENTRIES / f"{file_name(f'{group}.{name}')}.json"

    def take(self, other: Path) -> int:
        """Have on the page what another report has, with its timelines and screenshots; how many entries that is.

        Args:
            other: The folder of a report, wherever it was made: that of one shard of a suite.

        Raises:
            SandboxError: It is not a report, or cannot be read.
        """
        if not (other / html.INDEX).is_file():
            raise SandboxError(
                f"{other} is not a report", state=f"it has no {html.INDEX}", hint="name folders of --report"
            )
        files = sorted((other / _ENTRIES).glob("*.json"))
        for file in files:
            try:
                entry = Entry.from_json(file.read_text())
            except (ValueError, KeyError, TypeError) as error:
                raise SandboxError(f"{file} is not an entry of a report", state=str(error)) from error
            self._take(entry, other)
        return len(files)

    def _take(self, entry: Entry, other: Path) -> None:
        name, number = entry.name, 1
        while self._entry(entry.group, name).exists():  # the same test in two shards: neither is lost
            number += 1
            name = f"{entry.name} ({number})"
        folder = self.timelines / file_name(f"{entry.group}.{name}")

        def copied(path: str) -> str:
            found = _within(other, path)
            if found is None:
                return ""
            folder.mkdir(parents=True, exist_ok=True)
            return str(shutil.copy(found, folder / found.name))

        pictures = tuple(file for path in entry.files if (file := copied(path)))
        self.add(replace(entry, name=name, timeline=copied(entry.timeline), files=pictures))

    def write(self, title: str) -> Path:
        """Make the page, ordered by name; its file."""
        files = sorted((self._path / _ENTRIES).glob("*.json"))
        return html.write(self._path, title, [Entry.from_json(file.read_text()) for file in files])

    def write_run(self, results: Sequence[Result], scenarios: Iterable[Scenario]) -> Path:
        """Make the page of a run of scenarios, in the order in which they ran; its file."""
        named = {scenario.name: scenario for scenario in scenarios}
        title = f"{len(results)} {'variant' if len(results) == 1 else 'variants'} of {len(named)} scenarios"
        entries = [Entry.of(result, named[result.scenario]) for result in results]
        for entry in entries:
            self.add(entry)
        return html.write(self._path, title, entries)


def check_report(folder: Path) -> None:
    """Refuse what is no report's folder.

    Raises:
        SandboxError: It has no page.
    """
    if not (folder / html.INDEX).is_file():
        raise SandboxError(
            f"{folder} is not a report", state=f"it has no {html.INDEX}", hint="name folders that --report wrote"
        )


def _within(report: Path, path: str) -> Path | None:
    """The file that a report's entry names, which was written where the report was made; None if it is not there."""
    parts = Path(path).parts
    if _TIMELINES not in parts:
        return None
    last = len(parts) - 1 - parts[::-1].index(_TIMELINES)
    found = report.joinpath(*parts[last:])
    return found if found.is_file() and found.resolve().is_relative_to(report.resolve()) else None


def file_name(name: str) -> str:
    """A name that may be any text, as one for a file."""
    return re.sub(r"[^\w.\-\[\]]+", "_", name)[:200]
