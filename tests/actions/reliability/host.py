"""A host of the clinic: `python -m tests.actions.reliability.host`, told what to do by lines of JSON.

The clinic is opened as a worker opens it, from its settings.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from action_server.runtime import services
from actions import lifespan
from actions.errors import OutcomeUnknownError, SlotTakenError, UnavailableError
from actions.scheduling.models import AppointmentType, BookingKey, Patient, Slot, Window
from actions.scheduling.port import SchedulingBackend
from actions.scheduling.sweeper import settle
from actions.scheduling.synced import SyncedBackend
from tests.actions.reliability.systems import HALF_AN_HOUR, PRACTICE, SPECIALIST, TIMES, Place

GENERAL = AppointmentType("general", HALF_AN_HOUR, PRACTICE)
HOUR = AppointmentType("specialist", 2 * HALF_AN_HOUR, SPECIALIST)
# Whoever hears "unavailable" or "unknown" asks again, as often as this.
REPEATS = 40
TAKEN = "taken"
# Older than anything is: everything that was begun is to be settled now.
_NOW = timedelta(minutes=-5)


def say(value: object) -> None:
    print(json.dumps(value), flush=True)  # noqa: T201 (the parent reads it)


def slot_of(kind: AppointmentType, day: datetime, number: int) -> Slot:
    """Return the slot that starts so many half hours after the first one of the day."""
    start = day + number * HALF_AN_HOUR
    return Slot(kind.resource, start, start + kind.duration)


@asynccontextmanager
async def opened(clinic: dict[str, Any]) -> AsyncIterator[SchedulingBackend]:
    """Open the clinic of the settings."""
    async with services.open(lifespan, {"clinic": clinic}) as running:
        yield running.container.get_abstract(SchedulingBackend)


async def sweep(backend: SchedulingBackend) -> None:
    """Settle everything, as the sweeper does it half a minute later."""
    if isinstance(backend, SyncedBackend):
        for _ in range(3):  # what it settles may leave something of its own: the old time of a booking that moved
            await settle(backend, _NOW)


async def ask(backend: SchedulingBackend, conversation: str, slot: Slot, repeats: int = REPEATS) -> str:
    """Ask for a time until there is an answer: a reference, or that it is taken."""
    key = BookingKey(conversation, GENERAL.name, Window.at(slot.start))
    problem = ""
    for _ in range(repeats):
        try:
            return (await backend.book(key, slot, Patient(conversation, "Erika Mustermann"))).reference
        except SlotTakenError:
            return TAKEN
        except (UnavailableError, OutcomeUnknownError) as exc:
            problem = f"{type(exc).__name__}: {exc}"
    return problem


async def race(clinic: dict[str, Any], day: str, host: int, customers: int, seed: int, looks: int = 0) -> None:
    """Let patients ask for the ten times of a day at once; say who was told what about which time.

    Before that the host looks for free times as often as `looks`, and has to find them all each time.
    """
    numbers = [number % TIMES for number in range(customers)]
    random.Random(f"{seed}-{host}").shuffle(numbers)  # noqa: S311 (not a secret)
    slots = [slot_of(GENERAL, _utc(day), number) for number in numbers]
    whole_day = Window(slot_of(GENERAL, _utc(day), 0).start, slot_of(GENERAL, _utc(day), TIMES).start)
    async with opened(clinic) as backend:
        for _ in range(looks):
            if len(await backend.find_slots(GENERAL, whole_day)) != TIMES:
                raise AssertionError("a free time is not found")
        say("ready")
        sys.stdin.readline()
        answers = await asyncio.gather(*(ask(backend, f"{day}/{host}/{n}", slot) for n, slot in enumerate(slots)))
    say([[slot.start.isoformat(), answer] for slot, answer in zip(slots, answers, strict=True)])


async def sweep_up(clinic: dict[str, Any]) -> None:
    """Settle what is left."""
    async with opened(clinic) as backend:
        await sweep(backend)
    say("swept")


async def fill(clinic: dict[str, Any], day: str) -> None:
    """Book until no file of this process may grow any more, and go on when they may; say what each patient was told.

    The kernel refuses every write beyond the limit, in the middle of whatever is written.
    """
    slots = [slot_of(GENERAL, _utc(day), number) for number in range(TIMES)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with opened(clinic) as backend:
        answers = [await ask(backend, f"{day}/0", slots[0])]
        largest = max(path.stat().st_size for path in Path(clinic["database"]).parent.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 4096, hard))
        answers += [await ask(backend, f"{day}/{n}", slot, repeats=1) for n, slot in enumerate(slots[1:], 1)]
        found = [
            slot.start.isoformat() for slot in await backend.find_slots(GENERAL, Window(slots[0].start, slots[-1].end))
        ]
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        again = [await ask(backend, f"{day}/{n}", slot, repeats=1) for n, slot in enumerate(slots)]
    say({"full": answers, "free": found, "room": again})


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(timezone.utc)


def main() -> None:
    """Do what the lines say, one after the other."""
    # Imported here: it imports this module.
    from tests.actions.reliability.copies import deliver_copies
    from tests.actions.reliability.deaths import die

    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        do = order.pop("do")
        if do == "race":
            asyncio.run(race(**order))
        elif do == "sweep":
            asyncio.run(sweep_up(**order))
        elif do == "fill":
            asyncio.run(fill(**order))
        elif do == "copies":
            deliver_copies(day=_utc(order.pop("day")), **order)
        else:
            die(Place(**order.pop("place")), _utc(order.pop("day")), **order)


if __name__ == "__main__":
    main()
