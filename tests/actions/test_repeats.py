"""The same call again, at once or later: it is told what was done, and does nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
import svcs
from rasa_sdk import Action

from actions.appointments import ActionCreateAppointment
from actions.booking import Booked, BookingDesk, BookingRequest
from actions.changes import ActionCancelAppointment, ActionRescheduleAppointment
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.models import AppointmentType, Booking, Slot, Window
from tests.actions.clinic import FixedClock, at, booking_desk
from tests.actions.conversation import SLOTS, play, texts

CANCELLED = "Your general appointment on Tuesday, 24 November 2026 at 09:00 has been cancelled."


async def book(desk: BookingDesk, wish: str = "Tuesday at 9", conversation: str = "c") -> Booking:
    outcome = await desk.book(BookingRequest(conversation, "general", wish))
    assert isinstance(outcome, Booked)
    return outcome.booking


def registry_of(desk: BookingDesk) -> svcs.Registry:
    registry = svcs.Registry()
    registry.register_value(BookingDesk, desk)
    return registry


class OvertakenBackend(EmbeddedBackend):
    """A book in which somebody else is faster, between the look for what is free and anything before it."""

    overtake: Callable[[], Awaitable[object]] | None = None

    async def find_slots(self, kind: AppointmentType, window: Window) -> Sequence[Slot]:
        overtake, self.overtake = self.overtake, None
        if overtake:
            await overtake()
        return await super().find_slots(kind, window)


@pytest.fixture
def overtaken(backend: EmbeddedBackend, clock: FixedClock) -> tuple[OvertakenBackend, BookingDesk]:
    """The clinic's book, overtaken when a test says so, and its desk."""
    backend.__class__ = OvertakenBackend
    assert isinstance(backend, OvertakenBackend)
    return backend, booking_desk(backend, clock)


@pytest.mark.parametrize("wish", ["Tuesday at 9", "Tuesday", "next week"])
async def test_a_copy_that_is_overtaken_by_another_one_hears_the_same_reference(
    overtaken: tuple[OvertakenBackend, BookingDesk], wish: str
) -> None:
    """The time is taken by the patient's own booking, which is no reason to say so."""
    backend, desk = overtaken
    first: list[Booking] = []

    async def the_other_copy() -> None:
        first.append(await book(desk, wish))

    backend.overtake = the_other_copy

    assert [await book(desk, wish)] == first
    assert await desk.upcoming("c") == first


async def test_copies_of_a_booking_at_once_all_hear_the_same(desk: BookingDesk) -> None:
    """Of sixty triples, each has one answer."""
    hours = [f"{day} at {hour}" for day in ("Monday", "Tuesday", "Wednesday", "Thursday") for hour in (9, 10, 11, 14)]

    for number, wish in enumerate(hours):
        found = await asyncio.gather(*(book(desk, wish, f"c{number}") for _ in range(3)))
        assert len({one.reference for one in found}) == 1


async def test_a_copy_of_a_move_that_is_overtaken_hears_where_the_appointment_is(
    overtaken: tuple[OvertakenBackend, BookingDesk],
) -> None:
    """By another copy of the same move: it has the time that was wished, and the day's next one is not tried."""
    backend, desk = overtaken
    booking = await book(desk)

    async def the_other_copy() -> None:
        await desk.reschedule("c", booking, "Thursday")

    backend.overtake = the_other_copy
    outcome = await desk.reschedule("c", booking, "Thursday")

    assert isinstance(outcome, Booked)
    assert outcome.booking.reference == booking.reference
    assert [one.slot.start for one in await desk.upcoming("c")] == [at("2026-11-26T08:00")]


@pytest.mark.parametrize("choice", [None, "the one on Tuesday", "reference"])
async def test_a_repeated_cancellation_says_what_was_done(
    registry: svcs.Registry, desk: BookingDesk, choice: str | None
) -> None:
    """Whichever words chose the appointment; another one of the patient's stays."""
    booking = await book(desk)
    slots = SLOTS | {
        "cancellation_confirmed": True,
        "appointment_choice": booking.reference if choice == "reference" else choice,
    }

    answers = [await play(registry, ActionCancelAppointment(), **slots) for _ in range(3)]

    assert [texts(messages) for messages, _ in answers] == [[CANCELLED]] * 3
    assert [set_slots["booking_status"] for _, set_slots in answers] == ["cancelled"] * 3


