"""The port to a calendar elsewhere; every write is conditional, in that system's own way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from actions.scheduling.models import AppointmentType, Patient, Slot, Window

# What a time is, in one word.
FREE, TAKEN, CLOSED = "free", "taken", "closed"

Check = Callable[[], Awaitable[None]]


async def unchecked() -> None:
    """Find nothing that is in the way of an entry."""


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
    # The names of what was written, in the words of the system (`Seen.names`); empty if they are not known.
    names: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Seen:
    """An entry as it stands in its system, whatever people made of it.

    Attributes:
        slot: when it is now.
        names: by which names it can be looked at without a search.
        is_requested: somebody at the clinic still has to agree to it.
        has_begun: the patient came, or did not: it is past being cancelled.
    """

    slot: Slot
    names: tuple[str, ...] = ()
    is_requested: bool = False
    has_begun: bool = False


@dataclass(frozen=True)
class Written:
    """An entry as it stands in a calendar, whoever wrote it.

    Attributes:
        reference: None if it is not known yet.
        is_whole: its writer has come to its end; else it may still give way.
    """

    uid: str
    slot: Slot
    reference: str | None
    names: tuple[str, ...] = ()
    is_whole: bool = True


class RemoteCalendar(Protocol):
    """Keeps entries in another system, which people at the clinic and other programs use as well.

    Each method may raise any `BackendError`; `UnavailableError` promises that nothing was left behind, and
    `OutcomeUnknownError` makes no promise: the caller then asks `find`.
    """

    async def free(self, candidates: Sequence[Slot]) -> Sequence[Slot]:
        """Return those of the candidates whose time nobody has. They are of one resource and in order of time."""

    async def write(self, entry: Entry) -> Seen | None:
        """Write the entry if nobody has its time; raises `SlotTakenError` if somebody has, and leaves nothing then.

        An entry of this uid that is there already, as a whole or in part, is not somebody else's: what is missing is
        added, so that a repeat after an unknown outcome ends in one whole entry. What is returned is how it stands
        there now, if that is more than its uid says.
        """

    async def find(self, entry: Entry) -> bool:
        """Return whether the whole entry is there, under its uid and at its time."""

    async def remove(self, entry: Entry) -> None:
        """Remove what there is of the entry, and nothing that is not its own; nothing there is not an error."""

    async def ping(self) -> None:
        """Return if entries can be read and written, raise if not."""


@runtime_checkable
class AttentiveCalendar(RemoteCalendar, Protocol):
    """A calendar that tells what people made of an entry, and for which appointment types a time is."""

    @property
    def neighbours(self) -> int:
        """Return how many bookings around a time are looked at by their names before an entry is written there.

        People may have given them a part of it, of which its own searches do not know yet. None are, where what was
        written is held against such searches afterwards.
        """

    async def look(self, entry: Entry) -> Seen | None:
        """Return how the entry stands there, wherever people moved it; None if nobody is expected any more.

        What was claimed for it at a time that it does not have any more is given back, or does not count any more.
        That is certain if the entry's names are known. Else a search was asked, which may not know yet what was written
        less than a minute ago.
        """

    async def explain(self, appointment_type: str, candidates: Sequence[Slot]) -> Sequence[str]:
        """Return for each candidate `FREE`, `TAKEN`, `CLOSED`, or in other words why it is left out."""

    async def remarks(self, kinds: Sequence[AppointmentType], window: Window) -> Sequence[str]:
        """Return in words what a person should know of the system, each a line. It may be written to for that."""

    async def free_for(self, appointment_type: str, candidates: Sequence[Slot]) -> Sequence[Slot]:
        """Return what `free` does, without times that are certainly not meant for that type."""


@runtime_checkable
class ListingCalendar(RemoteCalendar, Protocol):
    """A calendar that tells which entries it has at a time, those of hosts with other ledgers too."""

    async def written(self, within: Slot) -> Sequence[Written]:
        """Return the entries that have a part of the time, and what of it is claimed for one that is being written."""

    async def write(self, entry: Entry, check: Check = unchecked) -> Seen | None:
        """Write the entry as every calendar does, in two steps.

        The check is awaited when `written` shows the entry to every host, and before it is whole; if it raises, nothing
        of the entry is left.
        """
