"""Slack's incoming webhooks, request by request."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.slack import Answer, receive

HOOK = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
NO_PAYLOADS = [b"", b"clear", b'{"text": "cl', b"[]", b'"clear"', b"\xff", b"[" * 10_000, b'{"text": 1}']


def post(body, path=HOOK):
    return receive("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_message_is_taken():
    assert post({"text": "all caches are clear"}) == Answer(200, "ok", {"text": "all caches are clear"})
    assert post({"blocks": [{"type": "divider"}]}).status == 200


@pytest.mark.parametrize("body", NO_PAYLOADS)
def test_what_is_no_payload(body):
    assert post(body) == Answer(400, "invalid_payload")


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"channel": "#shop"}])
def test_a_message_without_content(body):
    assert post(body) == Answer(400, "no_text")


@pytest.mark.parametrize("path", ["/", "/services", "/services/T1/B1", f"{HOOK}/more"])
def test_a_webhook_that_there_is_not(path):
    assert post({"text": "clear"}, path=path) == Answer(404, "no_service")


def test_other_methods():
    assert receive("GET", HOOK, b"") == Answer(405, "method_not_allowed")


@given(st.binary(max_size=60))
def test_nothing_but_a_message_is_posted(body):
    answer = post(body)
    assert (answer.message is None) == (answer.status != 200)
