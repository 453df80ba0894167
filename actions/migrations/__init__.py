"""How the clinic's tables came about, one revision after the other; alembic runs those that a database lacks.

`versions/` holds the revisions and `environment/` what alembic runs them in. Neither is a package: the server imports
every module below `actions`, and these are for alembic alone. A database without a version is empty, or version 0.1.0
made it: that is revision 0001.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, inspect

from actions.errors import UnavailableError

# Not alembic's own name: another program's tables may be in the same database.
VERSION_TABLE = "clinic_version"
_FOLDER = Path(__file__).parent
_FIRST = "0001"
_COLUMNS_OF_THE_FIRST = frozenset(
    ("id", "reference", "key", "conversation", "appointment_type", "resource", "start", "end", "cancelled")
)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables up to date within the connection's transaction, while nobody else does.

    Raises `UnavailableError` if the tables are not ours, or a newer version of this program made them.
    """
    config = _config(connection)
    try:
        if _is_without_version(connection):
            command.stamp(config, _FIRST)
        command.upgrade(config, revision)
    except CommandError as exc:
        raise UnavailableError("a newer version of this program made the clinic's database") from exc


def _config(connection: Connection) -> Config:
    config = Config()
    for option, folder in (("script_location", "environment"), ("version_locations", "versions")):
        config.set_main_option(option, str(_FOLDER / folder).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config


def _is_without_version(connection: Connection) -> bool:
    tables = inspect(connection)
    if tables.has_table(VERSION_TABLE) or not tables.has_table("bookings"):
        return False
    if {column["name"] for column in tables.get_columns("bookings")} != _COLUMNS_OF_THE_FIRST:
        raise UnavailableError("there is a table 'bookings' in the clinic's database that is another program's")
    return True
