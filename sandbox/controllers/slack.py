"""Slack on the sandbox's internet: its incoming webhooks, and what is posted to them."""

from __future__ import annotations

from urllib.parse import parse_qs

from sandbox.aws.protocol import HttpRequest, HttpResponse
from sandbox.model import slack
from sandbox.timeline import Timeline


class Slack:
    """Answers for `slack.HOST`.

    Args:
        timeline: Gets ``slack.message`` (webhook, status, answer, text, message) for each request.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Take one request, whatever it is."""
        payload = request.body
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            payload = parse_qs(payload).get(b"payload", [payload])[0]  # as the first webhooks had it
        answer = slack.receive(request.method, request.path, payload)
        message = dict(answer.message or {})
        self._timeline.record(
            "slack.message",
            webhook=request.path,
            status=answer.status,
            answer=answer.text,
            text=message.get("text", ""),
            message=message,
        )
        return HttpResponse(answer.status, {"Content-Type": "text/html"}, answer.text.encode())
