"""What a CRM is told. Every instant is in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from actions.scheduling.models import Change


@dataclass(frozen=True)
class Contact:
    """A patient as a contact; `key` is the same whenever the contact is meant, and tells nobody who it is.

    `record` is the CRM's own id under which the contact was first known there, None before that. People may have merged
    that record into another one since, which may have lost the key.
    """

    key: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    record: str | None = None


@dataclass(frozen=True)
class Activity:
    """What became of an appointment; `id` is unique to it and the same whenever it is delivered again."""

    id: str
    change: Change
    reference: str
    appointment_type: str
    start: datetime
    end: datetime
    at: datetime
