"""What every `RemoteCalendar` has to do. A test file runs it with its own fixture `system`::

from tests.actions.calendar_contract import *  # noqa: F403

@pytest.fixture
async def system() -> AsyncIterator[System]: ...

The slots are those of 24 November 2026 in Berlin (09:00 to 12:00, that is 08:00 to 11:00 UTC), of the resource
"practice", 30 or 60 minutes long and on the half hour; the system under test must know them and have them free.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import pytest

from actions.errors import BackendError, SlotTakenError
from actions.scheduling.models import Patient, Slot
from actions.scheduling.remote import Entry, RemoteCalendar
from tests.actions.clinic import slot_at

__all__ = [
    "test_a_free_time_is_free_until_it_is_written",
    "test_a_half_hour_inside_of_an_hour_is_taken",
    "test_a_killed_writers_half_can_be_removed",
    "test_a_killed_writers_half_is_not_a_whole_entry_and_is_completed",
    "test_a_repeat_of_an_own_write_changes_nothing",
    "test_a_time_that_is_taken_in_part_is_left_as_it_was",
    "test_an_hour_over_a_taken_half_hour_is_taken",
    "test_neighbours_do_not_exclude_each_other",
    "test_nothing_about_the_patient_is_in_an_error",
    "test_of_twenty_writers_one_has_the_time",
    "test_of_two_entries_of_one_patient_one_can_be_removed",
    "test_removing_leaves_others_alone",
    "test_removing_twice_is_no_error",
    "test_repeats_at_once_end_in_one_whole_entry",
    "test_somebody_elses_time_is_neither_free_nor_overwritten",
    "test_the_calendar_can_be_used",
    "test_what_is_not_there_is_not_found",
    "test_what_people_delete_is_not_found_and_free_again",
]

PATIENT = Patient("sender-of-secrets", "Erika Geheim", "erika.geheim@example.org", "+49 30 5550123")
TEN = slot_at("2026-11-24T10:00")
HALF_PAST_NINE = slot_at("2026-11-24T09:30")
HALF_PAST_TEN = slot_at("2026-11-24T10:30")
ELEVEN = slot_at("2026-11-24T11:00")
TEN_TO_ELEVEN = replace(TEN, end=TEN.start + timedelta(hours=1))


class System(Protocol):
    """The system under test, and what people do in it past the calendar's own code."""

    async def open(self) -> RemoteCalendar:
        """Return one more calendar on this system, as another process has one."""

    async def occupy(self, slot: Slot) -> None:
        """Give the time to somebody else."""

    async def delete(self, entry: Entry) -> None:
        """Delete an entry, as people at the clinic do."""

    async def leave_half(self, entry: Entry) -> None:
        """Leave what a writer leaves who is killed half way through an entry."""

    async def holders(self, slot: Slot) -> set[str]:
        """Return who has a part of the time: the uid of each of our entries, any other word for somebody else."""


def entry_at(slot: Slot = TEN, appointment_type: str = "general") -> Entry:
    """Return a new entry of the patient with the secrets."""
    return Entry(str(uuid.uuid4()), slot, "APT-4K7WQX", appointment_type, PATIENT)


async def try_to_write(calendar: RemoteCalendar, entry: Entry) -> str:
    try:
        await calendar.write(entry)
    except SlotTakenError as exc:
        return "taken" if exc.slot == entry.slot else "a lie"
    return "written"


async def ask_free(calendar: RemoteCalendar, slots: Sequence[Slot]) -> list[Slot]:
    """Return what is free after asking ten times: a system that is used must not answer otherwise than a fresh one."""
    answers = [list(await calendar.free(slots)) for _ in range(10)]
    assert answers == answers[:1] * 10
    return answers[0]


async def test_the_calendar_can_be_used(system: System) -> None:
    """A ping returns."""
    await (await system.open()).ping()


