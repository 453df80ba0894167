"""Which databases there are, by the schemes of their URLs: known also where SQLAlchemy is not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL

# What SQLAlchemy calls the driver that is used, by what may stand before the `://`.
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
NO_DRIVER = "must be the path of a SQLite file, sqlite:///path or postgresql://host/name"
NO_FILE = "names no file; what is in memory is not shared between workers"


def problem_of(url: str) -> str | None:
    """Return why no server can use an URL, or the path of a file, which needs no scheme; None if nothing is wrong."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return None
    driver = DRIVERS.get(scheme)
    if driver is None:
        return NO_DRIVER
    # After the slash that ends the host, which a file has none of.
    file = rest.partition("?")[0].partition("/")[2]
    return NO_FILE if driver == "sqlite+aiosqlite" and file in ("", ":memory:") else None


def place_of(url: URL) -> str:
    """Return the path of a SQLite file, or ``host/name``; a user and a password are left out, wherever they stand."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    # The folder of a socket, or several hosts, are in the query.
    hosts = url.host or url.query.get("host") or "localhost"
    host = hosts if isinstance(hosts, str) else ",".join(hosts)
    return f"{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"
