"""What the verbs of `idempotency` share: the store of the settings, and keys that are written in short."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from action_server.config import settings

if TYPE_CHECKING:
    from action_server.database import Database
    from action_server.idempotency.unfinished import UnfinishedRun

# So many digits of a key are shown; the first ones of any number name it.
SHOWN = 12


def add_store_flags(parser: argparse.ArgumentParser) -> None:
    """Add the settings that say where the store is."""
    for name in ("endpoints", "database"):
        settings.add_flag(parser, name)


@asynccontextmanager
async def open_store(args: argparse.Namespace, environment: Mapping[str, str]) -> AsyncIterator[Database | None]:
    """Open the database of the settings; None if it is a file that no server has made yet.

    Raises:
        StartupError: the settings are wrong.
        DatabaseError: the database does not answer.
    """
    from action_server import assembly
    from action_server.database import Database
    from action_server.idempotency.table import metadata

    read = settings.read(vars(args), environment)
    location = assembly.store_location(read)
    if isinstance(location, Path) and not location.exists():
        yield None
        return
    password = read.read_database_password if read.database_password else None
    database = await Database.open(location, metadata.create_all, where="database", password=password)
    try:
        yield database
    finally:
        await database.close()


def keys_that_begin(runs: Sequence[UnfinishedRun], start: str) -> Sequence[UnfinishedRun]:
    """Return the runs whose key begins with these digits."""
    return [run for run in runs if run.key.startswith(start.lower())]
