"""Run when the image is built: start mongod, give it every command that needs the engine, and stop it.

The engine's packages are not pinned, so this is what finds out that a function has changed.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, "/usr/local/lib/mongod")
from mongod import wire

PORT = 27018
COMMANDS = (
    {"create": "made"},
    {"insert": "c", "documents": [{"_id": number, "n": number % 3, "tags": ["a", "b"]} for number in range(300)]},
    {"createIndexes": "c", "indexes": [{"key": {"n": 1}, "name": "n_1"}]},
    {"find": "c", "filter": {"n": {"$gt": 0}}, "sort": {"_id": -1}, "limit": 2},
    {
        "aggregate": "c",
        "pipeline": [{"$unwind": "$tags"}, {"$group": {"_id": "$tags", "n": {"$sum": 1}}}],
        "cursor": {},
    },
    {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}]},
    {"findAndModify": "c", "query": {"_id": 2}, "update": {"$set": {"n": 9}}, "new": True},
    {"delete": "c", "deletes": [{"q": {"_id": 3}, "limit": 1}]},
    {"count": "c", "query": {"n": 9}},
    {"distinct": "c", "key": "n"},
    {"listIndexes": "c"},
    {"listCollections": 1},
    {"collStats": "c"},
    {"dbStats": 1},
    {"collMod": "c", "index": {"name": "n_1", "hidden": True}},
    {"dropIndexes": "c", "index": "n_1"},
    {"drop": "made"},
)


def main() -> None:
    """Fail with the command that the engine does not answer as it should."""
    with tempfile.TemporaryDirectory(prefix="smoke-") as folder:
        process = subprocess.Popen(
            ["mongod", "--port", str(PORT), "--dbpath", folder], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Waiting for connections" in line:
                break
        else:
            sys.exit("mongod does not start with these packages of Debian:\n" + "".join(lines[-20:]))
        try:
            with socket.create_connection(("127.0.0.1", PORT)) as connection:
                exercise(connection)
        finally:
            process.terminate()
            process.communicate()
        if process.returncode != 0:
            sys.exit(f"mongod ended with code {process.returncode}")


def exercise(connection: socket.socket) -> None:
    """Give all commands."""
    for command in COMMANDS:
        reply = give(connection, {**command, "$db": "smoke"})
        print({name: value for name, value in reply.items() if name != "cursor"}, flush=True)
    for sort in ({}, {"n": 1}):  # a cursor that streams, and one whose result is kept
        page = give(connection, {"find": "c", "batchSize": 100, "sort": sort, "$db": "smoke"})["cursor"]
        number, found = page["id"], len(page["firstBatch"])
        while page["id"]:
            more = {"getMore": page["id"], "collection": "c", "batchSize": 100, "$db": "smoke"}
            page = give(connection, more)["cursor"]
            found += len(page["nextBatch"])
        if not number or found != 299:
            sys.exit(f"the engine does not hand out a cursor's documents as it did: {found} of 299")
        page = give(connection, {"find": "c", "batchSize": 1, "sort": sort, "$db": "smoke"})["cursor"]
        give(connection, {"killCursors": "c", "cursors": [page["id"]], "$db": "smoke"})
    give(connection, {"listDatabases": 1, "$db": "admin"})
    give(connection, {"renameCollection": "smoke.c", "to": "smoke.d", "$db": "admin"})
    give(connection, {"dropDatabase": 1, "$db": "smoke"})


def give(connection: socket.socket, command: dict) -> dict:
    """The reply to a command, which has to succeed."""
    content = b"\0\0\0\0\0" + wire.encode(command)
    connection.sendall(wire.HEADER.pack(wire.HEADER.size + len(content), 1, 0, wire.OP_MSG) + content)
    header = receive(connection, wire.HEADER.size)
    reply = wire.decode(receive(connection, wire.HEADER.unpack(header)[0] - wire.HEADER.size)[5:])
    if reply.get("ok") != 1 or "writeErrors" in reply:
        sys.exit(f"DocumentDB has another interface now: {command} is answered {reply}; see mongod/statements.py")
    return reply


def receive(connection: socket.socket, size: int) -> bytes:
    """So many bytes."""
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            sys.exit("mongod has closed the connection")
        content += part
    return content


main()
