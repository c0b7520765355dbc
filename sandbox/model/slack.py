"""Slack's incoming webhooks: what is taken, and what is said of what is not.

Slack, "Sending messages using incoming webhooks": a POST of JSON to https://hooks.slack.com/services/T.../B.../...;
a message has a text, or blocks or attachments; the answer to one that is taken is 200 and "ok". Slack, changelog of
2016-05-17, "Improving error conditions for Incoming Webhooks": what is wrong is a word in the body, with status 400 or
404. The words ``no_text`` and ``no_service``, and the status of other methods, were seen by users.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HOST = "hooks.slack.com"
_PATH = re.compile(r"/services/T\w+/B\w+/\w+")
_CONTENT = ("text", "blocks", "attachments")


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack answers.

    Attributes:
        status: The HTTP status.
        text: The body.
        message: What is posted; None if nothing is.
    """

    status: int
    text: str
    message: Mapping[str, Any] | None = None


def receive(method: str, path: str, payload: bytes) -> Answer:
    """What becomes of a request to `HOST`.

    Args:
        method: The HTTP method.
        path: The webhook.
        payload: The body, or the field ``payload`` of one that is a form.
    """
    if method != "POST":
        return Answer(405, "method_not_allowed")
    if not _PATH.fullmatch(path):
        return Answer(404, "no_service")
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError):
        return Answer(400, "invalid_payload")
    if not isinstance(message, dict) or not isinstance(message.get("text", ""), str):
        return Answer(400, "invalid_payload")
    if not any(message.get(name) for name in _CONTENT):
        return Answer(400, "no_text")
    return Answer(200, "ok", message)
