"""From wishes to bookings. It is Sunday, 22 November 2026, 17:20; the clinic opens on Monday at 08:00."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from actions.booking import Booked, BookingDesk, BookingRequest, Declined, Reason
from actions.errors import OutcomeUnknownError, SlotTakenError, UnavailableError, UnknownAppointmentTypeError
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.models import AppointmentType, Booking, BookingKey, Patient, Slot, Window
from actions.wallclock import on_the_wall
from tests.actions.clinic import BERLIN, GENERAL, KINDS, FixedClock, at, booking_desk, slot_at
from tests.actions.conversation import FailingBackend


async def ask(
    desk: BookingDesk, wish: object, conversation: str = "c", kind: object = "general", urgent_start: object = None
) -> str:
    """Return when the booking starts, or why there is none and what is offered instead, on the wall clock."""
    outcome = await desk.book(BookingRequest(conversation, kind, wish, urgent_start))
    if isinstance(outcome, Booked):
        return wall(outcome.booking.slot)
    return f"{outcome.reason.value}: {', '.join(wall(slot) for slot in outcome.offers)}"


async def reference(desk: BookingDesk, wish: object, kind: str = "general") -> str:
    outcome = await desk.book(BookingRequest("c", kind, wish))
    assert isinstance(outcome, Booked)
    return outcome.booking.reference


def wall(slot: Slot) -> str:
    return f"{on_the_wall(slot.start, BERLIN):%a %d %H:%M}"


async def fill(backend: EmbeddedBackend, *walls: str) -> None:
    for number, start in enumerate(walls):
        slot = slot_at(start)
        await backend.book(BookingKey(f"other {number} {start}", "general", Window.at(slot.start)), slot)


async def fill_day(backend: EmbeddedBackend, day: str) -> None:
    hours = [*range(8, 12), *range(13, 17)]
    await fill(backend, *(f"{day}T{hour:02}:{minute:02}" for hour in hours for minute in (0, 30)))


@pytest.mark.parametrize(
    ("wish", "answer"),
    [
        ("2026-11-24T10:00", "Tue 24 10:00"),
        ("next Tuesday at half past two", "Tue 24 14:30"),
        ("Tuesday", "Tue 24 08:00"),
        ("next Tuesday afternoon", "Tue 24 13:00"),
        ("asap", "Mon 23 08:00"),
        ("next week", "Mon 23 08:00"),
        ("this month", "Mon 23 08:00"),
    ],
)
async def test_a_wish_is_met_at_its_time_or_at_the_earliest_time_within_it(
    desk: BookingDesk, wish: str, answer: str
) -> None:
    """An exact time is booked as it is; in a day or a part of one, the earliest free time."""
    assert await ask(desk, wish) == answer


@pytest.mark.parametrize(
    ("wish", "answer"),
    [
        (None, "not_understood: Mon 23 08:00, Mon 23 08:30, Mon 23 09:00"),
        ("10", "not_understood: Mon 23 08:00, Mon 23 08:30, Mon 23 09:00"),
        (["Tuesday"], "not_understood: Mon 23 08:00, Mon 23 08:30, Mon 23 09:00"),
        ("yesterday", "past: Mon 23 08:00, Mon 23 08:30, Mon 23 09:00"),
        ("today", "closed: Mon 23 08:00, Mon 23 08:30, Mon 23 09:00"),
        ("Saturday", "closed: Fri 27 15:30, Fri 27 16:00, Fri 27 16:30"),
        ("Tuesday at 12:15", "closed: Tue 24 11:00, Tue 24 11:30, Tue 24 13:00"),
        ("Tuesday at 10:10", "closed: Tue 24 09:30, Tue 24 10:00, Tue 24 10:30"),
        ("25 December", "closed: Thu 24 15:30, Thu 24 16:00, Thu 24 16:30"),
        ("1 March 2027", "too_far_ahead: Thu 21 15:30, Thu 21 16:00, Thu 21 16:30"),
    ],
)
async def test_a_wish_that_cannot_be_met_hears_why_and_the_three_nearest_times(
    desk: BookingDesk, wish: object, answer: str
) -> None:
    """Nothing is guessed and nothing is booked; the nearest times may be before the wish or after it."""
    assert await ask(desk, wish) == answer
    assert await ask(desk, "Monday", "another") == "Mon 23 08:00"


async def test_a_taken_time_is_not_replaced_by_another(desk: BookingDesk, backend: EmbeddedBackend) -> None:
    """The three nearest free times are offered around it, in order of time."""
    await fill(backend, "2026-11-24T10:00", "2026-11-24T10:30")

    assert await ask(desk, "2026-11-24T10:00") == "taken: Tue 24 09:00, Tue 24 09:30, Tue 24 11:00"


async def test_a_full_day_is_told_so_and_a_full_morning_too(desk: BookingDesk, backend: EmbeddedBackend) -> None:
    """What is near to a window is near to its edges."""
    await fill_day(backend, "2026-11-24")

    assert await ask(desk, "Tuesday") == "taken: Mon 23 16:00, Mon 23 16:30, Wed 25 08:00"
    assert await ask(desk, "Tuesday morning") == "taken: Mon 23 15:30, Mon 23 16:00, Mon 23 16:30"


async def test_the_past_part_of_today_is_not_booked(desk: BookingDesk, clock: FixedClock) -> None:
    """At ten past nine on Monday, "today" starts at half past, and nothing that has begun is offered."""
    clock.now = at("2026-11-23T09:10")

    assert await ask(desk, "nonsense") == "not_understood: Mon 23 09:30, Mon 23 10:00, Mon 23 10:30"
    assert await ask(desk, "today") == "Mon 23 09:30"


async def test_the_last_day_of_the_horizon_can_be_booked_and_no_later_one(desk: BookingDesk) -> None:
    """Sixty days ahead is 21 January."""
    assert await ask(desk, "21 January") == "Thu 21 08:00"
    assert (await ask(desk, "22 January")).startswith("too_far_ahead")


@pytest.mark.parametrize(
    ("wish", "repeat"),
    [
        ("Tuesday", "Tuesday"),
        ("Tuesday", "24 November"),
        ("Tuesday", "2026-11-24T08:00"),
        ("2026-11-24T10:00", "2026-11-24T10:00"),
        ("2026-11-24T10:00", "Tuesday morning"),
        ("asap", "as soon as possible"),
    ],
)
async def test_asking_again_gets_the_same_reference(
    desk: BookingDesk, clock: FixedClock, wish: str, repeat: str
) -> None:
    """A lost reply, an impatient user or a re-delivered message never books twice, in the same words or others."""
    first = await reference(desk, wish)
    clock.now += timedelta(minutes=5)

    assert await reference(desk, repeat) == first


async def test_asking_ten_times_at_once_is_one_booking(desk: BookingDesk) -> None:
    """A channel that delivers a message in parallel does not book in parallel."""
    assert len({await future for future in [asyncio.ensure_future(reference(desk, "Tuesday")) for _ in range(10)]}) == 1


@pytest.mark.parametrize(
    "other",
    [BookingRequest("d", "general", "Tuesday"), BookingRequest("c", "specialist", "Tuesday")],
    ids=["conversation", "type"],
)
async def test_another_conversation_or_type_is_another_booking(desk: BookingDesk, other: BookingRequest) -> None:
    """Only the same conversation asking for the same type repeats itself."""
    first = await reference(desk, "Tuesday")

    outcome = await desk.book(other)

    assert isinstance(outcome, Booked)
    assert outcome.booking.reference != first


async def test_another_day_is_another_booking(desk: BookingDesk) -> None:
    """A conversation may have several appointments of a type."""
    assert await reference(desk, "Tuesday") != await reference(desk, "Wednesday")


async def test_an_appointment_that_is_over_does_not_answer_a_new_wish(desk: BookingDesk, clock: FixedClock) -> None:
    """Who was seen at eight and asks for "today" at nine wants to be seen again; a repeat of that is one booking."""
    clock.now = at("2026-11-23T07:50")
    first = await reference(desk, "today")
    clock.now = at("2026-11-23T09:00")
    second = await reference(desk, "today")
    clock.now = at("2026-11-23T09:01")

    assert await reference(desk, "today") == second != first


async def test_urgent_is_the_earliest_time_today_or_the_next_day(desk: BookingDesk, clock: FixedClock) -> None:
    """Whatever else was said about days."""
    clock.now = at("2026-11-23T10:40")

    assert await ask(desk, None, "a", "urgent") == "Mon 23 11:00"
    assert await ask(desk, "Friday", "b", "urgent") == "Mon 23 11:30"
    assert await ask(desk, "nonsense", "c", "URGENT ") == "Mon 23 13:00"


async def test_urgent_takes_the_next_time_when_the_day_is_full(desk: BookingDesk, backend: EmbeddedBackend) -> None:
    """Urgent and general appointments share the doctor."""
    await fill(backend, "2026-11-23T08:00", "2026-11-23T08:30")

    assert await ask(desk, None, kind="urgent") == "Mon 23 09:00"


async def test_the_urgent_time_that_was_told_is_the_one_booked(desk: BookingDesk, backend: EmbeddedBackend) -> None:
    """An earlier one that became free meanwhile does not change it; if it is taken, the earliest one is booked."""
    told = "2026-11-23T09:00+01:00"

    assert await ask(desk, None, "a", "urgent", told) == "Mon 23 09:00"
    assert await ask(desk, None, "b", "urgent", told) == "Mon 23 08:00"


@pytest.mark.parametrize("told", ["soon", 9, "2026-11-23T03:00", "2026-11-21T09:00", "2026-12-24T09:00"])
async def test_a_told_time_that_is_none_is_ignored(desk: BookingDesk, told: object) -> None:
    """Only a free time within today and the next day counts."""
    assert await ask(desk, None, kind="urgent", urgent_start=told) == "Mon 23 08:00"


async def test_without_an_urgent_time_the_nearest_three_are_offered(desk: BookingDesk, clock: FixedClock) -> None:
    """On Friday after hours, today and the next day are closed; Monday is offered, and an offer is booked."""
    clock.now = at("2026-11-27T17:30")

    assert await ask(desk, None, kind="urgent") == "nothing_urgent: Mon 30 08:00, Mon 30 08:30, Mon 30 09:00"
    assert await ask(desk, "2026-11-30T08:30", kind="urgent") == "Mon 30 08:30"
    assert await ask(desk, "Tuesday", "d", kind="urgent") == "Tue 01 08:00"
    assert (await ask(desk, "whatever suits you", "e", kind="urgent")).startswith("not_understood: Mon 30 08:00")


async def test_an_urgent_repeat_gets_its_own_booking_even_after_midnight(desk: BookingDesk, clock: FixedClock) -> None:
    """The window has moved on by a day, the booking is still in it."""
    clock.now = at("2026-11-23T23:59")
    first = await reference(desk, None, "urgent")
    clock.now = at("2026-11-24T00:01")

    assert await reference(desk, None, "urgent") == first
    assert await desk.urgent_slot("c") == slot_at("2026-11-24T08:00")


async def test_looking_for_an_urgent_time_books_nothing(desk: BookingDesk) -> None:
    """Two conversations that only look are told the same time."""
    assert await desk.urgent_slot("a") == await desk.urgent_slot("b") == slot_at("2026-11-23T08:00")


async def test_after_an_urgent_appointment_the_next_look_finds_a_new_time(desk: BookingDesk, clock: FixedClock) -> None:
    """An urgent booking is told while it is to come, and no longer."""
    await reference(desk, None, "urgent")
    assert await desk.urgent_slot("c") == slot_at("2026-11-23T08:00")
    clock.now = at("2026-11-23T10:10")

    assert await desk.urgent_slot("c") == slot_at("2026-11-23T10:30")


@pytest.mark.parametrize("kind", [None, "", "cosmetic", 3, ["general"], {"type": "general"}])
async def test_an_unknown_type_is_told_apart(desk: BookingDesk, kind: object) -> None:
    """The error lists what there is."""
    with pytest.raises(UnknownAppointmentTypeError) as caught:
        await ask(desk, "Tuesday", kind=kind)
    assert caught.value.known == ("general", "specialist", "urgent")


async def test_a_clinic_without_urgent_appointments_says_so(backend: EmbeddedBackend, clock: FixedClock) -> None:
    """The types are settings."""
    desk = booking_desk(backend, clock, {"general": KINDS["general"]})

    with pytest.raises(UnknownAppointmentTypeError):
        await desk.urgent_slot("c")


class LateBackend(FailingBackend):
    """A backend whose free times are stale: all but the last one are taken when they are booked."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        super().__init__(UnavailableError("not asked for"))
        self.slots = slots
        self.asked: list[Slot] = []

    async def find_slots(self, kind: AppointmentType, window: Window) -> Sequence[Slot]:
        return self.slots

    async def book(self, key: BookingKey, slot: Slot, patient: Patient | None = None) -> Booking:
        self.asked.append(slot)
        if slot != self.slots[-1]:
            raise SlotTakenError(slot)
        return Booking("APT-LAST22", key.appointment_type, slot)

    async def get(self, key: BookingKey) -> Booking | None:
        return None


