"""The actions of the flow `book_appointment`."""

from __future__ import annotations

import json
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from action_server import action_options, services
from actions.booking import BookingDesk, BookingRequest, Declined
from actions.errors import BackendError, UnknownAppointmentTypeError
from actions.responses import Speaker, log_failure
from actions.scheduling.models import Booking
from actions.slots import ClinicSlots, Outcome


class ActionCheckUrgentSlots(Action):
    """Find the earliest free time today or the next day, say it, and set it in the slot `urgent_slot`."""

    def name(self) -> str:
        """Return the action's name."""
        return "action_check_urgent_slots"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Set `urgent_slot` to the ISO 8601 start on the clinic's clock, or to None if there is none."""
        desk = services.get(BookingDesk)
        speaker = Speaker(dispatcher, tracker, domain, desk)
        try:
            slot = await desk.urgent_slot(tracker.sender_id)
        except (UnknownAppointmentTypeError, BackendError) as exc:
            speaker.fail(exc, unknown="utter_clinic_unavailable")
            return [SlotSet("urgent_slot", None)]
        if slot is None:
            speaker.say("utter_no_urgent_time")
            return [SlotSet("urgent_slot", None)]
        speaker.say_time("utter_urgent_time_found", slot)
        return [SlotSet("urgent_slot", slot.start.astimezone(desk.zone).isoformat(timespec="minutes"))]


@action_options(on_crash="rerun")
class ActionCreateAppointment(Action):
    """Book the appointment that the slots describe, or say why not and offer the nearest free times.

    It is safe to repeat: conversation, type and wished time are the booking's own key.
    """

    def name(self) -> str:
        """Return the action's name."""
        return "action_create_appointment"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Book; sets `booking_status` to "booked", "unavailable" (ask for another time) or "failed" (do not).

        Slots that the assistant does not have are not set.
        """
        desk = services.get(BookingDesk)
        speaker = Speaker(dispatcher, tracker, domain, desk)
        slots = ClinicSlots.read(tracker)
        request = BookingRequest(
            conversation=tracker.sender_id,
            appointment_type=slots.appointment_type,
            wish=slots.preferred_date,
            urgent_start=slots.urgent_slot,
            patient=slots.patient(tracker.sender_id),
        )
        try:
            outcome = await desk.book(request)
        except (UnknownAppointmentTypeError, BackendError) as exc:
            speaker.fail(exc, unknown="utter_booking_unknown")
            return _without_wish(slots, Outcome.new(tracker, booking_status="failed"))
        if isinstance(outcome, Declined):
            speaker.refuse(outcome.reason)
            speaker.offer(outcome.offers)
            return _without_wish(slots, Outcome.new(tracker, booking_status="unavailable"))
        booking = outcome.booking
        speaker.say_booking("utter_appointment_booked", booking)
        await _say_untold(speaker, desk, tracker, booking)
        return Outcome.new(tracker, booking_reference=booking.reference, booking_status="booked").changed()


async def _say_untold(speaker: Speaker, desk: BookingDesk, tracker: Tracker, booking: Booking) -> None:
    """Say which other appointments there are that the conversation has not heard of.

    If the outcome of a booking was not known, its patient may have named another day and has two appointments now.
    """
    if not tracker.events:
        return  # then nobody knows what was said
    try:
        others = [one for one in await desk.upcoming(tracker.sender_id) if one.reference != booking.reference]
    except BackendError as exc:
        log_failure(exc)
        return
    heard = json.dumps(tracker.events, default=str) if others else ""
    for other in others:
        if other.reference not in heard:
            speaker.say_booking("utter_appointment_also_booked", other)


def _without_wish(slots: ClinicSlots, outcome: Outcome) -> list[EventType]:
    # A form that still had the wish would ask for the same appointment again, for ever.
    slots.preferred_date = None
    return [*outcome.changed(), *slots.changed()]
