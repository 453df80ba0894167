"""The grid that two writers meet on: cells of time, and the names of the objects that claim them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from actions.scheduling.models import Slot

_NAME = re.compile(r"cell-\d{8}T\d{4}Z\.ics")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Grid:
    """Cells of equal length, counted from midnight UTC, whatever the clinic's clocks show."""

    def __init__(self, minutes: int) -> None:
        self.length = timedelta(minutes=minutes)

    def cells(self, start: datetime, end: datetime) -> Sequence[datetime]:
        """Return the starts of the cells that a stretch of time has a part of, in order; one for no time at all."""
        cell = start - (start - _EPOCH) % self.length
        found = [cell]
        while (cell := cell + self.length) < end:
            found.append(cell)
        return found

    def cells_of(self, slot: Slot) -> Sequence[datetime]:
        """Return the starts of the slot's cells, in order."""
        return self.cells(slot.start, slot.end)


def name_of(cell: datetime) -> str:
    """Return the name of the object that claims a cell: the same for everybody who wants it."""
    return f"cell-{cell:%Y%m%dT%H%MZ}.ics"


def is_name_of_a_cell(name: str) -> bool:
    """Say whether a name is one that `name_of` makes."""
    return _NAME.fullmatch(name) is not None
