"""A medical clinic's appointments: the actions of an assistant that books them, and what they work with."""

from actions.blocking import create_booking_in_crm
from actions.services import lifespan

__all__ = ["create_booking_in_crm", "lifespan"]
