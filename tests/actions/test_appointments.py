"""What the actions of a booking say and which slots they set."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
import svcs
from rasa_sdk import Action

from actions.appointments import ActionCheckUrgentSlots, ActionCreateAppointment
from actions.booking import BookingDesk
from actions.errors import UnavailableError
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.models import AppointmentType, Booking, BookingKey, Patient, Slot, Window
from tests.actions.clinic import FixedClock, at, booking_desk
from tests.actions.conversation import FLOW, SLOTS, FailingBackend, play, texts


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
    """The user cannot tell a repeat from the first answer, and the slots are set as often."""
    slots = SLOTS | {"appointment_type": "specialist", "preferred_date": "Tuesday"}

    first = await play(registry, ActionCreateAppointment(), **slots)

    assert await play(registry, ActionCreateAppointment(), **slots | first[1]) == first


async def test_a_taken_time_is_answered_with_three_times_as_text_and_buttons(registry: svcs.Registry) -> None:
    """A click fills the slot with a time that can be booked as it is."""
    slots = SLOTS | {"appointment_type": "general", "preferred_date": "2026-11-24T10:00"}
    await play(registry, ActionCreateAppointment(), "another", **slots)

    [why, offer], set_slots = await play(registry, ActionCreateAppointment(), **slots)

    assert why["text"] == "No appointment of that type is free at that time."
    assert offer["text"] == (
        "The nearest free times are:\n"
        "- Tuesday, 24 November 2026, 09:00\n"
        "- Tuesday, 24 November 2026, 09:30\n"
        "- Tuesday, 24 November 2026, 10:30"
    )
    assert offer["buttons"] == [
        {"title": "Tue 24 Nov, 09:00", "payload": "2026-11-24T09:00"},
        {"title": "Tue 24 Nov, 09:30", "payload": "2026-11-24T09:30"},
        {"title": "Tue 24 Nov, 10:30", "payload": "2026-11-24T10:30"},
    ]
    assert set_slots == {"booking_status": "unavailable", "preferred_date": None}
    picked = SLOTS | {"appointment_type": "general", "preferred_date": "2026-11-24T09:00"}
    [confirmation], _ = await play(registry, ActionCreateAppointment(), **picked)
    assert "has been booked for Tuesday, 24 November 2026 at 09:00" in confirmation["text"]


async def test_a_button_fills_the_slot_of_a_flow_without_asking_the_llm(registry: svcs.Registry) -> None:
    """In CALM's own syntax; a classic engine, which has no flows on its stack, gets the time as text."""
    [_, offer], _ = await play(
        registry, ActionCreateAppointment(), stack=FLOW, **SLOTS | {"appointment_type": "general"}
    )

    assert offer["buttons"][0]["payload"] == "/SetSlots(preferred_date=2026-11-23T08:00)"


@pytest.mark.parametrize(
    ("wish", "reason", "first"),
    [
        (None, "I am not sure which day and time you mean.", "Monday, 23 November 2026, 08:00"),
        (42, "I am not sure which day and time you mean.", "Monday, 23 November 2026, 08:00"),
        (["tomorrow"], "I am not sure which day and time you mean.", "Monday, 23 November 2026, 08:00"),
        ("yesterday", "That time is already over.", "Monday, 23 November 2026, 08:00"),
        (
            "next Sunday",
            "The clinic has no appointments of that type at that time.",
            "Monday, 30 November 2026, 08:00",
        ),
        ("1 March 2027", "Appointments can be booked up to 60 days ahead.", "Thursday, 21 January 2027, 15:30"),
    ],
)
async def test_each_refusal_says_what_is_wrong(registry: svcs.Registry, wish: object, reason: str, first: str) -> None:
    """And offers the three nearest times."""
    [why, offer], set_slots = await play(
        registry, ActionCreateAppointment(), **SLOTS | {"appointment_type": "general", "preferred_date": wish}
    )

    assert why["text"] == reason
    assert offer["text"].startswith(f"The nearest free times are:\n- {first}\n")
    assert len(offer["buttons"]) == 3
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
    [why, offer], set_slots = await play(
        registry, ActionCreateAppointment(), **SLOTS | found | {"appointment_type": "urgent"}
    )

    assert found == {"urgent_slot": None}
    assert told["text"] == why["text"] == "There is no free urgent appointment today or tomorrow."
    assert offer["text"].startswith("The nearest free times are:\n- Monday, 30 November 2026")
    assert set_slots["booking_status"] == "unavailable"


