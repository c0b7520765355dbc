"""The results of a run as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sandbox.runner import Run


def write(run: Run, file: Path) -> None:
    """Write them to ``file``, or (-) to standard output."""
    content = {"version": 1, "exit_code": run.exit_code, "results": [result.as_json() for result in run.results]}
    text = json.dumps(content, indent=2) + "\n"
    if str(file) == "-":
        sys.stdout.write(text)
    else:
        file.write_text(text)
