"""Rules that cause the events which they match: where the sandbox stops them.

"Best practices when defining Amazon EventBridge rules" warns of such loops; nothing of AWS stops them, and each turn is
paid for. (Lambda's "recursive loop detection" sees loops through SQS, SNS and S3 only.) On a laptop a loop would take
the machine. So an event knows its lineage, how many events led to it, as far as that can be told:

* what a function puts: AWS's SDKs send the trace header of the invocation along, as that detection needs;
* what happens to a task: its ``startedBy`` names the rule that ran it.

A lineage may branch. What it may cause beyond its first steps is bounded for each event at its root.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FREE_STEPS = 10
"""Steps of functions that count nothing: a workflow of events has as many, and a loop soon has more."""
BUDGET = 1000
_TASK = 100  # what a task counts, from the second step on; an invocation counts 1
_ROOTS = 10_000  # whose budgets are remembered

_HEADER = re.compile(r"Lineage=1:([\w-]+):(\d+)")


@dataclass(frozen=True, slots=True)
class Lineage:
    """How an event came to be.

    Attributes:
        root: The id of the first event.
        depth: How many events there were before this one.
    """

    root: str
    depth: int = 0

    def header(self) -> str:
        """The part of a trace header that carries it, in the form of Lambda's own."""
        return f"Lineage=1:{self.root}:{self.depth}"


class Recursion:
    """Decides whether a target may be called. Not for use from several threads at once.

    Args:
        budget: What the events of one root may cause beyond their free steps.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._spent: dict[str, int] = {}
        self._tasks: dict[str, Lineage] = {}

    def admit(self, event: Mapping[str, Any], trace_id: str, rule: str, service: str) -> Lineage | None:
        """The lineage of an event that goes to a target; None if it must not, because it goes round in circles.

        Args:
            event: The event.
            trace_id: The X-Amzn-Trace-Id of the call that put it, or an empty string.
            rule: The name of the rule that it matched.
            service: Of the target's ARN ("lambda").
        """
        lineage = self._lineage(event, trace_id)
        cost = 0
        if service == "lambda" and lineage.depth > FREE_STEPS:
            cost = 1
        elif service == "ecs" and lineage.depth > 0:
            cost = _TASK
        if cost:
            spent = self._spent.pop(lineage.root, 0) + cost
            self._spent[lineage.root] = spent
            if len(self._spent) > _ROOTS:
                del self._spent[next(iter(self._spent))]
            if spent > self._budget:
                return None
        if service == "ecs":
            self._tasks[started_by(rule)] = lineage
        return lineage

    def _lineage(self, event: Mapping[str, Any], trace_id: str) -> Lineage:
        told = _HEADER.search(trace_id)
        if told is not None:
            return Lineage(told[1], int(told[2]) + 1)
        if event.get("source") == "aws.ecs":
            cause = self._tasks.get(event["detail"].get("startedBy", ""))
            if cause is not None:
                return Lineage(cause.root, cause.depth + 1)
        return Lineage(str(event["id"]))


def started_by(rule: str) -> str:
    """The ``startedBy`` of tasks that a rule runs (seen)."""
    return f"events-rule/{rule}"
