"""What the actions say and which slots they set."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import pytest
import svcs
from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from action_server import services
from actions.appointments import ActionCheckUrgentSlots, ActionCreateAppointment
from actions.booking import BookingDesk
from actions.scheduling.errors import UnavailableError
from actions.scheduling.models import AppointmentType, Booking, BookingKey, Slot, Window
from tests.actions.clinic import FixedClock, at, booking_desk

SLOTS: dict[str, Any] = {
    "appointment_type": None,
    "preferred_date": None,
    "urgent_slot": None,
    "booking_reference": None,
    "booking_status": None,
}


async def play(
    registry: svcs.Registry, action: Action, sender: str = "c", stack: Sequence[dict[str, Any]] = (), **slots: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run an action; return its messages and the slots it set."""
    dispatcher = CollectingDispatcher()
    tracker = Tracker(sender, slots, {}, [], False, None, {}, None, list(stack))
    with services.activate(registry):
        events = await action.run(dispatcher, tracker, {})
    assert all(event["event"] == "slot" for event in events)
    return dispatcher.messages, {event["name"]: event["value"] for event in events}


@pytest.fixture
def broken(clock: FixedClock) -> svcs.Registry:
    """Services whose appointment book does not answer."""
    registry = svcs.Registry()
    registry.register_value(BookingDesk, booking_desk(BrokenBackend(), clock))
    return registry


async def test_a_booking_is_confirmed_with_full_date_and_reference(registry: svcs.Registry) -> None:
    """The text repeats what was understood, and the slots hold the result."""
    slots = SLOTS | {"appointment_type": "general", "preferred_date": "next Tuesday at 10"}

    [message], set_slots = await play(registry, ActionCreateAppointment(), **slots)

    reference = set_slots["booking_reference"]
    assert re.fullmatch(r"APT-\w{6}", reference)
    assert message["text"] == (
        f"Your general appointment has been booked for Tuesday, 24 November 2026 at 10:00. Reference: {reference}"
    )
    assert set_slots == {"booking_reference": reference, "booking_status": "booked"}


async def test_a_repeat_is_confirmed_in_the_same_words(registry: svcs.Registry) -> None:
    """The user cannot tell a repeat from the first answer."""
    slots = SLOTS | {"appointment_type": "specialist", "preferred_date": "Tuesday"}

    assert await play(registry, ActionCreateAppointment(), **slots) == await play(
        registry, ActionCreateAppointment(), **slots
    )


async def test_a_taken_time_is_answered_with_three_times_as_text_and_buttons(registry: svcs.Registry) -> None:
    """A click fills the slot with a time that can be booked as it is."""
    slots = SLOTS | {"appointment_type": "general", "preferred_date": "2026-11-24T10:00"}
    await play(registry, ActionCreateAppointment(), "another", **slots)

    [message], set_slots = await play(registry, ActionCreateAppointment(), **slots)

    assert message["text"] == (
        "There is no free general appointment at that time. The nearest free times are:\n"
        "- Tuesday, 24 November 2026 at 09:00\n"
        "- Tuesday, 24 November 2026 at 09:30\n"
        "- Tuesday, 24 November 2026 at 10:30"
    )
    assert [button["title"] for button in message["buttons"]] == [
        line.removeprefix("- ") for line in message["text"].splitlines()[1:]
    ]
    assert message["buttons"][0]["payload"] == "2026-11-24T09:00"
    assert set_slots == {"booking_status": "unavailable", "preferred_date": None}
    picked = SLOTS | {"appointment_type": "general", "preferred_date": "2026-11-24T09:00"}
    [confirmation], _ = await play(registry, ActionCreateAppointment(), **picked)
    assert "has been booked for Tuesday, 24 November 2026 at 09:00" in confirmation["text"]


