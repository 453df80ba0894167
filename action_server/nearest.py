"""The name somebody may have meant who wrote one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# As alike as a typing error leaves a name: `prot` and `port`, `clinc` and `clinic`.
_ALIKE = 0.7


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is closest to ``name``, None if none is close. Case and hyphens do not count."""
    names = {_plain(one): one for one in known}
    plain = _plain(name)
    # Letters that changed places, which weigh much in a short name: `rnu` and `run`.
    turned = [one for one in names if len(one) > 1 and sorted(one) == sorted(plain)]
    found = turned or difflib.get_close_matches(plain, names, n=1, cutoff=_ALIKE)
    return names[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` if a known name is close, otherwise nothing."""
    found = nearest(name, known)
    return f"; did you mean {found!r}?" if found else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
