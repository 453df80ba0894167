"""The actions for appointments that somebody has: list them, cancel one, move one to another time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from action_server import action_options, services
from actions.booking import Booked, BookingDesk, Declined
from actions.choice import names_a_place
from actions.errors import BackendError, UnknownAppointmentTypeError
from actions.responses import Speaker
from actions.scheduling.models import Booking
from actions.slots import ClinicSlots, Outcome


class ActionListAppointments(Action):
    """Say which appointments the conversation has."""

    def name(self) -> str:
        """Return the action's name."""
        return "action_list_appointments"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """List them; sets `appointments_found` to "some", "nothing" or, if the book did not answer, "unknown"."""
        desk = services.get(BookingDesk)
        speaker = Speaker(dispatcher, tracker, domain, desk)
        try:
            bookings = await desk.upcoming(tracker.sender_id)
            await _say_cancelled(speaker, desk, tracker)
        except BackendError as exc:
            speaker.fail(exc, unknown="utter_clinic_unavailable")
            return Outcome.new(tracker, appointments_found="unknown").changed()
        if not bookings:
            speaker.say("utter_no_appointments")
            return Outcome.new(tracker, appointments_found="nothing").changed()
        speaker.say_bookings("utter_your_appointments", bookings)
        return Outcome.new(tracker, appointments_found="some").changed()


@action_options(on_crash="rerun")
class ActionCancelAppointment(Action):
    """Cancel the appointment that `appointment_choice` names; without a choice the only one.

    It is safe to repeat: what is done already is said again.
    """

    def name(self) -> str:
        """Return the action's name."""
        return "action_cancel_appointment"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Cancel; sets `booking_status` to "cancelled", "kept", "unavailable" (no such one) or "failed".

        An assistant with the slot `cancellation_confirmed` has to have asked: anything but True keeps the appointment.
        """
        desk = services.get(BookingDesk)
        speaker = Speaker(dispatcher, tracker, domain, desk)
        slots = ClinicSlots.read(tracker)
        asks = "cancellation_confirmed" in slots.known
        try:
            slots.appointment_choice = await _meant(desk, tracker, slots)
            fitting = await _fitting(speaker, desk, tracker, slots)
            done = None if fitting else await desk.cancelled(tracker.sender_id, slots.appointment_choice)
            if done is not None:
                # The same call again. Nothing is asked, and nothing else is cancelled.
                speaker.say_booking("utter_appointment_cancelled", done)
                return _changes_after(tracker, slots, "cancelled")
            booking = _only(speaker, slots, fitting)
            if booking is None:
                return _changes_after(tracker, slots, "unavailable")
            if asks and not slots.cancellation_confirmed:
                speaker.say_booking("utter_appointment_kept", booking)
                return _changes_after(tracker, slots, "kept")
            cancelled = await desk.cancel(tracker.sender_id, booking)
            # If another copy of this call was faster, it is cancelled all the same.
            cancelled = cancelled or await desk.cancelled(tracker.sender_id, booking.reference)
        except BackendError as exc:
            speaker.fail(exc, unknown="utter_change_unknown")
            return _changes_after(tracker, slots, "failed")
        if cancelled is None:
            speaker.say("utter_appointment_not_found")
            return _changes_after(tracker, slots, "unavailable")
        speaker.say_booking("utter_appointment_cancelled", cancelled)
        return _changes_after(tracker, slots, "cancelled")


@action_options(on_crash="rerun")
class ActionRescheduleAppointment(Action):
    """Move the appointment that `appointment_choice` names, without a choice the only one, to `preferred_date`.

    It is safe to repeat: what is done already is said again.
    """

    def name(self) -> str:
        """Return the action's name."""
        return "action_reschedule_appointment"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Move it; sets `booking_status` to "rescheduled", "unavailable" (ask for another time) or "failed" (do not).

        Whatever happens, the old time is kept until the new one is certain.
        """
        desk = services.get(BookingDesk)
        speaker = Speaker(dispatcher, tracker, domain, desk)
        slots = ClinicSlots.read(tracker)
        try:
            slots.appointment_choice = await _meant(desk, tracker, slots)
            fitting = await _fitting(speaker, desk, tracker, slots)
            outcome: Booked | Declined | None = None if fitting else await _repeated_move(desk, tracker, slots)
            if outcome is None:
                booking = _only(speaker, slots, fitting)
                if booking is None:
                    return _changes_after(tracker, slots, "failed")
                outcome = await desk.reschedule(tracker.sender_id, booking, slots.preferred_date)
        except (UnknownAppointmentTypeError, BackendError) as exc:
            speaker.fail(exc, unknown="utter_change_unknown")
            return _changes_after(tracker, slots, "failed")
        if outcome is None:
            speaker.say("utter_appointment_not_found")
            return _changes_after(tracker, slots, "failed")
        if isinstance(outcome, Declined):
            speaker.refuse(outcome.reason)
            speaker.offer(outcome.offers)
            slots.preferred_date = None
            return [*Outcome.new(tracker, booking_status="unavailable").changed(), *slots.changed()]
        speaker.say_booking("utter_appointment_rescheduled", outcome.booking)
        reference = outcome.booking.reference
        return _changes_after(tracker, slots, "rescheduled", booking_reference=reference)


async def _meant(desk: BookingDesk, tracker: Tracker, slots: ClinicSlots) -> object:
    """Return the choice as it was meant when the patient spoke last; the same call may have done its work already."""
    choice = slots.appointment_choice
    return await desk.meant(tracker.sender_id, choice, _last_message_at(tracker) if names_a_place(choice) else None)


def _last_message_at(tracker: Tracker) -> datetime | None:
    """Return when the patient spoke last (UTC); None if the events do not tell, as those of a tool's call."""
    for event in reversed(tracker.events):
        if event.get("event") == "user":
            try:
                return datetime.fromtimestamp(event["timestamp"], timezone.utc)
            except (KeyError, TypeError, ValueError, OverflowError, OSError):
                return None
    return None


