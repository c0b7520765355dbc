"""Account settings: what PutAccountSetting and its like keep.

Rules: developer guide "Access Amazon ECS features with account settings"; API reference "PutAccountSetting",
"PutAccountSettingDefault", "ListAccountSettings" and "DeleteAccountSetting". There is one principal here, the account's
root user: its own setting counts before the account's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs.errors import invalid_parameter, not_carried_out

# What each has where nothing is set.
DEFAULTS: Mapping[str, str] = {
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "containerInstanceLongArnFormat": "enabled",
    "defaultLogDriverMode": "non-blocking",
    "dualStackIPv6": "disabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "serviceLongArnFormat": "enabled",
    "tagResourceAuthorization": "off",
    "taskLongArnFormat": "enabled",
}

# Those that may differ from their default: what the others change is not carried out.
_CHANGEABLE: Mapping[str, frozenset[str]] = {
    "awsvpcTrunking": frozenset({"enabled", "disabled"}),
    "containerInsights": frozenset({"enabled", "disabled", "enhanced"}),
}


@dataclass
class Settings:
    """The settings of an account in a region. ``own`` are the root user's, ``defaults`` the account's."""

    account: str
    own: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """The ARN of the account's root user."""
        return f"arn:aws:iam::{self.account}:root"

    def is_enabled(self, name: str) -> bool:
        """Whether a setting is in effect."""
        return self._effective(name) == "enabled"

    def put(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """PutAccountSetting.

        Raises:
            EcsError: InvalidParameterException; ClientException for what is not carried out.
        """
        name, value = self._checked(request)
        self.own[name] = value
        return self._shown(name, value)

    def put_default(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """PutAccountSettingDefault.

        Raises:
            EcsError: InvalidParameterException; ClientException for what is not carried out.
        """
        name, value = self._checked(request)
        self.defaults[name] = value
        return self._shown(name, value)

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """DeleteAccountSetting: the default counts again.

        Raises:
            EcsError: InvalidParameterException; ClientException for another principal than the root user.
        """
        name = self._name(request)
        self.own.pop(name, None)
        return self._shown(name, self._effective(name))

    def listed(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """ListAccountSettings: what is set, or with ``effectiveSettings`` what counts.

        Raises:
            EcsError: InvalidParameterException; ClientException for another principal than the root user.
        """
        name = self._name(request) if request.get("name") else None
        self._check_principal(request)
        if request.get("value") and name is None:
            raise invalid_parameter("A value can only be given with a name.")
        known = {each: self._effective(each) for each in DEFAULTS} if request.get("effectiveSettings") else self.own
        return [
            self._shown(each, value)
            for each, value in known.items()
            if name in {None, each} and request.get("value") in {None, value}
        ]

    def _effective(self, name: str) -> str:
        return self.own.get(name) or self.defaults.get(name) or DEFAULTS[name]

    def _checked(self, request: Mapping[str, Any]) -> tuple[str, str]:
        name, value = self._name(request), request["value"]
        self._check_principal(request)
        allowed = _CHANGEABLE.get(name)
        if allowed is None and value != DEFAULTS[name]:
            raise not_carried_out(f"the account setting {name} {value}")
        if allowed is not None and value not in allowed:
            raise invalid_parameter(f"Invalid value '{value}' for the account setting {name}.")
        return name, value

    def _name(self, request: Mapping[str, Any]) -> str:
        name = str(request["name"])
        if name not in DEFAULTS:
            raise invalid_parameter(f"Invalid account setting name '{name}'.")
        return name

    def _check_principal(self, request: Mapping[str, Any]) -> None:
        if request.get("principalArn", self.root) != self.root:
            raise not_carried_out("principalArn of another principal than the account's root user")

    def _shown(self, name: str, value: str) -> dict[str, Any]:
        return {"name": name, "value": value, "principalArn": self.root, "type": "user"}
