"""Whether the caller of an API may make the call: roles' sessions are held against IAM's policies, all others may.

Who calls is known by the access key. The sandbox's own dummy credentials, and any others that nobody has issued, are
those of the account's administrator. A role that IAM does not have is not held against anything (docs/iam.md says why).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.backends.identities import Identities, Role
from sandbox.aws.protocol import AwsError, HttpRequest, ServiceEndpoint, botocore_data
from sandbox.aws.sessions import Session, Sessions
from sandbox.clock import Clock
from sandbox.model.iam.evaluation import Decision, Principal, Request, evaluate
from sandbox.model.iam.policy import Policy
from sandbox.model.iam.requests import Account, Asked, Place, asked, trusts
from sandbox.timeline import Timeline

_KEY = re.compile(r"Credential=([^/,\s]+)/")
# S3's requests name no operation.
_NOT_HELD = frozenset({"s3"})
# Botocore's names of services that sign with another one.
_MODELS = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}


class Authorization:
    """Decides, and tells the timeline: ``iam.decision`` for each action of a role.

    Args:
        sessions: Those of functions and tasks.
        identities: What IAM has; None while nobody has used it, so that there is no role.
        resource_policy: The policy of the resource of an ARN, if it has one.
        account: What has to be known of resources.
        clock: Tells the time of conditions.
        timeline: See above.
    """

    def __init__(
        self,
        sessions: Sessions,
        identities: Callable[[], Identities | None],
        resource_policy: Callable[[str], Policy | None],
        account: Account,
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self._sessions = sessions
        self._identities = identities
        self._resource_policy = resource_policy
        self._account = account
        self._clock = clock
        self._timeline = timeline
        self._models: dict[str, ServiceEndpoint] = {}

    def check(self, request: HttpRequest, service: str, region: str, operation: str | None) -> None:
        """Refuse a call that its caller may not make.

        Args:
            request: The call.
            service: The service's name in signatures.
            region: The call's region.
            operation: AWS's name of the operation, where the request names it.

        Raises:
            AwsError: AccessDeniedException, or as the service calls it.
        """
        session = self._caller(request)
        if session is None or service in _NOT_HELD:
            return
        if operation is None:
            operation = self._operation(request, service)
        if operation is None:
            return  # whoever serves it says what is wrong
        named = operation

        def parameters() -> dict[str, Any]:
            model = self._model(service)
            try:
                return model.parameters(request, named) if model else {}
            except AwsError:
                return {}  # likewise

        place = Place(region, ACCOUNT_ID, self._account)
        decision = self._decide(session, asked(service, operation, parameters, place), region)
        if decision is not None and not decision.allowed:
            raise self._refusal(service, decision)

    def may(self, role_arn: str, session_name: str, action: str, resource: str) -> Decision | None:
        """What IAM says of something that a service does as a role; None where the role is held against nothing."""
        session = self._sessions.issue(role_arn, session_name)
        return self._decide(session, [Asked(action, resource)], resource.split(":")[3])

    def why_not_published(self, role_arn: str, topic_arn: str) -> str:
        """Why Systems Manager, as the role that a command names, may not publish to a topic ("": it may)."""
        if not self.trusts(role_arn, "ssm.amazonaws.com"):
            return f"ssm.amazonaws.com is not authorized to assume {role_arn}"
        decision = self.may(role_arn, "ssm", "SNS:Publish", topic_arn)
        return "" if decision is None or decision.allowed else decision.message()

    def trusts(self, role_arn: str, service: str) -> bool:
        """Whether a service ("lambda.amazonaws.com") may assume a role; one that IAM does not have, all may."""
        role = self._role(role_arn)
        if role is None:
            return True
        needed = trusts(role_arn)
        request = Request(Principal(service=service), needed.action, needed.resource)
        decision = evaluate(request, resource=role.trust, resource_decides=True)
        self._tell(role_arn, decision)
        return decision.allowed

    # -- who --

    def _caller(self, request: HttpRequest) -> Session | None:
        """The session that signed a request; None for everybody else."""
        match = _KEY.search(request.headers.get("authorization", ""))
        key = match[1] if match else ""
        if not key and "X-Amz-Credential" in request.query:
            key = parse_qs(request.query)["X-Amz-Credential"][0].partition("/")[0]
        found = self._sessions.find(key)
        if found is not None or not key.startswith("ASIA"):
            return found
        identities = self._identities()
        return identities.assumed(key) if identities else None

    def _role(self, arn: str) -> Role | None:
        identities = self._identities()
        return identities.role(arn) if identities else None

    # -- what --

    def _decide(self, session: Session, actions: Iterable[Asked], region: str) -> Decision | None:
        """The first refusal, else the last permission; None where nothing has to be decided."""
        role = self._role(session.role_arn)
        if role is None:
            return None
        principal = Principal(session.arn, session.role_arn, session.account_id)
        context = self._context(session, role, region)
        decision = None
        for one in actions:
            decision = self._evaluate(Request(principal, one.action, one.resource, {**context, **one.context}), role)
            self._tell(session.role_arn, decision)
            if not decision.allowed:
                break
        return decision

    def _evaluate(self, request: Request, role: Role) -> Decision:
        if request.action == "sts:AssumeRole" and (target := self._role(request.resource or "")) is not None:
            return evaluate(
                request, role.policies, boundary=role.boundary, resource=target.trust, resource_decides=True
            )
        resource = self._resource_policy(request.resource) if request.resource else None
        return evaluate(request, role.policies, boundary=role.boundary, resource=resource)

    def _context(self, session: Session, role: Role, region: str) -> dict[str, list[str]]:
        """The global condition keys ("AWS global condition context keys")."""
        now = self._clock.now()
        return {
            "aws:principalarn": [session.role_arn],
            "aws:principalaccount": [session.account_id],
            "aws:principaltype": ["AssumedRole"],
            "aws:requestedregion": [region],
            "aws:securetransport": ["true"],  # AWS has no endpoint that a signed request reaches otherwise
            "aws:currenttime": [datetime.fromtimestamp(now, UTC).isoformat()],
            "aws:epochtime": [str(int(now))],
            **{f"aws:principaltag/{name.lower()}": [value] for name, value in role.tags.items()},
        }

    def _tell(self, role_arn: str, decision: Decision) -> None:
        self._timeline.record(
            "iam.decision",
            role=role_arn,
            action=decision.request.action,
            resource=decision.request.resource,
            allowed=decision.allowed,
            why=decision.explain(),
        )

    def _operation(self, request: HttpRequest, service: str) -> str | None:
        model = self._model(service)
        try:
            return model.operation_name(request) if model else None
        except AwsError:
            return None

    def _model(self, service: str) -> ServiceEndpoint | None:
        """Botocore's model of a service, by its name in signatures; None where it goes by another name there."""
        name = _MODELS.get(service, service)
        if name not in self._models and name in botocore_data().list_available_services("service-2"):
            self._models[name] = ServiceEndpoint(SimpleNamespace(service_name=name))
        return self._models.get(name)

    def _refusal(self, service: str, decision: Decision) -> AwsError:
        """The error in which a service says no: "Common error types" of its API reference, and those seen."""
        message = decision.message()
        if service == "ec2":
            return AwsError(
                "UnauthorizedOperation", f"You are not authorized to perform this operation. {message}", 403
            )
        if service == "sns":
            return AwsError("AuthorizationError", message, 403)
        model = self._model(service)
        if model is not None and model.speaks_json:
            return AwsError("AccessDeniedException", message, 403 if model.is_rest else 400)
        return AwsError("AccessDenied", message, 403)
