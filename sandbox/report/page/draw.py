"""From a run's observations to its picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from sandbox.report.page import happenings, states
from sandbox.report.page.picture import Arrow, Picture, lane
from sandbox.timeline import Observation

MOST_ROWS = 24
"""Of a lane: more are said to be left out. Whoever has a hundred tasks looks at the first ones."""
MOST_ARROWS = 60

_TASKS, _EVENTS, _FUNCTIONS, _RECORDS = "Tasks", "Events", "Functions", "DNS"
_LANES = {
    _TASKS: states.tasks,
    "EC2 instances": states.machines,
    "Pipelines": states.pipelines,
    "Targets": states.targets,
    "Cloud Map": states.cloudmap,
    _EVENTS: happenings.events,
    _FUNCTIONS: happenings.functions,
    _RECORDS: states.records,
    "Requests": happenings.requests,
}
IN_STATES = frozenset(
    {
        *("task.state", "container.exited", "container.failed", "container.restarted", "container.health"),
        *("target.health", "dns.change", "dns.probe", "cloudmap.instance", "pipeline.action", "codebuild.phase"),
        *("instance.launched", "instance.state", "instance.failed", "instance.dropped"),
    }
)
"""The kinds that tell of a state, which lasts until another one of the same thing."""


def draw(seen: Sequence[Observation], window: tuple[float, float] | None = None) -> Picture:
    """The picture of what was seen, in the order in which it was recorded.

    Args:
        seen: The observations.
        window: From when to when, for what is still going on: what was over before is left out, what is not over lasts
            until its end, and where there is no room for all rows the newest ones are shown.
    """
    if not seen:
        return Picture(0.0, 0.0, ())
    end = max([one.at for one in seen] + ([window[1]] if window else []))
    rows = {title: make(seen, end) for title, make in _LANES.items()}
    rows["Other observations"] = happenings.notes(seen, happenings.SHOWN | IN_STATES)
    if window:
        rows = {title: [cut for row in found if (cut := row.since(window[0]))] for title, found in rows.items()}
        seen = [one for one in seen if one.at >= window[0]]
    lanes = [lane(title, found, MOST_ROWS, newest=bool(window)) for title, found in rows.items() if found]
    begin = min([end, *(one.at for one in seen), *(row.begin for one in lanes for row in one.rows)])
    shown = {(one.title, row.name) for one in lanes for row in one.rows}
    arrows = (one for one in _arrows(seen) if one.cause[:2] in shown and one.effect[:2] in shown)
    return Picture(begin, end, tuple(lanes), tuple(itertools.islice(arrows, MOST_ARROWS)))


def _arrows(seen: Sequence[Observation]) -> Iterator[Arrow]:
    """From a task's state to its event, from there to the invocation for it, and on to the records that it changed."""
    published = {one["id"]: one for one in seen if one.kind == "event.published"}
    tasks = {(one["task"], one["version"]): states.task_name(one) for one in seen if one.kind == "task.state"}
    begun = [(one.at - one["duration_ms"] / 1000, one) for one in seen if one.kind == "lambda.invocation"]
    for at, invocation in begun:
        cause = next((one for key, one in published.items() if f'"{key}"' in str(invocation["payload"])), None)
        if cause is not None:
            event = (_EVENTS, str(cause["detail_type"]), cause.at)
            if (task := tasks.get((cause.get("taskArn"), cause.get("version")))) is not None:
                yield Arrow((_TASKS, task, cause.at), event)
            yield Arrow(event, (_FUNCTIONS, str(invocation["function"]), at))
        for change in seen:
            alone = sum(start <= change.at <= other.at for start, other in begun) == 1
            if change.kind == "dns.change" and at <= change.at <= invocation.at and alone:
                record = (_RECORDS, states.record_name(change), change.at)
                yield Arrow((_FUNCTIONS, str(invocation["function"]), change.at), record)
