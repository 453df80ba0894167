"""Reads JSON by the standard: no NaN, no Infinity, UTF-8."""

from __future__ import annotations

import json
from typing import Any


def read_strictly(raw: bytes) -> tuple[bool, Any]:
    """Return whether it is JSON by the standard, and what it says; None where it is not."""
    try:
        return True, json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False, None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
