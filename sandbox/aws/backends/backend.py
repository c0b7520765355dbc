"""What the sandbox needs of whoever answers for the AWS services that are not its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sandbox.aws.backends.early_zones import Zones
from sandbox.aws.backends.identities import Identities
from sandbox.model.route53 import HostedZone

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Backend(Protocol):
    """A backend: `embedded.Embedded` or `localstack.backend.LocalStack`.

    EC2's records are `Embedded`'s with either: they say what the sandbox itself runs.
    """

    @property
    def zones(self) -> Zones | None:
        """Makes and changes Route 53's hosted zones; None where the backend's own Route 53 does."""

    def wsgi_app(self) -> WsgiApp:
        """The application for the gateway; asked for at the first request that needs it."""

    def hosted_zones(self, is_healthy: Callable[[str], bool]) -> list[HostedZone]:
        """Route 53's hosted zones as they are now, in order of creation.

        Args:
            is_healthy: What a health check says, by its id.
        """

    def identities(self) -> Identities | None:
        """What IAM has of roles; None while nobody has used it."""

    def topic_policy(self, arn: str) -> str | None:
        """The policy of an SNS topic, or None where there is no such topic."""

    def instance_tags(self, instance_id: str) -> dict[str, str]:
        """The tags of an EC2 instance; empty where there is none."""

    def instance_now(self, instance_id: str) -> tuple[str, str]:
        """The state and the private address of an instance; one that there is not is "terminated"."""

    def missing_subnets(self, subnet_ids: Iterable[str]) -> list[str]:
        """Those of ``subnet_ids`` that EC2 does not have."""