async def test_a_free_time_is_free_until_it_is_written(system: System) -> None:
    """Everybody sees it, and when the entry is removed it is free again."""
    calendar, other = await system.open(), await system.open()
    entry = entry_at()
    assert await ask_free(other, [HALF_PAST_NINE, TEN, HALF_PAST_TEN]) == [HALF_PAST_NINE, TEN, HALF_PAST_TEN]

    await calendar.write(entry)
    assert await other.find(entry)
    assert await ask_free(other, [HALF_PAST_NINE, TEN, HALF_PAST_TEN]) == [HALF_PAST_NINE, HALF_PAST_TEN]
    assert await system.holders(TEN) == {entry.uid}

    await other.remove(entry)
    assert not await calendar.find(entry)
    assert await ask_free(calendar, [TEN]) == [TEN]
    assert await system.holders(TEN) == set()


async def test_what_is_not_there_is_not_found(system: System) -> None:
    """Neither an entry that was never written, nor one of another uid or at another time."""
    calendar = await system.open()
    entry = entry_at()
    assert not await calendar.find(entry)

    await calendar.write(entry)
    assert not await calendar.find(entry_at())
    assert not await calendar.find(replace(entry, slot=ELEVEN))
    assert await ask_free(calendar, []) == []


async def test_of_twenty_writers_one_has_the_time(system: System) -> None:
    """Nineteen hear "taken" and leave nothing; the one that is told so has it."""
    calendars = [await system.open() for _ in range(4)]
    entries = [entry_at() for _ in range(20)]

    results = await asyncio.gather(*(try_to_write(calendars[n % 4], entry) for n, entry in enumerate(entries)))

    assert Counter(results) == {"written": 1, "taken": 19}
    winner = entries[results.index("written")]
    assert await system.holders(TEN) == {winner.uid}
    assert [entry for entry in entries if await calendars[0].find(entry)] == [winner]


async def test_a_repeat_of_an_own_write_changes_nothing(system: System) -> None:
    """What was written and not answered is written again, by whoever settles it: there is one entry."""
    entry = entry_at()
    for _ in range(3):
        calendar = await system.open()
        await calendar.write(entry)

    assert await calendar.find(entry)
    assert await system.holders(TEN) == {entry.uid}
    await calendar.remove(entry)
    assert await system.holders(TEN) == set()


@pytest.mark.parametrize("slot", [TEN, TEN_TO_ELEVEN], ids=["30 minutes", "60 minutes"])
async def test_repeats_at_once_end_in_one_whole_entry(slot: Slot, system: System) -> None:
    """Two processes settle the same booking: both are right."""
    entry = entry_at(slot)
    calendars = [await system.open() for _ in range(5)]

    assert await asyncio.gather(*(try_to_write(calendar, entry) for calendar in calendars)) == ["written"] * 5
    assert await calendars[0].find(entry)
    assert await system.holders(slot) == {entry.uid}


async def test_a_killed_writers_half_is_not_a_whole_entry_and_is_completed(system: System) -> None:
    """It is its own, so the repeat goes through; to everybody else the time is taken."""
    calendar = await system.open()
    entry = entry_at(TEN_TO_ELEVEN)
    await system.leave_half(entry)
    assert not await calendar.find(entry)
    assert await try_to_write(calendar, entry_at(TEN_TO_ELEVEN)) == "taken"

    await calendar.write(entry)

    assert await calendar.find(entry)
    assert await system.holders(TEN_TO_ELEVEN) == {entry.uid}


async def test_a_killed_writers_half_can_be_removed(system: System) -> None:
    """Then all of the time is free."""
    calendar = await system.open()
    entry = entry_at(TEN_TO_ELEVEN)
    await system.leave_half(entry)

    await calendar.remove(entry)

    assert await system.holders(TEN_TO_ELEVEN) == set()
    assert await try_to_write(calendar, entry_at(TEN_TO_ELEVEN)) == "written"


async def test_neighbours_do_not_exclude_each_other(system: System) -> None:
    """Back to back is free."""
    calendar = await system.open()

    slots = [TEN, HALF_PAST_NINE, HALF_PAST_TEN]
    assert [await try_to_write(calendar, entry_at(slot)) for slot in slots] == ["written"] * 3


