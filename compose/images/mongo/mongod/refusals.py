"""What is refused before anything is done: as MongoDB does, or because this stand-in does not carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongod.errors import CommandError
from mongod.wire import Request

# Members of any command that are about the conversation, not about what is to be done.
GENERIC = frozenset(
    [
        "$db",
        "lsid",
        "txnNumber",
        "$clusterTime",
        "$readPreference",
        "readConcern",
        "writeConcern",
        "maxTimeMS",
        "apiVersion",
        "apiStrict",
        "apiDeprecationErrors",
        "authorizedCollections",
        "authorizedDatabases",
    ]
)
# MongoDB 7 has these.
_NOT_CARRIED_OUT = frozenset(
    [
        "cloneCollectionAsCapped",
        "compact",
        "convertToCapped",
        "createRole",
        "createUser",
        "currentOp",
        "dbHash",
        "dropAllUsersFromDatabase",
        "dropRole",
        "dropUser",
        "explain",
        "filemd5",
        "fsync",
        "fsyncUnlock",
        "getCmdLineOpts",
        "getLog",
        "getParameter",
        "grantRolesToUser",
        "hostInfo",
        "killAllSessions",
        "killOp",
        "killSessions",
        "listCommands",
        "mapReduce",
        "profile",
        "reIndex",
        "replSetGetStatus",
        "replSetInitiate",
        "revokeRolesFromUser",
        "rolesInfo",
        "serverStatus",
        "setFeatureCompatibilityVersion",
        "setParameter",
        "shutdown",
        "top",
        "updateRole",
        "updateUser",
        "usersInfo",
        "validate",
    ]
)
_OF_REPLICA_SETS = frozenset(("abortTransaction", "commitTransaction"))
_LEGACY = frozenset(("hello", "isMaster", "ismaster"))


def check(request: Request) -> None:
    """Refuse what can be refused by a look at the command.

    Raises:
        CommandError: With MongoDB's code and words where MongoDB, as a standalone server, refuses it too.
    """
    name = request.name
    if request.legacy and name not in _LEGACY:
        raise CommandError(
            "UnsupportedOpQueryCommand",
            f"Unsupported OP_QUERY command: {name}. The client driver may require an upgrade. "
            "For more details see https://dochub.mongodb.org/core/legacy-opcode-removal",
        )
    if name in _OF_REPLICA_SETS or "txnNumber" in request.body or "startTransaction" in request.body:
        raise CommandError("IllegalOperation", "Transaction numbers are only allowed on a replica set member or mongos")
    if name in _NOT_CARRIED_OUT:
        raise not_carried_out(f"'{name}'")
    _check_concerns(request.body)


def not_carried_out(what: str) -> CommandError:
    """The error for what MongoDB has and this stand-in has not."""
    return CommandError("CommandNotSupported", f"the stand-in for MongoDB does not carry out {what}")


def _check_concerns(body: Mapping[str, Any]) -> None:
    write, read = body.get("writeConcern"), body.get("readConcern")
    w = write.get("w") if isinstance(write, Mapping) else None
    if isinstance(w, int) and w > 1:
        raise CommandError("BadValue", "cannot use 'w' > 1 when a host is not replicated")
    if isinstance(w, str) and w != "majority":
        raise CommandError("BadValue", f"cannot use non-majority 'w' mode \"{w}\" when a host is not replicated")
    level = read.get("level", "local") if isinstance(read, Mapping) else "local"
    if level not in ("local", "available", "majority"):
        raise not_carried_out(f"readConcern '{level}'")
