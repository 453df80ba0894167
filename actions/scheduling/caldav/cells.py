"""The grid that two writers meet on: cells of time, and the names of the objects that claim them.

A cell has a few names. The first one is used unless the event that has it was moved to another time by people: whoever
wants the cell then goes on to the next one, and meets everybody else who wants it there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from actions.scheduling.models import Slot

_NAME = re.compile(r"cell-(\d{8}T\d{4})Z(?:-[2-9])?\.ics")
# So many events that were made for one time can have been moved away from it and still keep their names.
_NAMES = 5
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


def name_of(cell: datetime, number: int = 1) -> str:
    """Return one of the names of the object that claims a cell: the same for everybody who wants it."""
    return f"cell-{cell:%Y%m%dT%H%MZ}{f'-{number}' if number > 1 else ''}.ics"


def names_of_cell(cell: datetime) -> Sequence[str]:
    """Return the names of a cell, in the order in which they are used."""
    return [name_of(cell, number) for number in range(1, _NAMES + 1)]


def cell_of(name: str) -> datetime | None:
    """Return the start of the cell that a name stands for; None if it is not one that `name_of` makes."""
    match = _NAME.fullmatch(name)
    return datetime.strptime(match[1], "%Y%m%dT%H%M").replace(tzinfo=timezone.utc) if match else None
