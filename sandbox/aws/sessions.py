"""Sessions of roles: the credentials that functions and tasks get, by which the endpoint knows who calls."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from dataclasses import dataclass

_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/.+")


def is_role(arn: str) -> bool:
    """Whether a text is the ARN of a role."""
    return _ROLE.fullmatch(arn) is not None


@dataclass(frozen=True, slots=True)
class Session:
    """A role that somebody has assumed, with dummy credentials.

    Attributes:
        role_arn: The role.
        name: The session's name: of a function its name, of a task its id.
        access_key_id: Begins with ASIA, as temporary ones do; the same for the same role and name.
        secret_access_key: Nobody checks it.
        token: Nor this.
    """

    role_arn: str
    name: str
    access_key_id: str
    secret_access_key: str = "sandbox"
    token: str = "sandbox"

    @property
    def account_id(self) -> str:
        """The role's account."""
        return self.role_arn.split(":")[4]

    @property
    def arn(self) -> str:
        """As IAM names the session: the role without its path."""
        return f"arn:aws:sts::{self.account_id}:assumed-role/{self.role_arn.rpartition('/')[2]}/{self.name}"

    def environment(self) -> dict[str, str]:
        """The variables in which AWS's SDKs look for credentials."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.token,
        }


class Sessions:
    """All sessions of one sandbox. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def issue(self, role_arn: str, name: str) -> Session:
        """A session of a role, whether there is such a role or not; the same as before for the same name."""
        digest = hashlib.sha256(f"{role_arn} {name}".encode()).digest()
        key = "ASIA" + base64.b32encode(digest).decode()[:16]
        with self._lock:
            return self._sessions.setdefault(key, Session(role_arn, name, key))

    def find(self, access_key_id: str) -> Session | None:
        """The session that has an access key, or None."""
        with self._lock:
            return self._sessions.get(access_key_id)
