"""LocalStack as the backend: which request goes there, and what the sandbox itself wants to know of it.

EC2 stays moto's in this process, as do the services that LocalStack's free edition has not (`services.ANSWERED`).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from sandbox.aws.backends.backend import WsgiApp
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.backends.localstack.connection import Connection
from sandbox.aws.backends.localstack.services import ANSWERED
from sandbox.aws.backends.localstack.zones import read_zones
from sandbox.model.route53 import HostedZone

log = logging.getLogger(__name__)

_ZONE = re.compile(r"/2013-04-01/hostedzone/([A-Z0-9]+)")

Published = Callable[[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]], str], None]
"""The entries of a PutEvents, the entries of its answer, and the region."""


class HasConnection(Protocol):
    """Where the connection to LocalStack comes from."""

    @property
    def connection(self) -> Connection:
        """Waits until LocalStack is ready."""


class LocalStack:
    """Implements `sandbox.aws.backends.backend.Backend`.

    Args:
        server: Has the connection to LocalStack, once that is ready.
        embedded: Has the services that LocalStack does not answer.

    Attributes:
        on_events: Told of each PutEvents that LocalStack has answered.
    """

    def __init__(self, server: HasConnection, embedded: Embedded) -> None:
        self._server = server
        self._embedded = embedded
        self.on_events: Published = lambda entries, answers, region: None

    def wsgi_app(self) -> WsgiApp:
        """The application that hands each request to who answers for its service."""
        others: list[WsgiApp] = []

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if environ["sandbox.service"] in ANSWERED and not self._is_cloud_maps(environ):
                return self._answer(environ, start_response)
            if not others:
                others.append(self._embedded.wsgi_app())  # imports moto
            return others[0](environ, start_response)

        return answer

    def hosted_zones(self) -> list[HostedZone]:
        """LocalStack's hosted zones, and those that Cloud Map keeps: Route 53's API lists the former alone.

        Raises:
            SandboxError: LocalStack does not answer.
        """
        return [*read_zones(self._server.connection), *self._embedded.hosted_zones()]

    def missing_subnets(self, subnet_ids: Iterable[str]) -> list[str]:
        """Those of ``subnet_ids`` that EC2 does not have."""
        return self._embedded.missing_subnets(subnet_ids)

    def _is_cloud_maps(self, environ: dict[str, Any]) -> bool:
        """Whether the request is about a hosted zone that Cloud Map has made, which LocalStack knows nothing of."""
        if environ["sandbox.service"] != "route53":
            return False
        zone = _ZONE.match(environ["RAW_URI"])
        return zone is not None and any(one.id == zone[1] for one in self._embedded.hosted_zones())

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.get("HTTP_X_AMZ_TARGET", "").endswith("Events.PutEvents"):
            return self._server.connection.wsgi(environ, start_response)
        body = environ["wsgi.input"].read()
        environ["wsgi.input"].seek(0)
        answered = b"".join(self._server.connection.wsgi(environ, start_response))
        try:
            entries, answers = json.loads(body)["Entries"], json.loads(answered)["Entries"]
        except (ValueError, KeyError):
            return [answered]  # it was refused
        self.on_events(entries, answers, environ["sandbox.region"])
        return [answered]
