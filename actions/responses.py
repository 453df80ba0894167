"""What the clinic says: the assistant's own responses; where it has none, those of responses.yml beside this file."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher
from ruamel.yaml import YAML

from actions.booking import BookingDesk, Reason
from actions.errors import (
    AuthFailedError,
    BackendError,
    ClinicError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    UnknownAppointmentTypeError,
)
from actions.scheduling.models import Booking, Slot

_logger = logging.getLogger(__name__)

Button = dict[str, str]

REASONS: Mapping[Reason, str] = {
    Reason.NOT_UNDERSTOOD: "utter_date_not_understood",
    Reason.PAST: "utter_date_past",
    Reason.TOO_FAR_AHEAD: "utter_date_too_far_ahead",
    Reason.CLOSED: "utter_date_closed",
    Reason.TAKEN: "utter_date_taken",
    Reason.NOTHING_URGENT: "utter_no_urgent_time",
}
# The first that fits; what became of a request of which nothing is known depends on the request.
_FAILURES: tuple[tuple[type[ClinicError], str], ...] = (
    (RateLimitedError, "utter_clinic_busy"),
    (AuthFailedError, "utter_clinic_not_permitted"),
    (InvalidRequestError, "utter_clinic_refused"),
    (BackendError, "utter_clinic_unavailable"),
)
_PLACE = re.compile(r"{{|}}|{([^\n{}]+)}")


class Speaker:
    """Says responses in one call of an action."""

    def __init__(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Mapping[str, Any], desk: BookingDesk
    ) -> None:
        self._dispatcher = dispatcher
        self._domain_responses = domain.get("responses") or {}
        # Only a tracker of CALM has flows on a stack.
        self._calm = bool(tracker.stack)
        self._moments = desk.moments
        self._horizon_days = desk.horizon_days

    def say(self, response: str, buttons: Sequence[Button] = (), **variables: str | int) -> None:
        """Say a response with its variables, and with the buttons after those that it has itself."""
        if response in self._domain_responses:
            self._dispatcher.utter_message(response=response, buttons=list(buttons), **variables)
            return
        own = own_responses()[response]
        rendered = [self._own_button(button) for button in own.get("buttons", ())]
        self._dispatcher.utter_message(text=fill(own["text"], variables), buttons=[*rendered, *buttons])

    def text_of(self, response: str) -> str:
        """Return the text of a response, with its places: for what is said after the call."""
        variations = self._domain_responses.get(response) or [own_responses()[response]]
        return str(variations[0].get("text") or own_responses()[response]["text"])

    def say_booking(self, response: str, booking: Booking, buttons: Sequence[Button] = ()) -> None:
        """Say a response about an appointment: it can name type, date, time and reference.

        If people at the clinic moved it, that is said first; what they still have to agree to is not called booked.
        """
        self._say_moved(booking)
        if booking.is_requested and response == "utter_appointment_booked":
            response = "utter_appointment_requested"
        start = booking.slot.start
        self.say(
            response,
            buttons,
            appointment_type=booking.appointment_type,
            when=self._moments.full(start),
            date=self._moments.date(start),
            time=self._moments.time(start),
            reference=booking.reference,
        )

    def say_time(self, response: str, slot: Slot) -> None:
        """Say a response about a time."""
        start = slot.start
        when, date, time = self._moments.full(start), self._moments.date(start), self._moments.time(start)
        self.say(response, when=when, date=date, time=time)

    def say_bookings(self, response: str, bookings: Sequence[Booking]) -> None:
        """Say a response about several appointments, one in a line; what people at the clinic changed is said first."""
        for booking in bookings:
            if booking.is_requested:
                self.say_booking("utter_appointment_requested", booking)
            else:
                self._say_moved(booking)
        lines = (f"- {self._label(b, self._moments.full(b.slot.start))} ({b.reference})" for b in bookings)
        self.say(response, appointments="\n".join(lines))

    def _say_moved(self, booking: Booking) -> None:
        if booking.moved_from is not None:
            self.say_booking("utter_appointment_moved_by_clinic", replace(booking, moved_from=None))

    def refuse(self, reason: Reason) -> None:
        """Say why a wish cannot be met."""
        self.say(REASONS[reason], horizon_days=self._horizon_days)

    def offer(self, slots: Sequence[Slot]) -> None:
        """Say which times are free, as text and as buttons, or that none is."""
        if not slots:
            self.say("utter_no_free_times", horizon_days=self._horizon_days)
            return
        lines = "\n".join(f"- {self._moments.full(slot.start)}" for slot in slots)
        self.say("utter_free_times", self.time_buttons(slots), offers=lines)

    def fail(self, error: ClinicError, unknown: str) -> None:
        """Say what went wrong, and log it for the operators; `unknown` is said if the outcome is not known."""
        if isinstance(error, UnknownAppointmentTypeError):
            self.say("utter_unknown_appointment_type", known=", ".join(error.known))
            return
        log_failure(error)
        if isinstance(error, OutcomeUnknownError):
            self.say(unknown)
            return
        self.say(next(name for kind, name in _FAILURES if isinstance(error, kind)))

    def time_buttons(self, slots: Sequence[Slot]) -> list[Button]:
        """Return a button for each time, which fills the slot `preferred_date`."""
        return [
            self._button(self._moments.short(slot.start), "preferred_date", self._moments.iso(slot.start))
            for slot in slots
        ]

    def booking_buttons(self, bookings: Sequence[Booking]) -> list[Button]:
        """Return a button for each appointment, which fills the slot `appointment_choice`."""
        return [
            self._button(self._label(b, self._moments.short(b.slot.start)), "appointment_choice", b.reference)
            for b in bookings
        ]

    def _label(self, booking: Booking, when: str) -> str:
        return f"{booking.appointment_type}: {when}"

    def _button(self, title: str, slot: str, value: str) -> Button:
        # CALM's syntax fills the slot without asking the LLM. A classic engine, which has no flows on its stack, takes
        # the value for what the user said.
        return {"title": title, "payload": f"/SetSlots({slot}={value})" if self._calm else value}

    def _own_button(self, button: Button) -> Button:
        return button if self._calm else {**button, "payload": button["title"]}


def log_failure(error: ClinicError) -> None:
    """Tell the operators; the error's text is for them."""
    _logger.error("clinic.failed", extra={"problem": type(error).__name__}, exc_info=error)


def fill(text: str, variables: Mapping[str, object]) -> str:
    """Put variables into a response's text as the engine does; a place without a variable stays as it is."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return match[0][0] if name is None else str(variables.get(name, match[0]))

    return _PLACE.sub(value, text)


@cache
def own_responses() -> dict[str, dict[str, Any]]:
    """Return the first variation of each response in responses.yml."""
    path = Path(__file__).with_name("responses.yml")
    responses: dict[str, list[dict[str, Any]]] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))["responses"]
    return {name: variations[0] for name, variations in responses.items()}
