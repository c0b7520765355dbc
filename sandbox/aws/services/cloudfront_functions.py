"""What Lambda and IAM say of a function that is to be associated with a distribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from sandbox.aws.clients import Clients
from sandbox.model.cloudfront.lambda_edge import EdgeFunction


class EdgeFunctionFinder:
    """Finds versions of functions; called with an ARN.

    Args:
        find: The FunctionConfiguration (of Lambda's API) of a version by its ARN, or None.
        clients: Of the sandbox's endpoint, where IAM has the roles.
    """

    def __init__(self, find: Callable[[str], Mapping[str, Any] | None], clients: Clients) -> None:
        self._find = find
        self._clients = clients

    def __call__(self, arn: str) -> EdgeFunction | None:
        """What is known of the version; None where there is none."""
        function = self._find(arn)
        if function is None:
            return None
        role = str(function.get("Role", ""))
        return EdgeFunction(
            runtime=function["Runtime"],
            memory=function["MemorySize"],
            timeout=function["Timeout"],
            package=function["CodeSize"],
            variables=bool(function.get("Environment", {}).get("Variables")),
            layers=bool(function.get("Layers")),
            dead_letters=bool(function.get("DeadLetterConfig", {}).get("TargetArn")),
            in_vpc=bool(function.get("VpcConfig", {}).get("SubnetIds")),
            traced=function.get("TracingConfig", {}).get("Mode") == "Active",
            architecture=next(iter(function.get("Architectures", ())), "x86_64"),
            storage=function.get("EphemeralStorage", {}).get("Size", 512),
            role=role,
            principals=self._principals(role),
        )

    def _principals(self, role: str) -> frozenset[str] | None:
        """The services that may assume a role; None where there is no such role: Lambda does not ask for one here."""
        try:
            answer = self._clients("iam").get_role(RoleName=role.rpartition("/")[2])
        except ClientError:
            return None
        found: set[str] = set()
        statements = answer["Role"]["AssumeRolePolicyDocument"].get("Statement", [])
        for statement in [statements] if isinstance(statements, Mapping) else statements:
            if statement.get("Effect") == "Allow":
                found.update(_services(statement.get("Principal", {})))
        return frozenset(found)


def _services(principal: Any) -> list[str]:
    services = principal.get("Service", []) if isinstance(principal, Mapping) else []
    return [services] if isinstance(services, str) else list(services)
