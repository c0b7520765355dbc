"""Commands: what of each is this server's own affair, and which function of the engine does the rest.

Sources: MongoDB Manual, Database Commands; the errors' words are those of MongoDB 7.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mongod import refusals, statements, wire
from mongod.cursors import Cursors
from mongod.engine import Engine
from mongod.errors import CODES, CommandError, name_of_sqlstate, sqlstate_of_number
from mongod.log import log
from mongod.session import Session
from mongod.wire import Request

_SEQUENCES = {"insert": "documents", "update": "updates", "delete": "deletes"}
_ATTEMPTS = 100  # MongoDB, too, tries a write again by itself when it has run into another one

Handler = Callable[["Commands", Request, Session], Awaitable[Mapping[str, Any] | bytes]]


class Commands:
    """Carries commands out.

    Args:
        engine: Where the data is.
        cursors: Those that clients have open.
    """

    def __init__(self, engine: Engine, cursors: Cursors) -> None:
        self._engine = engine
        self._cursors = cursors

    async def run(self, request: Request, session: Session) -> bytes:
        """The reply to a command, as BSON; its error where it has one.

        Raises:
            ConnectionError: The engine has gone away.
        """
        try:
            handler = _handler(request)
            session.may(request)
            document = await handler(self, request, session)
        except CommandError as error:
            document = error.reply()
        except (TypeError, ValueError, AttributeError, LookupError) as error:  # a member of the wrong type, mostly
            log("W", "COMMAND", 0, session.context, "Command failed", command=request.name, error=repr(error))
            document = CommandError("BadValue", f"Failed to parse: {request.name}: {error}").reply()
        return document if isinstance(document, bytes) else wire.encode(document)

    # -- reading --

    async def find(self, request: Request, _: Session) -> bytes:
        if request.body.get("tailable"):
            raise CommandError("BadValue", "error processing query: tailable cursor requested on non capped collection")
        return await self._page(statements.FIND, request)

    async def aggregate(self, request: Request, _: Session) -> bytes:
        pipeline = request.body.get("pipeline")
        stages = [next(iter(stage), "") for stage in pipeline] if isinstance(pipeline, list) else []
        if "$changeStream" in stages:
            raise CommandError("Location40573", "The $changeStream stage is only supported on replica sets")
        if request.body.get("explain"):
            raise refusals.not_carried_out("'explain'")
        return await self._page(statements.AGGREGATE, request)

    async def list_collections(self, request: Request, _: Session) -> bytes:
        return await self._page(statements.LIST_COLLECTIONS, request)

    async def list_indexes(self, request: Request, _: Session) -> bytes:
        reply = wire.decode(await self._page(statements.LIST_INDEXES, request))
        for index in reply["cursor"]["firstBatch"]:
            index.pop("storageEngine", None)  # the engine's own way of keeping it
        return wire.encode(reply)

    async def get_more(self, request: Request, _: Session) -> bytes:
        number, database = request.body["getMore"], _database(request)
        namespace = f"{database}.{request.body.get('collection')}"
        cursor = self._cursors.take(number, namespace)
        page, continuation = await self._call(
            request, statements.GET_MORE, database, _spec(request), cursor.continuation
        )
        if continuation is not None:
            self._cursors.keep(number, namespace, continuation)
        return page

    async def kill_cursors(self, request: Request, _: Session) -> Mapping[str, Any]:
        killed, unknown = self._cursors.kill(request.body.get("cursors", ()))
        if killed:
            await self._engine.call(statements.DELETE_CURSORS, [int(number) for number in killed])
        found = {"cursorsKilled": killed, "cursorsNotFound": unknown, "cursorsAlive": [], "cursorsUnknown": []}
        return {**found, "ok": 1.0}

    async def count(self, request: Request, _: Session) -> bytes:
        return await self._spec_call("count_query", request)

    async def distinct(self, request: Request, _: Session) -> bytes:
        return await self._spec_call("distinct_query", request)

    # -- writing --

    async def write(self, request: Request, _: Session) -> bytes:
        database, collection = _database(request), _collection(request)
        sequence = request.sequences.get(_SEQUENCES[request.name])
        statement = statements.WRITE.format(request.name)
        result, success = await self._call(request, statement, database, _spec(request), sequence)
        if success:
            return result
        reply = wire.decode(result)
        for error in reply.get("writeErrors", ()):
            name = name_of_sqlstate(sqlstate_of_number(error["code"]))
            error["code"] = CODES[name]
            if name == "DuplicateKey":
                error.update(await self._duplicate(database, collection, error["errmsg"], request, error["index"]))
        return wire.encode(reply)

    async def find_and_modify(self, request: Request, _: Session) -> bytes:
        database, collection = _database(request), _collection(request)
        try:
            (result,) = await self._call(request, statements.FIND_AND_MODIFY, database, _spec(request))
        except CommandError as error:
            if error.name != "DuplicateKey":
                raise
            found = await self._duplicate(database, collection, error.message)
            raise CommandError(error.name, found.pop("errmsg"), **found) from error
        return result

    async def _duplicate(
        self, database: str, collection: str, words: str, request: Request | None = None, place: int = 0
    ) -> dict[str, Any]:
        """MongoDB's words for a key that there is already, from the engine's, which end with the index's name."""
        found = re.search(r"Index '(.*)'", words)
        index = found[1] if found else "?"
        message = f"E11000 duplicate key error collection: {database}.{collection} index: {index}"
        row = await self._engine.call(statements.LIST_INDEXES, database, wire.encode({"listIndexes": collection}))
        indexes = {known["name"]: known["key"] for known in wire.decode(row[0])["cursor"]["firstBatch"]}
        if index not in indexes:
            return {"errmsg": message}
        more: dict[str, Any] = {"keyPattern": indexes[index]}
        if request is not None and request.name == "insert" and not any("." in name for name in indexes[index]):
            sequence = request.sequences.get("documents")
            documents = request.body.get("documents", ()) if sequence is None else wire.documents(sequence)
            more["keyValue"] = {name: documents[place].get(name) for name in indexes[index]}
            values = ", ".join(f"{name}: {_shown(value)}" for name, value in more["keyValue"].items())
            message = f"{message} dup key: {{ {values} }}"
        return {"errmsg": message, **more}

    # -- collections, indexes, databases --

    async def create(self, request: Request, _: Session) -> bytes:
        return await self._spec_call("create_collection_view", request)

    async def create_indexes(self, request: Request, _: Session) -> Mapping[str, Any]:
        try:
            (result,) = await self._call(request, statements.CREATE_INDEXES, _database(request), _spec(request))
        except CommandError as error:
            if error.name != "DuplicateKey":
                raise
            namespace = f"{_database(request)}.{_collection(request)}"
            names = ", ".join(index["name"] for index in request.body["indexes"] if index.get("unique"))
            words = f"Index build failed: E11000 duplicate key error collection: {namespace} index: {names}"
            raise CommandError(error.name, words) from error
        found = wire.decode(result)["raw"]["defaultShard"]
        return {**found, "ok": 1.0}

    async def drop_indexes(self, request: Request, _: Session) -> Mapping[str, Any]:
        (result,) = await self._call(request, statements.DROP_INDEXES, _database(request), _spec(request))
        # A procedure's result cannot be cast, and BSON as text is "BSONHEX" and the bytes.
        reply = wire.decode(bytes.fromhex(result.removeprefix("BSONHEX")))
        if not reply.get("ok"):
            raise CommandError(name_of_sqlstate(sqlstate_of_number(reply["code"])), reply["errmsg"])
        return {**reply, "ok": 1.0}

    async def drop(self, request: Request, _: Session) -> Mapping[str, Any]:
        database, collection = _database(request), _collection(request)
        (indexes,) = await self._engine.call(statements.NUMBER_OF_INDEXES, database, collection)
        (dropped,) = await self._call(request, statements.DROP, database, collection)
        if not dropped:
            return {"ok": 1.0}
        return {"nIndexesWas": indexes, "ns": f"{database}.{collection}", "ok": 1.0}

    async def drop_database(self, request: Request, _: Session) -> Mapping[str, Any]:
        await self._call(request, statements.DROP_DATABASE, _database(request))
        return {"dropped": _database(request), "ok": 1.0}

    async def list_databases(self, request: Request, _: Session) -> bytes:
        (result,) = await self._call(request, statements.LIST_DATABASES, _spec(request))
        return result

    async def rename_collection(self, request: Request, _: Session) -> Mapping[str, Any]:
        await self._call(request, statements.RENAME, _spec(request))
        return {"ok": 1.0}

    async def coll_mod(self, request: Request, _: Session) -> bytes:
        (result,) = await self._call(
            request, statements.COLL_MOD, _database(request), _collection(request), _spec(request)
        )
        return result

    async def coll_stats(self, request: Request, _: Session) -> bytes:
        scale = float(request.body.get("scale", 1))
        (result,) = await self._call(request, statements.COLL_STATS, _database(request), _collection(request), scale)
        return result

    async def db_stats(self, request: Request, _: Session) -> bytes:
        (result,) = await self._call(
            request, statements.DB_STATS, _database(request), float(request.body.get("scale", 1))
        )
        return result

    # -- the engine --

    async def _page(self, statement: str, request: Request) -> bytes:
        database = _database(request)
        page, continuation, number = await self._call(request, statement, database, _spec(request))
        if continuation is not None:
            namespace = wire.decode(page)["cursor"]["ns"]
            self._cursors.keep(number, namespace, continuation)
        return page

    async def _spec_call(self, function: str, request: Request) -> bytes:
        (result,) = await self._call(request, statements.SPEC.format(function), _database(request), _spec(request))
        return result

    async def _call(self, request: Request, statement: str, *arguments: Any) -> Any:
        milliseconds = request.body.get("maxTimeMS")
        timeout = milliseconds / 1000 if milliseconds else None
        for _ in range(_ATTEMPTS):
            try:
                return await self._engine.call(statement, *arguments, timeout=timeout)
            except CommandError as error:
                if error.name != "WriteConflict":
                    raise
                conflict = error
        raise conflict


