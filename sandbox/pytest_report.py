"""pytest's ``--sandbox-report FOLDER``: a page that shows what happened in each test that had a sandbox.

Under pytest-xdist each worker adds what it has run; the controlling process begins the folder and makes the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import SandboxError
from sandbox.report.page.entry import Entry
from sandbox.report.page.folder import ReportFolder, file_name
from sandbox.runner import Result
from sandbox.scenario import Scenario

_MARK = pytest.StashKey[int]()
_PLAYED = pytest.StashKey[bool]()


class Reporting:
    """The hooks.

    Args:
        config: pytest's.
        folder: Of the report.
    """

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self._folder = ReportFolder(folder)
        self._is_worker = hasattr(config, "workerinput")
        self._written: Path | None = None
        if not self._is_worker:
            try:
                self._folder.begin()
            except SandboxError as error:
                raise pytest.UsageError(f"--sandbox-report: {error}") from error

    @property
    def timelines(self) -> Path:
        """Where a test that runs scenarios itself keeps their timelines."""
        return self._folder.timelines

    def played(self, item: pytest.Item, result: Result, scenario: Scenario) -> None:
        """A test has run a variant of a scenario: that, and not the test, is what the page shows."""
        item.stash[_PLAYED] = True
        self._folder.add(Entry.of(result, scenario))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """What a sandbox of several tests has seen before is not this one's."""
        sandbox = _sandbox_of(item)
        if sandbox is not None:
            own = item.config.getini("sandbox_scope") == "function"
            item.stash[_MARK] = 0 if own else sandbox.timeline.mark()
        yield

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Add the test once it has passed or failed; its sandbox is still there."""
        report: pytest.TestReport = yield  # type: ignore[assignment]
        sandbox = _sandbox_of(item)
        over = report.when == "call" or (report.when == "setup" and report.failed)
        if sandbox is not None and over and not item.stash.get(_PLAYED, False):
            file = self.timelines / f"{file_name(item.nodeid)}.jsonl"
            file.write_text("".join(f"{one.as_json()}\n" for one in sandbox.timeline.since(item.stash.get(_MARK, 0))))
            self._folder.add(
                Entry(
                    item.nodeid.partition("::")[0],
                    item.nodeid.partition("::")[2],
                    "passed",
                    report.outcome,
                    report.passed,
                    report.duration,
                    report.longreprtext,
                    about={"Test": doc} if (doc := _doc(item)) else {},
                    timeline=str(file),
                )
            )
        return report  # type: ignore[return-value]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Make the page."""
        if not self._is_worker:
            self._written = self._folder.write(f"pytest: {session.testscollected} tests")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where it is."""
        terminalreporter.write_line(f"report: {self._written}")


def _doc(item: pytest.Item) -> str:
    return (getattr(getattr(item, "obj", None), "__doc__", None) or "").strip()


def _sandbox_of(item: pytest.Item) -> Any:
    return getattr(item, "funcargs", {}).get("sandbox")
