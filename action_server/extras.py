"""How the packages of an extra are installed: what every message says that misses one.

Nothing is published under this project's name: the name alone installs nothing, or what somebody else puts there.
"""

from __future__ import annotations


def how_to_install(extra: str) -> str:
    """Return the command that installs the packages of an extra of pyproject.toml, and where it works."""
    return f'in a clone of this project: pip install ".[{extra}]"'
