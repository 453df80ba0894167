"""Plays actions against the clinic: what they say and which slots they set."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import svcs
from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from action_server.runtime import services
from actions.errors import ClinicError
from actions.scheduling.models import AppointmentType, Booking, BookingKey, PastChange, Patient, Slot, Window

# The slots of assistant/domain.yml, as an engine sends them before anybody has said anything.
SLOTS: dict[str, Any] = dict.fromkeys(
    (
        *("appointment_type", "preferred_date", "urgent_slot", "booking_reference", "booking_status"),
        *("appointment_choice", "appointments_found", "cancellation_confirmed"),
        *("patient_name", "patient_email", "patient_phone"),
    )
)
# A tracker of CALM has flows on its stack, one of a classic engine has none.
FLOW = ({"frame_id": "F1", "flow_id": "book_appointment", "step_id": "confirm_booking", "type": "flow"},)


async def play(
    registry: svcs.Registry,
    action: Action,
    sender: str = "c",
    *,
    stack: Sequence[dict[str, Any]] = (),
    domain: dict[str, Any] | None = None,
    events: Sequence[dict[str, Any]] = (),
    **slots: Any,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run an action; return its messages and the slots it set."""
    dispatcher = CollectingDispatcher()
    tracker = Tracker(sender, slots, {}, list(events), False, None, {}, None, list(stack))
    with services.activate(registry):
        set_slots = await action.run(dispatcher, tracker, domain or {})
    assert all(event["event"] == "slot" for event in set_slots)
    return dispatcher.messages, {event["name"]: event["value"] for event in set_slots}


def texts(messages: Sequence[dict[str, Any]]) -> list[str]:
    """Return the texts of messages."""
    return [message["text"] for message in messages]


class FailingBackend:
    """A backend of which every call raises the same error."""

    def __init__(self, error: ClinicError) -> None:
        self.error = error

    async def find_slots(self, kind: AppointmentType, window: Window) -> Sequence[Slot]:
        raise self.error

    async def book(self, key: BookingKey, slot: Slot, patient: Patient | None = None) -> Booking:
        raise self.error

    async def get(self, key: BookingKey) -> Booking | None:
        raise self.error

    async def find_own(self, kind: AppointmentType, key: BookingKey, patient: Patient | None = None) -> Booking | None:
        raise self.error

    async def changed(self, conversation: str, since: datetime) -> Sequence[PastChange]:
        raise self.error

    async def upcoming(self, conversation: str, now: object) -> Sequence[Booking]:
        raise self.error

    async def cancel(self, key: BookingKey) -> Booking | None:
        raise self.error

    async def reschedule(self, key: BookingKey, slot: Slot) -> Booking | None:
        raise self.error

    async def ping(self) -> None:
        raise self.error
