"""Writing into CalDAV calendars: races, other programs, killed writers, lost answers. On two servers."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from actions.errors import (
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    UnavailableError,
)
from actions.scheduling.models import Slot
from tests.actions.clinic import NOW, FixedClock
from tests.actions.scheduling.caldav.caldav_system import UTC, CalDavSystem, doing, failing, value_of
from tests.actions.scheduling.calendar_contract import (
    ELEVEN,
    HALF_PAST_NINE,
    HALF_PAST_TEN,
    TEN,
    TEN_TO_ELEVEN,
    entry_at,
    try_to_write,
)

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]

HALF_PAST_NINE_TO_HALF_PAST_TEN = replace(HALF_PAST_NINE, end=HALF_PAST_TEN.start)
HAND = (f"DTSTART:{TEN.start:{UTC}}", f"DTEND:{TEN.end:{UTC}}")


async def test_of_fifty_writers_one_has_the_time(system: CalDavSystem) -> None:
    """The guard is the server's, so it holds between any number of processes and hosts."""
    calendars = [await system.open() for _ in range(5)]
    entries = [entry_at() for _ in range(50)]

    results = await asyncio.gather(*(try_to_write(calendars[n % 5], entry) for n, entry in enumerate(entries)))

    assert Counter(results) == {"written": 1, "taken": 49}
    assert await system.holders(TEN) == {entries[results.index("written")].uid}
    assert len(system.objects()) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_hours_and_half_hours_race_from_both_sides(seed: int, system: CalDavSystem) -> None:
    """Appointments that overlap in part: no two of them are written, one of them is, and the losers leave nothing."""
    slots = [TEN_TO_ELEVEN, HALF_PAST_NINE_TO_HALF_PAST_TEN, TEN, HALF_PAST_TEN, HALF_PAST_NINE] * 4
    random.Random(seed).shuffle(slots)  # noqa: S311 - no secret
    entries = [entry_at(slot) for slot in slots]
    calendars = [await system.open() for _ in range(4)]

    results = await asyncio.gather(*(try_to_write(calendars[n % 4], entry) for n, entry in enumerate(entries)))

    assert set(results) <= {"written", "taken"}
    won = [entry for entry, result in zip(entries, results, strict=True) if result == "written"]
    assert won
    taken = sorted((entry.slot.start, entry.slot.end) for entry in won)
    assert all(one[1] <= next_one[0] for one, next_one in pairwise(taken))
    assert len(system.objects()) == sum(int((end - start) / timedelta(minutes=30)) for start, end in taken)
    assert all([await calendars[0].find(entry) for entry in won])


async def test_hosts_with_different_cells_do_not_book_the_same_time(system: CalDavSystem) -> None:
    """They do not meet at a name, so each looks after it has written; both may lose then, never may both win."""
    fine, coarse = await system.open(cell_minutes=15), await system.open(cell_minutes=60)
    quarter = Slot("practice", TEN.start + timedelta(minutes=15), TEN.end)
    entries = [entry_at(TEN), entry_at(TEN_TO_ELEVEN), entry_at(quarter), entry_at(TEN)]

    results = await asyncio.gather(
        *(try_to_write(calendar, entry) for calendar, entry in zip([fine, coarse] * 2, entries, strict=True))
    )

    assert results.count("written") <= 1
    written = {entry.uid for entry, result in zip(entries, results, strict=True) if result == "written"}
    assert await system.holders(TEN_TO_ELEVEN) == written


async def test_two_appointments_that_share_a_cell_exclude_each_other_for_everybody(system: CalDavSystem) -> None:
    """What a write would refuse is not offered as free."""
    calendar = await system.open(cell_minutes=60)
    await calendar.write(entry_at(TEN))

    assert list(await calendar.free([TEN, HALF_PAST_TEN, ELEVEN])) == [ELEVEN]
    assert await try_to_write(calendar, entry_at(HALF_PAST_TEN)) == "taken"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("slot", [TEN, HALF_PAST_NINE_TO_HALF_PAST_TEN], ids=["30 minutes", "60 minutes"])
