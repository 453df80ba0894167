"""The outbox: nothing is told twice, the order of each contact holds, and nothing is kept for longer than needed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database
from action_server.jobs.table import jobs
from action_server.telemetry.logs import CallContext, calling
from actions.crm.identity import clean, contact_key
from actions.crm.models import Activity
from actions.errors import InvalidRequestError
from actions.scheduling.models import Change, Patient
from tests.actions.clinic import NOW
from tests.actions.crm.memory_crm import ERIKA, TEN, MemoryCrm, change, eventually
from tests.actions.crm.outbox_kit import QUICK, let_leases_end, rows, states, tell, telling, until_told, writing

pytest_plugins = ["tests.databases"]


async def test_a_change_is_told_with_its_contact(database: Database, crm: MemoryCrm) -> None:
    """Who it is for, what became of which appointment, and when it is."""
    async with telling(database, crm) as outbox:
        await tell(database, outbox, change())
        await until_told(database)

    (contact,) = crm.contacts.values()
    assert (contact.name, contact.email, contact.phone) == (ERIKA.name, ERIKA.email, ERIKA.phone)
    expected = Activity("change-1", Change.BOOKED, "APT-1", "oncology", TEN.start, TEN.end, NOW)
    assert crm.activities == {"change-1": expected}


async def test_a_key_tells_nobody_whose_it_is(database: Database, crm: MemoryCrm) -> None:
    """One conversation has one key, in every process of the clinic and in no other clinic."""
    for number in (1, 2):
        async with telling(database, crm) as outbox:
            await tell(database, outbox, change(number), change(number + 10, Patient("another")))
            await until_told(database)

    assert len(crm.contacts) == 2
    assert all(len(key) == 32 and "5550123" not in key for key in crm.contacts)
    assert contact_key(ERIKA.conversation, "one clinic") != contact_key(ERIKA.conversation, "another clinic")


async def test_the_crm_is_told_no_more_than_it_may_know(database: Database, crm: MemoryCrm) -> None:
    """And what it may not know is not even written down for it."""
    settings = QUICK.model_copy(update={"tell": frozenset({"name"})})
    async with writing(database, settings) as outbox:
        await tell(database, outbox, change())
    (row,) = await rows(database)
    async with telling(database, crm, settings):
        await until_told(database)

    (contact,) = crm.contacts.values()
    assert (contact.name, contact.email, contact.phone) == (ERIKA.name, None, None)
    assert crm.activities["change-1"].appointment_type == "appointment"
    assert ERIKA.name is not None
    assert ERIKA.name in row["arguments"]
    written = " ".join(str(value) for value in row.values())
    assert not [one for one in ("oncology", ERIKA.email, ERIKA.phone, ERIKA.conversation) if str(one) in written]


async def test_a_booking_that_was_not_made_is_not_told(database: Database, crm: MemoryCrm) -> None:
    """The row shares the booking's transaction."""
    async with telling(database, crm) as outbox:

        async def fail(connection: AsyncConnection) -> None:
            await outbox.on_change(connection, change(1))
            raise InvalidRequestError("the booking came to nothing")

        with pytest.raises(InvalidRequestError):
            await database.write(fail)
        await tell(database, outbox, change(2))
        await until_told(database)

    assert list(crm.activities) == ["change-2"]


async def test_a_change_that_is_told_again_is_delivered_once(database: Database, crm: MemoryCrm) -> None:
    """Before and after it was delivered."""
    async with telling(database, crm) as outbox:
        await tell(database, outbox, change(), change())
        await until_told(database)
        await tell(database, outbox, change(), change(2))
        await until_told(database)

    assert [activity for _, activity in crm.told] == ["change-1", "change-2"]


async def test_what_this_process_wrote_is_delivered_at_once(database: Database, crm: MemoryCrm) -> None:
    """Without waiting for the next look, an hour away."""
    async with telling(database, crm, poll=3600.0) as outbox:
        await tell(database, outbox, change(1))
        await crm.until(lambda: len(crm.told) == 1)
        await tell(database, outbox, change(2), change(3))
        await crm.until(lambda: len(crm.told) == 3)


async def test_what_another_process_wrote_is_found(database: Database, crm: MemoryCrm) -> None:
    """Or was left behind by one that ended."""
    async with telling(database, crm):
        async with writing(database) as outbox:
            await tell(database, outbox, change())
        await crm.until(lambda: len(crm.told) == 1)


