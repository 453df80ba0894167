"""A database that any number of processes share: a SQLite file, or PostgreSQL when there is more than one host.

What keeps several processes on one SQLite file apart: WAL, the write lock first, no BEGIN by the driver; and that each
of them looks whether it is still the file at the path.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InvalidatePoolError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from action_server.database_urls import DRIVERS, place_of, problem_of
from action_server.errors import DatabaseError, SettingsError
from action_server.extras import packages_for

T = TypeVar("T")

# How long a transaction waits for a connection, for the network and for the other writers, in seconds.
PATIENCE = 5.0
_WAL_PAUSE = 0.05
# After so many seconds a connection may have died without a sign: of a network, not of a server that was stopped.
_IDLE = 1.0
_SQLITE_BUSY = 5  # https://sqlite.org/rescode.html#busy; above the lowest byte are its variants
# Any number will do, as long as every process of this server takes the same one.
_SCHEMA_LOCK = 0x0AC7_105E
# What is to be called when a connection's transaction is done. A connection object has one transaction here.
_after_commit: WeakKeyDictionary[AsyncConnection, list[Callable[[], None]]] = WeakKeyDictionary()

_SQLITE_LOCKED = "database is locked"
# What SQLite says, word for word, and PostgreSQL's codes: https://postgresql.org/docs/current/errcodes-appendix.html
_SQLITE_PROBLEMS = {
    _SQLITE_LOCKED: "it is locked by somebody else",
    "database or disk is full": "its disk is full",
    "attempt to write a readonly database": "it may not be written to",
    "unable to open database file": "it cannot be opened",
    "disk I/O error": "its disk cannot be read or written",
    "database disk image is malformed": "it is damaged",
    "file is not a database": "the file is not a database",
}
_POSTGRESQL_PROBLEMS = {
    "28000": "it refuses the user",
    "28P01": "it refuses the password",
    "3D000": "it does not exist",
    "42501": "the user may not do this",
    "53100": "its disk is full",
    "53300": "it has too many connections",
    "55P03": "it is locked by somebody else",
    "57P03": "it is starting or stopping",
}
# Of these, what passes without anybody's doing.
_POSTGRESQL_DOWN = frozenset({"53300", "55P03", "57P03"})


class Database:
    """One database and its transactions.

    A transaction runs to its end though its caller is cancelled: it takes milliseconds, and cut off in the middle it
    would leave a connection in use, and a caller who cannot know. Made by :meth:`open`.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.dialect = engine.dialect.name
        self._engine = engine
        # Made once: to make one costs a fifth of a statement.
        self._writing = engine.execution_options(begin="BEGIN IMMEDIATE")
        options: dict[str, Any] = {"begin": None} if self.dialect == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        self._by_statement = engine.execution_options(**options)
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(
        cls,
        url: str | Path,
        create: Callable[[Connection], None],
        *,
        patience: float = PATIENCE,
        where: str = "database",
        password: Callable[[], str] | None = None,
    ) -> Database:
        """Open the database and let ``create`` make what it is to hold; any number of processes may do so at once.

        ``url`` is the path of a SQLite file or an URL such as ``postgresql://user@host/name``. ``create`` runs in one
        transaction, while no other process that opens the same database is in its own; ``patience`` is how many seconds
        a transaction waits for a connection, for the network and for other writers. ``password`` is asked for each new
        connection to PostgreSQL, so that one in a file may be replaced.

        Raises:
            SettingsError: the URL is none, or its driver is not installed; ``where`` is the setting it names.
            DatabaseError: the database does not answer.
        """
        engine = _engine(_url(url, where), patience, where)
        if password is not None:
            _ask_for_password(engine, password)
        database = cls(engine)
        try:
            if database.dialect == "sqlite":
                await _switch_to_wal(engine, patience)
            await database.create(create)
        except BaseException:
            await database.close()
            raise
        return database

    @property
    def file(self) -> Path | None:
        """The path of a SQLite file; None for a database that is no file."""
        return Path(str(self._engine.url.database)) if self.dialect == "sqlite" else None

    @property
    def place(self) -> str:
        """Where it is, for people: the path of a file, or ``host/name``; without a user or a password."""
        return place_of(self._engine.url)

    async def close(self) -> None:
        """Close every connection, as soon as what is running has ended."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._engine.dispose()

    async def ping(self) -> None:
        """Return if the database answers; raises :class:`DatabaseError` if not."""

        async def ask(connection: AsyncConnection) -> None:
            await connection.execute(text("SELECT 1"))

        await self.read(ask)

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run ``work`` in a transaction that only reads. Raises :class:`DatabaseError`."""
        return await self._to_its_end(_transaction(self._engine, work))

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run ``work`` in a transaction that writes. Raises :class:`DatabaseError`."""
        return await self._to_its_end(_transaction(self._writing, work))

    async def autocommit(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run ``work`` without a transaction, for statements that allow none. Raises :class:`DatabaseError`."""
        return await self._to_its_end(_by_statement(self._by_statement, work))

    @staticmethod
    def after_commit(connection: AsyncConnection, call: Callable[[], None]) -> None:
        """Let ``call`` be called when the transaction of ``read`` or ``write`` is done; not if it comes to nothing."""
        _after_commit.setdefault(connection, []).append(call)

    def is_that_of(self, connection: AsyncConnection) -> bool:
        """Tell whether a connection, which anybody may have opened, is one to this very database."""
        return _are_one(self._engine.url, connection.engine.url)

    def is_same_as(self, other: Database) -> bool:
        """Tell whether another object is the same database."""
        return _are_one(self._engine.url, other._engine.url)

    async def _to_its_end(self, transaction: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(transaction)
        self._running.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task})  # which leaves the task alone when the caller is cancelled
        return task.result()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # or asyncio complains when the caller is gone

    async def create(self, create: Callable[[Connection], None]) -> None:
        """Let ``create`` make more of what it is to hold, as in :meth:`open`. Raises :class:`DatabaseError`."""

        async def locked(connection: AsyncConnection) -> None:
            if self.dialect == "postgresql":
                # Two processes that create the same table at once fail there, IF NOT EXISTS or not.
                await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _SCHEMA_LOCK})
            await connection.run_sync(create)

        await self.write(locked)