async def test_who_books_by_hand_in_the_same_moment_wins(slot: Slot, moment: str, system: CalDavSystem) -> None:
    """An event that appears between the question what is free and the look after the write: the writer gives way."""

    def by_hand(number: int) -> None:
        system.write_by_hand(*HAND, name=f"by-hand-{number}.ics")

    calendar = await system.open(doing(before=by_hand) if moment == "before" else doing(after=by_hand))
    assert list(await calendar.free([slot])) == [slot]

    assert await try_to_write(calendar, entry_at(slot)) == "taken"

    assert {path.rpartition("/")[2][:7] for path in system.objects()} == {"by-hand"}


@pytest.mark.parametrize("seconds", [60 * 60, 60], ids=["old", "young"])
async def test_a_claim_without_its_event_counts_as_long_as_its_writer_may_live(
    seconds: int, system: CalDavSystem
) -> None:
    """People delete the event, which is all they see; the claim of its first half hour does not keep the time."""
    clock = FixedClock()
    system.clock = clock
    calendar = await system.open()
    hour, half = entry_at(TEN_TO_ELEVEN), entry_at(TEN)
    await calendar.write(hour)
    await system.delete(hour)
    assert list(await calendar.free([TEN])) == [TEN]
    clock.now = NOW + timedelta(seconds=seconds)

    result = await try_to_write(calendar, half)

    assert result == ("written" if seconds > 900 else "taken")
    assert await system.holders(TEN_TO_ELEVEN) == {half.uid if seconds > 900 else hour.uid}


async def test_a_lost_answer_leaves_a_whole_entry_after_a_repeat(system: CalDavSystem) -> None:
    """The server carried out the write and nobody heard of it."""
    lost = failing(OutcomeUnknownError("no answer"), 2)
    entry = entry_at(TEN_TO_ELEVEN)
    with pytest.raises(OutcomeUnknownError):
        await (await system.open(doing(after=lost))).write(entry)
    calendar = await system.open()
    assert await calendar.find(entry)

    await calendar.write(entry)

    assert await calendar.find(entry)
    assert len(system.objects()) == 2


async def test_a_writer_killed_before_it_looked_has_not_won(system: CalDavSystem) -> None:
    """Its event is there and so is one made by hand: `find` says no, and the repeat gives way."""
    entry = entry_at(TEN)
    await system.leave_half(entry)
    system.write_by_hand(*HAND)
    calendar = await system.open()

    assert not await calendar.find(entry)
    assert await try_to_write(calendar, entry) == "taken"
    assert await system.holders(TEN) == {"somebody else"}


async def test_a_writer_killed_before_it_looked_wins_if_nobody_else_is_there(system: CalDavSystem) -> None:
    """Whoever settles the booking looks instead, and the event is no longer tentative."""
    entry = entry_at(TEN)
    await system.leave_half(entry)
    assert [value_of("STATUS", text) for text in system.objects().values()] == ["TENTATIVE"]

    assert await (await system.open()).find(entry)

    assert [value_of("STATUS", text) for text in system.objects().values()] == ["CONFIRMED"]


async def test_an_entry_that_goes_away_while_it_is_written_is_not_reported_as_written(system: CalDavSystem) -> None:
    """Somebody else settled the same booking, saw an event made by hand, and gave way."""

    def gone(number: int) -> None:
        if number == 1:
            [path] = system.objects()
            system.server.request("DELETE", path)

    entry = entry_at()
    with pytest.raises(OutcomeUnknownError, match="was removed"):
        await (await system.open(doing("REPORT", before=gone))).write(entry)
    with pytest.raises(OutcomeUnknownError, match="was removed"):
        await (await system.open(doing("REPORT", after=gone))).write(entry)
    assert not await (await system.open()).find(entry)