async def test_a_button_fills_the_slot_of_a_flow_without_asking_the_llm(registry: svcs.Registry) -> None:
    """In CALM's own syntax; a classic engine, which has no flows on its stack, gets the time as text."""
    flow = [{"frame_id": "F1", "flow_id": "book_appointment", "step_id": "confirm_booking", "type": "flow"}]

    [message], _ = await play(
        registry, ActionCreateAppointment(), stack=flow, **SLOTS | {"appointment_type": "general"}
    )

    assert message["buttons"][0]["payload"] == "/SetSlots(preferred_date=2026-11-23T08:00)"


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (None, "I am not sure which day and time you mean."),
        (42, "I am not sure which day and time you mean."),
        (["tomorrow"], "I am not sure which day and time you mean."),
        ("yesterday", "That time is already over."),
        ("next Sunday", "The clinic has no general appointments at that time."),
        ("1 March 2027", "Appointments can be booked up to 60 days ahead."),
    ],
)
async def test_each_refusal_says_what_is_wrong(registry: svcs.Registry, wish: object, reason: str) -> None:
    """And offers three times."""
    [message], set_slots = await play(
        registry, ActionCreateAppointment(), **SLOTS | {"appointment_type": "general", "preferred_date": wish}
    )

    assert message["text"].startswith(f"{reason} The nearest free times are:\n- Monday, 23 November 2026 at 08:00") or (
        wish in {"next Sunday", "1 March 2027"} and message["text"].startswith(reason)
    )
    assert len(message["buttons"]) == 3
    assert set_slots["booking_status"] == "unavailable"


async def test_urgent_is_found_told_and_booked(registry: svcs.Registry) -> None:
    """The two actions of the flow, one after the other, and both once more."""
    for _ in range(2):
        [told], found = await play(registry, ActionCheckUrgentSlots(), **SLOTS)
        slots = SLOTS | found | {"appointment_type": "urgent"}
        [booked], set_slots = await play(registry, ActionCreateAppointment(), **slots)

        assert found == {"urgent_slot": "2026-11-23T08:00+01:00"}
        assert told["text"] == "The earliest urgent appointment is on Monday, 23 November 2026 at 08:00."
        assert "urgent appointment has been booked for Monday, 23 November 2026 at 08:00" in booked["text"]
        assert set_slots["booking_status"] == "booked"


async def test_without_an_urgent_time_the_slot_is_empty_and_times_are_offered(
    registry: svcs.Registry, clock: FixedClock
) -> None:
    """On Friday evening nothing is booked, and Monday is offered."""
    clock.now = at("2026-11-27T18:00")

    [told], found = await play(registry, ActionCheckUrgentSlots(), **SLOTS)
    [offered], set_slots = await play(
        registry, ActionCreateAppointment(), **SLOTS | found | {"appointment_type": "urgent"}
    )

    assert found == {"urgent_slot": None}
    assert told["text"] == "There is no free urgent appointment today or tomorrow."
    assert offered["text"].startswith(f"{told['text']} The nearest free times are:\n- Monday, 30 November 2026")
    assert set_slots["booking_status"] == "unavailable"


@pytest.mark.parametrize("value", [None, "cosmetic", 7, ["general"]])
async def test_an_unknown_type_hears_the_known_ones(registry: svcs.Registry, value: object) -> None:
    """Nothing is booked, and the wish is forgotten, so that no form repeats it for ever."""
    [message], set_slots = await play(
        registry, ActionCreateAppointment(), **SLOTS | {"appointment_type": value, "preferred_date": "Tuesday"}
    )

    assert message["text"] == (
        "I do not know that type of appointment. The clinic offers: general, specialist, urgent."
    )
    assert set_slots == {"booking_status": "unavailable", "preferred_date": None}


async def test_only_slots_of_the_assistant_are_set(registry: svcs.Registry) -> None:
    """The seed's domain has two slots, and the engine logs an error for any other; `urgent_slot` is a contract."""
    seed: dict[str, Any] = {"appointment_type": "general", "preferred_date": "Tuesday"}

    _, booked = await play(registry, ActionCreateAppointment(), **seed)
    _, refused = await play(registry, ActionCreateAppointment(), **seed | {"preferred_date": "Sunday"})
    _, found = await play(registry, ActionCheckUrgentSlots(), **seed)

    assert (booked, refused) == ({}, {"preferred_date": None})
    assert list(found) == ["urgent_slot"]


