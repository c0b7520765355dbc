"""What one client's connection is to the server: who it is, what it may do, and the commands about that."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bson import Binary, Int64, ObjectId

from mongod import scram, wire
from mongod.errors import CommandError
from mongod.log import log
from mongod.wire import Request

VERSION = "7.0.0"  # whose wire protocol and words these are
WIRE_VERSION = 21
_WITHOUT_LOGIN = frozenset(
    (
        "buildInfo",
        "buildinfo",
        "connectionStatus",
        "hello",
        "isMaster",
        "ismaster",
        "logout",
        "ping",
        "saslContinue",
        "saslStart",
        "whatsmyuri",
    )
)
_ON_ADMIN = frozenset(("listDatabases", "renameCollection"))


@dataclass
class Host:
    """What all of a server's clients share.

    Attributes:
        auth: Commands need a login.
        users: Who may log in.
        closing: Set when the server goes away.
        process: Drivers take another one for a server that has restarted.
    """

    auth: bool
    users: Mapping[str, scram.Credentials]
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    process: ObjectId = field(default_factory=ObjectId)

    @property
    def topology_version(self) -> dict[str, Any]:
        """Never changes: a standalone server is what it is."""
        return {"processId": self.process, "counter": Int64(0)}


class Session:
    """One connection.

    Args:
        host: Its server.
        number: The connection's number.
        remote: The client's address and port.
    """

    def __init__(self, host: Host, number: int, remote: str) -> None:
        self._host = host
        self.number = number
        self._remote = remote
        self._user: str | None = None
        self._conversation: scram.Conversation | None = None
        self._skips_empty = False

    @property
    def context(self) -> str:
        """The connection's name in the log."""
        return f"conn{self.number}"

    def may(self, request: Request) -> None:
        """Whether this client may give this command.

        Raises:
            CommandError: It may not.
        """
        if self._host.auth and self._user is None and request.name not in _WITHOUT_LOGIN:
            raise CommandError("Unauthorized", f"Command {request.name} requires authentication")
        if request.name in _ON_ADMIN and request.body.get("$db") != "admin":
            raise CommandError("Unauthorized", f"{request.name} may only be run against the admin database.")

    async def hello(self, request: Request) -> Mapping[str, Any]:
        """What this server is. A client that knows waits here for a change, which is the server's end."""
        body = request.body
        if "maxAwaitTimeMS" in body and body.get("topologyVersion") is not None:
            known = body["topologyVersion"].get("processId") == self._host.process
            if known and not self._host.closing.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._host.closing.wait(), body["maxAwaitTimeMS"] / 1000)
        reply: dict[str, Any] = {"isWritablePrimary" if request.name == "hello" else "ismaster": True}
        if body.get("helloOk"):
            reply["helloOk"] = True
        reply |= {
            "topologyVersion": self._host.topology_version,
            "maxBsonObjectSize": wire.MAX_DOCUMENT,
            "maxMessageSizeBytes": wire.MAX_MESSAGE,
            "maxWriteBatchSize": 100_000,
            "localTime": datetime.datetime.now(datetime.UTC),
            "logicalSessionTimeoutMinutes": 30,
            "connectionId": self.number,
            "minWireVersion": 0,
            "maxWireVersion": WIRE_VERSION,
            "readOnly": False,
        }
        if "saslSupportedMechs" in body:
            database, _, user = str(body["saslSupportedMechs"]).partition(".")
            if database == "admin" and user in self._host.users:
                reply["saslSupportedMechs"] = [scram.MECHANISM]
        if isinstance(begun := body.get("speculativeAuthenticate"), Mapping):
            try:
                reply["speculativeAuthenticate"] = self._begin(begun, str(begun.get("db")))
            except CommandError:
                self._conversation = None  # as MongoDB: the client has to begin again, and is told then
        return {**reply, "ok": 1.0}

    async def sasl_start(self, request: Request) -> Mapping[str, Any]:
        """The first step of a login."""
        return {**self._begin(request.body, str(request.body.get("$db"))), "ok": 1.0}

    async def sasl_continue(self, request: Request) -> Mapping[str, Any]:
        """The further steps of a login; the last one may be empty."""
        if self._conversation is None:
            raise CommandError("ProtocolError", "No SASL session state found")
        payload = bytes(request.body.get("payload", b""))
        if self._conversation.done:
            self._user, self._conversation = self._conversation.user, None
            return {"conversationId": 1, "done": True, "payload": b"", "ok": 1.0}
        try:
            answer = self._conversation.finish(payload)
        except scram.Refused as error:
            raise self._failed(self._conversation.user, error) from error
        log("I", "ACCESS", 5286306, self.context, "Successfully authenticated",
            user=self._conversation.user, db="admin", mechanism=scram.MECHANISM, client=self._remote)  # fmt: skip
        if self._skips_empty:
            self._user, self._conversation = self._conversation.user, None
        return {"conversationId": 1, "done": self._skips_empty, "payload": answer, "ok": 1.0}

    def _begin(self, body: Mapping[str, Any], database: str) -> dict[str, Any]:
        if body.get("mechanism") == "SCRAM-SHA-1":  # MongoDB has it; clients try it where there is no such user, too
            raise self._failed("", scram.Refused(f"the stand-in for MongoDB takes {scram.MECHANISM} only"))
        if body.get("mechanism") != scram.MECHANISM:
            raise CommandError(
                "MechanismUnavailable",
                f"Received authentication for mechanism {body.get('mechanism')} which is not enabled",
            )
        users = self._host.users if database == "admin" else {}
        conversation = scram.Conversation(users.get)
        try:
            answer = conversation.begin(bytes(body.get("payload", b"")))
        except scram.Refused as error:
            raise self._failed(conversation.user, error) from error
        self._conversation = conversation
        options = body.get("options")
        self._skips_empty = isinstance(options, Mapping) and bool(options.get("skipEmptyExchange"))
        return {"conversationId": 1, "done": False, "payload": answer}

    def _failed(self, user: str, error: scram.Refused) -> CommandError:
        self._conversation = None
        log("I", "ACCESS", 5286307, self.context, "Failed to authenticate",
            user=user, mechanism=scram.MECHANISM, client=self._remote, error=str(error))  # fmt: skip
        return CommandError("AuthenticationFailed", "Authentication failed.")

    async def logout(self, _: Request) -> Mapping[str, Any]:
        """Forget who this is."""
        self._user = None
        return {"ok": 1.0}

    async def connection_status(self, _: Request) -> Mapping[str, Any]:
        """Who this is."""
        users = [] if self._user is None else [{"user": self._user, "db": "admin"}]
        roles = [] if self._user is None else [{"role": "root", "db": "admin"}]
        return {"authInfo": {"authenticatedUsers": users, "authenticatedUserRoles": roles}, "ok": 1.0}

    async def build_info(self, _: Request) -> Mapping[str, Any]:
        """What this server is made of."""
        return {
            "version": VERSION,
            "gitVersion": "stand-in for MongoDB: DocumentDB behind a gateway",
            "modules": [],
            "versionArray": [*map(int, VERSION.split(".")), 0],
            "bits": 64,
            "debug": False,
            "maxBsonObjectSize": wire.MAX_DOCUMENT,
            "storageEngines": ["documentdb"],
            "ok": 1.0,
        }

    async def start_session(self, _: Request) -> Mapping[str, Any]:
        """A number for a session; drivers make their own."""
        return {"id": {"id": Binary(uuid.uuid4().bytes, 4)}, "timeoutMinutes": 30, "ok": 1.0}

    async def whatsmyuri(self, _: Request) -> Mapping[str, Any]:
        """The client's address, as it is seen here."""
        return {"you": self._remote, "ok": 1.0}

    async def ok(self, _: Request) -> Mapping[str, Any]:
        """Nothing to do: ping; the end of a session, since sessions hold nothing here."""
        return {"ok": 1.0}
