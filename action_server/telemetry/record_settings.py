"""What is recorded of calls, and where."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RecordSettings:
    """Where calls are recorded, and which: a part of all from 0 to 1, or only those that fail; at most ``files``.

    The values of the slots in ``mask`` are hidden, beside those that the rules of privacy name.
    """

    folder: Path
    sample: float = 1.0
    on_error: bool = False
    files: int = 1000
    mask: Collection[str] = ()
