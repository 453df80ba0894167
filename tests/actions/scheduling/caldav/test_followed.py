"""A booking is its event: what people do to it, or to its claims, is followed and forgets nothing. On two servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actions.errors import SlotTakenError
from actions.scheduling.models import AppointmentType, BookingKey, Slot, Window
from actions.scheduling.synced import SyncedBackend
from actions.transport import Response, Transport
from tests.actions.clinic import NOW, open_synced, slot_at
from tests.actions.scheduling.caldav.caldav_system import CalDavSystem, edit
from tests.actions.scheduling.calendar_contract import HALF_PAST_TEN, TEN, TEN_TO_ELEVEN, entry_at
from tests.actions.scheduling.scheduling_contract import TUESDAY, key_of, try_to_book

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]

HOUR = AppointmentType("hour", TEN_TO_ELEVEN.end - TEN_TO_ELEVEN.start, "practice")
HOUR_KEY = BookingKey("c", "hour", TUESDAY)


@pytest.fixture
async def backend(system: CalDavSystem, database: Path) -> AsyncIterator[SyncedBackend]:
    opened = await open_synced(database, await system.open())
    yield opened
    await opened.close()


def at_two(text: str) -> str:
    """Return the event at 14:00 in Berlin."""
    return text.replace("20261124T090000Z", "20261124T130000Z").replace("20261124T093000Z", "20261124T133000Z")


async def test_an_event_that_people_moved_is_the_booking_at_its_new_time(
    system: CalDavSystem, backend: SyncedBackend
) -> None:
    """Nobody else gets that time, and the patient can cancel it there."""
    booking = await backend.book(key_of("c"), TEN)
    (uid,) = await system.holders(TEN)
    edit(system, replace(entry_at(TEN), uid=uid), at_two)

    two = slot_at("2026-11-24T14:00")
    moved = replace(booking, slot=two, moved_from=TEN.start)
    assert list(await backend.upcoming("c", NOW)) == [moved]
    assert list(await backend.upcoming("c", NOW)) == [moved]
    assert await try_to_book(backend, "another", two) == "taken"
    assert await backend.cancel(key_of("c", Window.at(two.start))) == moved
    assert system.objects() == {}


async def test_an_event_that_people_made_longer_keeps_all_of_its_time(
    system: CalDavSystem, backend: SyncedBackend
) -> None:
    """Nobody books or moves into it, also if nobody has looked since; made shorter again, it leaves what it had."""
    booking = await backend.book(key_of("c"), TEN)
    (uid,) = await system.holders(TEN)
    edit(system, replace(entry_at(TEN), uid=uid), lambda text: text.replace("T093000Z", "T094500Z"))

    assert await try_to_book(backend, "another", HALF_PAST_TEN) == "taken"
    await backend.book(key_of("d", TUESDAY), slot_at("2026-11-24T14:00"))
    with pytest.raises(SlotTakenError):
        await backend.reschedule(key_of("d", TUESDAY), HALF_PAST_TEN)
    [kept] = await backend.upcoming("c", NOW)
    assert (kept.reference, kept.slot) == (booking.reference, replace(TEN, end=TEN.end + timedelta(minutes=15)))

    edit(system, replace(entry_at(TEN), uid=uid), lambda text: text.replace("T094500Z", "T093000Z"))
    assert await try_to_book(backend, "another", HALF_PAST_TEN) == "booked"


async def test_a_claim_that_people_deleted_does_not_undo_a_booking(
    system: CalDavSystem, backend: SyncedBackend
) -> None:
    """Somebody cleans up what is 28 years old; the event is there."""
    booking = await backend.book(HOUR_KEY, Slot("practice", TEN.start, TEN_TO_ELEVEN.end))
    (claim,) = [path for path, text in system.objects().items() if "RELATED-TO:" in text]
    system.server.request("DELETE", claim)

    assert await backend.get(HOUR_KEY) == booking
    assert await try_to_book(backend, "another", HALF_PAST_TEN) == "taken"
    assert await backend.cancel(HOUR_KEY) == booking
    assert system.objects() == {}


async def test_an_event_that_people_renamed_or_cancelled(system: CalDavSystem, backend: SyncedBackend) -> None:
    """Another name is the same booking; a cancelled event is none, and its patient can be told."""
    booking = await backend.book(key_of("c"), TEN)
    path, text = system.rename()
    assert await backend.get(key_of("c")) == booking

    system.server.put(path, text.replace("STATUS:CONFIRMED", "STATUS:CANCELLED"))
    assert await backend.get(key_of("c")) is None
    assert list(await backend.cancelled_elsewhere("c", NOW)) == [booking]


MARKS: dict[str, Callable[[str], str]] = {
    "shown as free": lambda text: text.replace("TRANSP:OPAQUE", "TRANSP:TRANSPARENT"),
    "tentative": lambda text: text.replace("STATUS:CONFIRMED", "STATUS:TENTATIVE"),
    "tentative, and moved": lambda text: at_two(text.replace("STATUS:CONFIRMED", "STATUS:TENTATIVE")),
}


@pytest.mark.parametrize("mark", list(MARKS))
async def test_an_event_is_the_booking_however_people_show_it(
    mark: str, system: CalDavSystem, backend: SyncedBackend
) -> None:
    """It stands there with the patient's name; and it goes when the patient cancels."""
    booking = await backend.book(key_of("c"), TEN)
    (uid,) = await system.holders(TEN)
    edit(system, replace(entry_at(TEN), uid=uid), MARKS[mark])

    [found] = await backend.upcoming("c", NOW)
    assert found.reference == booking.reference
    assert await backend.cancel(key_of("c", Window.at(found.slot.start))) == found
    assert system.objects() == {}


