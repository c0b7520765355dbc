"""Whether LocalStack answers: one call to each service that a sandbox needs. Its health alone lies."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.backends.localstack.connection import Connection
from sandbox.aws.backends.localstack.services import NEEDED, Call, authorization
from sandbox.errors import SandboxError

_WITHIN = 180.0  # seconds for a service's first call, which loads it: 1 to 4 on two idle cores
_EXCERPT = 400


def check(connection: Connection, calls: Mapping[str, Call] = NEEDED) -> None:
    """Call each service once, which also loads it.

    One after another: loading is computing in one process, and eight at once take it half as much time again.

    Raises:
        SandboxError: It names the first service that does not answer as it should, and LocalStack's last log lines.
    """
    for signed, call in calls.items():
        status, body = _ask(connection, signed, call)
        if not 200 <= status < 300:
            raise _refused(connection, call, status, body)


def _ask(connection: Connection, signed: str, call: Call) -> tuple[int, bytes]:
    headers = {"Authorization": authorization(signed, ACCOUNT_ID), **call.headers}
    status, _, body = connection.ask(call.method, call.path, headers, call.body, timeout=_WITHIN)
    return status, body


def _refused(connection: Connection, call: Call, status: int, body: bytes) -> SandboxError:
    said = body[:_EXCERPT].decode(errors="replace")
    base = connection.lost(said)
    hint = "LocalStack's log above says why; see docs/localstack.md"
    if "license" in said or status == 403:
        hint = (
            "this LocalStack's licence does not include it, or its token (LOCALSTACK_AUTH_TOKEN) was refused: "
            "the image of the catalogue needs none"
        )
    elif "not available" in said or "SERVICES" in said or "disabled" in said:
        hint = f"it was started without {call.service}: leave SERVICES unset, or add {call.service}"
    elif status == 404:
        hint = f"is {connection.url} a LocalStack? It answers {call.operation} with HTTP 404"
    return SandboxError(
        f"LocalStack's service {call.service} does not answer: {call.operation} gave HTTP {status}",
        state=said or base.state,
        log=base.log,
        hint=hint,
    )
