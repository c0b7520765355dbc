"""Tells the sandbox of each invocation, as soon as it is over and before its result is used."""

from __future__ import annotations

import http.client
import json
import logging
import socket

from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

from sandbox.aws.lambda_runtime.function import Result
from sandbox_localstack import settings

LOG = logging.getLogger(__name__)
_PATH = "/_sandbox/invocations"
_WITHIN = 10.0  # seconds
_EXCERPT = 1000  # characters of an event, as of the embedded Lambda's observations
_LOG_LINES = 40


class _Gateway(http.client.HTTPConnection):
    """A connection to the gateway's Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_WITHIN)
        self.sock.connect(settings.GATEWAY_SOCKET)


def invocation(version: FunctionVersion, arn: str, payload: str, result: Result) -> None:
    """Tell of an invocation; where no sandbox listens, nobody wants to know."""
    error = result.error()
    told = {
        "function": version.id.function_name,
        "arn": arn,
        "request_id": result.request_id,
        "status": error.get("errorType", "Unhandled") if result.failed else "Success",
        "error": error.get("errorMessage"),
        "duration_ms": round(result.duration_ms, 2),
        "billed_ms": result.billed_ms,
        "init_ms": None if result.init_ms is None else round(result.init_ms, 2),
        "payload": payload[:_EXCERPT],
        "log": result.log.splitlines()[-_LOG_LINES:],
    }
    connection = _Gateway("sandbox")
    try:
        connection.request("POST", _PATH, json.dumps(told).encode())
        connection.getresponse().read()
    except OSError as failure:
        LOG.warning("the sandbox was not told of an invocation of %s: %s", arn, failure)
    finally:
        connection.close()
