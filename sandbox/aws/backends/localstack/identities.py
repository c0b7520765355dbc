"""Whose the access keys of LocalStack's functions are: LocalStack issues them, and the sandbox's IAM has the roles."""

from __future__ import annotations

import functools
from typing import Protocol

from botocore.parsers import create_parser

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.backends.identities import Identities
from sandbox.aws.backends.localstack.connection import Connection
from sandbox.aws.backends.localstack.services import authorization
from sandbox.aws.protocol import service_model
from sandbox.aws.sessions import Session

_BODY = b"Action=GetCallerIdentity&Version=2011-06-15"


class HasConnection(Protocol):
    """Where the connection to LocalStack comes from."""

    @property
    def connection(self) -> Connection:
        """Waits until LocalStack is ready."""


class FunctionIdentities(Identities):
    """Roles and sessions as IAM and STS have them, and the sessions of functions.

    Args:
        others: What IAM and STS have.
        server: Has the connection to LocalStack.
    """

    def __init__(self, others: Identities, server: HasConnection) -> None:
        super().__init__(others.iam, others.sts)
        self._server = server

    def assumed(self, access_key_id: str) -> Session | None:
        """The session that an access key is of, or None."""
        return super().assumed(access_key_id) or session_of(self._server.connection, access_key_id)


@functools.lru_cache(maxsize=1024)
def session_of(connection: Connection, access_key_id: str) -> Session | None:
    """The session of a function's access key, as LocalStack's GetCallerIdentity tells; None: it has not issued it."""
    headers = {
        "Authorization": authorization("sts", access_key_id),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    status, answered, body = connection.ask("POST", "/", headers, _BODY)
    if status != 200:
        return None
    shape = service_model("sts").operation_model("GetCallerIdentity").output_shape
    arn = create_parser("query").parse({"status_code": status, "headers": answered, "body": body}, shape)["Arn"]
    _, _, path = arn.partition(":assumed-role/")
    role, _, name = path.rpartition("/")
    return Session(f"arn:aws:iam::{ACCOUNT_ID}:role/{role}", name, access_key_id) if role else None