async def test_a_delivered_row_says_nothing_about_the_patient(database: Database, crm: MemoryCrm) -> None:
    """Neither what was told, nor in which conversation it came about."""
    async with writing(database) as outbox:
        with calling(CallContext("action_create_appointment", ERIKA.conversation)):
            await tell(database, outbox, change())
    (before,) = await rows(database)
    async with telling(database, crm):
        await until_told(database)
    (after,) = await rows(database)

    assert before["conversation"] == ERIKA.conversation
    assert (after["state"], after["arguments"], after["conversation"]) == ("done", "{}", "")
    written = " ".join(str(value) for value in after.values())
    secrets = ("change-1", "oncology", "APT-1", ERIKA.name, ERIKA.email, ERIKA.phone, *crm.contacts)
    assert not [one for one in secrets if str(one) in written]


async def test_a_dead_processes_contact_is_taken_over_when_its_lease_is_over(
    database: Database, crm: MemoryCrm
) -> None:
    """And not before; others are told meanwhile."""

    async def die(connection: AsyncConnection) -> None:
        await connection.execute(update(jobs).values(state="running", owner="dead", due_at=jobs.c.created_at + 3600))

    async with writing(database) as outbox:
        await tell(database, outbox, change(1))
    await database.write(die)
    async with telling(database, crm) as outbox:
        await tell(database, outbox, change(2), change(3, Patient("another")))

        async def is_done() -> bool:
            return "done" in await states(database)

        await eventually(is_done)
        assert list(crm.activities) == ["change-3"]
        await let_leases_end(database)
        await until_told(database)

    assert [activity for _, activity in crm.told] == ["change-3", "change-1", "change-2"]


async def test_several_deliver_at_once_and_each_change_arrives_once_and_in_order(
    database: Database, crm: MemoryCrm
) -> None:
    """Five outboxes, as in five processes; `MemoryCrm` fails if two of them deliver for one contact."""
    changes = [change(10 * who + number, Patient(f"conversation {who}")) for number in range(4) for who in range(8)]
    async with AsyncExitStack() as stack:
        outboxes = [await stack.enter_async_context(telling(database, crm)) for _ in range(5)]
        await asyncio.gather(*(tell(database, outboxes[n % 5], one) for n, one in enumerate(changes[:8])))
        await tell(database, outboxes[0], *changes[8:])
        await until_told(database)

    by_contact = defaultdict(list)
    for contact, activity in crm.told:
        by_contact[contact].append(int(activity.removeprefix("change-")))
    assert sorted(number for numbers in by_contact.values() for number in numbers) == sorted(
        int(one.id.removeprefix("change-")) for one in changes
    )
    assert all(numbers == sorted(numbers) for numbers in by_contact.values())


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Erika\x00 \n Geheim", "Erika Geheim"),
        ("\ud83d", None),
        ("José\u202e", "José"),
        ("  ", None),
        (None, None),
        ("x" * 500, "x" * 120),
    ],
)
def test_what_no_database_or_crm_takes_is_left_out(said: str | None, kept: str | None) -> None:
    """NUL, half a character, what turns the reading direction round, and what is too long to be a name."""
    assert clean(said, 120) == kept


async def test_odd_text_in_a_name_does_not_keep_a_change_out(database: Database, crm: MemoryCrm) -> None:
    """Whatever a user typed."""
    odd = Patient("\ud83d conversation", "Erika\x00\ud83d", "\x00", "+49")
    async with telling(database, crm) as outbox:
        await tell(database, outbox, change(1, odd))
        await until_told(database)

    (contact,) = crm.contacts.values()
    assert (contact.name, contact.email) == ("Erika", None)


async def test_the_crm_is_told_the_id_under_which_it_first_knew_the_contact(database: Database, crm: MemoryCrm) -> None:
    """By which it finds what people have merged that record into; each system has its own."""

    class OtherCrm(MemoryCrm):
        pass

    for backend, first in ((crm, 1), (OtherCrm(), 11)):
        async with telling(database, backend) as outbox:
            for number in (first, first + 1):
                await tell(database, outbox, change(number))
                await until_told(database)
                [contact] = backend.contacts.values()
                assert contact.record == (None if number == first else backend.told[0][0])