async def test_a_copy_of_a_cancellation_that_is_overtaken_hears_that_it_is_done(
    registry: svcs.Registry, desk: BookingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another copy, between the look at the appointments and the cancellation: there is none to cancel any more."""
    await book(desk)
    cancel = desk.cancel

    async def overtaken(conversation: str, booking: Booking) -> Booking | None:
        assert await cancel(conversation, booking)
        return await cancel(conversation, booking)

    monkeypatch.setattr(desk, "cancel", overtaken)
    messages, set_slots = await play(registry, ActionCancelAppointment(), **SLOTS | {"cancellation_confirmed": True})

    assert texts(messages) == [CANCELLED]
    assert set_slots["booking_status"] == "cancelled"


def heard_at(clock: FixedClock) -> list[dict[str, Any]]:
    """Return what a tracker holds of the patient's last words, said now."""
    return [{"event": "user", "text": "...", "timestamp": clock.now.timestamp()}]


@pytest.mark.parametrize("is_heard", [True, False], ids=["in a conversation", "as a tool"])
@pytest.mark.parametrize("choice", ["the first one", "first general", "earliest"])
async def test_a_repeated_cancellation_of_the_first_one_leaves_the_next_one(
    registry: svcs.Registry, desk: BookingDesk, clock: FixedClock, choice: str, is_heard: bool
) -> None:
    """The next one is the first by then: it is not what was meant."""
    await book(desk)
    second = await book(desk, "Thursday at 9")
    events = heard_at(clock) if is_heard else []
    slots = SLOTS | {"cancellation_confirmed": True, "appointment_choice": choice}
    answers = []

    for _ in range(3):
        clock.now += timedelta(seconds=20)
        answers.append(await play(registry, ActionCancelAppointment(), events=events, **slots))

    assert [texts(messages) for messages, _ in answers] == [[CANCELLED]] * 3
    assert await desk.upcoming("c") == [second]


@pytest.mark.parametrize("choice", ["the first one", "the last", "2nd"])
async def test_a_repeated_move_of_the_first_one_leaves_the_next_one(
    registry: svcs.Registry, desk: BookingDesk, clock: FixedClock, choice: str
) -> None:
    """The one that moved stands in another place of the list by then."""
    await book(desk)
    await book(desk, "Wednesday at 9")
    slots = SLOTS | {"appointment_choice": choice, "preferred_date": "Thursday at 10"}
    if choice != "the first one":
        slots["preferred_date"] = "Monday at 10"
    events = heard_at(clock)

    answers = [await play(registry, ActionRescheduleAppointment(), events=events, **slots) for _ in range(3)]

    assert answers[1:] == answers[:1] * 2
    assert answers[0][1]["booking_status"] == "rescheduled"
    assert len(await desk.upcoming("c")) == 2


async def test_who_asks_for_the_first_one_again_means_the_next_one(
    registry: svcs.Registry, desk: BookingDesk, clock: FixedClock
) -> None:
    """That is no repeat: the patient has said it again since."""
    await book(desk)
    await book(desk, "Thursday at 9")
    slots = SLOTS | {"cancellation_confirmed": True, "appointment_choice": "the first one"}

    for _ in range(2):
        clock.now += timedelta(seconds=20)
        await play(registry, ActionCancelAppointment(), events=heard_at(clock), **slots)
        clock.now += timedelta(seconds=1)

    assert await desk.upcoming("c") == []


async def test_a_tool_that_is_asked_for_the_first_one_minutes_later_means_the_next_one(
    registry: svcs.Registry, desk: BookingDesk, clock: FixedClock
) -> None:
    """Nothing tells when that was said; a repeat by a client or a model comes sooner."""
    await book(desk)
    await book(desk, "Thursday at 9")
    slots = SLOTS | {"cancellation_confirmed": True, "appointment_choice": "the first one"}

    for _ in range(2):
        await play(registry, ActionCancelAppointment(), **slots)
        clock.now += timedelta(minutes=2, seconds=1)

    assert await desk.upcoming("c") == []


async def test_a_place_in_the_list_is_none_among_what_is_past(
    registry: svcs.Registry, desk: BookingDesk, clock: FixedClock
) -> None:
    """Minutes later "the first one" is not the one that was cancelled then."""
    await book(desk)
    slots = SLOTS | {"cancellation_confirmed": True, "appointment_choice": "the first one"}
    await play(registry, ActionCancelAppointment(), **slots)
    clock.now += timedelta(minutes=3)

    messages, _ = await play(registry, ActionCancelAppointment(), **slots)

    assert texts(messages) == ["I find no such appointment of yours."]


async def test_a_repeated_cancellation_leaves_a_booking_that_was_made_since(
    registry: svcs.Registry, desk: BookingDesk
) -> None:
    """Also at the same time of the same day: the reference that was chosen is another one."""
    first = await book(desk)
    slots = SLOTS | {"cancellation_confirmed": True, "appointment_choice": first.reference}
    await play(registry, ActionCancelAppointment(), **slots)
    second = await book(desk)

    messages, _ = await play(registry, ActionCancelAppointment(), **slots)

    assert texts(messages) == [CANCELLED]
    assert await desk.upcoming("c") == [second]


@pytest.mark.parametrize(
    ("later", "said"),
    [
        pytest.param("2026-11-23T17:19", CANCELLED.replace("Tuesday, 24", "Friday, 27"), id="within a day"),
        pytest.param("2026-11-23T17:21", "You have no appointments.", id="after a day"),
    ],
)
async def test_a_day_later_there_is_nothing_to_repeat(
    later: str, said: str, registry: svcs.Registry, desk: BookingDesk, clock: FixedClock
) -> None:
    """Who asks then has no appointments; until then it is said what was done."""
    await book(desk, "Friday at 9")
    await play(registry, ActionCancelAppointment(), **SLOTS | {"cancellation_confirmed": True})
    clock.now = at(later)

    messages, _ = await play(registry, ActionCancelAppointment(), **SLOTS | {"cancellation_confirmed": True})

    assert texts(messages) == [said]


async def test_of_several_that_fit_the_last_cancellation_is_the_repeated_one(
    registry: svcs.Registry, desk: BookingDesk, clock: FixedClock
) -> None:
    """Appointments on Tuesday were cancelled one after the other, an earlier one and a later one after the first."""
    slots = SLOTS | {"cancellation_confirmed": True, "appointment_choice": "the one on Tuesday"}
    for wish in ("Tuesday at 10", "Tuesday at 9", "Tuesday at 11"):
        booking = await book(desk, wish)
        first, _ = await play(registry, ActionCancelAppointment(), **slots)

        again, _ = await play(registry, ActionCancelAppointment(), **slots)

        assert booking.reference not in [one.reference for one in await desk.upcoming("c")]
        assert texts(again) == texts(first)
        clock.now += timedelta(minutes=1)


async def test_a_repeated_move_says_what_was_done(registry: svcs.Registry, desk: BookingDesk) -> None:
    """ "The one on Tuesday" is on Thursday by then."""
    await book(desk)
    slots = SLOTS | {"appointment_choice": "the one on Tuesday", "preferred_date": "Thursday at 10"}

    answers = [await play(registry, ActionRescheduleAppointment(), **slots) for _ in range(3)]

    assert answers[1:] == answers[:1] * 2
    assert answers[0][1]["booking_status"] == "rescheduled"
    assert [one.slot.start for one in await desk.upcoming("c")] == [at("2026-11-26T10:00")]


async def test_who_asks_for_another_time_of_what_has_moved_does_not_repeat_a_move(
    registry: svcs.Registry, desk: BookingDesk
) -> None:
    """It is not on Tuesday any more, and nothing is moved by a guess."""
    await book(desk)
    slots = SLOTS | {"appointment_choice": "the one on Tuesday"}
    await play(registry, ActionRescheduleAppointment(), **slots | {"preferred_date": "Thursday at 10"})

    messages, _ = await play(registry, ActionRescheduleAppointment(), **slots | {"preferred_date": "Friday at 10"})

    assert texts(messages) == ["I find no such appointment of yours."]
    assert [one.slot.start for one in await desk.upcoming("c")] == [at("2026-11-26T10:00")]


@pytest.mark.parametrize(
    ("choice", "since"),
    [("the one on Tuesday", "cancelled"), (None, "cancelled"), ("the one on Tuesday", "moved on")],
)
async def test_a_repeated_move_to_what_was_given_up_since_is_not_said_to_be_done(
    registry: svcs.Registry, desk: BookingDesk, choice: str | None, since: str
) -> None:
    """Nobody is told of a time that is not theirs any more, and nothing is moved there again by a guess."""
    await book(desk)
    slots = SLOTS | {"appointment_choice": choice, "preferred_date": "Thursday at 10"}
    await play(registry, ActionRescheduleAppointment(), **slots)
    (moved,) = await desk.upcoming("c")
    await (desk.cancel("c", moved) if since == "cancelled" else desk.reschedule("c", moved, "Friday at 10"))
    left = await desk.upcoming("c")

    messages, set_slots = await play(registry, ActionRescheduleAppointment(), **slots)

    expected = "I find no such appointment of yours." if choice else "You have no appointments."
    assert (texts(messages), set_slots["booking_status"]) == ([expected], "failed")
    assert await desk.upcoming("c") == left


async def test_a_repeated_move_of_the_first_one_that_went_on_since_leaves_the_next_one(
    registry: svcs.Registry, desk: BookingDesk
) -> None:
    """The list counts as it was when that was said, not as it was between two changes of one appointment."""
    await book(desk)
    second = await book(desk, "Wednesday at 9")
    slots = SLOTS | {"appointment_choice": "the first one", "preferred_date": "Thursday at 10"}
    await play(registry, ActionRescheduleAppointment(), **slots)
    (_, moved) = await desk.upcoming("c")
    await desk.reschedule("c", moved, "Friday at 10")

    await play(registry, ActionRescheduleAppointment(), **slots)

    assert second in await desk.upcoming("c")


async def test_what_moved_away_is_not_said_to_be_cancelled(registry: svcs.Registry, desk: BookingDesk) -> None:
    """It stands where it is now, and who wants to cancel it has to hear that it was not found."""
    booking = await book(desk)
    await desk.reschedule("c", booking, "Thursday at 10")
    slots = SLOTS | {"cancellation_confirmed": True, "appointment_choice": "the one on Tuesday"}

    messages, set_slots = await play(registry, ActionCancelAppointment(), **slots)

    assert (texts(messages), set_slots["booking_status"]) == (["I find no such appointment of yours."], "unavailable")
    assert [one.slot.start for one in await desk.upcoming("c")] == [at("2026-11-26T10:00")]


async def test_a_booking_that_the_conversation_has_not_heard_of_is_told(
    registry: svcs.Registry, desk: BookingDesk
) -> None:
    """The first answer was lost, the patient names another day: two appointments, and both are said."""
    lost = await book(desk)
    known = await book(desk, "Wednesday at 9")
    heard = {"event": "bot", "text": f"Your appointment has been booked. Reference: {known.reference}"}
    slots = SLOTS | {"appointment_type": "general", "preferred_date": "Thursday at 10"}

    messages, _ = await play(registry, ActionCreateAppointment(), events=[{"event": "user"}, heard], **slots)

    assert texts(messages)[1:] == [
        "You also have a general appointment on Tuesday, 24 November 2026 at 09:00. Reference: " + lost.reference
    ]


@pytest.mark.parametrize("action", [ActionCreateAppointment, ActionCancelAppointment, ActionRescheduleAppointment])
def test_the_clinics_actions_say_that_they_are_safe_to_repeat(action: type[Action]) -> None:
    """After a crash under `idempotent: turn`, a repeat does the work again by the clinic's own key."""
    from action_server.runtime.options import ActionOptions, OptionsTable

    table = OptionsTable(ActionOptions(), {action().name(): ActionOptions.model_validate({"idempotent": "turn"})})
    rule = table.of(action().name(), action().run).idempotent

    assert rule
    assert rule.on_crash == "rerun"
