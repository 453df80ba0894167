"""A name as CRMs want it, in two parts."""

from __future__ import annotations


def first_and_last(name: str | None, first: str, last: str) -> dict[str, str]:
    """Return the name under the two keys: the last word is the last name, all before it the first; nothing for none.

    That is wrong for some of the world's names, and nothing is lost by it: both parts stand side by side everywhere.
    """
    words = (name or "").split()
    if not words:
        return {}
    return {last: words[-1]} | ({first: " ".join(words[:-1])} if words[1:] else {})
