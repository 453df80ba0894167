"""The actions of the flow `book_appointment`."""

from __future__ import annotations

import logging
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from action_server import services
from actions import texts
from actions.booking import BookingDesk, BookingRequest, Declined
from actions.errors import UnknownAppointmentTypeError
from actions.scheduling.errors import UnavailableError
from actions.scheduling.models import Booking
from actions.wallclock import on_the_wall

_logger = logging.getLogger(__name__)


class ActionCheckUrgentSlots(Action):
    """Find the earliest free time today or the next day, say it, and set it in the slot `urgent_slot`."""

    def name(self) -> str:
        """Return the action's name."""
        return "action_check_urgent_slots"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Set `urgent_slot` to the ISO 8601 start on the clinic's clock, or to None if there is none."""
        desk = services.get(BookingDesk)
        try:
            slot = await desk.urgent_slot(tracker.sender_id)
        except UnknownAppointmentTypeError as exc:
            dispatcher.utter_message(text=texts.unknown_type(exc.known))
            return [SlotSet("urgent_slot", None)]
        except UnavailableError:
            _logger.exception("booking.unavailable")
            dispatcher.utter_message(text=texts.UNAVAILABLE)
            return [SlotSet("urgent_slot", None)]
        if slot is None:
            dispatcher.utter_message(text=texts.NO_URGENT_TIME)
            return [SlotSet("urgent_slot", None)]
        dispatcher.utter_message(text=texts.urgent_time(slot.start, desk.zone))
        return [SlotSet("urgent_slot", slot.start.astimezone(desk.zone).isoformat(timespec="minutes"))]


class ActionCreateAppointment(Action):
    """Book the appointment that the slots describe, or say why not and offer the nearest free times."""

    def name(self) -> str:
        """Return the action's name."""
        return "action_create_appointment"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Book; sets `booking_status` to "booked" or "unavailable", as far as the assistant has these slots."""
        desk = services.get(BookingDesk)
        request = BookingRequest(
            conversation=tracker.sender_id,
            appointment_type=tracker.slots.get("appointment_type"),
            wish=tracker.slots.get("preferred_date"),
            urgent_start=tracker.slots.get("urgent_slot"),
        )
        try:
            outcome = await desk.book(request)
        except UnknownAppointmentTypeError as exc:
            dispatcher.utter_message(text=texts.unknown_type(exc.known))
            return _declined(tracker)
        except UnavailableError:
            _logger.exception("booking.unavailable")
            dispatcher.utter_message(text=texts.UNAVAILABLE)
            return _declined(tracker)
        if isinstance(outcome, Declined):
            return _offer(dispatcher, tracker, desk, outcome)
        return _confirm(dispatcher, tracker, desk, outcome.booking)


def _confirm(
    dispatcher: CollectingDispatcher, tracker: Tracker, desk: BookingDesk, booking: Booking
) -> list[EventType]:
    dispatcher.utter_message(text=texts.booked(booking, desk.zone))
    return _set(tracker, booking_reference=booking.reference, booking_status="booked")


def _offer(dispatcher: CollectingDispatcher, tracker: Tracker, desk: BookingDesk, outcome: Declined) -> list[EventType]:
    buttons = [
        {
            "title": texts.day_and_time(slot.start, desk.zone),
            "payload": _choice(tracker, on_the_wall(slot.start, desk.zone).isoformat(timespec="minutes")),
        }
        for slot in outcome.offers
    ]
    dispatcher.utter_message(text=texts.declined(outcome, desk.zone, desk.horizon_days), buttons=buttons)
    return _declined(tracker)


def _choice(tracker: Tracker, moment: str) -> str:
    # CALM's syntax fills the slot without asking the LLM. A classic engine, which has no flows on its stack, takes
    # it for what the user said.
    return f"/SetSlots(preferred_date={moment})" if tracker.stack else moment


def _declined(tracker: Tracker) -> list[EventType]:
    # Without the wish: a form that still had it would ask for the same appointment again, for ever.
    return _set(tracker, booking_status="unavailable", preferred_date=None)


def _set(tracker: Tracker, **values: str | None) -> list[EventType]:
    # The engine logs an error for every slot that its domain does not have, and the seed's domain lacks most of these.
    return [SlotSet(name, value) for name, value in values.items() if name in tracker.slots]