def a_week_later(text: str) -> str:
    return text.replace("20261124T", "20261201T")


REWRITTEN: dict[str, Callable[[str], str]] = {
    "under another name, a week later": a_week_later,
    "under another uid": lambda text: text.replace("UID:", "UID:copy-"),
    "under another uid, a week later": lambda text: a_week_later(text.replace("UID:", "UID:copy-")),
}


@pytest.mark.parametrize("how", list(REWRITTEN))
async def test_an_event_that_people_made_anew_is_the_booking(
    how: str, system: CalDavSystem, backend: SyncedBackend
) -> None:
    """Cut out and pasted, or read in again from an export: asked ten times, and cancelled without a look before."""
    booking = await backend.book(key_of("c"), TEN)
    [(path, text)] = system.objects().items()
    system.server.request("DELETE", path)
    system.server.put(f"{system.path}by people.ics".replace(" ", "%20"), REWRITTEN[how](text))

    for _ in range(10):
        [found] = await backend.upcoming("c", NOW)
    assert found.reference == booking.reference
    assert found.slot.start - TEN.start == timedelta(days=7 if "week" in how else 0)
    assert await backend.cancel(key_of("c", Window.at(found.slot.start))) == found
    assert system.objects() == {}


async def test_a_copy_goes_though_nobody_looked_before_the_patient_cancelled(
    system: CalDavSystem, backend: SyncedBackend
) -> None:
    """What people made of the event is looked at before it is removed."""
    booking = await backend.book(key_of("c"), TEN)
    [(path, text)] = system.objects().items()
    system.server.request("DELETE", path)
    system.server.put(f"{system.path}pasted.ics", text.replace("UID:", "UID:copy-"))

    assert await backend.cancel(key_of("c")) == booking
    assert system.objects() == {}


@pytest.mark.parametrize("cell_minutes", [30, 15])
async def test_an_event_in_a_colleagues_calendar_is_the_booking_there(
    cell_minutes: int, system: CalDavSystem, database: Path
) -> None:
    """The time it had is free, with its claims; the colleague's is not."""
    other = replace(system, path=system.server.make_calendar(f"{system.path.rstrip('/').rpartition('/')[2]}-other"))
    calendars = {"practice": system.path, "specialist": other.path}
    backend = await open_synced(database, await system.open(calendars=calendars, cell_minutes=cell_minutes))
    booking = await backend.book(key_of("c"), TEN)
    [(path, text)] = [(path, text) for path, text in system.objects().items() if "RELATED-TO" not in text]
    system.server.request("DELETE", path)
    system.server.put(f"{other.path}handed-over.ics", text)

    there = replace(TEN, resource="specialist")
    assert [one.slot for one in await backend.upcoming("c", NOW)] == [there]
    assert system.objects() == {}
    assert await try_to_book(backend, "another", TEN) == "booked"
    assert await backend.cancel(key_of("c")) == replace(booking, slot=there)
    assert other.objects() == {}
    await backend.close()


