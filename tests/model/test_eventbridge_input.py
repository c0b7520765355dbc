from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.model.eventbridge_input import UnsupportedInputPathError, parse_path, target_input

EVENT = {"source": "aws.ecs", "detail": {"containers": [{"name": "web"}], "a b": 1}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", EVENT),
        ("$.source", "aws.ecs"),
        ("$.detail.containers[0].name", "web"),
        ("$.detail['a b']", 1),
        ("$.detail.missing.more", None),
        ("$.detail.containers[3]", None),
    ],
)
def test_input_path(path: str, value: Any) -> None:
    assert json.loads(target_input({"InputPath": path}, EVENT)) == value


def test_input_is_sent_as_it_is() -> None:
    assert target_input({"Input": '{"a":  1}'}, EVENT) == '{"a":  1}'


def test_without_either_the_event_is_sent() -> None:
    assert json.loads(target_input({}, EVENT)) == EVENT


@pytest.mark.parametrize("path", ["detail", "$.a[*]", "$..a", "$.a[?(@.b)]"])
def test_a_path_outside_the_subset(path: str) -> None:
    with pytest.raises(UnsupportedInputPathError):
        parse_path(path)
