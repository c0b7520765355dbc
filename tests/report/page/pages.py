"""Pages for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.report.page import html
from sandbox.report.page.entry import Entry

HOSTILE = "</script></pre><img src=x onerror=alert(1)><script>document.title='taken'</script>\"'&{{7*7}}"


def entry(name: str, **more: Any) -> Entry:
    """An entry that did, or did not, what it declares."""
    good = more.get("as_declared", True)
    fields = {"group": "shop", "expectation": "holds", "outcome": "holds" if good else "reproduces", "seconds": 1.0}
    return Entry(**{**fields, "as_declared": True, "name": name, **more})


def write(folder: Path, *entries: Entry) -> str:
    """A page of these; what is in its file."""
    return html.write(folder / "report", "a run", entries).read_text()


def many(folder: Path, number: int, text: str = "as it should be", name: object = "") -> str:
    """A timeline of so many observations, as a run with a load balancer makes them; its file."""
    file = folder / f"many{name}.jsonl"
    with file.open("w") as lines:
        for n in range(number):
            fields: dict[str, Any] = {"at": 1000 + n * 0.05}
            if n % 50 == 0:
                fields |= {"kind": "task.state", "task": f"arn:aws:ecs:x:task/shop/{n // 200:032}", "version": n}
                fields |= {"group": "service:shop", "last_status": ("PENDING", "RUNNING")[n // 50 % 2], "public_ip": ""}
                fields |= {"desired_status": "RUNNING", "stop_code": "", "stopped_reason": text}
            elif n % 50 == 1:
                fields |= {"kind": "container.exited", "task": "arn:x:task/shop/0", "container": text, "exit_code": 1}
                fields |= {"log": [text, f"line {n}"]}
            else:
                fields |= {"kind": "http.response", "url": f"http://shop.example.com/{n}", "status": 200 + n % 7 * 50}
                fields |= {"remote_ip": "198.51.100.7", "seconds": 0.0123 * n, "error": text}
            lines.write(json.dumps(fields) + "\n")
    return str(file)
