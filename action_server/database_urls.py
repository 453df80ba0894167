"""Which databases there are, by the schemes of their URLs: known also where SQLAlchemy is not installed."""

from __future__ import annotations

# What SQLAlchemy calls the driver that is used, by what may stand before the `://`.
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
NO_DRIVER = "must be the path of a SQLite file, sqlite:///path or postgresql://host/name"


def has_driver(url: str) -> bool:
    """Tell whether there is a driver for an URL, or a path of a file, which needs no scheme."""
    scheme, separator, _ = url.partition("://")
    return not separator or scheme in DRIVERS
