"""What the sandbox needs of whoever answers for the AWS services that are not its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sandbox.model.route53 import HostedZone

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Backend(Protocol):
    """A backend: `embedded.Embedded` or `localstack.backend.LocalStack`.

    EC2's records are `Embedded`'s with either: they say what the sandbox itself runs.
    """

    def wsgi_app(self) -> WsgiApp:
        """The application for the gateway; asked for at the first request that needs it."""

    def hosted_zones(self) -> list[HostedZone]:
        """Route 53's hosted zones as they are now, in order of creation."""

    def missing_subnets(self, subnet_ids: Iterable[str]) -> list[str]:
        """Those of ``subnet_ids`` that EC2 does not have."""