async def test_an_appointment_that_cannot_be_confirmed_is_one(
    system: CalDavSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """The look was good; the status of the event is set when it is next asked for."""
    away = failing(UnavailableError("away"), 2)
    entry = entry_at()

    await (await system.open(doing(before=away))).write(entry)

    assert "caldav.not_confirmed" in [record.message for record in caplog.records]
    assert await (await system.open()).find(entry)
    assert [value_of("STATUS", text) for text in system.objects().values()] == ["CONFIRMED"]


async def test_what_was_claimed_is_given_back_when_the_server_goes_away(system: CalDavSystem) -> None:
    """ "Unavailable" promises that nothing is left."""
    away = failing(UnavailableError("away"), 2)

    with pytest.raises(UnavailableError):
        await (await system.open(doing(before=away))).write(entry_at(TEN_TO_ELEVEN))

    assert system.objects() == {}


async def test_what_cannot_be_given_back_is_an_unknown_outcome(system: CalDavSystem) -> None:
    """Then the caller looks it up, and the repeat tells the truth."""
    await system.occupy(HALF_PAST_TEN)
    hour = entry_at(TEN_TO_ELEVEN)
    away = failing(UnavailableError("away"), 1)

    with pytest.raises(OutcomeUnknownError, match="left behind"):
        await (await system.open(doing("DELETE", before=away))).write(hour)

    calendar = await system.open()
    assert not await calendar.find(hour)
    assert await try_to_write(calendar, hour) == "taken"
    assert await system.holders(TEN_TO_ELEVEN) == {"somebody else"}


async def test_a_holder_that_gives_way_at_that_moment_is_no_holder(system: CalDavSystem) -> None:
    """The time is tried again instead of being called taken."""
    other = entry_at()
    await (await system.open()).write(other)

    async def refused_then_gone() -> str:
        # The write is refused, and before the writer looks who has it, it is given back.
        return await try_to_write(await system.open(doing(after=lambda number: gone(number))), entry_at())

    def gone(number: int) -> None:
        if number == 1:
            [path] = system.objects()
            system.server.request("DELETE", path)

    assert await refused_then_gone() == "written"


async def test_an_entry_in_other_cells_is_removed_too(system: CalDavSystem) -> None:
    """`cell_minutes` was changed since."""
    for old, new in ((30, 60), (60, 30), (30, 15)):
        entry = entry_at(HALF_PAST_TEN)
        await (await system.open(cell_minutes=old)).write(entry)
        await (await system.open(cell_minutes=new)).remove(entry)
        assert system.objects() == {}


async def test_a_resource_without_a_calendar_is_named(system: CalDavSystem) -> None:
    """Instead of being booked anywhere."""
    calendar = await system.open()
    with pytest.raises(InvalidRequestError, match="specialist"):
        await calendar.write(entry_at(replace(TEN, resource="specialist")))
    with pytest.raises(InvalidRequestError, match="specialist"):
        await calendar.free([replace(TEN, resource="specialist")])


async def test_a_calendar_that_is_gone_is_an_error_and_not_a_taken_time(system: CalDavSystem) -> None:
    """Both servers answer such a write with 409."""
    calendar = await system.open()
    system.server.request("DELETE", system.path)
    for work in (calendar.write(entry_at()), calendar.free([TEN]), calendar.ping()):
        with pytest.raises(InvalidRequestError, match="does not exist"):
            await work


async def test_a_missing_calendar_is_created_if_that_is_wanted(system: CalDavSystem) -> None:
    """Also by several processes at once."""
    system.path = f"{system.path.rstrip('/')}-new/"
    calendars = [await system.open(create=True) for _ in range(4)]

    results = await asyncio.gather(*(try_to_write(calendar, entry_at()) for calendar in calendars))

    assert Counter(results) == {"written": 1, "taken": 3}
    await calendars[0].ping()
    assert len(system.objects()) == 1


async def test_a_calendar_that_may_not_be_created_is_named(system: CalDavSystem) -> None:
    """Nothing can be created below what does not exist."""
    calendar = await system.open(create=True, calendars={"practice": f"{system.path}no/such/folder/"})

    with pytest.raises(BackendError, match=r"calendar of practice .* cannot be created"):
        await calendar.ping()
