"""Packages that not everybody needs: which extra brings them, and the line that says so where one is missing.

Nothing is published under this project's name: the name alone installs nothing, or what somebody else puts there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from action_server.errors import SettingsError

# The names they are imported by, by the extra of pyproject.toml.
PACKAGES = {
    "client": ("aiohttp",),
    "flows": ("jinja2", "packaging", "ply", "pypred", "rapidfuzz", "regex", "tomli"),
    "jwt": ("jwt", "cryptography"),
    "postgres": ("asyncpg",),
    "store": ("sqlalchemy", "aiosqlite"),
}


def how_to_install(extra: str) -> str:
    """Return the command that installs the packages of an extra of pyproject.toml, and where it works."""
    return f'in a clone of this project: pip install ".[{extra}]"'


def explain_missing(error: ModuleNotFoundError) -> str | None:
    """Say which package is missing and how it is installed; None for a module that is of no extra."""
    package = (error.name or "").partition(".")[0]
    extra = next((extra for extra, names in PACKAGES.items() if package in names), None)
    return f"needs the package {package}, which is not installed; {how_to_install(extra)}" if extra else None


@contextmanager
def packages_for(where: str) -> Iterator[None]:
    """Import what a setting needs within the block.

    Raises:
        SettingsError: a package of an extra is not installed; ``where`` is what needs it.
    """
    try:
        yield
    except ModuleNotFoundError as exc:
        said = explain_missing(exc)
        if said is None:
            raise
        raise SettingsError(where, said) from None
