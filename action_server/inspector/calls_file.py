"""The calls of all workers of a server, in one SQLite file of bounded size."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from action_server.inspector.kept import CallRow, KeptCall, Notes, has_failed

# Of another shape than this, a file is begun anew.
_SHAPE = 1
_NAME = "calls.sqlite3"
_MOST_DOMAINS = 20
# How long another worker may write, in seconds.
_PATIENCE = 5.0
_COLUMNS = tuple(field.name for field in fields(CallRow))
_SEARCHED = ("sender_id", "action", "request_id", "error_id")
_TABLES = """
CREATE TABLE IF NOT EXISTS calls (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, worker INTEGER, face TEXT, action TEXT, sender_id TEXT,
  request_id TEXT, error_id TEXT, outcome TEXT, status INTEGER, waiting_ms REAL, ms REAL, repeated INTEGER,
  again INTEGER, failed INTEGER, size INTEGER);
CREATE TABLE IF NOT EXISTS parts (id INTEGER PRIMARY KEY, request BLOB, reply BLOB, notes BLOB);
CREATE TABLE IF NOT EXISTS domains (name TEXT PRIMARY KEY, content BLOB, digest TEXT, used REAL);
CREATE TABLE IF NOT EXISTS missed (worker INTEGER PRIMARY KEY, calls INTEGER);
"""


@dataclass(frozen=True)
class Ended:
    """A call that is to be kept; ``at`` is in seconds since 1970, what is ``None`` was too large."""

    at: float
    face: str
    action: str
    sender_id: str
    request_id: str
    error_id: str
    outcome: str
    status: int
    waiting_ms: float
    ms: float
    repeated: bool
    again: int | None
    request: bytes | None
    reply: bytes | None
    notes: bytes


@dataclass(frozen=True)
class Wanted:
    """Which calls are asked for: those that have ``text`` in one of their names, and failed if ``failed``."""

    text: str = ""
    failed: bool = False
    action: str = ""


class CallsFile:
    """The file, as one process has it. Reading and writing may be done on different threads."""

    def __init__(self, folder: Path, most_calls: int, most_bytes: int, worker: int) -> None:
        self._path = folder / _NAME
        self._most_calls, self._most_bytes = most_calls, most_bytes
        self._worker = worker
        self._domains_in_use: dict[str, float] = {}
        self._digests: dict[str, str] = {}
        self._lock = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._writing = self._open()

    def close(self) -> None:
        """Close the file."""
        self._writing.close()

    # -- Writing, by one thread of each process

    def write(self, calls: Sequence[Ended], missed: int = 0) -> list[int]:
        """Keep these calls, and forget the oldest of those that are too many; return their numbers.

        Raises:
            sqlite3.Error: the disk refuses.
        """
        with self._writing as connection:
            numbers = [self._insert(connection, call) for call in calls]
            if missed:
                text = "INSERT INTO missed VALUES (?, ?) ON CONFLICT (worker) DO UPDATE SET calls = calls + ?"
                connection.execute(text, (self._worker, missed, missed))
            self._forget(connection)
        return numbers

    def _insert(self, connection: sqlite3.Connection, call: Ended) -> int:
        size = len(call.request or b"") + len(call.reply or b"") + len(call.notes)
        names = (call.face, call.action, call.sender_id, call.request_id, call.error_id, call.outcome)
        values = (
            *(call.at, self._worker, *map(_storable, names), call.status, call.waiting_ms, call.ms, call.repeated),
            *(call.again, has_failed(call.outcome, call.status), size),
        )
        marks = ", ".join("?" * len(values))
        added = connection.execute(f"INSERT INTO calls VALUES (NULL, {marks})", values)  # noqa: S608 - question marks
        parts = (added.lastrowid, call.request, call.reply, call.notes)
        connection.execute("INSERT INTO parts VALUES (?, ?, ?, ?)", parts)
        return int(added.lastrowid or 0)

    def _forget(self, connection: sqlite3.Connection) -> None:
        newest, oldest = connection.execute("SELECT max(id), min(id) FROM calls").fetchone()
        if newest is None:
            return
        first = newest - self._most_calls + 1
        total = connection.execute("SELECT sum(size) FROM calls WHERE id >= ?", (first,)).fetchone()[0] or 0
        if total > self._most_bytes:
            first = self._first_within(connection, first)
        if first > oldest:
            connection.execute("DELETE FROM calls WHERE id < ?", (first,))
            connection.execute("DELETE FROM parts WHERE id < ?", (first,))

    def _first_within(self, connection: sqlite3.Connection, first: int) -> int:
        """Return the first of the newest calls that have half of the bytes altogether."""
        left = self._most_bytes // 2
        rows = connection.execute("SELECT id, size FROM calls WHERE id >= ? ORDER BY id DESC", (first,))
        for number, size in rows:
            left -= size
            if left < 0:
                return int(number)
        return first

    # -- The domains that calls came with: a DomainKeeper

    def use_domain(self, name: str) -> bool:
        """Keep a domain for as long as a call needs; tell whether it is there."""
        now = time.monotonic()
        if now - self._domains_in_use.get(name, -1e9) < _PATIENCE:
            return True
        with self._writing as connection:
            found = connection.execute("UPDATE domains SET used = ? WHERE name = ?", (time.time(), name))
        if found.rowcount:
            self._domains_in_use[name] = now
        return bool(found.rowcount)

    def keep_domain(self, domain: bytes, digest: str) -> str:
        """Keep a domain once for all calls that came with it; return its name."""
        name = hashlib.sha256(domain).hexdigest()[:16]
        if not self.use_domain(name):
            with self._writing as connection:
                values = (name, domain, digest, time.time())
                connection.execute("INSERT OR REPLACE INTO domains VALUES (?, ?, ?, ?)", values)
                oldest = "SELECT name FROM domains ORDER BY used DESC LIMIT -1 OFFSET ?"
                connection.execute(f"DELETE FROM domains WHERE name IN ({oldest})", (_MOST_DOMAINS,))  # noqa: S608
            self._domains_in_use[name] = time.monotonic()
        if digest:
            self._digests[digest] = name
            while len(self._digests) > _MOST_DOMAINS:
                del self._digests[next(iter(self._digests))]
        return name

    def domain_of(self, digest: str) -> str | None:
        """Return the name of the domain that came with this digest, whichever worker has seen it come."""
        name = self._digests.get(digest)
        if name is None:
            found = self._writing.execute("SELECT name FROM domains WHERE digest = ?", (digest,)).fetchone()
            name = found[0] if found else None
            if name is not None:
                self._digests[digest] = name
        return name if name is not None and self.use_domain(name) else None

    # -- Reading, by anybody

    def newest(self) -> tuple[int, int]:
        """Return the number of the newest call of all workers, and how many came too fast to be kept."""
        with self._reading() as connection:
            newest = connection.execute("SELECT max(id) FROM calls").fetchone()[0] or 0
            missed = connection.execute("SELECT sum(calls) FROM missed").fetchone()[0] or 0
            return int(newest), int(missed)

    def find(self, wanted: Wanted, limit: int, before: int | None = None) -> list[CallRow]:
        """Return the newest calls of those that are wanted, older than ``before`` if it is given."""
        where, values = _conditions(wanted)
        if before is not None:
            where.append("id < ?")
            values.append(before)
        text = f"SELECT {', '.join(_COLUMNS)} FROM calls WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608
        with self._reading() as connection:
            return [_row(found) for found in connection.execute(text, (*values, limit))]

    def times_since(self, at: float) -> dict[str, list[float]]:
        """Return how long the calls of each action ran since ``at``, in milliseconds, those that are kept; sorted."""
        times: dict[str, list[float]] = {}
        with self._reading() as connection:
            for name, ms in connection.execute("SELECT action, ms FROM calls WHERE at >= ? ORDER BY ms", (at,)):
                times.setdefault(name, []).append(ms)
        return times

    def last_failures(self) -> dict[str, CallRow]:
        """Return the last call of each action that failed."""
        columns = ", ".join(_COLUMNS)
        text = f"SELECT {columns} FROM calls WHERE id IN (SELECT max(id) FROM calls WHERE failed GROUP BY action)"  # noqa: S608
        with self._reading() as connection:
            return {row.action: row for row in map(_row, connection.execute(text))}

    def read(self, number: int) -> KeptCall | None:
        """Return one call; None if it is not kept any more."""
        text = f"SELECT {', '.join(_COLUMNS)} FROM calls WHERE id = ?"  # noqa: S608 - names of ours
        with self._reading() as connection:
            row = connection.execute(text, (number,)).fetchone()
            parts = connection.execute("SELECT request, reply, notes FROM parts WHERE id = ?", (number,)).fetchone()
            if row is None or parts is None:
                return None
            request = _loads(parts[0])
            if isinstance(request, dict) and "domain_file" in request:
                name = request.pop("domain_file")
                found = connection.execute("SELECT content FROM domains WHERE name = ?", (str(name),)).fetchone()
                if found is not None:
                    request["domain"] = _loads(found[0])
        shown = request if isinstance(request, dict) else None
        return KeptCall(_row(row), shown, _loads(parts[1]), msgspec.json.decode(parts[2], type=Notes))

    # -- Connections

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.Error:
            # Of another version, or torn: nobody misses what was for looking at.
            for file in self._path.parent.glob(f"{_NAME}*"):
                file.unlink(missing_ok=True)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_PATIENCE, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # What a power cut takes is no loss.
            connection.execute("PRAGMA synchronous = OFF")
            shape = connection.execute("PRAGMA user_version").fetchone()[0]
            if shape not in (0, _SHAPE):
                raise sqlite3.DatabaseError("of another version")
            connection.executescript(_TABLES)
            connection.execute(f"PRAGMA user_version = {_SHAPE}")
            self._path.chmod(0o600)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        # One for each reading: threads of a pool read, and opening takes less than a millisecond.
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as connection:
            yield connection


def _storable(text: str) -> str:
    """Return a text that SQLite takes: engines write halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()


def _conditions(wanted: Wanted) -> tuple[list[str], list[Any]]:
    where, values = ["1"], []
    if wanted.text:
        pattern = "".join(f"\\{c}" if c in "\\%_" else c for c in wanted.text)
        where.append("(" + " OR ".join(f"{name} LIKE ? ESCAPE '\\'" for name in _SEARCHED) + ")")
        values += [f"%{pattern}%"] * len(_SEARCHED)
    if wanted.failed:
        where.append("failed")
    if wanted.action:
        where.append("action = ?")
        values.append(wanted.action)
    return where, values


def _row(found: Sequence[Any]) -> CallRow:
    named = dict(zip(_COLUMNS, found, strict=True))
    return CallRow(**{**named, "repeated": bool(named["repeated"])})


def _loads(text: bytes | None) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text) if text else None
    return None
