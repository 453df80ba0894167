"""Actions whose code is read."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import wraps
from typing import Any, Literal

from pydantic import BaseModel, Field
from rasa_sdk import Action
from rasa_sdk.events import SlotSet

from action_server import Slots, current_call
from tests.action_server.tools import code_words

CITY = "city"
ANSWERS = ("a", "b")


class Named:
    NAME = "of_a_class"


def read_more(tracker: Any) -> Any:
    return tracker.get_slot("of_a_helper"), current_call().sender_id


def repeated(function: Any) -> Any:
    @wraps(function)
    def inner(*args: Any) -> Any:
        return function(*args)

    return inner


@repeated
def read_repeatedly(tracker: Any) -> Any:
    return tracker.get_slot("of_a_decorated_helper")


class Base(Action):
    def name(self) -> str:
        return "action_base"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        return [SlotSet("of_the_base", tracker.slots["read_by_the_base"])]


class ActionReads(Base):
    """Read slots in every way that can be seen."""

    def name(self) -> str:
        return "action_reads"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        values = tracker.get_slot(CITY), tracker.get_slot(Named.NAME), tracker.slots.get("plain"), read_more(tracker)
        for answer in ANSWERS:
            tracker.get_slot(answer)
        tracker.slots["set_by_hand"] = values
        return [SlotSet(key="by_key", value=1), {"event": "slot", "name": "by_dict", "value": 2}]


class ActionWrites(Action):
    """Write slots and other events."""

    def name(self) -> str:
        return "action_writes"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        taken = tracker.slots.pop("popped"), tracker.get_slot(code_words.OF_A_MODULE), read_repeatedly(tracker)
        tracker.slots["taken"] = taken
        kind = "of_no_slot"
        return [
            {"event": "reminder", "name": "of_a_reminder"},
            {"event": "slot", "value": "nameless"},
            {"event": kind, "name": "of_a_variable"},
            SlotSet("", tracker.sender_id),
        ]


class Booking(Slots):
    kind: Literal["in", "out"] | None = None
    party_size: int = Field(1, alias="party-size", description="How many come")
    unused: str | None = None
    status: str | None = None

    def total(self) -> int:
        return self.party_size


class ActionTyped(Action):
    def name(self) -> str:
        return "action_typed"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        slots = Booking.read(tracker)
        if slots.kind:
            slots.status = str(slots.total())
        return [*slots.changed(), *Booking.new(tracker, unused="x").changed()]


class Wish(Slots):
    day: str | None = None
    hour: str | None = None

    def whole(self) -> str:
        return f"{self.day} {self.rest()}"

    def rest(self) -> str:
        return f"{self.hour}"

    def unused(self) -> str:
        return str(current_call().sender_id)


class ActionHandsOn(Action):
    """Hand a whole class of slots on."""

    def name(self) -> str:
        return "action_hands_on"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        dispatcher.utter_message(text=str(Wish.read(tracker)))
        given = {"day": "x"}
        return [*Booking.new(tracker, **given).changed()]


class ActionAsksWhole(Action):
    """Read a class of slots by a method of it."""

    def name(self) -> str:
        return "action_asks_whole"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        dispatcher.utter_message(text=Wish.read(tracker).whole())
        return []


class Room(Enum):
    HALL = "hall"
    BAR = "bar"


class Tree(BaseModel):
    children: list[Tree] = []


class Rooms(Slots):
    room: Room
    tree: Tree | None = None


class Checks(Slots):
    check: Callable[[], int] | None = None


class ActionReadsWhatCannotBeSaid(Action):
    """Read slots of which one has no schema that a client would take, and a class that has none at all."""

    def name(self) -> str:
        return "action_unsaid"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        found, checks = Rooms.read(tracker), Checks.read(tracker)
        dispatcher.utter_message(text=f"{found.room} {found.tree} {checks.check}")
        return []