async def _fitting(speaker: Speaker, desk: BookingDesk, tracker: Tracker, slots: ClinicSlots) -> Sequence[Booking]:
    """Return the appointments that may be meant; say first what the clinic cancelled."""
    fitting = await desk.chosen(tracker.sender_id, slots.appointment_choice)
    await _say_cancelled(speaker, desk, tracker)
    return fitting


async def _repeated_move(desk: BookingDesk, tracker: Tracker, slots: ClinicSlots) -> Booked | None:
    """Return the appointment that the same call has moved already: "the one on Tuesday" is not on Tuesday any more."""
    if slots.appointment_choice is None:
        return None
    moved = await desk.moved(tracker.sender_id, slots.appointment_choice, slots.preferred_date)
    return Booked(moved) if moved else None


def _only(speaker: Speaker, slots: ClinicSlots, fitting: Sequence[Booking]) -> Booking | None:
    """Return the one appointment that is meant; say it if there is none, or more than one."""
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        speaker.say("utter_appointment_ambiguous")
    else:
        speaker.say("utter_no_appointments" if slots.appointment_choice is None else "utter_appointment_not_found")
    return None


async def _say_cancelled(speaker: Speaker, desk: BookingDesk, tracker: Tracker) -> None:
    for booking in await desk.cancelled_by_clinic(tracker.sender_id):
        speaker.say_booking("utter_appointment_cancelled_by_clinic", booking)


def _changes_after(tracker: Tracker, slots: ClinicSlots, status: str, **values: str) -> list[EventType]:
    # What was asked for is done or given up. A flow forgets it by itself; a form would find its questions answered.
    slots.appointment_choice = None
    slots.preferred_date = None
    slots.cancellation_confirmed = None
    return [*Outcome.new(tracker, booking_status=status, **values).changed(), *slots.changed()]
