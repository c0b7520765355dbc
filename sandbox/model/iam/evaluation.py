"""The decision: explicit deny before allow before implicit deny.

IAM User Guide, "Policy evaluation logic" ("How AWS enforcement code logic evaluates requests to allow or deny access",
"Policy evaluation for requests within a single account") and "Permissions boundaries for IAM entities". Organizations'
policies, session policies and other accounts are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.model.iam.patterns import Context, like
from sandbox.model.iam.policy import Policy, Statement

IDENTITY, BOUNDARY, RESOURCE = "identity-based policy", "permissions boundary", "resource-based policy"
"""Kinds of policies, as AWS's messages name them."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        arn: As AWS shows it: of a role's session ("arn:aws:sts::...:assumed-role/ROLE/SESSION") or of a user; "" for a
            service.
        role: The ARN of the session's role, or "".
        account: The account's id, or "".
        service: A service's name ("lambda.amazonaws.com"), or "".
    """

    arn: str = ""
    role: str = ""
    account: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        principal: By whom.
        action: Such as "ssm:SendCommand".
        resource: The ARN; "*" for actions that know no resources; None where it is not known: then a statement allows
            whatever resources it names, and denies only if it names all.
        context: The values of condition keys, names in lower case.
    """

    principal: Principal
    action: str
    resource: str | None = "*"
    context: Context = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What policies say to a request.

    Attributes:
        request: The request.
        allowed: Whether it is allowed.
        explicit: A statement said so; else there is none that allows it.
        kind: The kind of the policies that decided: `IDENTITY`, `BOUNDARY` or `RESOURCE`.
        policy: The name of the policy that has the statement, or "".
        statement: The statement's label, or "".
    """

    request: Request
    allowed: bool
    explicit: bool
    kind: str
    policy: str = ""
    statement: str = ""

    def explain(self) -> str:
        """The decision in one line: what was asked, what decided."""
        request = self.request
        on = f" on {request.resource}" if request.resource else ""
        verdict = "allowed" if self.allowed else "denied"
        by = f"by statement {self.statement} of the {self.kind} {self.policy}"
        if not self.explicit:
            by = f"because no {self.kind} allows it"
        return f"{request.action}{on} {verdict} to {request.principal.arn or request.principal.service} {by}"

    def message(self) -> str:
        """AWS's words of a refusal ("Troubleshoot access denied error messages")."""
        request = self.request
        who = f"User: {request.principal.arn or request.principal.service} is not authorized to perform:"
        what = f"{who} {request.action}" + (f" on resource: {request.resource}" if request.resource else "")
        if self.explicit:
            article = "an" if self.kind == IDENTITY else "a"
            return f"{what} with an explicit deny in {article} {self.kind}"
        return f"{what} because no {self.kind} allows the {request.action} action"


def evaluate(
    request: Request,
    identity: Sequence[Policy] = (),
    *,
    boundary: Policy | None = None,
    resource: Policy | None = None,
    resource_decides: bool = False,
) -> Decision:
    """Whether a request is allowed, within one account.

    Args:
        request: The request.
        identity: The policies of who asks; none for a service.
        boundary: The permissions boundary of who asks, if there is one.
        resource: The policy of the resource, if it has one.
        resource_decides: Nothing is allowed that the resource's policy does not allow: so are roles' trust policies.
    """
    groups = [
        (IDENTITY, identity),
        (BOUNDARY, [boundary] if boundary else []),
        (RESOURCE, [resource] if resource else []),
    ]
    for kind, policies in groups:
        if found := _find(request, policies, "Deny", of_resource=kind == RESOURCE):
            return Decision(request, False, True, kind, *_named(found))

    by_resource = _find(request, [resource] if resource else [], "Allow", of_resource=True)
    if by_resource and _grants_session(request.principal, by_resource[1]):
        return Decision(request, True, True, RESOURCE, *_named(by_resource))
    by_identity = _find(request, identity, "Allow", of_resource=False)
    if resource_decides:
        # A policy that names the account leaves it to the account's own policies whom of them they allow it.
        if by_resource is None:
            delegates = resource is not None and _delegates(request, resource)
            if not (delegates and by_identity):
                return Decision(request, False, False, RESOURCE if not delegates else IDENTITY)
    elif by_resource is None and by_identity is None:
        return Decision(request, False, False, IDENTITY)
    if boundary is not None and not _find(request, [boundary], "Allow", of_resource=False):
        return Decision(request, False, False, BOUNDARY)
    kind, found = (RESOURCE, by_resource) if by_resource else (IDENTITY, by_identity)
    assert found is not None
    return Decision(request, True, True, kind, *_named(found))


def _named(found: tuple[Policy, Statement]) -> tuple[str, str]:
    return found[0].name, found[1].label


def _find(
    request: Request, policies: Sequence[Policy], effect: str, *, of_resource: bool
) -> tuple[Policy, Statement] | None:
    """The first statement of that effect that applies, with its policy."""
    for policy in policies:
        for statement in policy.statements:
            concerned = not of_resource or _names(statement, request.principal)
            if concerned and statement.effect == effect and _applies(request, policy, statement):
                return policy, statement
    return None


def _applies(request: Request, policy: Policy, statement: Statement) -> bool:
    """Whether action, resource and conditions of a statement are those of the request."""
    variables = request.context if policy.has_variables else None
    action = request.action.lower()
    if any(like(one, action) for one in statement.actions) == statement.not_actions:
        return False
    if not _covers(request.resource, statement, variables):
        return False
    return all(condition.holds(request.context, variables) for condition in statement.conditions)


def _covers(resource: str | None, statement: Statement, variables: Context | None) -> bool:
    if not statement.resources:  # of a trust policy: the role that has it
        return True
    if resource is None:
        everything = not statement.not_resources and "*" in statement.resources
        return statement.effect == "Allow" or everything
    return any(like(one, resource, variables) for one in statement.resources) != statement.not_resources


def _names(statement: Statement, principal: Principal) -> bool:
    """Whether a statement of a resource's policy is about who asks."""
    if statement.principals is None:
        return False
    services = statement.principals.get("Service", ())
    names = statement.principals.get("AWS", ())
    if principal.service:
        named = principal.service in services or "*" in names or "*" in services
    else:
        # Naming the account names nobody in it for an Allow (see `_delegates`), and everybody for a Deny.
        everybody = _account_names(principal) if statement.effect == "Deny" else set()
        named = bool({principal.arn, principal.role, "*"} & set(names) or everybody & set(names))
    return named != statement.not_principals


def _grants_session(principal: Principal, statement: Statement) -> bool:
    """Whether it is the very session that is named, whom no boundary limits then; not only its role, or everybody."""
    names = (statement.principals or {}).get("AWS", ())
    return bool(principal.role) and principal.arn in names and not statement.not_principals


def _delegates(request: Request, policy: Policy) -> bool:
    accounts = _account_names(request.principal)
    return any(
        statement.effect == "Allow"
        and not statement.not_principals
        and accounts & set((statement.principals or {}).get("AWS", ()))
        and _applies(request, policy, statement)
        for statement in policy.statements
    )


def _account_names(principal: Principal) -> set[str]:
    return {principal.account, f"arn:aws:iam::{principal.account}:root"} if principal.account else set()
