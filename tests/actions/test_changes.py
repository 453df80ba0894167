"""Listing, cancelling and moving appointments, by the actions and on the real book."""

from __future__ import annotations

from typing import Any

import pytest
import svcs

from actions.booking import Booked, BookingDesk, BookingRequest
from actions.changes import ActionCancelAppointment, ActionListAppointments, ActionRescheduleAppointment
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.models import Booking, BookingKey, Slot, Window
from tests.actions.clinic import FixedClock, at, booking_desk, slot_at
from tests.actions.conversation import SLOTS, play, texts


async def book(desk: BookingDesk, wish: str, kind: str = "general", conversation: str = "c") -> Booking:
    outcome = await desk.book(BookingRequest(conversation, kind, wish))
    assert isinstance(outcome, Booked)
    return outcome.booking


async def starts(desk: BookingDesk, conversation: str = "c") -> list[object]:
    return [booking.slot.start for booking in await desk.upcoming(conversation)]


async def test_the_appointments_of_a_conversation_are_listed_in_order(
    registry: svcs.Registry, desk: BookingDesk
) -> None:
    """With their full dates, and nobody else's."""
    later = await book(desk, "Friday at 10", "specialist")
    sooner = await book(desk, "Tuesday at 9")
    await book(desk, "Tuesday at 11", conversation="another")

    messages, set_slots = await play(registry, ActionListAppointments(), **SLOTS)

    assert texts(messages) == [
        "Your appointments:\n"
        f"- general: Tuesday, 24 November 2026, 09:00 ({sooner.reference})\n"
        f"- specialist: Friday, 27 November 2026, 10:00 ({later.reference})"
    ]
    assert set_slots == {"appointments_found": "some"}


async def test_what_is_over_is_not_listed(registry: svcs.Registry, desk: BookingDesk, clock: FixedClock) -> None:
    """Neither is what was cancelled."""
    await book(desk, "Tuesday at 9")
    clock.now = at("2026-11-24T09:30")

    messages, set_slots = await play(registry, ActionListAppointments(), **SLOTS)

    assert (texts(messages), set_slots) == (["You have no appointments."], {"appointments_found": "nothing"})


async def test_the_only_appointment_is_cancelled_after_a_yes(registry: svcs.Registry, desk: BookingDesk) -> None:
    """Its time is free again, and the slots are as before the question."""
    await book(desk, "Tuesday at 9")

    messages, set_slots = await play(
        registry, ActionCancelAppointment(), **SLOTS | {"cancellation_confirmed": True, "appointment_choice": "Tuesday"}
    )

    assert texts(messages) == ["Your general appointment on Tuesday, 24 November 2026 at 09:00 has been cancelled."]
    assert set_slots == {
        "booking_status": "cancelled",
        "appointment_choice": None,
        "cancellation_confirmed": None,
    }
    assert await starts(desk) == []
    assert (await book(desk, "Tuesday at 9", conversation="another")).slot == slot_at("2026-11-24T09:00")


@pytest.mark.parametrize("answer", [None, False, "no", "perhaps", 0])
async def test_nothing_is_cancelled_without_a_yes(registry: svcs.Registry, desk: BookingDesk, answer: object) -> None:
    """Whatever the slot holds, if the assistant has it."""
    await book(desk, "Tuesday at 9")

    messages, set_slots = await play(registry, ActionCancelAppointment(), **SLOTS | {"cancellation_confirmed": answer})

    assert texts(messages) == [
        "All right, your general appointment on Tuesday, 24 November 2026 at 09:00 stays as it is."
    ]
    assert set_slots["booking_status"] == "kept"
    assert await starts(desk) == [at("2026-11-24T09:00")]


async def test_an_assistant_without_the_question_cancels_at_once(registry: svcs.Registry, desk: BookingDesk) -> None:
    """It has no slot for the answer."""
    booking = await book(desk, "Tuesday at 9")

    _, set_slots = await play(registry, ActionCancelAppointment(), appointment_choice=booking.reference)

    assert set_slots == {"appointment_choice": None}
    assert await starts(desk) == []


