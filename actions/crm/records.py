"""What a contact and an activity are as records of a vendor: settings, fields and texts that all vendors share."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from actions.crm.delivery import OutboxSettings
from actions.crm.models import Activity, Contact
from actions.errors import UnavailableError
from actions.transport import TransportSettings

_logger = logging.getLogger(__name__)

# Finding a contact and making it are several requests, between which others may make, merge or delete it.
_TRIES = 3


class VendorSettings(BaseModel):
    """What is set for every vendor.

    Attributes:
        unknown_name: the last name of somebody who gave none.
        outbox: how and of what the CRM is told.
        transport: how it is called.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    unknown_name: Annotated[str, Field(min_length=1, max_length=80)] = "Unknown"
    outbox: OutboxSettings = OutboxSettings()
    transport: TransportSettings = TransportSettings()


class Names(NamedTuple):
    """What a vendor calls the four details of a contact."""

    first: str
    last: str
    email: str
    phone: str

    def fields_of(self, contact: Contact) -> dict[str, str]:
        """Return the vendor's fields for what is known of the contact.

        The last word of a name is the last name, all before it the first. That is wrong for some of the world's
        names, and nothing is lost by it: both parts stand side by side everywhere.
        """
        words = (contact.name or "").split()
        known = {
            self.first: " ".join(words[:-1]),
            self.last: words[-1] if words else "",
            self.email: contact.email,
            self.phone: contact.phone,
        }
        return {name: value for name, value in known.items() if value}


async def upsert(
    system: str,
    update: Callable[[str, Mapping[str, str]], Awaitable[str | None]],
    create: Callable[[str, Mapping[str, str]], Awaitable[str | None]],
    key: str,
    fields: Mapping[str, str],
) -> str:
    """Update the contact with that key or else create it, and return its id.

    Each of the two returns None where the other one has to be tried. Raises `UnavailableError` if they do not agree.
    """
    for _ in range(_TRIES):
        found = await update(key, fields) or await create(key, fields)
        if found:
            return found
    raise UnavailableError(f"{system} says that the contact exists, and does not find it")


def drop_refused(fields: Mapping[str, str], refused: Collection[str]) -> dict[str, str]:
    """Return the fields that were not refused, and say in the log which were; values are not in it.

    An address that is none is better left out than a reason not to tell the CRM of the appointment.
    """
    _logger.warning("crm.details_refused", extra={"details": sorted(refused)})
    return without(fields, refused)


def without(fields: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the fields but for those of these names."""
    return {name: value for name, value in fields.items() if name not in names}


def title_of(activity: Activity) -> str:
    """Return the one line that people see of an activity."""
    return f"Appointment {activity.change.value}: {activity.appointment_type}"


def text_of(activity: Activity) -> str:
    """Return what stands below the title: the reference, and what became of the appointment when."""
    return f"Reference {activity.reference}, {activity.change.value} at {timestamp(activity.at)}"


def timestamp(instant: datetime) -> str:
    """Return an instant (UTC) as vendors read it: "2026-11-24T09:00:00Z"."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
