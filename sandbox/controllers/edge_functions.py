"""The Lambda@Edge functions of one distribution: two hops on Unix sockets, and what they tell.

Observations:

- ``cdn.function`` (distribution, event, function, url, outcome, error, seconds): a function has run; ``outcome`` is
  "request" (it goes on), "response" or an error as in X-Cache ("LambdaValidationError").
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from sandbox.aws.lambda_runtime.function import Result
from sandbox.aws.log_writer import LogWriter
from sandbox.aws.protocol import AwsError
from sandbox.dataplane.cdn.hop import Hop, Origin, Way
from sandbox.errors import SandboxError
from sandbox.model.cloudfront.config import Distribution
from sandbox.model.cloudfront.config import Origin as OriginConfig
from sandbox.model.cloudfront.lambda_edge import REGION, Association
from sandbox.model.cloudfront.lambda_events import EdgeOrigin, EdgeRequest
from sandbox.model.cloudfront.lambda_exchange import Answer, Failed, Returned, Step

SIDES = ("viewer", "origin")
_S3 = re.compile(r"\.s3[.-](?:[a-z0-9.-]+\.)?amazonaws\.com$")


class RunAtEdge(Protocol):
    """Runs a version of a function (its ARN, the event, the trigger) and waits for the result; raises AwsError."""

    def __call__(self, arn: str, payload: bytes, trigger: str) -> Result: ...


class EdgeFunctions:
    """From the first `serve` of a distribution with functions until `close`.

    Args:
        distribution_id: As in the API.
        sockets: The folder of the sockets, which Varnish and nginx see, too.
        run: Runs a function.
        logs: Gets what CloudFront says of results that it cannot use.
        record: Gets the observations.
    """

    def __init__(
        self, distribution_id: str, sockets: Path, run: RunAtEdge, logs: LogWriter, record: Callable[..., object]
    ) -> None:
        self._id = distribution_id
        self._sockets = sockets
        self._run = run
        self._logs = logs
        self._record = record
        self._hops: list[Hop] = []

    def serve(self, distribution: Distribution, ports: Mapping[str, int], token: str) -> None:
        """Carry out the functions of a distribution from now on.

        Args:
            distribution: As deployed.
            ports: By which nginx's sockets for the origins are named.
            token: As of Varnish's configuration.
        """
        way = Way(
            self._id,
            distribution.domain_name,
            {number: behavior.functions for number, behavior in enumerate(distribution.behaviors)},
            [
                Origin(
                    {scheme: _told(origin, scheme) for scheme in ("http", "https")},
                    self._sockets / f"origin-{ports[origin.id]}.sock",
                )
                for origin in distribution.origins.values()
            ],
            self._sockets / "viewed.sock",
            token,
        )
        for hop in self._hops:
            hop.way = way
        if not self._hops:
            self._hops = [
                Hop(side, self._sockets / f"{side}-functions.sock", way, self._invoke, self._tell) for side in SIDES
            ]

    def close(self) -> None:
        """Take no more requests."""
        for hop in self._hops:
            hop.close()
        self._hops = []

    def _invoke(self, association: Association, event: Mapping[str, object]) -> Returned | Failed:
        try:
            result = self._run(association.arn, json.dumps(event).encode(), association.trigger)
        except AwsError as error:
            return Failed(error.code == "TooManyRequestsException", f"{error.code}: {error.message}")
        except SandboxError as error:  # it is being closed
            return Failed(error=str(error))
        if result.failed:
            return Failed(error=result.payload.decode(errors="replace"))
        try:
            return Returned(json.loads(result.payload))
        except ValueError:
            return Returned(None)

    def _tell(self, association: Association, request: EdgeRequest, step: Step, seconds: float) -> None:
        failed = isinstance(step, Answer) and step.failed
        outcome = "request"
        if isinstance(step, Answer):
            outcome = step.x_cache if failed else "response"
            if failed:
                now = time.time()
                stream = f"{datetime.fromtimestamp(now, UTC):%Y/%m/%d}/{uuid.uuid4().hex}"
                group = f"/aws/cloudfront/LambdaEdge/{self._id}"
                self._logs.write(group, stream, [(now, f"{association.arn} {step.detail}")], region=REGION)
        self._record(
            "cdn.function",
            distribution=self._id,
            event=association.trigger,
            function=association.arn,
            url=f"{request.uri}?{request.query}" if request.query else request.uri,
            outcome=outcome,
            error=step.detail if isinstance(step, Answer) and failed else None,
            seconds=round(seconds, 4),
        )


def _told(origin: OriginConfig, scheme: str) -> EdgeOrigin:
    """An origin as origin events have it, for a viewer who has asked by a protocol."""
    protocol = {"http-only": "http", "https-only": "https"}.get(origin.protocol, scheme)
    port = origin.https_port if protocol == "https" else origin.http_port
    headers = tuple((name.title(), value) for name, value in origin.custom_headers.items())
    kind, more = "s3", {}
    if not _S3.search(origin.domain_name):
        kind = "custom"
        more = {
            "keepaliveTimeout": origin.keepalive_timeout,
            "readTimeout": origin.read_timeout,
            "sslProtocols": ["TLSv1.2"],
        }
    return EdgeOrigin(kind, origin.domain_name, protocol, port, origin.path, headers, more)