async def _transaction(engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async with _connected(engine) as connection:
        async with connection.begin():
            result = await work(connection)
        for call in _after_commit.pop(connection, ()):
            call()
        return result


async def _by_statement(engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async with _connected(engine) as connection:
        return await work(connection)


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Connect for the length of the block; whatever goes wrong with the database becomes :class:`DatabaseError`."""
    try:
        connection = await engine.connect()
    except Exception as exc:
        # Drivers raise their own kinds here, which SQLAlchemy hands on: asyncpg's errors, OSError, TimeoutError.
        raise DatabaseError(_problem(exc), is_down=_is_down(exc)) from exc
    try:
        yield connection
    except (SQLAlchemyError, OSError, asyncio.TimeoutError) as exc:
        raise DatabaseError(_problem(exc), is_down=_is_down(exc)) from exc
    finally:
        await connection.close()


def _are_one(url: URL, other: URL) -> bool:
    kind = url.get_backend_name()
    if kind == "sqlite" == other.get_backend_name():
        return os.path.realpath(str(url.database)) == os.path.realpath(str(other.database))
    same = ("host", "port", "database", "query")
    return kind == other.get_backend_name() and all(getattr(url, name) == getattr(other, name) for name in same)


def _is_down(error: BaseException) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, (PoolTimeoutError, asyncio.TimeoutError, OSError)):
        return True
    return str(cause) == _SQLITE_LOCKED or str(getattr(cause, "sqlstate", None)) in _POSTGRESQL_DOWN


def _problem(error: BaseException) -> str | None:
    """Return in words of ours what is wrong: the error's own may hold what was to be written."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, (PoolTimeoutError, TimeoutError, asyncio.TimeoutError)):
        return "it took too long"
    if isinstance(cause, OSError):
        return cause.strerror or "there is no connection"
    return _SQLITE_PROBLEMS.get(str(cause)) or _POSTGRESQL_PROBLEMS.get(str(getattr(cause, "sqlstate", None)))


def _url(url: str | Path, where: str) -> URL:
    """Return the URL with the driver we use. No message shows it: a password may stand in it."""
    if isinstance(url, Path) or "://" not in url:
        if not str(url):
            raise SettingsError(where, "is empty; give it the path of a SQLite file or an URL")
        return URL.create("sqlite+aiosqlite", database=str(url))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError(where, "is not an URL as SQLAlchemy reads it") from None
    problem = problem_of(url)
    if problem is not None:
        raise SettingsError(where, problem)
    return parsed.set(drivername=DRIVERS[parsed.drivername])


def _engine(url: URL, patience: float, where: str) -> AsyncEngine:
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite:
        _make_private(Path(str(url.database)))
    # One connection to a SQLite file: its writers take turns anyway, and a queue of tasks is fair and does not poll.
    options: dict[str, Any] = (
        {"pool_size": 1, "max_overflow": 0}
        if sqlite
        else {"connect_args": {"timeout": patience, "command_timeout": patience}}
    )
    with packages_for(where):
        # hide_parameters: they may be people's data, and would stand in every error text.
        engine = create_async_engine(url, pool_timeout=patience, hide_parameters=True, **options)
    if sqlite:
        _configure_sqlite(engine, patience)
        _stay_with_the_file(engine, Path(str(url.database)))
    else:
        _replace_dead_connections(engine)
    return engine


def _replace_dead_connections(engine: AsyncEngine) -> None:
    """Let nobody have a connection that is closed. Only one that was idle is asked: that doubles what work costs."""

    def look(connection: DBAPIConnection, entry: ConnectionPoolEntry, _: object) -> None:
        last, entry.info["used"] = entry.info.get("used"), time.monotonic()
        closed: bool = connection.driver_connection.is_closed()
        is_idle = last is not None and entry.info["used"] - last > _IDLE
        if closed or (is_idle and not engine.dialect._do_ping_w_event(connection)):
            # All that are as old are replaced: the server was restarted, or the network cut.
            raise InvalidatePoolError

    event.listen(engine.sync_engine, "checkout", look)


def _ask_for_password(engine: AsyncEngine, password: Callable[[], str]) -> None:
    def connect(_dialect: object, _entry: object, _arguments: object, options: dict[str, Any]) -> None:
        options["password"] = password()

    event.listen(engine.sync_engine, "do_connect", connect)


def _make_private(path: Path) -> None:
    """Make the file and its folder if need be, readable by their owner alone; SQLite itself would let all read it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # Only a new file may be closed here: closing any descriptor of a file gives up all locks that this process has
        # on it. Without them the next one to close the database, whoever it is, removes the log that others write to.
        if not path.exists():
            os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as exc:
        # Another process may have made it in between.
        if not path.is_file():
            raise DatabaseError(f"it cannot be opened: {exc.strerror}") from exc


def _configure_sqlite(engine: AsyncEngine, patience: float) -> None:
    def configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # or the driver sends a BEGIN of its own
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")  # what was promised survives a power cut
        cursor.close()

    def begin(connection: Connection) -> None:
        # IMMEDIATE takes the write lock first. A transaction that reads first and writes later fails at the write,
        # without any waiting, if somebody else wrote in between.
        statement = connection.get_execution_options().get("begin", "BEGIN")
        if statement is not None:
            connection.exec_driver_sql(statement)

    event.listen(engine.sync_engine, "connect", configure)
    event.listen(engine.sync_engine, "begin", begin)


def _stay_with_the_file(engine: AsyncEngine, path: Path) -> None:
    """Have every transaction go to the file that is at the path then, and fail while there is none.

    A connection outlives its file: what was moved away or deleted would take what nobody finds again, and a process
    that is started in the meantime would make a new file, so that two of them run on two databases.
    """

    def which() -> tuple[int, int]:
        try:
            found = os.stat(path)
        except FileNotFoundError as exc:
            raise FileNotFoundError(exc.errno, "its file is gone: it was moved or deleted") from exc
        return found.st_dev, found.st_ino

    def connecting(_dialect: object, _entry: object, _arguments: object, _options: object) -> None:
        which()  # or SQLite would make one

    def connected(_connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info["file"] = which()

    def taken(_connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: object) -> None:
        if entry.info["file"] != which():
            raise DisconnectionError  # SQLAlchemy connects anew

    event.listen(engine.sync_engine, "do_connect", connecting)
    event.listen(engine.sync_engine, "connect", connected)
    event.listen(engine.sync_engine, "checkout", taken)


async def _switch_to_wal(engine: AsyncEngine, patience: float) -> None:
    # The mode is stored in the file and cannot be changed inside of a transaction. When processes switch a new file at
    # once, SQLite tells some of them "locked" at once, without waiting for its busy_timeout: hence the loop.
    give_up = time.monotonic() + patience
    while True:
        try:
            async with _connected(engine.execution_options(begin=None)) as connection:
                await connection.execute(text("PRAGMA journal_mode = WAL"))
            return
        except DatabaseError as exc:
            if not _is_busy(exc.__cause__) or time.monotonic() >= give_up:
                raise
            await asyncio.sleep(_WAL_PAUSE)


def _is_busy(error: BaseException | None) -> bool:
    if not isinstance(error, OperationalError):
        return False
    # Before Python 3.11 the driver does not say; trying again until the time is up does no harm then.
    code: int = getattr(error.orig, "sqlite_errorcode", _SQLITE_BUSY)
    return code & 0xFF == _SQLITE_BUSY
