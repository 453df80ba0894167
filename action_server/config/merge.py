"""Puts trees of settings over each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(base: Any, over: Any) -> Any:
    """Return two trees as one: mappings entry by entry; where both say something else, ``over`` counts as a whole."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    return {**base, **{key: merge(base.get(key), value) for key, value in over.items()}}
