"""The time that people moved an event away from is free again, though the event keeps its name. On two servers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actions.scheduling.models import Window
from actions.transport import Response, Transport
from tests.actions.clinic import NOW, open_synced, slot_at
from tests.actions.scheduling.caldav.caldav_system import CalDavSystem, edit
from tests.actions.scheduling.calendar_contract import HALF_PAST_TEN, TEN, TEN_TO_ELEVEN, entry_at, try_to_write
from tests.actions.scheduling.scheduling_contract import key_of, try_to_book

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]


def at_two(text: str) -> str:
    """Return an event that began at ten as one at 14:00 in Berlin."""
    return text.replace("20261124T09", "20261124T13").replace("20261124T10", "20261124T14")


MOVES: dict[str, Callable[[str], str]] = {
    "that day": at_two,
    "next week": lambda text: text.replace("20261124T", "20261201T"),
    "half an hour later": lambda text: text.replace("T093000Z", "T100000Z").replace("T090000Z", "T093000Z"),
    "cancelled": lambda text: text.replace("STATUS:CONFIRMED", "STATUS:CANCELLED"),
}


@pytest.mark.parametrize("move", list(MOVES))
async def test_what_was_moved_away_leaves_its_time(move: str, system: CalDavSystem) -> None:
    """It is offered and given once; both bookings stand there, and each is removed by itself."""
    calendar, old, new = await system.open(), entry_at(TEN), entry_at(TEN)
    old = replace(old, names=(await calendar.write(old)).names)
    edit(system, old, MOVES[move])

    assert list(await calendar.free([TEN])) == [TEN]
    assert (await calendar.free([TEN, slot_at("2026-11-24T15:00")]))[0] == TEN
    new = replace(new, names=(await calendar.write(new)).names)
    assert list(await calendar.free([TEN])) == []
    assert await try_to_write(await system.open(), entry_at(TEN)) == "taken"
    assert await calendar.find(new)
    assert (await calendar.look(old) is None) == (move == "cancelled")
    await calendar.remove(old)
    assert [text.count(f"UID:{new.uid}") for text in system.objects().values()] == [1]
    await calendar.remove(new)
    assert system.objects() == {}


@pytest.mark.parametrize("wanted", [TEN, HALF_PAST_TEN, TEN_TO_ELEVEN], ids=["first half", "second half", "all"])
async def test_the_claims_of_what_was_moved_away_count_no_more(wanted: Any, system: CalDavSystem) -> None:
    """An hour has two cells; the claim of the first one says nothing of a time by itself."""
    calendar, old = await system.open(), entry_at(TEN_TO_ELEVEN)
    old = replace(old, names=(await calendar.write(old)).names)
    edit(system, old, at_two)

    assert await try_to_write(await system.open(), entry_at(wanted)) == "written"
    assert await try_to_write(calendar, entry_at(wanted)) == "taken"
    assert await calendar.look(old) is not None


@pytest.mark.parametrize(("change", "end"), [(str, "taken"), (at_two, "written")], ids=["renamed", "and moved"])
async def test_a_claim_counts_as_long_as_its_event_is_there_under_whatever_name(
    change: Callable[[str], str], end: str, system: CalDavSystem
) -> None:
    """It is looked for by its uid."""
    calendar, old = await system.open(), entry_at(TEN_TO_ELEVEN)
    await calendar.write(old)
    system.rename(change)

    assert await try_to_write(await system.open(), entry_at(TEN)) == end


async def test_each_of_several_that_were_moved_away_leaves_its_time(system: CalDavSystem) -> None:
    """Each keeps a name of the cell; whoever wants the time goes on to the next one."""
    calendar = await system.open()
    for day in range(25, 28):
        entry = entry_at(TEN)
        await calendar.write(entry)
        edit(system, entry, lambda text, day=day: text.replace("20261124T", f"202611{day}T"))  # type: ignore[misc]

    assert await try_to_write(calendar, entry_at(TEN)) == "written"
    assert await try_to_write(calendar, entry_at(TEN)) == "taken"


async def test_of_many_hosts_one_gets_a_time_that_was_moved_away_from(system: CalDavSystem) -> None:
    """They meet at the next name as they would have at the first."""
    calendar, old = await system.open(), entry_at(TEN)
    await calendar.write(old)
    edit(system, old, at_two)
    hosts = [await system.open() for _ in range(6)]

    ends = await asyncio.gather(*(try_to_write(host, entry_at(TEN)) for host in hosts))

    assert Counter(ends) == {"written": 1, "taken": 5}
    assert len(system.objects()) == 2


class At(Transport):
    """A transport that does something of the test's after its `number`th write."""

    number = 2
    work: Callable[[], Coroutine[Any, Any, None]]
    count = 0

    async def request(self, method: str, path: str, **rest: Any) -> Response:
        answer = await super().request(method, path, **rest)
        if method == "PUT":
            self.count += 1
            if self.count == self.number:
                await type(self).work()
        return answer


@pytest.mark.parametrize("number", [1, 2, 3], ids=["before the next name", "before the look", "after it"])
async def test_two_hosts_that_see_different_names_free_do_not_both_get_the_time(
    number: int, system: CalDavSystem
) -> None:
    """One found the first name taken by what was moved away; that went away then, and the other one got the name."""
    calendar, old = await system.open(), entry_at(TEN)
    await calendar.write(old)
    edit(system, old, at_two)
    ends: list[str] = []

    async def work() -> None:
        await calendar.remove(old)
        ends.append(await try_to_write(calendar, entry_at(TEN)))

    host = await system.open(type("AtThat", (At,), {"number": number, "work": staticmethod(work)}))
    ends.append(await try_to_write(host, entry_at(TEN)))

    assert sorted(ends) == ["taken", "written"]
    assert len(system.objects()) == ends.count("written")


async def test_a_write_whose_answer_was_lost_is_found_under_the_next_name(system: CalDavSystem) -> None:
    """A repeat writes no second event, also when the first name is free by then."""
    calendar, old, new = await system.open(), entry_at(TEN), entry_at(TEN)
    await calendar.write(old)
    edit(system, old, at_two)
    await calendar.write(new)
    assert await calendar.find(new)
    await calendar.remove(old)

    assert await calendar.find(new)
    await calendar.write(new)
    [text] = system.objects().values()
    assert f"UID:{new.uid}" in text
    await calendar.remove(new)
    assert system.objects() == {}


async def test_a_patient_whose_appointment_was_moved_away_can_have_that_time_too(
    system: CalDavSystem, database: Path, tmp_path: Path
) -> None:
    """On this host and on another one, which finds the event of the same patient under the name of the time."""
    backend = await open_synced(database, await system.open())
    booking = await backend.book(key_of("c", Window.at(TEN.start)), TEN)
    (uid,) = await system.holders(TEN)
    edit(system, replace(entry_at(TEN), uid=uid), at_two)
    other = await open_synced(tmp_path / "other.sqlite3", await system.open())

    assert await try_to_book(other, "c", TEN) == "booked"
    assert await try_to_book(backend, "d", TEN) == "taken"
    assert [one.reference for one in await backend.upcoming("c", NOW)] == [booking.reference]
    await backend.close()
    await other.close()
