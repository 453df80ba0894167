"""The clinic's own database: how it is opened, and what its failures mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from action_server import Database, DatabaseError
from actions.errors import UnavailableError
from actions.indexes import build_missing
from actions.migrations import upgrade

WHERE = "services.clinic.database"


async def open_database(url: str | Path, password: Callable[[], str] | None = None) -> Database:
    """Open the SQLite file or the URL and bring its tables up to date; any number of processes may do so at once.

    ``password`` is asked for each new connection to PostgreSQL.

    Raises:
        UnavailableError: it does not answer, or a newer version of this program made it.
        SettingsError: the URL is none, or its driver is not installed.
    """
    with translate_errors():
        database = await Database.open(url, upgrade, where=WHERE, password=password)
    await build_missing(database, url, password)
    return database


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn `DatabaseError` (locked, full, unreadable, gone) into `UnavailableError`: its transaction left nothing."""
    try:
        yield
    except DatabaseError as exc:
        problem = f": {exc.problem}" if exc.problem else ""
        raise UnavailableError(f"the clinic's database did not answer{problem}") from exc
