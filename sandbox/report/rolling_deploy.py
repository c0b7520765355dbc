"""What a person sees of a predicted rolling deploy: a table, and its course in three lines of blocks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from sandbox.model.rolling_deploy.prediction import Prediction
from sandbox.report.terminal import out

_BLOCKS = " ▁▂▃▄▅▆▇█"
_WIDTH = 60

_ENDINGS = {
    "completed": "[green]completed[/green] after {ended:.0f} s",
    "rolled-back": "[yellow]rolled back by the circuit breaker[/yellow] after {ended:.0f} s",
    "unfinished": "[red]not complete[/red] after {duration:.0f} s",
}
_STUCK = (
    "[red]stuck[/red]: {minimum} of {tasks} tasks must stay healthy and {maximum} may be there, so that none can be "
    "replaced; raise --max, or lower --min-healthy"
)


def show(prediction: Prediction) -> None:
    """Print it."""
    fleet = prediction.fleet
    table = Table(
        title=f"rolling deploy of {fleet.tasks:,} tasks, {fleet.rps:,.10g} requests/s, seed {fleet.seed}",
        show_header=False,
    )
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows(prediction):
        table.add_row(name, value)
    out.print(table)
    for line in course(prediction):
        out.print(line, soft_wrap=True)


def rows(prediction: Prediction) -> list[tuple[str, str]]:
    """The table's rows."""
    one = prediction
    broken = f"{one.broken:,} ({one.share:.2%})"
    if one.mixed_seconds:
        broken += f"; {one.mixed_share:.1%} of those while both builds answer"
    found = [
        ("deployment", _deployment(one)),
        ("both builds answer", _mixed(one)),
        ("page loads", f"{one.loads:,}"),
        ("broken", broken),
    ]
    if one.no_page:
        found.append(("without a page", f"{one.no_page:,} of them: no target answered"))
    if one.broken:
        found += [
            ("at worst", f"{one.peak.broken:,} in a second, at {one.peak.at:.0f} s"),
            ("first and last", f"at {one.first_broken:.0f} s and at {one.last_broken:.0f} s"),
            ("requests", f"{one.failed_requests:,.0f} failed; {one.wasted_requests:,} were of broken loads"),
        ]
    if one.fleet.tab_open:
        found.append(("open tabs", f"{one.broken_tabs:,} of {one.tabs:,} that asked broke ({one.tab_share:.2%})"))
    if one.hit_share is not None:
        found.append(("edge locations", f"answered {one.hit_share:.2%} of the requests for changed files"))
    return found


def course(prediction: Prediction) -> list[str]:
    """Targets of both builds and the share of broken loads over time, the highest value at the end of each line."""
    seconds = prediction.seconds
    width = min(_WIDTH, len(seconds))
    parts = [seconds[len(seconds) * n // width : len(seconds) * (n + 1) // width] for n in range(width)]
    lines = (
        ("old targets", [max(second.old for second in part) for part in parts], "{:.0f}"),
        ("new targets", [max(second.new for second in part) for part in parts], "{:.0f}"),
        ("broken loads", [max(second.share for second in part) for part in parts], "{:.1%}"),
    )
    drawn = [f"{name:>12} {_blocks(values)} {form.format(max(values))}" for name, values, form in lines]
    end = f"{prediction.fleet.duration:.0f} s"
    return [*drawn, f"{'':12} 0 s{end:>{max(1, width - 3)}}"]


def _deployment(prediction: Prediction) -> str:
    rollout, fleet = prediction.rollout, prediction.fleet
    if rollout.ending == "stuck":
        minimum = -(-fleet.tasks * fleet.minimum_healthy_percent // 100)
        maximum = fleet.tasks * fleet.maximum_percent // 100
        return _STUCK.format(minimum=minimum, maximum=maximum, tasks=fleet.tasks)
    text = _ENDINGS[rollout.ending].format(ended=rollout.ended_at or 0, duration=fleet.duration)
    text += f"; {rollout.started:,} tasks started"
    if rollout.failed_tasks:
        text += f", {rollout.failed_tasks:,} of them given up as unhealthy: checks and --grace do not wait for --boot"
    return text


def _mixed(prediction: Prediction) -> str:
    if prediction.mixed_from is None:
        return "never"
    return f"for {prediction.mixed_seconds:.1f} s, from {prediction.mixed_from:.1f} s on"


def _blocks(values: Sequence[float]) -> str:
    most = max(values) or 1.0
    return "".join(_BLOCKS[-(-value * (len(_BLOCKS) - 1) // most).__int__()] for value in values)
