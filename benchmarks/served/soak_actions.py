"""The actions of the soak: quick, slow, failing and endless ones, beside two of the clinic's.

It is copied into the folder that is served, as a bot's own module would lie there.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, NoReturn

from rasa_sdk import ActionExecutionRejection, FormValidationAction, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import lifespan
from actions.appointments import ActionCheckUrgentSlots, ActionCreateAppointment

__all__ = ["ActionCheckUrgentSlots", "ActionCreateAppointment", "ValidateSoakForm", "lifespan"]


class ValidateSoakForm(FormValidationAction):
    """Validates a form's slot on a thread."""

    def name(self) -> str:
        """Return its name."""
        return "validate_soak_form"

    def validate_number(self, value: int, dispatcher: Any, tracker: Any, domain: Any) -> dict[str, int | None]:
        """Refuse even numbers."""
        time.sleep(0.005)
        return {"number": value if value % 2 else None}


def sync(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
    """Take a thread for a moment."""
    time.sleep(0.02)
    dispatcher.utter_message(text="done")
    return [SlotSet("number", tracker.get_slot("number"))]


async def quick(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
    """Answer at once."""
    dispatcher.utter_message(text="done")
    return [SlotSet("number", tracker.get_slot("number"))]


async def slow(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
    """Take half a second."""
    await asyncio.sleep(0.5)
    return []


def slow_sync(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
    """Take a thread for nearly half a second."""
    time.sleep(0.4)
    return []


def too_slow(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
    """Take a thread for longer than the call may."""
    time.sleep(0.6)
    return []


async def too_slow_async(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
    """Take longer than the call may."""
    await asyncio.sleep(60)
    return []


def fails(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> NoReturn:
    """Fail."""
    raise RuntimeError("this action always fails")


async def rejects(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> NoReturn:
    """Reject the execution."""
    raise ActionExecutionRejection("soak_rejects")


async def endless(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> NoReturn:
    """Never let the event loop of the worker run again."""
    while True:
        pass


async def look(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
    """Answer with the process and its tasks, after a time that differs from call to call."""
    await asyncio.sleep(0.05 * tracker.get_slot("number"))
    dispatcher.utter_message(json_message={"pid": os.getpid(), "tasks": len(asyncio.all_tasks())})
    return []


def register_actions(registry: Any) -> None:
    """Register the functions above, each with ``soak_`` before its name."""
    for function in (sync, quick, slow, slow_sync, too_slow, too_slow_async, fails, rejects, endless, look):
        registry.register_function("soak_" + function.__name__, function)
