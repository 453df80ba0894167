"""The port to a calendar elsewhere; every write is conditional, in that system's own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from actions.scheduling.models import Patient, Slot


@dataclass(frozen=True)
class Entry:
    """An appointment as it is kept elsewhere.

    `uid` is made before the first write and never used for another time: a booking that moves gets a new entry.
    """

    uid: str
    slot: Slot
    reference: str
    appointment_type: str
    patient: Patient


class RemoteCalendar(Protocol):
    """Keeps entries in another system, which people at the clinic and other programs use as well.

    Each method may raise any `BackendError`; `UnavailableError` promises that nothing was left behind, and
    `OutcomeUnknownError` makes no promise: the caller then asks `find`.
    """

    async def free(self, candidates: Sequence[Slot]) -> Sequence[Slot]:
        """Return those of the candidates whose time nobody has. They are of one resource and in order of time."""

    async def write(self, entry: Entry) -> None:
        """Write the entry if nobody has its time; raises `SlotTakenError` if somebody has, and leaves nothing then.

        An entry of this uid that is there already, as a whole or in part, is not somebody else's: what is missing is
        added, so that a repeat after an unknown outcome ends in one whole entry.
        """

    async def find(self, entry: Entry) -> bool:
        """Return whether the whole entry is there, under its uid and at its time."""

    async def remove(self, entry: Entry) -> None:
        """Remove what there is of the entry, and nothing that is not its own; nothing there is not an error."""

    async def ping(self) -> None:
        """Return if entries can be read and written, raise if not."""
