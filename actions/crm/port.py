"""The port: what the clinic needs from its CRM."""

from __future__ import annotations

from typing import Protocol

from actions.crm.models import Activity, Contact


class CrmBackend(Protocol):
    """Keeps contacts and what happened with them. Each method may raise any `BackendError`, and may be repeated."""

    async def upsert_contact(self, contact: Contact) -> str:
        """Make the contact, or bring it up to date, and return the CRM's own id of it.

        What is None is left as it is. If people have merged the contact's record into another one, it is that one now,
        whose details stay as they are. However often and by how many at once a key is upserted, there is one contact.
        """

    async def log_activity(self, contact_id: str, activity: Activity) -> None:
        """Log the activity with the contact; one that is there already, by its id, is not logged a second time."""

    async def ping(self) -> None:
        """Return if contacts and activities can be written, raise if not."""
