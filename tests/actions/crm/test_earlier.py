"""What earlier versions left in their outbox, or go on writing there: all of it is told, once and in order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database
from actions.crm.earlier import adopt, adopting, are_there
from actions.crm.tables import leases, outbox
from actions.scheduling.models import Patient
from actions.wallclock import utc_now
from tests.actions.crm.earlier_server import EarlierServer, make_tables
from tests.actions.crm.memory_crm import MemoryCrm, change, events, eventually
from tests.actions.crm.outbox_kit import rows, tell, telling, until_told, writing

pytest_plugins = ["tests.databases"]


@pytest.fixture(autouse=True)
async def used_before(database: Database) -> None:
    """The tables, as the migration leaves them where a server of the version before may still run."""
    await make_tables(database)


@pytest.fixture
def earlier(database: Database, crm: MemoryCrm) -> EarlierServer:
    """A server of the version before, on the same database."""
    return EarlierServer(database, crm)


async def left(database: Database) -> list[str]:
    """Return what waits or is parked in the earlier outbox."""
    query = select(outbox.c.id).where(outbox.c.state != "delivered").order_by(outbox.c.seq)

    async def look(connection: AsyncConnection) -> list[str]:
        return list((await connection.scalars(query)).all())

    return await database.read(look)


async def change_rows(database: Database, where: Any, **values: Any) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(update(outbox).where(where).values(**values))

    await database.write(work)


async def end_leases(database: Database, where: Any) -> None:
    ending = update(leases).where(where).values(until=utc_now() - timedelta(seconds=1))
    await database.write(lambda connection: connection.execute(ending))


async def test_what_waited_is_told_in_order(
    database: Database, crm: MemoryCrm, earlier: EarlierServer, caplog: pytest.LogCaptureFixture
) -> None:
    """With all that was known of it; nothing is left in the earlier tables."""
    caplog.set_level("INFO")
    patients = [Patient(f"{who}", f"Name {who}") for who in range(3)]
    await earlier.write(*(change(10 * n + who, one) for n in range(1, 4) for who, one in enumerate(patients)))
    async with telling(database, crm):
        await adopt(database)
        await until_told(database)

    told = defaultdict(list)
    for contact, activity in crm.told:
        told[crm.contacts[contact].name].append(activity)
    assert told == {f"Name {who}": [f"change-{10 * n + who}" for n in range(1, 4)] for who in range(3)}
    assert await left(database) == []
    assert [event["rows"] for event in events(caplog, "crm.outbox_moved")] == [9]


async def test_what_was_parked_gets_one_more_try(database: Database, crm: MemoryCrm, earlier: EarlierServer) -> None:
    """Before what was written after it."""
    await earlier.write(change(1), change(2))
    await change_rows(database, outbox.c.id == "change-1", state="parked", settled_at=utc_now())
    async with telling(database, crm):
        await adopt(database)
        await until_told(database)

    assert [activity for _, activity in crm.told] == ["change-1", "change-2"]


async def test_a_contact_that_an_earlier_server_delivers_for_is_left_alone_and_what_is_new_waits_behind(
    database: Database, crm: MemoryCrm, earlier: EarlierServer
) -> None:
    """Others are told at once; when the server has given the contact back, or is dead, all of it comes in order."""
    await earlier.write(change(1))
    held = await earlier.claim()
    async with telling(database, crm) as outbox_:
        await tell(database, outbox_, change(2), change(3, Patient("another")))
        await adopt(database)
        await crm.until(lambda: "change-3" in crm.activities)
        assert await left(database) == [held.id, "change-2"] == ["change-1", "change-2"]
        await end_leases(database, leases.c.contact == held.contact)
        await adopt(database)
        await tell(database, outbox_, change(4))
        await until_told(database)

    assert [activity for _, activity in crm.told] == ["change-3", "change-1", "change-2", "change-4"]
    assert await left(database) == []


async def test_an_earlier_server_does_not_overtake_a_job(
    database: Database, crm: MemoryCrm, earlier: EarlierServer
) -> None:
    """What it writes of a contact whose changes are jobs waits there until it is moved."""
    async with writing(database) as outbox_:
        await tell(database, outbox_, change(1))
        await earlier.write(change(2))
        assert not await earlier.deliver()
        await tell(database, outbox_, change(3))
    async with telling(database, crm):
        await until_told(database)

    assert [activity for _, activity in crm.told] == ["change-1", "change-2", "change-3"]


async def test_the_tables_are_dropped_after_a_day(
    database: Database, crm: MemoryCrm, earlier: EarlierServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Not while something waits there; a server that began before goes on without them."""
    caplog.set_level("INFO")
    async with writing(database) as outbox_:
        await tell(database, outbox_, change(1))
        await adopt(database)
        assert await database.read(are_there)
        await earlier.write(change(2, Patient("another")))
        await earlier.claim()
        await end_leases(database, leases.c.contact == "")
        await adopt(database)
        assert await database.read(are_there)
        await end_leases(database, leases.c.holder != "jobs")
        await adopt(database)
        assert not await database.read(are_there)
        await tell(database, outbox_, change(3))
        await adopt(database)
    async with telling(database, crm) as anew:
        await until_told(database)

    assert sorted(activity for _, activity in crm.told) == ["change-1", "change-2", "change-3"]
    assert [bool(events(caplog, event)) for event in ("crm.outbox_dropped", "crm.change_lost")] == [True, False]
    assert (outbox_.has_earlier, anew.has_earlier) == (True, False)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_tables_that_a_booking_uses_just_now_stay(database: Database) -> None:
    """Nobody waits for them to go."""
    await end_leases(database, true())
    async with writing(database) as outbox_:

        async def book(connection: AsyncConnection) -> None:
            await outbox_.on_change(connection, change(1))
            await adopt(database)

        await database.write(book)
        assert await database.read(are_there)
        await adopt(database)

    assert not await database.read(are_there)