async def test_a_clinic_without_urgent_appointments_says_so(backend: Any, clock: FixedClock) -> None:
    """The check does not crash on a type that the settings do not have."""
    registry = svcs.Registry()
    registry.register_value(BookingDesk, booking_desk(backend, clock, {}))

    [message], found = await play(registry, ActionCheckUrgentSlots(), **SLOTS)

    assert message["text"].startswith("I do not know that type of appointment.")
    assert found == {"urgent_slot": None}


class BrokenBackend:
    """A backend that is down."""

    async def find_slots(self, kind: AppointmentType, window: Window) -> list[Slot]:
        raise UnavailableError("down")

    async def book(self, key: BookingKey, slot: Slot) -> Booking:
        raise UnavailableError("down")

    async def get(self, key: BookingKey) -> Booking | None:
        raise UnavailableError("down")

    async def cancel(self, key: BookingKey) -> Booking | None:
        raise UnavailableError("down")

    async def ping(self) -> None:
        raise UnavailableError("down")


async def test_a_book_that_does_not_answer_is_said_and_logged_without_the_users_words(
    broken: svcs.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    """The user hears that asking again is safe; the log has no slot value."""
    slots = SLOTS | {"appointment_type": "general", "preferred_date": "Tuesday at 10"}

    [message], set_slots = await play(broken, ActionCreateAppointment(), "the-sender", **slots)
    [told], found = await play(broken, ActionCheckUrgentSlots(), "the-sender", **slots)

    assert message["text"] == told["text"]
    assert "you will not be booked twice" in message["text"]
    assert (set_slots, found) == (
        {"booking_status": "unavailable", "preferred_date": None},
        {"urgent_slot": None},
    )
    assert [record.message for record in caplog.records] == ["booking.unavailable"] * 2
    assert "Tuesday" not in caplog.text
    assert "the-sender" not in caplog.text


async def test_a_full_clinic_offers_no_time_but_the_telephone(registry: svcs.Registry, clock: FixedClock) -> None:
    """Without any free time within the horizon there is nothing to offer, and no empty list is said."""
    every_half_hour = AppointmentType("marathon", at("2026-11-24") - at("2026-11-23"), "practice")
    full = svcs.Registry()
    full.register_value(BookingDesk, booking_desk(_EmptyBackend(), clock, {"marathon": every_half_hour}))

    [message], _ = await play(full, ActionCreateAppointment(), appointment_type="marathon", preferred_date="Tuesday")

    assert message["text"].endswith("There is no free time in the next 60 days, please call the clinic.")
    assert message["buttons"] == []


class _EmptyBackend(BrokenBackend):
    async def find_slots(self, kind: AppointmentType, window: Window) -> list[Slot]:
        return []

    async def get(self, key: BookingKey) -> Booking | None:
        return None


async def test_the_log_tells_the_answer_and_nothing_about_the_patient(
    registry: svcs.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for each request, with the type and the outcome."""
    caplog.set_level(logging.INFO, "actions")

    await play(registry, ActionCreateAppointment(), "the-sender", appointment_type="general", preferred_date="Tuesday")
    await play(registry, ActionCreateAppointment(), "the-sender", appointment_type="general", preferred_date="soonish")

    facts = [(record.message, vars(record)["appointment_type"], vars(record)["answer"]) for record in caplog.records]
    assert facts == [("booking.answered", "general", "booked"), ("booking.answered", "general", "not_understood")]
    assert "the-sender" not in str([vars(record) for record in caplog.records])
    assert "soonish" not in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize(
    ("action", "name"),
    [(ActionCheckUrgentSlots, "action_check_urgent_slots"), (ActionCreateAppointment, "action_create_appointment")],
)
def test_the_actions_have_the_names_of_the_flow(action: type[Action], name: str) -> None:
    """SEED.md calls them so."""
    assert action().name() == name