async def test_a_half_hour_inside_of_an_hour_is_taken(system: System) -> None:
    """Each of its two halves."""
    calendar = await system.open()
    hour = entry_at(TEN_TO_ELEVEN)
    await calendar.write(hour)

    assert await ask_free(calendar, [HALF_PAST_NINE, TEN, HALF_PAST_TEN, ELEVEN]) == [HALF_PAST_NINE, ELEVEN]
    assert [await try_to_write(calendar, entry_at(slot)) for slot in (TEN, HALF_PAST_TEN)] == ["taken"] * 2
    assert await system.holders(TEN_TO_ELEVEN) == {hour.uid}


@pytest.mark.parametrize("half", [TEN, HALF_PAST_TEN], ids=["the first", "the second"])
async def test_an_hour_over_a_taken_half_hour_is_taken(half: Slot, system: System) -> None:
    """And what there was of it is given back."""
    calendar = await system.open()
    entry, hour = entry_at(half), entry_at(TEN_TO_ELEVEN)
    await calendar.write(entry)

    assert await ask_free(calendar, [TEN_TO_ELEVEN]) == []
    assert await try_to_write(calendar, hour) == "taken"
    assert await calendar.find(entry)
    assert not await calendar.find(hour)
    assert await system.holders(TEN_TO_ELEVEN) == {entry.uid}


async def test_a_time_that_is_taken_in_part_is_left_as_it_was(system: System) -> None:
    """An hour that was written in half and whose other half somebody else has: the own half is given back."""
    calendar = await system.open()
    hour = entry_at(TEN_TO_ELEVEN)
    await system.leave_half(hour)
    for half in (TEN, HALF_PAST_TEN):
        if not await system.holders(half):
            await system.occupy(half)

    assert await try_to_write(calendar, hour) == "taken"
    assert hour.uid not in await system.holders(TEN_TO_ELEVEN)


async def test_of_two_entries_of_one_patient_one_can_be_removed(system: System) -> None:
    """Entries are told apart by their uid: reference and patient are the same."""
    calendar = await system.open()
    one, two = entry_at(TEN), entry_at(ELEVEN)
    await calendar.write(one)
    await calendar.write(two)

    await calendar.remove(one)

    assert await calendar.find(two)
    assert await ask_free(calendar, [TEN, ELEVEN]) == [TEN]


async def test_somebody_elses_time_is_neither_free_nor_overwritten(system: System) -> None:
    """What people write into the calendar counts."""
    calendar = await system.open()
    await system.occupy(TEN)
    before = await system.holders(TEN)
    entry = entry_at()

    assert await ask_free(calendar, [HALF_PAST_NINE, TEN]) == [HALF_PAST_NINE]
    assert await try_to_write(calendar, entry) == "taken"
    assert not await calendar.find(entry)
    await calendar.remove(entry)
    assert await system.holders(TEN) == before != set()


async def test_removing_leaves_others_alone(system: System) -> None:
    """An entry that lost the time does not take it from the one that has it."""
    calendar = await system.open()
    winner, loser = entry_at(), entry_at()
    await calendar.write(winner)

    await calendar.remove(loser)

    assert await calendar.find(winner)


async def test_removing_twice_is_no_error(system: System) -> None:
    """Nor is removing what was never there."""
    calendar = await system.open()
    entry = entry_at()
    await calendar.remove(entry)
    await calendar.write(entry)
    await calendar.remove(entry)
    await calendar.remove(entry)

    assert await try_to_write(calendar, entry_at()) == "written"


async def test_what_people_delete_is_not_found_and_free_again(system: System) -> None:
    """The clinic cancels by deleting the entry."""
    calendar = await system.open()
    entry = entry_at()
    await calendar.write(entry)

    await system.delete(entry)

    assert not await calendar.find(entry)
    assert await ask_free(calendar, [TEN]) == [TEN]
    assert await try_to_write(calendar, entry_at()) == "written"


async def test_nothing_about_the_patient_is_in_an_error(system: System) -> None:
    """Errors end up in logs."""
    calendar = await system.open()
    await calendar.write(entry_at())

    with pytest.raises(BackendError) as caught:
        await calendar.write(entry_at())

    said = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    for secret in (PATIENT.conversation, PATIENT.name, PATIENT.email, PATIENT.phone):
        assert secret is not None
        assert secret not in said
