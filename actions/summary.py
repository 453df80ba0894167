"""A summary of somebody's appointments, put together after the turn, and what says it where nobody can push."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from action_server import ActionJobResult, current_job, job, later, services
from actions.booking import BookingDesk
from actions.responses import Speaker, fill

_FOUND = "appointments_found"


@dataclass(frozen=True)
class SummaryPace:
    """How many seconds a summary takes at least, so that one can see it come later."""

    seconds: float


class ActionSendSummary(Action):
    """Have a summary of the conversation's appointments put together, and say that it will come."""

    def name(self) -> str:
        """Return the action's name."""
        return "action_send_summary"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Ask for the job; the answer does not wait for it."""
        speaker = Speaker(dispatcher, tracker, domain, services.get(BookingDesk))
        # The job has no domain, so what it says goes along.
        await later(
            send_summary,
            conversation=tracker.sender_id,
            text=speaker.text_of("utter_appointment_summary"),
            nothing=speaker.text_of("utter_no_appointments"),
            has_slot=_FOUND in tracker.slots,
        )
        speaker.say("utter_summary_coming")
        return []


@job(retries=5)
async def send_summary(conversation: str, text: str, nothing: str, has_slot: bool) -> int:
    """Put the summary together and have it said; return how many appointments are in it."""
    desk = services.get(BookingDesk)
    await asyncio.sleep(services.get(SummaryPace).seconds)
    bookings = await desk.upcoming(conversation)
    lines = (f"- {one.appointment_type}: {desk.moments.full(one.slot.start)} ({one.reference})" for one in bookings)
    said = fill(text, {"appointments": "\n".join(lines)}) if bookings else nothing
    found = "some" if bookings else "nothing"
    current_job().delivers(said, {_FOUND: found} if has_slot else None)
    return len(bookings)


class ActionSayResults(ActionJobResult):
    """Say what was asked for earlier and is ready now, such as a summary of appointments."""

    def name(self) -> str:
        """Return the action's name."""
        return "action_job_result"

    async def nothing_yet(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[EventType]:
        """Say that nothing is ready."""
        Speaker(dispatcher, tracker, domain, services.get(BookingDesk)).say("utter_nothing_ready")
        return []
