"""Log lines in MongoDB's structured form, on standard output."""

from __future__ import annotations

import datetime
import json
import sys


def log(severity: str, component: str, identity: int, context: str, message: str, **attributes: object) -> None:
    """Write a line.

    Args:
        severity: "I", "W", "E" or "F".
        component: As MongoDB's: CONTROL, NETWORK, ACCESS, STORAGE, COMMAND.
        identity: MongoDB's number of the message; 0 where MongoDB has no such message.
        context: What MongoDB calls the thread: "listener", "conn7".
        message: The message; the same for every event of its kind.
        attributes: What differs between events.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    line: dict[str, object] = {"t": {"$date": now}, "s": severity, "c": component, "id": identity, "ctx": context}
    line["msg"] = message
    if attributes:
        line["attr"] = attributes
    sys.stdout.write(json.dumps(line, default=str) + "\n")
    sys.stdout.flush()
