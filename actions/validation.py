"""What the clinic asks for and what it takes for an answer, in flows and in forms."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from action_server import services
from actions.booking import BookingDesk
from actions.errors import BackendError
from actions.responses import Speaker, log_failure
from actions.scheduling.models import Booking
from actions.slots import ClinicSlots


async def accepted_date(
    value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
) -> object:
    """Return the value as it is if it may be met; else say why not, and return None."""
    desk = services.get(BookingDesk)
    reason = desk.refusal(value, _kind(tracker, await _moved_booking(desk, tracker)))
    if reason is None:
        return value
    Speaker(dispatcher, tracker, domain, desk).refuse(reason)
    return None


async def accepted_choice(
    value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
) -> object:
    """Return the reference of the one appointment that is meant; else say what is wrong, and return None.

    Nothing said at all means the only one there is.
    """
    desk = services.get(BookingDesk)
    try:
        fitting = await desk.chosen(tracker.sender_id, value)
    except BackendError as exc:
        log_failure(exc)
        return value  # the action finds it out as well, and says so
    if len(fitting) == 1:
        return fitting[0].reference
    if value is not None:
        response = "utter_appointment_ambiguous" if fitting else "utter_appointment_not_found"
        Speaker(dispatcher, tracker, domain, desk).say(response)
    return None


async def _moved_booking(desk: BookingDesk, tracker: Tracker) -> Booking | None:
    """Return the appointment that the conversation is about to move, if it is that what the date is asked for."""
    choice = ClinicSlots.read(tracker).appointment_choice
    if choice is None:
        return None
    try:
        chosen = await desk.chosen(tracker.sender_id, choice)
    except BackendError as exc:
        log_failure(exc)
        return None
    return chosen[0] if len(chosen) == 1 else None


def _kind(tracker: Tracker, moved: Booking | None) -> object:
    return moved.appointment_type if moved else ClinicSlots.read(tracker).appointment_type


class ValidatePreferredDate(Action):
    """Refuse a date that is past, closed, too far ahead or not understood; an engine calls it at a collect step."""

    def name(self) -> str:
        """Return the action's name."""
        return "validate_preferred_date"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Empty the slot if its value is refused. Called while the slot is still empty, too: nothing to say then."""
        value = ClinicSlots.read(tracker).preferred_date
        if value is None or await accepted_date(value, dispatcher, tracker, domain) is not None:
            return []
        return [SlotSet("preferred_date", None)]


class ValidateAppointmentChoice(Action):
    """Turn words into the reference of an appointment; an engine calls it at a collect step."""

    def name(self) -> str:
        """Return the action's name."""
        return "validate_appointment_choice"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Set the slot to the reference, or empty it. Who has one appointment is not asked which."""
        value = ClinicSlots.read(tracker).appointment_choice
        chosen = await accepted_choice(value, dispatcher, tracker, domain)
        return [] if chosen == value else [SlotSet("appointment_choice", chosen)]


class ActionAskPreferredDate(Action):
    """Ask for a date, with buttons of free times."""

    def name(self) -> str:
        """Return the action's name."""
        return "action_ask_preferred_date"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Ask. The times are those nearest to a wish that was refused just now; none if some were just offered."""
        desk = services.get(BookingDesk)
        speaker = Speaker(dispatcher, tracker, domain, desk)
        turn = _turn(tracker)
        if any(event.get("event") == "bot" and (event.get("data") or {}).get("buttons") for event in turn):
            speaker.say("utter_which_other_date")
            return []
        refused = [event["value"] for event in turn if _sets(event, "preferred_date")]
        moved = await _moved_booking(desk, tracker)
        try:
            slots = await desk.offers(_kind(tracker, moved), refused[-1] if refused else None)
        except BackendError as exc:
            log_failure(exc)
            slots = []  # the question can be answered without them
        buttons = speaker.time_buttons(slots)
        if moved and not refused:
            speaker.say_booking("utter_which_new_date", moved, buttons)
        else:
            speaker.say("utter_which_other_date" if refused else "utter_which_date", buttons)
        return []


class ActionAskAppointmentChoice(Action):
    """Ask which appointment is meant, with a button for each."""

    def name(self) -> str:
        """Return the action's name."""
        return "action_ask_appointment_choice"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Ask."""
        desk = services.get(BookingDesk)
        speaker = Speaker(dispatcher, tracker, domain, desk)
        try:
            bookings = await desk.upcoming(tracker.sender_id)
        except BackendError as exc:
            log_failure(exc)
            bookings = []
        speaker.say("utter_which_appointment", speaker.booking_buttons(bookings))
        return []


class ActionAskCancellationConfirmed(Action):
    """Ask whether the chosen appointment shall be cancelled, with its full date."""

    def name(self) -> str:
        """Return the action's name."""
        return "action_ask_cancellation_confirmed"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Ask; an appointment that is there no more is told by the action that would cancel it."""
        desk = services.get(BookingDesk)
        speaker = Speaker(dispatcher, tracker, domain, desk)
        try:
            fitting = await desk.chosen(tracker.sender_id, ClinicSlots.read(tracker).appointment_choice)
        except BackendError as exc:
            speaker.fail(exc, unknown="utter_clinic_unavailable")
            return []
        if len(fitting) == 1:
            speaker.say_booking("utter_confirm_cancellation", fitting[0])
        else:
            speaker.say("utter_appointment_ambiguous" if fitting else "utter_appointment_not_found")
        return []


class ValidateAppointmentForm(FormValidationAction):
    """The date of a booking, in classic forms."""

    def name(self) -> str:
        """Return the action's name."""
        return "validate_appointment_form"

    def validate_appointment_type(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the slot as it is: the domain lists its values."""
        return {"appointment_type": value}

    async def validate_preferred_date(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the slot, emptied if the date is refused."""
        return {"preferred_date": await accepted_date(value, dispatcher, tracker, domain)}


class _ChoiceForm:
    """What forms share that first ask which appointment is meant: not if there is only one, and nothing without one.

    No action itself: the server registers every subclass of `Action`.
    """

    async def required_slots(
        self, domain_slots: list[str], dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[str]:
        """Return the form's slots, or nothing for who has no appointment: the form's action says so."""
        try:
            upcoming = await services.get(BookingDesk).upcoming(tracker.sender_id)
        except BackendError as exc:
            log_failure(exc)
            return []
        return domain_slots if upcoming else []

    async def extract_appointment_choice(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        """Fill in the only appointment of who has one, if nothing was said."""
        if tracker.slots.get("appointment_choice") is not None:
            return {}
        chosen = await accepted_choice(None, dispatcher, tracker, domain)
        return {} if chosen is None else {"appointment_choice": chosen}

    async def validate_appointment_choice(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the slot with the reference of the appointment, or emptied."""
        return {"appointment_choice": await accepted_choice(value, dispatcher, tracker, domain)}


class ValidateCancelForm(_ChoiceForm, FormValidationAction):
    """Which appointment is cancelled, in classic forms."""

    def name(self) -> str:
        """Return the action's name."""
        return "validate_cancel_form"

    def validate_cancellation_confirmed(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the slot as it is: the mapping of the intents has decided."""
        return {"cancellation_confirmed": value}


class ValidateRescheduleForm(_ChoiceForm, FormValidationAction):
    """Which appointment is moved and when to, in classic forms."""

    def name(self) -> str:
        """Return the action's name."""
        return "validate_reschedule_form"

    async def validate_preferred_date(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the slot, emptied if the date is refused."""
        return {"preferred_date": await accepted_date(value, dispatcher, tracker, domain)}


def _turn(tracker: Tracker) -> list[dict[str, Any]]:
    """Return what happened since the user's last message."""
    events: list[dict[str, Any]] = tracker.events
    said = [index for index, event in enumerate(events) if event.get("event") == "user"]
    return events[said[-1] + 1 :] if said else []


def _sets(event: dict[str, Any], slot: str) -> bool:
    return event.get("event") == "slot" and event.get("name") == slot and event.get("value") is not None
