"""A row of the table of engine behaviours: what an engine is given, what it makes of it, and how that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

# The public wheel's code was read; classes of the open source package were run.
READ = "rasa-pro 3.21.0, read"
RUN = "rasa 3.6.21, run"
PYPRED = "pypred 0.4.0, run"


@dataclass(frozen=True)
class Row:
    """``name`` says what the engine does, in a few words; ``known`` is its version, and whether it was read or run."""

    name: str
    given: Any
    engine: Any
    known: str = READ


def each(rows: Sequence[Row]) -> pytest.MarkDecorator:
    """Run a test for each row; its parameter is called ``row``."""
    return pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.name} ({row.known})") for row in rows])
