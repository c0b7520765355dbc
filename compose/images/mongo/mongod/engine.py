"""PostgreSQL with DocumentDB: its data in the dbpath, its process, and calls into it over a pool of connections."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import signal
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import asyncpg

from mongod.errors import CommandError, name_of_sqlstate
from mongod.log import log
from mongod.scram import Credentials
from mongod.statements import INDEX_NAME

PROGRAMS = Path("/usr/lib/postgresql/18/bin")
NEW = Path("/usr/local/lib/mongod/new.tar.gz")  # made by `prepare` when the image is built
USER, DATABASE = "mongodb", "postgres"
CONNECTIONS = 16
READY = "database system is ready to accept connections"
START_TIMEOUT = 300.0  # the recovery of a large database after a kill takes its time
STOP_TIMEOUT = 60.0

SETTINGS = {
    "listen_addresses": "",
    "max_connections": CONNECTIONS + 16,  # the engine connects to itself to make a collection
    "shared_buffers": "64MB",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "max_locks_per_transaction": 256,  # a collection is a table with indexes; dropDatabase takes them all
    "max_parallel_workers_per_gather": 0,  # parallel queries need more shared memory than a container has by default
    "max_parallel_maintenance_workers": 0,
    "io_method": "sync",
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "max_logical_replication_workers": 0,
    "deadlock_timeout": "100ms",
    "jit": "off",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "",
    "log_min_error_statement": "panic",  # errors of commands are the clients' own affair
    "log_min_messages": "log",  # what is above errors: its own life
    "shared_preload_libraries": "pg_cron,pg_documentdb_core,pg_documentdb",
    "cron.database_name": DATABASE,
    "cron.use_background_workers": "on",
    "cron.log_run": "off",
    "cron.log_statement": "off",
    "documentdb.enableBackgroundWorker": "off",  # it has nothing to do here, and holds up an end for up to ten seconds
    "documentdb.maxWriteBatchSize": 100_000,
    "documentdb.throwDeadlockOnCRUD": "on",  # so that nothing of the command is done, and it can be tried again
    "documentdb_core.enableCollation": "on",
    "documentdb.useFileBasedPersistedCursors": "on",  # so that any connection of the pool can go on with a cursor
    "documentdb.defaultCursorExpiryTimeLimitSeconds": 600,
}

_SET_UP = (
    f"ALTER DATABASE {DATABASE} SET log_min_messages = fatal",  # of sessions; the server's own life is still told
    "CREATE EXTENSION documentdb CASCADE",
    "CREATE SCHEMA mongod",
    "CREATE TABLE mongod.users (name text PRIMARY KEY, salt bytea, iterations int, stored_key bytea, server_key bytea)",
    # Indexes are built at once here, not by the jobs that look for work every two seconds. That of TTL indexes stays.
    "SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname LIKE 'documentdb_index_build_task%'",
)


class CannotStart(Exception):
    """The data can not be served. ``code`` is mongod's exit code for this."""

    def __init__(self, message: str, code: int = 14) -> None:
        super().__init__(message)
        self.code = code


