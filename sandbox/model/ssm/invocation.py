"""One node's part of a command: its status, and what its steps gave.

Sources: Systems Manager User Guide, "Understanding command statuses"; API reference: GetCommandInvocation,
CommandPlugin. Which Status goes with the StatusDetails Undeliverable, Terminated, InvalidPlatform and AccessDenied no
page says: ours are Failed, and Cancelled for Terminated ("canceled by the system").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.model.ssm.documents import Step

STDOUT_KEPT = 24_000
STDERR_KEPT = 8_000
"""Characters that GetCommandInvocation shows of a plugin's output."""
DETAILS_KEPT = 2_500
"""Characters of a plugin's Output that ListCommandInvocations shows with Details."""

KILLED = 137
"""The response code of a script that was killed (amazon-ssm-agent: CommandStoppedPreemptivelyExitCode)."""
NOT_STARTED = -1

STATUS = {
    "Pending": "Pending",
    "InProgress": "InProgress",
    "Delayed": "Delayed",
    "Cancelling": "Cancelling",
    "Success": "Success",
    "Failed": "Failed",
    "Cancelled": "Cancelled",
    "DeliveryTimedOut": "TimedOut",
    "ExecutionTimedOut": "TimedOut",
    "Undeliverable": "Failed",
    "Terminated": "Cancelled",
    "InvalidPlatform": "Failed",
    "AccessDenied": "Failed",
}
"""The Status of each StatusDetails of an invocation."""

_UNDERWAY = frozenset({"InProgress", "Delayed", "Cancelling"})
_ERRORS = frozenset({"Failed", "ExecutionTimedOut"})
_OUT_CUT = "\n---Output truncated---"
_ERR_CUT = "\n---Error truncated----"
_ERR_HEAD = "\n----------ERROR-------\n"


@dataclass
class StepResult:
    """What became of a step.

    Attributes:
        detail: Pending, InProgress, Success, Failed, ExecutionTimedOut or Cancelled.
        code: The script's exit code; -1 before it has one, 137 where it was killed.
        stdout: The beginning of it, `STDOUT_KEPT` characters at most.
        stderr: The same, `STDERR_KEPT`.
        started: Seconds since the epoch; None: it has not.
    """

    name: str
    plugin: str
    detail: str = "Pending"
    code: int = NOT_STARTED
    stdout: str = ""
    stderr: str = ""
    started: float | None = None
    ended: float | None = None

    @property
    def output(self) -> str:
        """Both together, as ListCommandInvocations shows them."""
        return together(self.stdout, self.stderr, DETAILS_KEPT)


@dataclass
class Invocation:
    """One node's part of a command.

    Attributes:
        name: The node's host name.
        detail: StatusDetails.
        steps: Those of the document, in order.
        requested: When it was made.
    """

    instance_id: str
    name: str
    steps: list[StepResult]
    requested: float
    detail: str = "Pending"
    plan: Sequence[Step] = field(default_factory=tuple)

    @property
    def status(self) -> str:
        """Status, for its StatusDetails."""
        return STATUS[self.detail]

    @property
    def is_over(self) -> bool:
        """Whether nothing changes any more."""
        return self.detail != "Pending" and self.detail not in _UNDERWAY

    @property
    def is_underway(self) -> bool:
        """Whether it counts for MaxConcurrency."""
        return self.detail in _UNDERWAY

    @property
    def is_error(self) -> bool:
        """Whether it counts for MaxErrors."""
        return self.detail in _ERRORS

    def step(self, name: str) -> StepResult | None:
        """The step of that name; with "" the only one."""
        if not name:
            return self.steps[0] if len(self.steps) == 1 else None
        return next((step for step in self.steps if step.name == name), None)

    def left_out(self) -> bool:
        """Whether what a step has given lets the next ones be left out (onFailure, onSuccess)."""
        return any(
            result.detail in planned.ends_after or (result.detail == "ExecutionTimedOut" and planned.ends_after)
            for planned, result in zip(self.plan, self.steps, strict=True)
            if result.ended is not None
        )

    def ended(self) -> str:
        """The StatusDetails that its steps amount to when all of them are over."""
        counted = [
            result.detail
            for planned, result in zip(self.plan, self.steps, strict=True)
            if not (planned.succeeds_anyway and result.detail == "Failed")
        ]
        if self.detail == "Cancelling":
            return "Cancelled"
        return next((one for one in ("ExecutionTimedOut", "Failed") if one in counted), "Success")


def with_agents_words(stderr: str, code: int) -> str:
    """Standard error as the agent tells it: where a script has failed, with its own words at the end.

    Seen in answers of GetCommandInvocation: "failed to run commands: exit status 1".
    """
    if code == 0:
        return stderr
    words = f"failed to run commands: exit status {code}"
    kept = cut(stderr, STDERR_KEPT - len(words) - 1, _ERR_CUT)
    return kept + ("\n" if kept and not kept.endswith("\n") else "") + words


def cut(text: str, most: int, mark: str = _OUT_CUT) -> str:
    """A text with at most so many characters; where some are left out, ``mark`` at its end says so."""
    return text if len(text) <= most else text[: most - len(mark)] + mark


def together(stdout: str, stderr: str, most: int) -> str:
    """Standard output and error in one text of at most ``most`` characters, each cut where both are too long.

    Source: amazon-ssm-agent, its tests of TruncateOutput.
    """
    if not stderr:
        return cut(stdout, most)
    room = most - len(_ERR_HEAD)
    if len(stdout) + len(stderr) <= room:
        return stdout + _ERR_HEAD + stderr
    if not stdout:
        return _ERR_HEAD + cut(stderr, room, _ERR_CUT)
    half = room // 2
    first = cut(stdout, max(half, room - len(stderr)))
    return first + _ERR_HEAD + cut(stderr, room - len(first), _ERR_CUT)
