"""What synchronous actions call; each function waits for the worker's event loop, where the services live."""

from __future__ import annotations

from action_server import current_call, services
from actions.booking import BookingDesk, BookingRequest, Declined
from actions.errors import NotBookedError


def create_booking_in_crm(appointment_type: object, preferred_date: object = None) -> str:
    """Book for the conversation of the running call, and return the reference.

    An urgent appointment is booked as early as possible. Raises `NotBookedError` (with the nearest free times),
    `UnknownAppointmentTypeError` or a `SchedulingError`: there is no reference without a booking.
    """
    request = BookingRequest(current_call().sender_id, appointment_type, preferred_date)
    outcome = services.blocking(services.get(BookingDesk).book(request))
    if isinstance(outcome, Declined):
        raise NotBookedError(outcome.reason.value, [slot.start for slot in outcome.offers])
    return outcome.booking.reference
