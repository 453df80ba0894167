"""Copies of calls: a host that gets each of them, perhaps is killed on the way, and says what their patients heard."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rasa_sdk import Action
from rasa_sdk.executor import CollectingDispatcher

from action_server.runtime import services
from action_server.testing import make_tracker
from actions import lifespan
from actions.appointments import ActionCreateAppointment
from actions.changes import ActionCancelAppointment, ActionRescheduleAppointment
from tests.actions.conversation import SLOTS
from tests.actions.reliability.deaths import watch
from tests.actions.reliability.host import GENERAL, REPEATS, say, slot_of

ACTIONS: dict[str, type[Action]] = {
    "book": ActionCreateAppointment,
    "move": ActionRescheduleAppointment,
    "cancel": ActionCancelAppointment,
}
# So many half hours after its own does a move go.
_FURTHER = 5
Answer = tuple[list[str], dict[str, Any]]


def slots_of(work: str, day: datetime, number: int, wide: bool) -> dict[str, Any]:
    """Return the slots of a call; `wide`: its patient wishes for the day, and else for a time of it."""
    start = slot_of(GENERAL, day, number + (_FURTHER if work == "move" else 0)).start
    wish = {"preferred_date": f"{start:%Y-%m-%d}" if wide else f"{start:%Y-%m-%dT%H:%M}"}
    if work == "book":
        return {**SLOTS, "appointment_type": GENERAL.name, **wish}
    # As an engine has it that does not know the question; chosen by words that fit no more when it is done.
    choice = f"{slot_of(GENERAL, day, number).start:%Y-%m-%dT%H:%M}"
    rest = {name: value for name, value in SLOTS.items() if name != "cancellation_confirmed"}
    return {**rest, "appointment_choice": choice, **(wish if work == "move" else {})}


async def call(work: str, day: datetime, number: int, wide: bool) -> Answer:
    """Deliver a call, and again while it fails: a patient who hears that nothing is known asks again."""
    for _ in range(REPEATS):
        texts, slots = await call_once(work, day, number, wide)
        if slots["booking_status"] != "failed":
            break
    return texts, slots


async def call_once(work: str, day: datetime, number: int, wide: bool) -> Answer:
    """Deliver a call as an engine does; return what is said and set."""
    dispatcher = CollectingDispatcher()
    tracker = make_tracker(slots_of(work, day, number, wide), sender=f"{day:%Y-%m-%d}/{number}")
    events = await ACTIONS[work]().run(dispatcher, tracker, {})
    texts = [str(message["text"]) for message in dispatcher.messages]
    return texts, {event["name"]: event["value"] for event in events}


async def deliver(
    clinic: dict[str, Any], day: datetime, work: str, count: int, wide: bool, kill: int | None, ready: bool
) -> None:
    """Deliver every call of the day at once and say the answers; `ready`: first say so, and wait."""
    async with services.open(lifespan, {"clinic": clinic}):
        if ready:
            say("ready")
            sys.stdin.readline()
        if kill is not None:
            watch(kill, os.open(os.devnull, os.O_WRONLY))
        answers: Sequence[Answer] = await asyncio.gather(*(call(work, day, number, wide) for number in range(count)))
    say(answers)


def deliver_copies(
    clinic: dict[str, Any],
    day: datetime,
    work: str,
    count: int,
    wide: bool = False,
    kill: int | None = None,
    ready: bool = True,
) -> None:
    """Deliver the calls in a process of their own, killed at that step if there are so many; say None if it was."""
    pid = os.fork()
    if pid == 0:
        asyncio.run(deliver(clinic, day, work, count, wide, kill, ready))
        os._exit(0)
    if os.WTERMSIG(os.waitpid(pid, 0)[1]):
        say(None)
