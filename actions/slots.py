"""The slots that the clinic's actions read and set; an assistant may lack any of them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from action_server import Slots
from actions.scheduling.models import Patient

_LONGEST = 200
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def _text(value: object) -> str | None:
    # Whatever an LLM or another action has put there must not stop a booking; a telephone number may be a number.
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = value.strip() if isinstance(value, str) else ""
    return text if 0 < len(text) <= _LONGEST and text.isprintable() else None


def _email(value: object) -> str | None:
    text = _text(value)
    return text if text and _EMAIL.fullmatch(text) else None


def _yes(value: object) -> bool | None:
    # "no" is what is not surely a yes; the classic engine and the LLM write booleans in several ways.
    if value is None:
        return None
    return value is True or (isinstance(value, str) and value.strip().casefold() in {"true", "yes"})


_Text = Annotated[str | None, BeforeValidator(_text)]


class ClinicSlots(Slots):
    """What was said. A value may be anything: users, LLMs and other actions fill these slots."""

    appointment_type: Any = Field(default=None, description="The kind of appointment: general, specialist or urgent")
    preferred_date: Any = Field(
        default=None, description="The day and the time that are wished, in any words or in ISO 8601"
    )
    urgent_slot: Any = Field(default=None, description="The start of an urgent time that was found, in ISO 8601")
    appointment_choice: Any = Field(
        default=None, description="Which of the patient's appointments: its reference, or words"
    )
    cancellation_confirmed: Annotated[bool | None, BeforeValidator(_yes)] = Field(
        default=None, description="Whether the patient has said yes to the cancellation"
    )
    patient_name: _Text = Field(default=None, description="The patient's name")
    patient_email: Annotated[str | None, BeforeValidator(_email)] = Field(
        default=None, description="The patient's email address"
    )
    patient_phone: _Text = Field(default=None, description="The patient's telephone number")

    def patient(self, conversation: str) -> Patient:
        """Return who the conversation is with, as far as its slots know."""
        return Patient(conversation, self.patient_name, self.patient_email, self.patient_phone)


class Outcome(Slots):
    """What an action found out or did: the flow branches on it, and nobody else writes it."""

    booking_reference: str | None = None
    booking_status: Literal["booked", "rescheduled", "cancelled", "kept", "unavailable", "failed"] | None = None
    appointments_found: Literal["some", "nothing", "unknown"] | None = None