def _own(name: str) -> Handler:
    async def handler(_: Commands, request: Request, session: Session) -> Mapping[str, Any]:
        return await getattr(session, name)(request)  # type: ignore[no-any-return]

    return handler


_HANDLERS: dict[str, Handler] = {
    "aggregate": Commands.aggregate,
    "buildInfo": _own("build_info"),
    "buildinfo": _own("build_info"),
    "collMod": Commands.coll_mod,
    "collStats": Commands.coll_stats,
    "collstats": Commands.coll_stats,
    "connectionStatus": _own("connection_status"),
    "count": Commands.count,
    "create": Commands.create,
    "createIndexes": Commands.create_indexes,
    "dbStats": Commands.db_stats,
    "dbstats": Commands.db_stats,
    "delete": Commands.write,
    "deleteIndexes": Commands.drop_indexes,
    "distinct": Commands.distinct,
    "drop": Commands.drop,
    "dropDatabase": Commands.drop_database,
    "dropIndexes": Commands.drop_indexes,
    "endSessions": _own("ok"),
    "find": Commands.find,
    "findAndModify": Commands.find_and_modify,
    "findandmodify": Commands.find_and_modify,
    "getMore": Commands.get_more,
    "hello": _own("hello"),
    "insert": Commands.write,
    "isMaster": _own("hello"),
    "ismaster": _own("hello"),
    "killCursors": Commands.kill_cursors,
    "listCollections": Commands.list_collections,
    "listDatabases": Commands.list_databases,
    "listIndexes": Commands.list_indexes,
    "logout": _own("logout"),
    "ping": _own("ok"),
    "refreshSessions": _own("ok"),
    "renameCollection": Commands.rename_collection,
    "saslContinue": _own("sasl_continue"),
    "saslStart": _own("sasl_start"),
    "startSession": _own("start_session"),
    "update": Commands.write,
    "whatsmyuri": _own("whatsmyuri"),
}


def _handler(request: Request) -> Handler:
    refusals.check(request)
    if request.name not in _HANDLERS:
        raise CommandError("CommandNotFound", f"no such command: '{request.name}'")
    return _HANDLERS[request.name]


def _database(request: Request) -> str:
    database = request.body.get("$db")
    if not isinstance(database, str):
        raise CommandError("Location40571", "OP_MSG requests require a $db argument")
    return database


def _collection(request: Request) -> str:
    collection = request.body[request.name]
    if not isinstance(collection, str):
        raise CommandError("InvalidNamespace", f"collection name has invalid type {type(collection).__name__}")
    if not collection:
        raise CommandError("InvalidNamespace", f"Invalid namespace specified '{_database(request)}.'")
    return collection


def _spec(request: Request) -> bytes:
    """The command as the engine takes it. An empty sort is none to MongoDB, and an error to the engine."""
    members = {name: value for name, value in request.body.items() if name not in refusals.GENERIC}
    if isinstance(members.get("sort"), Mapping) and not members["sort"]:
        del members["sort"]
    return wire.encode(members)


def _shown(value: Any) -> str:
    """A value as MongoDB's messages show it."""
    if isinstance(value, str):
        return f'"{value}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)
