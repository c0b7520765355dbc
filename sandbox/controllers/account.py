"""What IAM has to know of an account's resources, asked of those who have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.backends.backend import Backend
from sandbox.controllers.ecs import EcsController
from sandbox.controllers.serverless import Functions
from sandbox.model.ecs.control import Ecs
from sandbox.model.ecs.errors import EcsError
from sandbox.model.iam.errors import PolicyError
from sandbox.model.iam.policy import Policy, parse


class Account:
    """The resources of the sandbox's account; see `sandbox.model.iam.requests.Account`.

    Args:
        backend: Has topics and instances.

    Attributes:
        functions: Lambda, once there is one.
        ecs: ECS, likewise.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.functions: Functions | None = None
        self.ecs: EcsController | None = None

    def resource_policy(self, arn: str) -> Policy | None:
        """The policy of a topic or a function; None where it has none, and for all else."""
        text = None
        if arn.startswith("arn:aws:sns:"):
            text = self._backend.topic_policy(arn)
        elif arn.startswith("arn:aws:lambda:") and self.functions is not None:
            text = self.functions.policy(arn)
        try:
            return parse(text, f"of {arn}") if text else None
        except PolicyError:  # moto takes any
            return None

    def task_definition(self, name: str) -> tuple[str, Sequence[str]]:
        """The ARN of a task definition, and the ARNs of its roles."""

        def find(ecs: Ecs) -> tuple[str, Sequence[str]]:
            try:
                raw = ecs.find_definition(name).raw
            except EcsError:
                arn = name if name.startswith("arn:") else f"arn:aws:ecs:{REGION}:{ACCOUNT_ID}:task-definition/{name}"
                return arn, ()
            roles = (raw.get("taskRoleArn"), raw.get("executionRoleArn"))
            return str(raw["taskDefinitionArn"]), [str(role) for role in roles if role]

        return self.ecs.read(find) if self.ecs else (name, ())

    def instance_tags(self, instance_id: str) -> Mapping[str, str]:
        """The tags of an EC2 instance."""
        return self._backend.instance_tags(instance_id)
