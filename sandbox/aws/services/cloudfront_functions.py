"""What Lambda and IAM say of a function that is to be associated with a distribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from sandbox.aws.clients import Clients
from sandbox.aws.services.lambda_functions import Function
from sandbox.model.cloudfront.lambda_edge import EdgeFunction


class EdgeFunctionFinder:
    """Finds versions of functions; called with an ARN.

    Args:
        find: The version of an ARN, or None.
        clients: Of the sandbox's endpoint, where IAM has the roles.
    """

    def __init__(self, find: Callable[[str], Function | None], clients: Clients) -> None:
        self._find = find
        self._clients = clients

    def __call__(self, arn: str) -> EdgeFunction | None:
        """What is known of the version; None where there is none."""
        function = self._find(arn)
        if function is None:
            return None
        config, shown = function.config, function.shown
        role = str(shown.get("Role", ""))
        return EdgeFunction(
            runtime=config.runtime,
            memory=config.memory_size,
            timeout=config.timeout,
            package=len(config.code),
            variables=bool(config.environment),
            layers=bool(config.layers),
            dead_letters=bool(config.dead_letter_target),
            in_vpc=bool(shown.get("VpcConfig", {}).get("SubnetIds")),
            traced=shown.get("TracingConfig", {}).get("Mode") == "Active",
            architecture=next(iter(shown.get("Architectures", ())), "x86_64"),
            storage=shown.get("EphemeralStorage", {}).get("Size", 512),
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
