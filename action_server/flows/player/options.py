"""How several names are said in a row."""

from __future__ import annotations

from collections.abc import Sequence


def join_options(names: Sequence[str], conjunction: str) -> str:
    """Return "a, b or c", with the conjunction before the last one."""
    return f" {conjunction} ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
