"""What people do with the appointments in their calendar, and what is left when they tidy up. On two servers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from actions.errors import (
    InvalidRequestError,
)
from tests.actions.clinic import NOW, FixedClock
from tests.actions.scheduling.caldav.caldav_system import CalDavSystem, doing, edit, value_of
from tests.actions.scheduling.caldav.people import People
from tests.actions.scheduling.calendar_contract import TEN, TEN_TO_ELEVEN, entry_at, try_to_write

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]


async def test_an_old_claim_counts_while_its_event_is_there(system: CalDavSystem) -> None:
    """However old the appointment is."""
    clock = FixedClock()
    system.clock = clock
    calendar = await system.open()
    hour = entry_at(TEN_TO_ELEVEN)
    await calendar.write(hour)
    clock.now = NOW + timedelta(days=2)

    assert await try_to_write(calendar, entry_at(TEN)) == "taken"
    assert await calendar.find(hour)


async def test_an_event_whose_claim_was_deleted_still_keeps_its_time(system: CalDavSystem) -> None:
    """Somebody cleans up what is 28 years old: the look after the write sees the event."""
    calendar = await system.open()
    hour = entry_at(TEN_TO_ELEVEN)
    await calendar.write(hour)
    [claim] = [path for path, text in system.objects().items() if f"RELATED-TO:{hour.uid}" in text]
    system.server.request("DELETE", claim)

    assert await try_to_write(calendar, entry_at(TEN)) == "taken"
    assert await system.holders(TEN_TO_ELEVEN) == {hour.uid}
    assert not await calendar.find(hour)
    await calendar.write(hour)
    assert await calendar.find(hour)


async def test_what_people_write_over_an_appointment_does_not_undo_it(system: CalDavSystem) -> None:
    """The doctor is ill: the appointments of that day are there until somebody cancels them."""
    calendar = await system.open()
    entry = entry_at(TEN_TO_ELEVEN)
    await calendar.write(entry)
    system.write_by_hand("DTSTART;VALUE=DATE:20261124")

    assert await calendar.find(entry)
    await calendar.write(entry)
    assert await system.holders(TEN_TO_ELEVEN) >= {entry.uid}


async def test_a_note_written_before_the_look_is_kept(system: CalDavSystem) -> None:
    """The event is confirmed as people changed it."""
    entry = entry_at()

    def note(number: int) -> None:
        if number == 2:
            edit(system, entry, lambda text: text.replace("SUMMARY:", "LOCATION:room 3\r\nSUMMARY:"))

    await (await system.open(doing(before=note))).write(entry)

    [text] = system.objects().values()
    assert (value_of("LOCATION", text), value_of("STATUS", text)) == ("room 3", "CONFIRMED")


async def test_an_event_that_people_moved_is_removed_with_its_appointment(system: CalDavSystem) -> None:
    """It is not found at its old time, and does not stay behind when the patient cancels."""
    calendar = await system.open()
    entry = entry_at(TEN_TO_ELEVEN)
    await calendar.write(entry)
    edit(
        system, entry, lambda text: text.replace("20261124T090000Z", "20261124T130000Z").replace("T100000Z", "T140000Z")
    )
    assert not await calendar.find(entry)

    await calendar.remove(entry)

    assert system.objects() == {}


async def test_an_event_in_which_people_wrote_a_note_is_still_the_appointment(system: CalDavSystem) -> None:
    """Its title and its text are theirs."""
    calendar = await system.open()
    entry = entry_at()
    await calendar.write(entry)
    edit(system, entry, lambda text: text.replace("SUMMARY:", "LOCATION:room 3\r\nSUMMARY:paid\\, "))

    assert await calendar.find(entry)
    await calendar.write(entry)
    assert [value_of("LOCATION", text) for text in system.objects().values()] == ["room 3"]
    await calendar.remove(entry)
    assert system.objects() == {}


async def test_a_change_while_it_is_removed_does_not_keep_an_entry(system: CalDavSystem) -> None:
    """The server refuses to delete what has changed; it is read again and deleted then."""
    entry = entry_at()
    await (await system.open()).write(entry)

    def note(number: int) -> None:
        if number == 1:
            edit(system, entry, lambda text: text.replace("SUMMARY:", "LOCATION:room 3\r\nSUMMARY:"))

    await (await system.open(doing("DELETE", before=note))).remove(entry)

    assert system.objects() == {}


async def test_an_entry_that_was_renamed_is_not_written_twice(system: CalDavSystem) -> None:
    """Servers keep a uid to one object, so this is an error in words and no double booking."""
    calendar = await system.open()
    entry = entry_at()
    await calendar.write(entry)
    system.rename()

    with pytest.raises(InvalidRequestError, match="under another name"):
        await calendar.write(entry)
    await calendar.remove(entry)
    assert system.objects() == {}


async def test_the_walks_tell_a_claim_that_is_left_over(system: CalDavSystem) -> None:
    """One whose event is gone; people may have given that another uid, or taken it to another calendar."""
    other, private = (
        replace(system, path=system.server.make_calendar(f"{system.path.strip('/').rpartition('/')[2]}-{one}"))
        for one in ("other", "private")
    )
    people = People(system, other, private, Random(0))  # noqa: S311 (not a secret)
    calendar = await system.open()
    await calendar.write(entry_at(TEN_TO_ELEVEN))
    assert list(people.truth().hanging()) == []

    assert people.copy_and_delete()
    assert list(people.truth().hanging()) == []
    assert people.take_out_of_the_clinic()
    assert list(people.truth().hanging()) == []
    for path in private.objects():
        system.server.request("DELETE", path)
    assert list(people.truth().hanging()) == [f"a claim of {entry_at(TEN_TO_ELEVEN).reference}"]
