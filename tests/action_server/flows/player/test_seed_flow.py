"""The flow this all began with plays as it is written, to the booking."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from action_server.flows.commands.command import SetSlot, StartFlow
from action_server.flows.commands.scripted import ScriptedCommandGenerator
from tests.action_server.flows.bots import Chat, read

BOOKED: list[tuple[str, str]] = []


def create_booking_in_crm(appointment_type: str, preferred_date: str) -> str:
    BOOKED.append((appointment_type, preferred_date))
    return f"REF-{len(BOOKED)}"


class ActionCreateAppointment(Action):
    def name(self) -> str:
        return "action_create_appointment"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[dict[str, Any]]:
        appointment_type = tracker.get_slot("appointment_type")
        preferred_date = tracker.get_slot("preferred_date")
        booking_id = create_booking_in_crm(appointment_type, preferred_date)
        dispatcher.utter_message(text=f"Your {appointment_type} appointment has been booked. Reference: {booking_id}")
        return []


class ActionCheckUrgentSlots(Action):
    def name(self) -> str:
        return "action_check_urgent_slots"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[dict[str, Any]]:
        dispatcher.utter_message(text="Today at three is free.")
        return [SlotSet("preferred_date", "today at three")]


def test_it_reads_without_a_problem() -> None:
    project = read("seed")

    assert project.problems == ()
    assert [step.id for step in project.flows["book_appointment"].steps] == [
        "ask_appointment_type",
        "ask_preferred_date",
        "check_urgent_availability",
        "confirm_booking",
    ]


async def test_it_books_a_general_appointment() -> None:
    """Two questions, then the booking, with scripted commands; the slots are empty afterwards."""
    BOOKED.clear()
    chat = Chat("seed", ActionCreateAppointment, ActionCheckUrgentSlots)
    script = ScriptedCommandGenerator(
        [
            [StartFlow("book_appointment")],
            [SetSlot("appointment_type", "general")],
            [SetSlot("preferred_date", "next Tuesday at 10")],
        ]
    )

    turns = [await chat.player.say(text, script) for text in ("book me in", "an ordinary one", "next Tuesday at 10")]

    assert turns[0].texts == ["What type of appointment do you need?"]
    assert turns[1].texts == ["When would you like to come?"]
    assert turns[2].texts[0] == "Your general appointment has been booked. Reference: REF-1"
    assert BOOKED == [("general", "next Tuesday at 10")]
    assert chat.slots["appointment_type"] is None
    assert chat.stack == ["pattern_completed", "pattern_collect_information"]


async def test_an_urgent_one_is_not_asked_for_a_date() -> None:
    """The condition of the first step leads to the action that looks for an urgent time."""
    BOOKED.clear()
    chat = Chat("seed", ActionCreateAppointment, ActionCheckUrgentSlots)
    await chat.say("book me in", StartFlow("book_appointment"))

    turn = await chat.say("URGENT!", SetSlot("appointment_type", "URGENT"))

    assert turn.texts[:2] == [
        "Today at three is free.",
        "Your urgent appointment has been booked. Reference: REF-1",
    ]
    decided = next(s for s in turn.steps if s.step == "ask_appointment_type").decisions
    assert [(d.condition, d.value, d.values, d.led_to) for d in decided] == [
        ("slots.appointment_type == 'urgent'", True, {"slots.appointment_type": "urgent"}, "check_urgent_availability")
    ]
    assert [c.action for c in turn.calls] == ["action_check_urgent_slots", "action_create_appointment"]
    assert turn.calls[0].changed_slots == {"preferred_date": (None, "today at three")}


async def test_said_at_once_it_is_still_asked() -> None:
    """Both questions have ask_before_filling, so what was said before does not count."""
    chat = Chat("seed", ActionCreateAppointment, ActionCheckUrgentSlots)

    turn = await chat.say("urgent!", StartFlow("book_appointment"), SetSlot("appointment_type", "urgent"))

    assert turn.texts == ["What type of appointment do you need?"]
    assert chat.slots["appointment_type"] is None