@pytest.mark.parametrize(
    ("choice", "said", "left"),
    [
        ("the second one", "Wednesday, 25 November 2026 at 09:00 has been cancelled", 2),
        ("Friday", "Friday, 27 November 2026 at 10:00 has been cancelled", 2),
        ("specialist", "Friday, 27 November 2026 at 10:00 has been cancelled", 2),
        (None, "More than one of your appointments fits that.", 3),
        ("general", "More than one of your appointments fits that.", 3),
        ("in May", "I find no such appointment of yours.", 3),
        ("whichever", "I find no such appointment of yours.", 3),
        (["Friday"], "I find no such appointment of yours.", 3),
        ("APT-222222", "I find no such appointment of yours.", 3),
    ],
)
async def test_one_of_several_is_cancelled_only_if_it_is_clear_which(
    registry: svcs.Registry, desk: BookingDesk, choice: object, said: str, left: int
) -> None:
    """By its place, its day, its type or its reference."""
    await book(desk, "Tuesday at 9")
    await book(desk, "Wednesday at 9")
    await book(desk, "Friday at 10", "specialist")

    messages, set_slots = await play(
        registry,
        ActionCancelAppointment(),
        **SLOTS | {"appointment_choice": choice, "cancellation_confirmed": True},
    )

    assert said in texts(messages)[0]
    assert set_slots["booking_status"] == ("cancelled" if left == 2 else "unavailable")
    assert len(await starts(desk)) == left


async def test_a_day_with_a_number_in_it_names_no_place_among_two(registry: svcs.Registry, desk: BookingDesk) -> None:
    """ "1 December" is that day, on which there are two; neither of them is guessed."""
    await book(desk, "2026-12-01 09:00")
    await book(desk, "2026-12-01 10:00")

    messages, _ = await play(
        registry,
        ActionCancelAppointment(),
        **SLOTS | {"appointment_choice": "the one on 1 December", "cancellation_confirmed": True},
    )

    assert texts(messages) == ["More than one of your appointments fits that."]
    assert len(await starts(desk)) == 2


async def test_an_appointment_that_is_where_it_is_wished_stays(registry: svcs.Registry, desk: BookingDesk) -> None:
    """Also if an earlier time of that day is free: a repeat of a move moves nothing."""
    await book(desk, "Tuesday at 9")
    before = await starts(desk)

    for _ in range(2):
        await play(registry, ActionRescheduleAppointment(), **SLOTS | {"preferred_date": "Tuesday"})

    assert await starts(desk) == before


async def test_who_has_no_appointment_is_told_so(registry: svcs.Registry, desk: BookingDesk) -> None:
    """Another conversation's appointment is not theirs, even by its reference."""
    other = await book(desk, "Tuesday at 9", conversation="another")

    nothing, _ = await play(registry, ActionCancelAppointment(), **SLOTS | {"cancellation_confirmed": True})
    stolen, _ = await play(
        registry,
        ActionCancelAppointment(),
        **SLOTS | {"cancellation_confirmed": True, "appointment_choice": other.reference},
    )

    assert texts(nothing) == ["You have no appointments."]
    assert texts(stolen) == ["I find no such appointment of yours."]
    assert await starts(desk, "another") == [at("2026-11-24T09:00")]


async def test_an_appointment_is_moved_and_keeps_its_reference(registry: svcs.Registry, desk: BookingDesk) -> None:
    """The old time is free again; the same request once more changes nothing."""
    booking = await book(desk, "Tuesday at 9")
    slots = SLOTS | {"appointment_choice": booking.reference, "preferred_date": "Thursday at half past ten"}

    first, set_slots = await play(registry, ActionRescheduleAppointment(), **slots)
    again, _ = await play(registry, ActionRescheduleAppointment(), **slots)

    assert texts(first) == [
        f"Your general appointment is now on Thursday, 26 November 2026 at 10:30. Reference: {booking.reference}"
    ]
    assert again == first
    assert set_slots == {
        "booking_reference": booking.reference,
        "booking_status": "rescheduled",
        "appointment_choice": None,
        "preferred_date": None,
    }
    assert await starts(desk) == [at("2026-11-26T10:30")]
    assert (await book(desk, "Tuesday at 9", conversation="another")).slot == slot_at("2026-11-24T09:00")


