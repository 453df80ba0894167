"""The embedded CRM: contacts and what happened with them, in the clinic's own database."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database
from actions.crm.delivery import OutboxSettings
from actions.crm.models import Activity, Contact
from actions.crm.tables import activities, contacts
from actions.crm.upsert import insert_into
from actions.database import translate_errors
from actions.errors import InvalidRequestError
from actions.wallclock import utc_now


class EmbeddedCrmSettings(BaseModel):
    """The embedded CRM needs nothing; it is in the clinic's database."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["embedded"] = "embedded"
    outbox: OutboxSettings = OutboxSettings()


class NoCrmSettings(BaseModel):
    """Nothing is told to anybody, and nothing is kept to be told."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["none"] = "none"


class EmbeddedCrm:
    """A `CrmBackend` on the clinic's database: UNIQUE columns keep contacts and activities single."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def upsert_contact(self, contact: Contact) -> str:
        """Make the contact, or bring it up to date, and return its number: that of the one it was merged into."""
        now = utc_now()
        details = {"name": contact.name, "email": contact.email, "phone": contact.phone}
        row = {"key": contact.key, "created_at": now, "updated_at": now, **details}

        async def work(connection: AsyncConnection) -> str:
            inserting = insert_into(connection, contacts).values(row)
            known = {name: func.coalesce(inserting.excluded[name], contacts.c[name]) for name in details}
            upserting = inserting.on_conflict_do_update(
                index_elements=[contacts.c.key], set_={**known, "updated_at": now}
            )
            made = (await connection.execute(upserting.returning(contacts.c.id, contacts.c.merged_into))).one()
            return str(await _last_merged(connection, made.id, made.merged_into))

        with translate_errors():
            return await self._database.write(work)

    async def log_activity(self, contact_id: str, activity: Activity) -> None:
        """Log the activity once; raises `InvalidRequestError` if there is no such contact."""
        row = {
            "id": activity.id,
            "change": activity.change.value,
            "reference": activity.reference,
            "appointment_type": activity.appointment_type,
            "start": activity.start,
            "end": activity.end,
            "at": activity.at,
            "logged_at": utc_now(),
        }

        async def work(connection: AsyncConnection) -> None:
            # As a number: a query that turns the column into text instead reads every contact.
            contact = await connection.scalar(select(contacts.c.id).where(contacts.c.id == _number(contact_id)))
            if contact is None:
                raise InvalidRequestError("the embedded CRM has no such contact")
            inserting = insert_into(connection, activities).values(contact_id=contact, **row)
            await connection.execute(inserting.on_conflict_do_nothing())

        with translate_errors():
            await self._database.write(work)

    async def ping(self) -> None:
        """Return if the tables can be read."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(select(contacts.c.id).limit(1))
            await connection.execute(select(activities.c.id).limit(1))

        with translate_errors():
            await self._database.read(work)


async def _last_merged(connection: AsyncConnection, number: int, into: int | None) -> int:
    """Return the contact at the end of merges; one that is gone, or that comes around again, ends them."""
    seen = {number}
    while into is not None and into not in seen:
        columns = select(contacts.c.id, contacts.c.merged_into)
        found = (await connection.execute(columns.where(contacts.c.id == into))).first()
        if found is None:
            break
        number, into = found.id, found.merged_into
        seen.add(number)
    return number


def _number(contact_id: str) -> int:
    """Return the number of a contact; 0, which none has, if it is not as `upsert_contact` returns them."""
    number = int(contact_id) if contact_id.isascii() and contact_id.isdecimal() and len(contact_id) <= 10 else 0
    # As a text it is what was given out, and it fits PostgreSQL's integers.
    return number if str(number) == contact_id and number < 2**31 else 0
