"""The actions that are measured, the same ones for every server."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

SECONDS = 0.05


class ActionNoop(Action):
    """Does nothing."""

    def name(self) -> str:
        """Return its name."""
        return "action_noop"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        """Do nothing."""
        return []


class ActionNoopSync(Action):
    """Does nothing, on a thread."""

    def name(self) -> str:
        """Return its name."""
        return "action_noop_sync"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        """Do nothing."""
        return []


class ActionSay(Action):
    """Says something and sets a slot to another one's value: what most actions do."""

    def name(self) -> str:
        """Return its name."""
        return "action_say"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        """Read two slots, answer."""
        dispatcher.utter_message(text="Your appointment is booked.", buttons=[{"title": "ok", "payload": "/ok"}])
        return [SlotSet("booked", [tracker.get_slot("slot_1"), tracker.get_slot("slot_3")])]


class ActionEvents(Action):
    """Reads the whole history."""

    def name(self) -> str:
        """Return its name."""
        return "action_events"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        """Count the user's messages."""
        return [SlotSet("messages", sum(event["event"] == "user" for event in tracker.events))]


class ActionSync50(Action):
    """Waits as a client of a database or a web service does that knows no asyncio."""

    def name(self) -> str:
        """Return its name."""
        return "action_sync_50"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        """Block for 50 ms."""
        time.sleep(SECONDS)
        return []


class ActionAsync50(Action):
    """The same with asyncio."""

    def name(self) -> str:
        """Return its name."""
        return "action_async_50"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        """Wait for 50 ms."""
        await asyncio.sleep(SECONDS)
        return []


class ValidateBenchForm(FormValidationAction):
    """Validates the two candidates at the end of the events."""

    def name(self) -> str:
        """Return its name."""
        return "validate_bench_form"

    async def required_slots(self, domain_slots: list[str], *_: Any) -> list[str]:
        """Return the form's slots."""
        return ["slot_1", "slot_3"]

    async def validate_slot_1(self, value: Any, *_: Any) -> dict[str, Any]:
        """Accept it."""
        return {"slot_1": value}

    async def validate_slot_3(self, value: Any, *_: Any) -> dict[str, Any]:
        """Accept it."""
        return {"slot_3": value}