async def test_a_day_moves_to_its_earliest_free_time(registry: svcs.Registry, desk: BookingDesk) -> None:
    """As in a booking."""
    await book(desk, "Tuesday at 9")
    await book(desk, "Thursday at 8", conversation="another")

    await play(registry, ActionRescheduleAppointment(), **SLOTS | {"preferred_date": "Thursday"})

    assert await starts(desk) == [at("2026-11-26T08:30")]


async def test_a_move_that_overlaps_the_old_time_is_possible(registry: svcs.Registry, desk: BookingDesk) -> None:
    """The patient's own old time is nobody else's."""
    await book(desk, "Tuesday at 10", "specialist")

    _, set_slots = await play(
        registry, ActionRescheduleAppointment(), **SLOTS | {"preferred_date": "Tuesday at half past ten"}
    )

    assert set_slots["booking_status"] == "rescheduled"
    assert await starts(desk) == [at("2026-11-24T10:30")]


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ("Thursday at 10", "No appointment of that type is free at that time."),
        ("Sunday", "The clinic has no appointments of that type at that time."),
        ("yesterday", "That time is already over."),
        ("1 March 2027", "Appointments can be booked up to 60 days ahead."),
        ("soonish", "I am not sure which day and time you mean."),
        (None, "I am not sure which day and time you mean."),
    ],
)
async def test_a_move_that_cannot_be_leaves_the_appointment_where_it_is(
    registry: svcs.Registry, desk: BookingDesk, wish: object, why: str
) -> None:
    """It says why, offers three times, forgets the wish and still knows which appointment is meant."""
    booking = await book(desk, "Tuesday at 9")
    await book(desk, "Thursday at 10", conversation="another")

    [refusal, offer], set_slots = await play(
        registry,
        ActionRescheduleAppointment(),
        **SLOTS | {"appointment_choice": booking.reference, "preferred_date": wish},
    )

    assert refusal["text"] == why
    assert len(offer["buttons"]) == 3
    expected: dict[str, Any] = {"booking_status": "unavailable"} | ({"preferred_date": None} if wish else {})
    assert set_slots == expected
    assert await starts(desk) == [at("2026-11-24T09:00")]


async def test_a_move_of_nothing_ends_the_flow(registry: svcs.Registry) -> None:
    """ "failed": another date would not help."""
    messages, set_slots = await play(registry, ActionRescheduleAppointment(), **SLOTS | {"preferred_date": "Thursday"})

    assert texts(messages) == ["You have no appointments."]
    assert set_slots == {"booking_status": "failed", "preferred_date": None}


class LosingBackend(EmbeddedBackend):
    """A book in which an appointment is gone between the look and the act."""

    async def cancel(self, key: BookingKey) -> Booking | None:
        assert await super().cancel(key)
        return None

    async def reschedule(self, key: BookingKey, slot: Slot) -> Booking | None:
        assert await super().cancel(key)
        return None


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (
            ActionCancelAppointment,
            "Your general appointment on Tuesday, 24 November 2026 at 09:00 has been cancelled.",
        ),
        (ActionRescheduleAppointment, "I find no such appointment of yours."),
    ],
)
async def test_an_appointment_that_is_gone_meanwhile_is_not_found(
    backend: EmbeddedBackend, clock: FixedClock, action: type[Any], said: str
) -> None:
    """Another copy of the call, or somebody at the clinic, may have cancelled it: who wanted that hears so."""
    backend.__class__ = LosingBackend
    desk = booking_desk(backend, clock)
    registry = svcs.Registry()
    registry.register_value(BookingDesk, desk)
    await book(desk, "Tuesday at 9")

    messages, _ = await play(
        registry, action(), **SLOTS | {"cancellation_confirmed": True, "preferred_date": "Thursday"}
    )

    assert texts(messages) == [said]


async def test_a_key_made_for_a_change_fits_only_that_booking(backend: EmbeddedBackend, desk: BookingDesk) -> None:
    """Two appointments of one type on one day are told apart."""
    await book(desk, "Tuesday at 9")
    second = await book(desk, "Tuesday at 10")

    assert await desk.cancel("c", second) == second

    assert await backend.get(BookingKey("c", "general", Window.at(at("2026-11-24T10:00")))) is None
    assert await starts(desk) == [at("2026-11-24T09:00")]