@pytest.mark.parametrize("value", [None, "cosmetic", 7, ["general"]])
async def test_an_unknown_type_hears_the_known_ones(registry: svcs.Registry, value: object) -> None:
    """Nothing is booked, and no other date is asked for: it would not help."""
    [message], set_slots = await play(
        registry, ActionCreateAppointment(), **SLOTS | {"appointment_type": value, "preferred_date": "Tuesday"}
    )

    assert message["text"] == (
        "I do not know that type of appointment. The clinic offers: general, specialist, urgent."
    )
    assert set_slots == {"booking_status": "failed", "preferred_date": None}


async def test_only_slots_of_the_assistant_are_set(registry: svcs.Registry) -> None:
    """The seed's domain has two slots, and the engine logs an error for any other; `urgent_slot` is a contract."""
    seed: dict[str, Any] = {"appointment_type": "general", "preferred_date": "Tuesday"}

    _, booked = await play(registry, ActionCreateAppointment(), **seed)
    _, refused = await play(registry, ActionCreateAppointment(), **seed | {"preferred_date": "Sunday"})
    _, found = await play(registry, ActionCheckUrgentSlots(), **seed)

    assert (booked, refused) == ({}, {"preferred_date": None})
    assert list(found) == ["urgent_slot"]


async def test_a_clinic_without_urgent_appointments_says_so(backend: EmbeddedBackend, clock: FixedClock) -> None:
    """The check does not crash on a type that the settings do not have."""
    registry = svcs.Registry()
    registry.register_value(BookingDesk, booking_desk(backend, clock, {}))

    [message], found = await play(registry, ActionCheckUrgentSlots(), **SLOTS)

    assert message["text"].startswith("I do not know that type of appointment.")
    assert found == {"urgent_slot": None}


class NotingBackend(FailingBackend):
    """A backend with one free time, which notes for whom it is booked."""

    def __init__(self) -> None:
        super().__init__(UnavailableError("not asked for"))
        self.patients: list[Patient | None] = []

    async def find_slots(self, kind: AppointmentType, window: Window) -> list[Slot]:
        start = at("2026-11-24T10:00")
        return [Slot(kind.resource, start, start + kind.duration)]

    async def get(self, key: BookingKey) -> Booking | None:
        return None

    async def book(self, key: BookingKey, slot: Slot, patient: Patient | None = None) -> Booking:
        self.patients.append(patient)
        return Booking("APT-222222", key.appointment_type, slot)


@pytest.mark.parametrize(
    ("slots", "patient"),
    [
        ({}, Patient("c")),
        (
            {"patient_name": " Ada Lovelace ", "patient_email": "ada@example.com", "patient_phone": 4930901820},
            Patient("c", "Ada Lovelace", "ada@example.com", "4930901820"),
        ),
        ({"patient_name": "", "patient_email": "not an address", "patient_phone": True}, Patient("c")),
        ({"patient_name": {"first": "Ada"}, "patient_email": "x" * 500 + "@x", "patient_phone": "1\n2"}, Patient("c")),
    ],
    ids=["nothing known", "all known", "nothing useful", "nothing that is text"],
)
async def test_the_patient_is_who_the_slots_know(clock: FixedClock, slots: dict[str, Any], patient: Patient) -> None:
    """Whoever filled them; what cannot be used stops no booking."""
    backend, registry = NotingBackend(), svcs.Registry()
    registry.register_value(BookingDesk, booking_desk(backend, clock))

    _, set_slots = await play(
        registry,
        ActionCreateAppointment(),
        **SLOTS | {"appointment_type": "general", "preferred_date": "2026-11-24T10:00"} | slots,
    )

    assert set_slots["booking_status"] == "booked"
    assert backend.patients == [patient]


async def test_a_full_clinic_offers_no_time_but_the_telephone(clock: FixedClock) -> None:
    """Without any free time within the horizon there is nothing to offer, and no empty list is said."""
    every_day = AppointmentType("marathon", at("2026-11-24") - at("2026-11-23"), "practice")
    full = svcs.Registry()
    full.register_value(BookingDesk, booking_desk(_EmptyBackend(), clock, {"marathon": every_day}))

    messages, _ = await play(full, ActionCreateAppointment(), appointment_type="marathon", preferred_date="Tuesday")

    assert texts(messages)[-1] == "There is no free time in the next 60 days, please call the clinic."
    assert messages[-1]["buttons"] == []


class _EmptyBackend(NotingBackend):
    async def find_slots(self, kind: AppointmentType, window: Window) -> list[Slot]:
        return []


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