async def test_servers_of_both_versions_tell_each_change_in_order(database: Database, crm: MemoryCrm) -> None:
    """Changes of eight contacts, by turns by a server of either version, all of which deliver meanwhile.

    `MemoryCrm` fails if two deliver for one contact at the same time.
    """
    people = [Patient(f"conversation {who}", f"Name {who}") for who in range(8)]
    before = [EarlierServer(database, crm) for _ in range(2)]
    async with AsyncExitStack() as stack:
        outboxes = [await stack.enter_async_context(telling(database, crm)) for _ in range(2)]
        running = [asyncio.create_task(one.run()) for one in before]

        async def book(who: int) -> None:
            for number in range(6):
                one = change(10 * who + number, people[who])
                if (who + number) % 2:
                    await before[number % 2].write(one)
                else:
                    await tell(database, outboxes[number % 2], one)
                if number % 3 == 2:
                    await adopt(database)

        await asyncio.gather(*(book(who) for who in range(8)))
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        # Of contacts that an earlier server had when it was killed, the leases come to their end.
        await end_leases(database, leases.c.holder != "jobs")
        await adopt(database)
        await until_told(database)

    told: dict[str | None, list[str]] = defaultdict(list)
    for contact, activity in crm.told:
        name = crm.contacts[contact].name
        if activity not in told[name]:  # a delivery that was cut off is repeated
            told[name].append(activity)
    assert told == {f"Name {who}": [f"change-{10 * who + number}" for number in range(6)] for who in range(8)}


async def test_ids_of_what_earlier_servers_delivered_go_after_an_hour(
    database: Database, crm: MemoryCrm, earlier: EarlierServer
) -> None:
    """They know by them what they have told."""
    await earlier.write(change(1), change(2, Patient("another")))
    while await earlier.deliver():
        continue
    await change_rows(database, outbox.c.id == "change-1", settled_at=utc_now() - timedelta(hours=1, seconds=1))
    async with writing(database):
        await adopt(database)

    async def ids(connection: AsyncConnection) -> list[str]:
        return list((await connection.scalars(select(outbox.c.id))).all())

    assert await database.read(ids) == ["change-2"]
    assert await rows(database) == []


async def test_a_worker_moves_what_is_there_by_itself(
    database: Database, crm: MemoryCrm, earlier: EarlierServer
) -> None:
    """From its start on."""
    await earlier.write(change(1))
    async with telling(database, crm, beside=[adopting(database)]):

        async def is_told() -> bool:
            return bool(crm.told)

        await eventually(is_told)
