from __future__ import annotations

import json
import time
from typing import Any

import pytest

from sandbox.model.eventbridge_input import UnsupportedInputPathError, log_event, parse_path, target_input

EVENT = {"source": "aws.ecs", "detail": {"containers": [{"name": "web"}, {"name": "log", "n": 0}], "a b": 1, "c/d": 2}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", EVENT),
        ("$.source", "aws.ecs"),
        ("$.detail.containers[0].name", "web"),
        ("$.detail['a b']", 1),
        ("$.detail.c/d", 2),
        ("$.detail.containers[*].name", ["web", "log"]),
        ("$.detail.containers[*].n", [0]),
        ("$.detail.containers[1].*", ["log", 0]),
        ("$.source[*]", []),
        ("$.detail.missing.more", None),
        ("$.detail.containers[3]", None),
    ],
)
def test_input_path(path: str, value: Any) -> None:
    assert json.loads(target_input({"InputPath": path}, EVENT)) == value


def test_what_is_sent_is_minified() -> None:
    assert target_input({"InputPath": "$.detail.containers[1]"}, EVENT) == '{"name":"log","n":0}'


def test_input_is_sent_as_it_is() -> None:
    assert target_input({"Input": '{"a":  1}'}, EVENT) == '{"a":  1}'


def test_without_either_the_event_is_sent() -> None:
    assert json.loads(target_input({}, EVENT)) == EVENT


@pytest.mark.parametrize("path", ["detail", "$..a", "$.a[?(@.b)]", "$.a[0:2]"])
def test_a_path_outside_the_subset(path: str) -> None:
    with pytest.raises(UnsupportedInputPathError):
        parse_path(path)


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ('{"timestamp": 1500, "message": "up"}', "up", 1.5),
        ('{"timestamp": "1970-01-01T00:00:02Z", "message": "up"}', "up", 2.0),
        ('{"timestamp": "1970-01-01T01:00:02+01:00", "message": "up"}', "up", 2.0),
        ('{"timestamp": "1970-01-01T00:00:02", "message": "up"}', "up", 2.0),
        ('{"timestamp": "yesterday", "message": "up"}', "up", None),
        ('{"timestamp": null, "message": {"a": 1}}', '{"a": 1}', None),
        ('{"timestamp": 1, "message": "up", "more": 2}', '{"timestamp": 1, "message": "up", "more": 2}', None),
        ('"up"', '"up"', None),
        ("no JSON", "no JSON", None),
    ],
)
def test_what_a_log_group_gets(monkeypatch: pytest.MonkeyPatch, text: str, message: str, at: float | None) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert log_event(text) == (message, at)
    finally:
        monkeypatch.undo()
        time.tzset()
