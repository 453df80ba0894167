"""What the verbs of `idempotency` and `jobs` share: the database of the settings, and ids that are written in short."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from action_server.config import settings

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from action_server.database import Database

# So many digits of a key or an id are shown; the first ones of any number name it.
SHOWN = 12


def add_store_flags(parser: argparse.ArgumentParser) -> None:
    """Add the settings that say where the store is."""
    for name in ("endpoints", "database"):
        settings.add_flag(parser, name)


@asynccontextmanager
async def open_store(
    args: argparse.Namespace, environment: Mapping[str, str], tables: MetaData | None = None
) -> AsyncIterator[Database | None]:
    """Open the database of the settings; None if it is a file that no server has made yet.

    ``tables`` are what it is to hold; without them, those of the actions that run once.

    Raises:
        StartupError: the settings are wrong.
        DatabaseError: the database does not answer.
    """
    from action_server.database import Database
    from action_server.idempotency.table import metadata

    read = settings.read(vars(args), environment)
    location = read.find_store()
    if isinstance(location, Path) and not location.exists():
        yield None
        return
    create = (tables or metadata).create_all
    database = await Database.open(location, create, where="database", password=read.password_reader)
    try:
        yield database
    finally:
        await database.close()
