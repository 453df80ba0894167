"""The embedded CRM keeps the contract of every CRM, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database
from actions.crm import tables
from actions.crm.embedded import EmbeddedCrm
from actions.crm.models import Contact
from actions.database import open_database
from actions.errors import UnavailableError
from tests.actions.crm.crm_contract import *  # noqa: F403
from tests.actions.crm.crm_contract import BOOKED, ERIKA, SOMEBODY, CrmSystem, Logged

pytest_plugins = ["tests.databases"]


class EmbeddedSystem:
    def __init__(self, database: Database) -> None:
        self.backend = EmbeddedCrm(database)
        self.database = database

    async def contacts(self) -> dict[str, Contact]:
        async def work(connection: AsyncConnection) -> dict[str, Contact]:
            rows = await connection.execute(select(tables.contacts))
            return {str(row.id): Contact(row.key, row.name, row.email, row.phone) for row in rows}

        return await self.database.read(work)

    async def merge(self, gone: str, left: str) -> None:
        """Say that a contact is another one, as people do by a statement of their own."""
        merging = update(tables.contacts).where(tables.contacts.c.id == int(gone)).values(merged_into=int(left))
        await self.database.write(lambda connection: connection.execute(merging))

    async def activities(self) -> list[Logged]:
        async def work(connection: AsyncConnection) -> list[Logged]:
            rows = await connection.execute(select(tables.activities).order_by(tables.activities.c.logged_at))
            return [
                Logged(
                    str(row.contact_id),
                    row.id,
                    row.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    row.end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    f"{row.change} {row.appointment_type} {row.reference}",
                )
                for row in rows
            ]

        return await self.database.read(work)


@pytest.fixture
async def system(database_url: str) -> AsyncIterator[CrmSystem]:
    database = await open_database(database_url)
    yield EmbeddedSystem(database)
    await database.close()


async def test_a_database_that_is_gone_is_unavailable(system: EmbeddedSystem) -> None:
    """All of the port says so in the port's words."""

    async def drop(connection: AsyncConnection) -> None:
        await connection.run_sync(tables.activities.drop)
        await connection.run_sync(tables.contacts.drop)

    await system.database.write(drop)
    with pytest.raises(UnavailableError):
        await system.backend.ping()
    with pytest.raises(UnavailableError):
        await system.backend.upsert_contact(ERIKA)


async def test_a_contact_that_people_merged_into_another_is_that_one_from_then_on(system: EmbeddedSystem) -> None:
    """Also if that one was merged in turn; its details stay as people left them, and a circle ends."""
    known, between, left = [
        await system.backend.upsert_contact(one) for one in (SOMEBODY, Contact("ffff", "Erika Meier"), ERIKA)
    ]
    await system.merge(known, between)
    await system.merge(between, left)

    for _ in range(2):
        assert await system.backend.upsert_contact(Contact(SOMEBODY.key, "Somebody Else", record=known)) == left
    await system.backend.log_activity(left, BOOKED)
    assert [one.contact_id for one in await system.activities()] == [left]
    assert (await system.contacts())[left].name == ERIKA.name
    assert len(await system.contacts()) == 3

    await system.merge(left, known)
    assert await system.backend.upsert_contact(SOMEBODY) == left
    await system.merge(known, "4711")
    assert await system.backend.upsert_contact(SOMEBODY) == known
