"""The page, and the parts of it that change, as HTML: what came from outside is escaped by the templates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from sandbox.faults import base
from sandbox.live.nodes import Answers
from sandbox.live.state import State
from sandbox.live.topology import topology
from sandbox.report.page import html
from sandbox.report.page.draw import draw
from sandbox.report.page.html import Plot
from sandbox.timeline import Observation

MINUTES = (1, 5, 15, 60)
"""For how long back the plot may be asked."""
_ASSETS = Path(__file__).parent / "templates"
_FIRST = ("port-closed", "latency")  # of the faults: those that there are buttons for


class Renderer:
    """Makes HTML of what is known."""

    def __init__(self) -> None:
        self._environment = html.environment("sandbox.live")
        self._script = (_ASSETS / "live.js").read_text()

    @property
    def policy(self) -> str:
        """The Content-Security-Policy of the page: its own script, and requests to its own server."""
        return (
            f"default-src 'none'; script-src '{html.digest(self._script)}'; style-src 'unsafe-inline'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def page(self, title: str) -> str:
        """The page before anything has come."""
        faults = sorted(base.catalogue().values(), key=lambda fault: (fault.name not in _FIRST, fault.name))
        return self._environment.get_template("live.html").render(
            title=title,
            style=html.style() + Markup((_ASSETS / "live.css").read_text()),
            script=Markup(self._script),  # ours, as is the style
            faults=faults,
            minutes=MINUTES,
        )

    def stack(self, state: State, answers: Answers, now: float) -> dict[str, str]:
        """The parts that show how it is now: ``topology``, ``faults`` and ``targets`` (what faults can be put into)."""
        drawn = topology(state, answers, now)
        return {
            "topology": self._environment.get_template("topology.html").render(topology=drawn),
            "faults": self._environment.get_template("faults.html").render(faults=state.faults.values()),
            "targets": self._environment.get_template("targets.html").render(targets=drawn.targets),
        }

    def plot(self, seen: Sequence[Observation], now: float, minutes: int) -> str:
        """What happened over time, in the last minutes."""
        picture = draw(seen, (now - 60 * minutes, now))
        plot = Plot(picture) if picture.lanes else None
        return self._environment.get_template("happened.html").render(plot=plot, minutes=minutes)