class Engine:
    """One database directory and the PostgreSQL that serves it.

    Args:
        dbpath: As --dbpath.
    """

    def __init__(self, dbpath: Path) -> None:
        self._dbpath = dbpath
        self._data = dbpath / "documentdb"
        self._complete = self._data / "initialized"
        self._sockets = Path(tempfile.mkdtemp(prefix="mongod-"))
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._last_words: list[str] = []
        self._pool: asyncpg.Pool | None = None

    async def start(self, root: tuple[str, str] | None) -> None:
        """Serve the data; make the directory first where there is none.

        Args:
            root: Name and password of a user to make with a new directory.

        Raises:
            CannotStart: It is in use, or not ours, or PostgreSQL does not come up.
        """
        lock = self._lock()
        if (self._dbpath / "WiredTiger").exists():
            raise CannotStart(f"{self._dbpath} holds data of MongoDB itself, which this stand-in cannot read")
        new = not self._complete.exists()
        if new:
            shutil.rmtree(self._data, ignore_errors=True)  # what a start left that was killed before it served anyone
            await asyncio.to_thread(self._unpack)
        # Nobody else runs on this directory, as the lock says; the number in this file may be anyone's after a kill.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        pool = await self._open(lock)
        if new and root is not None:
            kept = Credentials.of(root[1])
            await pool.execute(
                "INSERT INTO mongod.users VALUES ($1, $2, $3, $4, $5)",
                *(root[0], kept.salt, kept.iterations, kept.stored_key, kept.server_key),
            )
        self._complete.touch()

    async def make(self, file: Path) -> None:
        """Make what new directories begin with: a tar of a database that has the engine and nothing else.

        Raises:
            CannotStart: PostgreSQL, or DocumentDB in it, refuses.
        """
        await self._run("initdb", "-D", self._data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale",
                        "--wal-segsize=4")  # fmt: skip
        pool = await self._open(self._lock())
        for statement in _SET_UP:
            await pool.execute(statement)
        await self.stop()
        with tarfile.open(file, "w:gz", compresslevel=3) as tar:
            tar.add(self._data, arcname=".")

    def _unpack(self) -> None:
        with tarfile.open(NEW) as tar:
            tar.extractall(self._data, filter="fully_trusted")

    async def _open(self, lock: int) -> asyncpg.Pool:
        await self._start(lock)
        os.close(lock)
        try:
            self._pool = await asyncpg.create_pool(
                host=str(self._sockets),
                user=USER,
                database=DATABASE,
                min_size=2,
                max_size=CONNECTIONS,
                reset=_nothing,
                server_settings={"search_path": "documentdb_api_catalog,documentdb_api,public"},
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise CannotStart(f"PostgreSQL cannot be used: {error}") from error
        return self._pool

    async def users(self) -> dict[str, Credentials]:
        """Who may log in."""
        assert self._pool is not None
        rows = await self._pool.fetch("SELECT name, salt, iterations, stored_key, server_key FROM mongod.users")
        return {row[0]: Credentials(*row[1:]) for row in rows}

    async def call(self, statement: str, *arguments: Any, timeout: float | None = None) -> asyncpg.Record:
        """The one row of a call.

        Args:
            statement: In SQL. BSON goes in and comes out as bytea.
            arguments: Its parameters.
            timeout: Seconds, after which the statement is cancelled.

        Raises:
            CommandError: The engine refuses, or it took too long.
            ConnectionError: The engine has gone away.
        """
        assert self._pool is not None
        try:
            row = await self._pool.fetchrow(statement, *arguments, timeout=timeout)
        except asyncpg.PostgresError as error:
            name = name_of_sqlstate(error.sqlstate or "")
            if name in ("InternalError", "UnknownError"):
                log("W", "STORAGE", 0, "engine", "the engine failed", error=str(error), sqlstate=error.sqlstate)
            words = str(error.args[0])
            if name == "DuplicateKey":
                words = f"{words}: Index '{await self._index_of(error.constraint_name or '')}'"
            raise CommandError(name, words) from error
        except TimeoutError as error:
            raise CommandError("MaxTimeMSExpired", "operation exceeded time limit") from error
        except (OSError, asyncpg.InterfaceError) as error:
            raise ConnectionError(f"the engine has gone away: {error}") from error
        assert row is not None
        return row

    async def _index_of(self, constraint: str) -> str:
        """The name of the index that a constraint of PostgreSQL belongs to, "" for one that is being built."""
        found = re.fullmatch(r"documents_rum_index_(\d+)", constraint)
        if found is None:
            return "_id_"
        assert self._pool is not None
        return await self._pool.fetchval(INDEX_NAME, int(found[1])) or ""

    async def wait(self) -> str:
        """Wait until PostgreSQL ends; its last words."""
        assert self._process is not None
        assert self._reader is not None
        await self._process.wait()
        await self._reader
        return " / ".join(self._last_words)

    async def stop(self) -> None:
        """End PostgreSQL after what it is at; everything is on the disk when this returns."""
        if self._pool is not None:
            self._pool.terminate()
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)  # "fast": sessions end, a checkpoint is written
            try:
                await asyncio.wait_for(self.wait(), STOP_TIMEOUT)
            except TimeoutError:
                self._process.send_signal(signal.SIGQUIT)  # "immediate": the next start recovers from the log
                await self.wait()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _lock(self) -> int:
        """Take the directory; PostgreSQL's processes inherit the lock, and the last one that ends gives it up."""
        file = self._dbpath / "mongod.lock"
        try:
            lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CannotStart(f"Unable to create/open the lock file: {file} ({error.strerror})", 100) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart(
                f"DBPathInUse: Unable to lock the lock file: {file} ({error.strerror}). "
                f"Another mongod instance is already running on the {self._dbpath} directory",
                100,
            ) from error
        os.truncate(lock, 0)
        os.write(lock, b"%d\n" % os.getpid())
        return lock

    async def _run(self, program: str, *arguments: object) -> None:
        process = await asyncio.create_subprocess_exec(
            PROGRAMS / program,
            *map(str, arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise CannotStart(f"{program} exited with code {process.returncode}: {output.decode(errors='replace')}")

    async def _start(self, lock: int) -> None:
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        options.append(f"--unix_socket_directories={self._sockets}")
        options.append(f"--documentdb.localhost_connection_string=host={self._sockets}")
        self._process = await asyncio.create_subprocess_exec(
            PROGRAMS / "postgres",
            *("-D", str(self._data), *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C in a terminal is for mongod, which ends PostgreSQL in order
        )
        self._reader = asyncio.create_task(self._read())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._reader}, timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not self._ready.is_set():
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            raise CannotStart(f"PostgreSQL did not come up: {await self.wait()}")

    async def _read(self) -> None:
        """PostgreSQL's log lines, until its last process has closed its end."""
        assert self._process is not None
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            text = line.decode(errors="replace").rstrip()
            self._last_words = [*self._last_words[-4:], text]
            log("I", "STORAGE", 0, "engine", text)
            if READY in text:
                self._ready.set()


async def _nothing(_: asyncpg.Connection) -> None:
    """What a connection needs before its next use: our calls leave nothing behind in a session."""
