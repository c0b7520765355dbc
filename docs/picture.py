"""Draws docs/run.svg from a real run (``sandbox run --json``): ``python docs/picture.py RESULTS.json [SCENARIO...]``.

The summary has every variant; where scenarios are named, only theirs have their evidence, and dots stand for others.

Rich's template names a host to fetch its font from; a document that fetches nothing is wanted, so those lines go.
"""

from __future__ import annotations

import io
import json
import re
import sys
from itertools import groupby
from pathlib import Path

from rich.console import Console

from sandbox.report import terminal
from sandbox.runner import Result

PICTURE = Path(__file__).with_name("run.svg")
COMMAND = "$ sandbox run"


def draw(results: list[Result], shown: list[str]) -> str:
    """The lines and the table that ``sandbox run`` prints for ``results``, as SVG."""
    terminal.out = Console(record=True, width=116, highlight=False, file=io.StringIO())
    terminal.out.print(COMMAND)
    for name, group in groupby(results, lambda result: result.scenario):
        if shown and name not in shown:
            terminal.out.print("...")
            continue
        for result in group:
            terminal.result_line(result)
    terminal.summary(results)
    svg = terminal.out.export_svg(title="sandbox run", unique_id="run")
    return re.sub(r"@font-face\s*{.*?}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)


def main() -> None:
    """Read the results and write the picture."""
    content = json.loads(Path(sys.argv[1]).read_text())
    fields = set(Result.__dataclass_fields__)
    entries = [{key: value for key, value in entry.items() if key in fields} for entry in content["results"]]
    results = [Result(**{**entry, "evidence": tuple(entry["evidence"])}) for entry in entries]
    PICTURE.write_text(draw(results, sys.argv[2:]))


if __name__ == "__main__":
    main()
