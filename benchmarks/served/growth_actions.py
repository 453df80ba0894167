"""The actions whose cost is measured by what a call holds."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher


class ActionNone(Action):
    """Does nothing."""

    def name(self) -> str:
        """Return its name."""
        return "action_none"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        """Do nothing."""
        return []


class ActionSet(Action):
    """Sets as many slots as the message says."""

    def name(self) -> str:
        """Return its name."""
        return "action_set"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        """Return the events."""
        return [SlotSet(f"slot_{number}", "a value") for number in range(int(tracker.latest_message["text"]))]


class ActionTell(Action):
    """Says as many things as the message says."""

    def name(self) -> str:
        """Return its name."""
        return "action_tell"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        """Say them."""
        for number in range(int(tracker.latest_message["text"])):
            dispatcher.utter_message(text=f"line {number}")
        return []
