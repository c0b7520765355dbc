"""Account settings: what is in effect, and what is refused."""

from __future__ import annotations

import pytest

from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.settings import DEFAULTS, Settings


def test_an_own_setting_counts_before_the_default_and_goes_again() -> None:
    settings = Settings("123456789012")
    assert settings.listed({}) == []
    assert not settings.is_enabled("awsvpcTrunking")
    settings.put_default({"name": "awsvpcTrunking", "value": "enabled"})
    assert settings.is_enabled("awsvpcTrunking")
    shown = settings.put({"name": "awsvpcTrunking", "value": "disabled"})
    assert shown == {
        "name": "awsvpcTrunking",
        "value": "disabled",
        "principalArn": "arn:aws:iam::123456789012:root",
        "type": "user",
    }
    assert not settings.is_enabled("awsvpcTrunking")
    assert settings.listed({"name": "awsvpcTrunking"}) == [shown]
    assert settings.listed({"name": "awsvpcTrunking", "value": "enabled"}) == []
    assert settings.delete({"name": "awsvpcTrunking"})["value"] == "enabled"
    effective = {item["name"]: item["value"] for item in settings.listed({"effectiveSettings": True})}
    assert effective == {**DEFAULTS, "awsvpcTrunking": "enabled"}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"name": "nope", "value": "enabled"}, "Invalid account setting name 'nope'."),
        ({"name": "awsvpcTrunking", "value": "on"}, "Invalid value 'on'"),
        ({"name": "dualStackIPv6", "value": "enabled"}, "does not carry out the account setting dualStackIPv6 enabled"),
        (
            {"name": "awsvpcTrunking", "value": "enabled", "principalArn": "arn:aws:iam::123456789012:role/r"},
            "principalArn of another principal",
        ),
    ],
)
def test_what_is_refused(request_: dict[str, str], said: str) -> None:
    settings = Settings("123456789012")
    for action in (settings.put, settings.put_default):
        with pytest.raises(EcsError, match=said):
            action(request_)
    assert settings.put({"name": "taskLongArnFormat", "value": "enabled"})
