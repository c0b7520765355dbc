from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.model.eventbridge_input import UnsupportedInputPathError, parse_path, target_input

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