class ForgetfulBackend(LateBackend):
    """A backend that says nothing about what became of a request."""

    async def book(self, key: BookingKey, slot: Slot, patient: Patient | None = None) -> Booking:
        self.asked.append(slot)
        raise OutcomeUnknownError("the connection broke")


async def test_after_an_unknown_outcome_no_other_time_is_tried(clock: FixedClock) -> None:
    """It may be booked: the next free time would be a second appointment."""
    backend = ForgetfulBackend([slot_at(f"2026-11-24T{hour}:00") for hour in ("08", "09")])

    with pytest.raises(OutcomeUnknownError):
        await ask(booking_desk(backend, clock), "Tuesday")

    assert backend.asked == [slot_at("2026-11-24T08:00")]


async def test_a_time_lost_to_somebody_faster_is_followed_by_the_next_one(clock: FixedClock) -> None:
    """For "Tuesday" any time will do: the first that is really free is booked."""
    slots = [slot_at(f"2026-11-24T{hour}:00") for hour in ("08", "09", "10")]
    backend = LateBackend(slots)

    assert await ask(booking_desk(backend, clock), "Tuesday") == "Tue 24 10:00"
    assert backend.asked == slots


async def test_fifty_conversations_that_want_tuesday_get_fifty_answers(desk: BookingDesk) -> None:
    """Sixteen half hours are given away once each, and the others hear that Tuesday is full."""
    outcomes = await asyncio.gather(*(desk.book(BookingRequest(f"c{n}", "general", "Tuesday")) for n in range(50)))

    booked = [outcome.booking for outcome in outcomes if isinstance(outcome, Booked)]
    declined = [outcome for outcome in outcomes if isinstance(outcome, Declined)]
    assert len({booking.slot for booking in booked}) == len(booked) == 16
    assert len({booking.reference for booking in booked}) == 16
    assert {(outcome.reason, outcome.kind) for outcome in declined} == {(Reason.TAKEN, GENERAL)}