async def test_the_time_of_an_event_that_people_cancelled_can_be_booked(
    system: CalDavSystem, backend: SyncedBackend
) -> None:
    """The event keeps the name that stands for its time, and goes when it is seen."""
    booking = await backend.book(key_of("c"), TEN)
    [(path, text)] = system.objects().items()
    system.server.put(path, text.replace("STATUS:CONFIRMED", "STATUS:CANCELLED"))

    assert list(await backend.upcoming("c", NOW)) == []
    assert list(await backend.cancelled_elsewhere("c", NOW)) == [booking]
    assert await try_to_book(backend, "another", TEN) == "booked"


class Lagging(Transport):
    """A server whose searches answer a few times as if nothing had been written."""

    left = 3

    async def request(self, method: str, path: str, **rest: Any) -> Response:
        answer = await super().request(method, path, **rest)
        if method != "REPORT" or self.left < 1 or b"cell-" not in answer.body:
            return answer
        self.left -= 1
        return replace(answer, body=b'<multistatus xmlns="DAV:"/>')


async def test_a_search_that_lags_behind_does_not_undo_a_booking(system: CalDavSystem, database: Path) -> None:
    """Whether the event is there says its own name; the search is asked again until it knows of it."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    backend = await open_synced(database, await replace(system, sleep=sleep).open(Lagging))

    # For a whole day other hosts' entries are searched for as well, and what lags would be over by then.
    booking = await backend.book(key_of("c", Window.at(TEN.start)), TEN)

    assert list(await backend.upcoming("c", NOW)) == [booking]
    assert pauses
    await backend.close()


def unaware_of(*paths: str) -> tuple[type[Transport], Callable[[float], Any]]:
    """Return a server whose searches do not know these objects until somebody has waited a second, and the wait."""
    waited: list[float] = []

    class Unaware(Transport):
        async def request(self, method: str, path: str, **rest: Any) -> Response:
            answer = await super().request(method, path, **rest)
            if method != "REPORT" or sum(waited) >= 1 or not any(one.encode() in answer.body for one in paths):
                return answer
            return replace(answer, body=b'<multistatus xmlns="DAV:"/>')

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    return Unaware, sleep


@pytest.mark.parametrize("change", [str, lambda text: text.replace("UID:", "UID:copy-")], ids=["renamed", "pasted"])
async def test_an_event_with_another_name_is_not_gone_because_a_search_lags(
    change: Callable[[str], str], system: CalDavSystem, backend: SyncedBackend, database: Path
) -> None:
    """Its own name is gone, and the search that would find the other one is asked again before that is believed."""
    booking = await backend.book(key_of("c"), TEN)
    [(path, text)] = system.objects().items()
    system.server.request("DELETE", path)
    system.server.put(f"{system.path}new-name.ics", change(text))

    transport, sleep = unaware_of("new-name.ics")
    other = await open_synced(database, await replace(system, sleep=sleep).open(transport))
    assert list(await other.upcoming("c", NOW)) == [booking]
    assert await other.cancel(key_of("c")) == booking
    assert system.objects() == {}
    await other.close()


async def test_where_searches_know_at_once_a_deletion_is_believed_at_once(system: CalDavSystem, database: Path) -> None:
    """What was just written was found by the first search, so that nobody waits for what is gone."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    backend = await open_synced(database, await replace(system, sleep=sleep).open())
    await backend.book(key_of("c"), TEN)
    [path] = system.objects()
    system.server.request("DELETE", path)

    assert list(await backend.upcoming("c", NOW)) == []
    assert pauses == []
    await backend.close()
