"""LocalStack as the backend: which request goes there, and what the sandbox itself wants to know of it.

EC2 stays moto's in this process, as do the services that LocalStack's free edition has not (`services.ANSWERED`).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from botocore.parsers import create_parser

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.backends.backend import WsgiApp
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.backends.identities import Identities
from sandbox.aws.backends.localstack.identities import FunctionIdentities, HasConnection
from sandbox.aws.backends.localstack.services import ANSWERED, authorization
from sandbox.aws.backends.localstack.zones import read_zones
from sandbox.aws.protocol import service_model
from sandbox.model.route53 import HostedZone

log = logging.getLogger(__name__)

_ZONE = re.compile(r"/2013-04-01/hostedzone/([A-Z0-9]+)")
_HEALTH_CHECKS = "/2013-04-01/healthcheck"

Published = Callable[[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]], str], None]
"""The entries of a PutEvents, the entries of its answer, and the region."""


class LocalStack:
    """Implements `sandbox.aws.backends.backend.Backend`.

    Args:
        server: Has the connection to LocalStack, once that is ready.
        embedded: Has the services that LocalStack does not answer.

    Attributes:
        on_events: Told of each PutEvents that LocalStack has answered.
    """

    zones = None

    def __init__(self, server: HasConnection, embedded: Embedded) -> None:
        self._server = server
        self._embedded = embedded
        self.on_events: Published = lambda entries, answers, region: None

    def wsgi_app(self) -> WsgiApp:
        """The application that hands each request to who answers for its service."""
        others: list[WsgiApp] = []

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if environ["sandbox.service"] in ANSWERED and not self._is_ours(environ):
                return self._answer(environ, start_response)
            if not others:
                others.append(self._embedded.wsgi_app())  # imports moto
            return others[0](environ, start_response)

        return answer

    def hosted_zones(self, is_healthy: Callable[[str], bool] = lambda health_check_id: True) -> list[HostedZone]:
        """LocalStack's hosted zones, and those that Cloud Map keeps: Route 53's API lists the former alone.

        Raises:
            SandboxError: LocalStack does not answer.
        """
        return [*read_zones(self._server.connection, is_healthy), *self._embedded.hosted_zones(is_healthy)]

    def missing_subnets(self, subnet_ids: Iterable[str]) -> list[str]:
        """Those of ``subnet_ids`` that EC2 does not have."""
        return self._embedded.missing_subnets(subnet_ids)

    def identities(self) -> Identities | None:
        """What IAM, which is ours, has of roles; None while nobody has used it."""
        found = self._embedded.identities()
        return found and FunctionIdentities(found, self._server)

    def topic_policy(self, arn: str) -> str | None:
        """The policy of an SNS topic, or None where there is no such topic."""
        body = urlencode({"Action": "GetTopicAttributes", "Version": "2010-03-31", "TopicArn": arn}).encode()
        headers = {
            "Authorization": authorization("sns", ACCOUNT_ID, arn.split(":")[3]),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        status, answered, content = self._server.connection.ask("POST", "/", headers, body)
        if status != 200:
            return None
        shape = service_model("sns").operation_model("GetTopicAttributes").output_shape
        response = {"status_code": status, "headers": answered, "body": content}
        policy = create_parser("query").parse(response, shape)["Attributes"].get("Policy")
        return None if policy is None else str(policy)

    def instance_tags(self, instance_id: str) -> dict[str, str]:
        """The tags of an EC2 instance; empty where there is none."""
        return self._embedded.instance_tags(instance_id)

    def instance_now(self, instance_id: str) -> tuple[str, str]:
        """The state and the private address of an instance; one that there is not is "terminated"."""
        return self._embedded.instance_now(instance_id)

    def _is_ours(self, environ: dict[str, Any]) -> bool:
        """Whether the request is about a health check, or a hosted zone that Cloud Map has made."""
        if environ["sandbox.service"] != "route53":
            return False
        if environ["RAW_URI"].startswith(_HEALTH_CHECKS):
            return True
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
