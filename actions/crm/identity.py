"""What a CRM learns of who somebody is: a key that tells nothing, and the details that it may know."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from actions.crm import tables
from actions.crm.models import Contact
from actions.crm.upsert import insert_into
from actions.scheduling.models import Patient

Detail = Literal["name", "email", "phone", "appointment_type"]

_SECRET = "contact_key"  # noqa: S105 (the name of one)
# As much as CRMs take in these fields. What is longer is no name or number.
_LONGEST = {"name": 120, "email": 254, "phone": 40}


async def key_secret(connection: AsyncConnection) -> str:
    """Return the secret that contacts' keys are made with; it is made in the first transaction that asks.

    All processes on one database share it, so one conversation is one contact to all of them.
    """
    find = select(tables.secrets.c.value).where(tables.secrets.c.name == _SECRET)
    found: str | None = await connection.scalar(find)
    if found is not None:
        return found
    row = {"name": _SECRET, "value": secrets.token_hex(32)}
    await connection.execute(insert_into(connection, tables.secrets).values(row).on_conflict_do_nothing())
    made: str = (await connection.execute(find)).scalar_one()
    return made


def contact_key(conversation: str, secret: str) -> str:
    """Return the key of whoever has this conversation, 32 characters.

    A sender id is a telephone number on many channels. Without the secret, a plain hash of one could be turned back by
    trying all numbers there are.
    """
    text = conversation.encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()[:32]


def contact_of(patient: Patient, secret: str, may_know: Collection[Detail]) -> Contact:
    """Return the contact that the CRM is told of: its key, and of the patient's details those it may know."""
    details = {"name": patient.name, "email": patient.email, "phone": patient.phone}
    told = {name: clean(value, _LONGEST[name]) for name, value in details.items() if name in may_know}
    return Contact(contact_key(patient.conversation, secret), **told)


def clean(text: str | None, longest: int) -> str | None:
    """Return text that any database and any CRM takes, None for none.

    NUL, other control characters and lone surrogates go: PostgreSQL and JSON parsers refuse them.
    """
    if not isinstance(text, str):
        return None
    kept = "".join(c if c.isprintable() else " " for c in text.encode("utf-8", "ignore").decode("utf-8"))
    return " ".join(kept.split())[:longest] or None
