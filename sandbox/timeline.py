"""What happened, in order: every part of the sandbox records observations here, and everything that waits, waits here.

Written as JSON lines (one object a line: ``at``, ``kind`` and the fields), the timeline is also the record of a run
from which verdicts take their evidence.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from sandbox.clock import Clock
from sandbox.errors import SandboxError

CUT_AT = 120  # characters of a value, where an observation is shown in a line


@dataclass(frozen=True, slots=True)
class Observation:
    """One fact.

    Attributes:
        at: Seconds since the epoch.
        kind: What it is about, as ``noun.verb`` ("task.state", "dns.change", "lambda.invocation", "http.response").
        fields: The facts; JSON values only.
    """

    at: float
    kind: str
    fields: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The field ``name``, or ``default`` where it was not recorded."""
        return self.fields.get(name, default)

    def as_json(self) -> str:
        """One line of the timeline file."""
        return json.dumps({"at": round(self.at, 6), "kind": self.kind, **self.fields}, default=str)

    def __str__(self) -> str:
        """For a person to read at a glance: long values (a whole event, a payload) are cut."""
        return f"{self.kind} " + " ".join(f"{name}={_cut(str(value))}" for name, value in self.fields.items())


def _cut(text: str) -> str:
    return text if len(text) <= CUT_AT else text[:CUT_AT] + "..."


def _opened(file: Path) -> FileIO:
    try:
        return file.open("ab", buffering=0)
    except OSError as error:
        raise SandboxError(
            f"the timeline cannot be written to {file}",
            state=error.strerror or str(error),
            hint="name a file in a folder that may be written",
        ) from error


class Timeline:
    """Thread-safe list of observations that can be waited on and subscribed to.

    Raises:
        SandboxError: The file cannot be written.
    """

    def __init__(self, clock: Clock, file: Path | None = None) -> None:
        self._clock = clock
        self._observations: list[Observation] = []
        self._subscribers: list[Callable[[Observation], None]] = []
        self._changed = threading.Condition()
        self._aborted: SandboxError | None = None
        self._path = file
        self._file: FileIO | None = _opened(file) if file else None
        self._whole = self._file.tell() if self._file else 0
        self._unwritten: SandboxError | None = None

    def record(self, kind: str, **fields: Any) -> Observation:
        """Add one observation, wake everyone who waits, and tell the subscribers (on the caller's thread)."""
        with self._changed:
            observation = Observation(self._clock.now(), kind, fields)
            self._observations.append(observation)
            self._write(observation)
            subscribers = tuple(self._subscribers)
            self._changed.notify_all()
        for subscriber in subscribers:
            subscriber(observation)
        return observation

    def _write(self, observation: Observation) -> None:
        """Add a line to the file, by one call: whatever ends this process, the line is there or it is not."""
        if self._file is None:
            return
        line = f"{observation.as_json()}\n".encode()
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:  # the file ends with what was whole; in memory it goes on
            with contextlib.suppress(OSError):
                self._file.truncate(self._whole)
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            self._unwritten = SandboxError(
                f"the timeline could not be written to {self._path} to its end",
                state=error.strerror or str(error),
                hint="the file ends in the middle of the run, with a whole line",
            )
        else:
            self._whole += len(line)

    @property
    def unwritten(self) -> SandboxError | None:
        """Why the file does not have everything that was observed; None: it has."""
        with self._changed:
            return self._unwritten

    def subscribe(self, subscriber: Callable[[Observation], None]) -> Callable[[], None]:
        """Call ``subscriber`` with each new observation; the returned function ends that."""
        with self._changed:
            self._subscribers.append(subscriber)

        def end() -> None:
            with self._changed:
                if subscriber in self._subscribers:
                    self._subscribers.remove(subscriber)

        return end

    def mark(self) -> int:
        """A position: what is recorded from now on comes after it."""
        with self._changed:
            return len(self._observations)

    def forget(self) -> None:
        """Drop the observations so far: for what runs on and on, and has taken what it needs. Marks begin anew."""
        with self._changed:
            self._observations.clear()

    def since(self, mark: int = 0) -> tuple[Observation, ...]:
        """The observations recorded after ``mark``, oldest first."""
        with self._changed:
            return tuple(self._observations[mark:])

    def wait_for(
        self, what: str, predicate: Callable[[Observation], bool], *, within: float, since: int = 0
    ) -> Observation:
        """Wait for an observation that satisfies ``predicate`` among those after ``since``, past ones included.

        Args:
            what: What is awaited, in words; it starts the error message.
            predicate: Which observation it is.
            within: The bound, in seconds of the wall clock.
            since: A position from `mark`.

        Raises:
            SandboxError: It did not come in time; the error shows the last observations. Or the error of `abort`.
        """
        deadline = time.monotonic() + within
        seen = since
        with self._changed:
            while True:
                for observation in self._observations[seen:]:
                    if predicate(observation):
                        return observation
                seen = max(seen, len(self._observations))
                if self._aborted is not None:
                    raise self._aborted
                left = deadline - time.monotonic()
                if left <= 0:
                    last = [str(observation) for observation in self._observations[-8:]]
                    raise SandboxError(
                        f"waited {within:g} s for {what}; it did not come",
                        state=last[-1] if last else "nothing was observed",
                        log=last,
                        hint="the timeline file of the run (--keep) has everything that happened",
                    )
                self._changed.wait(left)

    def abort(self, error: SandboxError) -> None:
        """Nothing more will come (the engine is gone): everyone who waits, now or later, gets ``error`` at once."""
        with self._changed:
            self._aborted = self._aborted or error
            self._changed.notify_all()

    def check(self) -> None:
        """Raise the error of `abort`, if there was one: what was observed then says nothing."""
        with self._changed:
            if self._aborted is not None:
                raise self._aborted

    def close(self) -> None:
        """Close the file; later observations are kept in memory only."""
        with self._changed:
            if self._file is not None:
                self._file.close()
                self._file = None
