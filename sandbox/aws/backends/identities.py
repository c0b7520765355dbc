"""moto's IAM and STS: what they know of roles, and what they lack.

Measured with moto 5.2.5: the policies that AWS manages cannot be attached unless all 1,582 are loaded, 0.3 s, so here
each is made when it is first named; GetCallerIdentity knows no sessions but those of its own AssumeRole.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.aws.sessions import Session
from sandbox.model.iam.policy import Policy, parse

FindSession = Callable[[str], Session | None]

_MANAGED = "arn:aws:iam::aws:policy/"
_NOBODY = Policy("a policy that there is not", ())


def _nobody_s(access_key_id: str) -> None:
    return None


_find_session: FindSession = _nobody_s


def identify_with(find: FindSession | None) -> None:
    """Have GetCallerIdentity know the sessions that ``find`` finds by their access key, in this process."""
    global _find_session  # noqa: PLW0603 # moto's state is global to the process, too
    _find_session = find or _nobody_s


@dataclass(frozen=True, slots=True)
class Role:
    """A role of IAM.

    Attributes:
        policies: Inline and attached ones.
        boundary: Its permissions boundary, if it has one.
        trust: Who may assume it.
        tags: Its tags.
    """

    policies: tuple[Policy, ...]
    boundary: Policy | None
    trust: Policy
    tags: Mapping[str, str]


class Identities:
    """Roles and sessions of one account.

    Args:
        iam: moto's backend of IAM.
        sts: moto's backend of STS, or None while nobody has used it.
    """

    def __init__(self, iam: Any, sts: Any) -> None:
        self.iam = iam
        self.sts = sts

    def role(self, arn: str) -> Role | None:
        """The role of an ARN, or None."""
        found = next((role for role in list(self.iam.roles.values()) if role.arn == arn), None)
        if found is None:
            return None
        attached = [parse(_document(one), one.name) for one in list(found.managed_policies.values())]
        inline = [parse(document, name) for name, document in list(found.policies.items())]
        trust = parse(found.assume_role_policy_document, f"trust policy of {found.name}")
        return Role((*inline, *attached), self._boundary(found.permissions_boundary_arn), trust, _tags(found.tags))

    def assumed(self, access_key_id: str) -> Session | None:
        """The session that STS's AssumeRole gave an access key, or None."""
        roles = () if self.sts is None else list(self.sts.assumed_roles)
        found = next((one for one in roles if one.access_key_id == access_key_id), None)
        return found and Session(found.role_arn, found.session_name, access_key_id)

    def _boundary(self, arn: str | None) -> Policy | None:
        if not arn:
            return None
        _ensure(self.iam, arn)
        policy = self.iam.managed_policies.get(arn)
        return _NOBODY if policy is None else parse(_document(policy), policy.name)


def _document(policy: Any) -> str:
    return str(next(one.document for one in policy.versions if one.version_id == policy.default_version_id))


def _tags(given: Any) -> dict[str, str]:
    if isinstance(given, Mapping):
        return {name: tag["Value"] if isinstance(tag, Mapping) else tag for name, tag in given.items()}
    return {tag["Key"]: tag["Value"] for tag in given or ()}


def correct_identities() -> None:
    """Let moto's IAM have AWS's own policies as they are named."""
    from moto.iam.models import IAMBackend

    backend: Any = IAMBackend
    for name in ("attach_role_policy", "attach_user_policy", "attach_group_policy", "get_policy"):
        setattr(backend, name, _ensuring(getattr(backend, name)))


def correct_caller_identity() -> None:
    """Let moto's STS know the sessions of functions and tasks."""
    from moto.sts.models import STSBackend

    backend: Any = STSBackend
    backend.get_caller_identity = _identifying(backend.get_caller_identity)


def _identifying(identify: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(backend: Any, access_key_id: str, region: str) -> Any:
        session = _find_session(access_key_id)
        if session is None:
            return identify(backend, access_key_id, region)
        return f"AROA{access_key_id[4:]}:{session.name}", session.arn, session.account_id

    return wrapped


def _ensuring(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with the policy that it names."""

    def wrapped(backend: Any, policy_arn: str, *more: Any, **named: Any) -> Any:
        _ensure(backend, policy_arn)
        return method(backend, policy_arn, *more, **named)

    return wrapped


def _ensure(backend: Any, arn: str) -> None:
    """Make one of AWS's own policies, unless it is there."""
    if not arn.startswith(_MANAGED) or arn in backend.managed_policies:
        return
    from moto.iam.models import AWSManagedPolicy

    path, _, name = arn.removeprefix("arn:aws:iam::aws:policy").rpartition("/")
    data = _aws_policies().get(name)
    if data is not None and data["Path"] == f"{path}/":
        policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
        backend.managed_policies[arn] = policy


@functools.cache
def _aws_policies() -> dict[str, Any]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    policies: dict[str, Any] = json.loads(aws_managed_policies_data)
    return policies
