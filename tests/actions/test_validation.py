"""Which answers the clinic takes, and how it asks, in flows and in forms."""

from __future__ import annotations

from typing import Any

import pytest
import svcs
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from action_server.runtime import services
from actions.booking import Booked, BookingDesk, BookingRequest
from actions.errors import UnavailableError
from actions.scheduling.models import Booking
from actions.validation import (
    ActionAskAppointmentChoice,
    ActionAskCancellationConfirmed,
    ActionAskPreferredDate,
    ValidateAppointmentChoice,
    ValidateAppointmentForm,
    ValidateCancelForm,
    ValidatePreferredDate,
    ValidateRescheduleForm,
)
from tests.actions.clinic import FixedClock, booking_desk
from tests.actions.conversation import FLOW, SLOTS, FailingBackend, play, texts

USER = {"event": "user", "text": "hello"}
QUESTION = 'When would you like to come? A day and a time are best, for example "next Tuesday at 10".'
FORMS = {
    "forms": {
        "appointment_form": {"required_slots": ["appointment_type", "preferred_date"]},
        "cancel_form": {"required_slots": ["appointment_choice", "cancellation_confirmed"]},
        "reschedule_form": {"required_slots": ["appointment_choice", "preferred_date"]},
    }
}


def set_to(slot: str, value: object) -> dict[str, Any]:
    return {"event": "slot", "name": slot, "value": value}


async def book(desk: BookingDesk, wish: str, kind: str = "general") -> Booking:
    outcome = await desk.book(BookingRequest("c", kind, wish))
    assert isinstance(outcome, Booked)
    return outcome.booking


@pytest.fixture
def broken(clock: FixedClock) -> svcs.Registry:
    """Services whose appointment book does not answer."""
    registry = svcs.Registry()
    registry.register_value(BookingDesk, booking_desk(FailingBackend(UnavailableError("down")), clock))
    return registry


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ("yesterday", "That time is already over."),
        ("2026-11-21", "That time is already over."),
        ("Sunday", "The clinic has no appointments of that type at that time."),
        ("2026-12-25", "The clinic has no appointments of that type at that time."),
        ("Tuesday at 12:15", "The clinic has no appointments of that type at that time."),
        ("1 March 2027", "Appointments can be booked up to 60 days ahead."),
        ("no", "I am not sure which day and time you mean."),
        ("+49 30 901820", "I am not sure which day and time you mean."),
        (10, "I am not sure which day and time you mean."),
    ],
)
async def test_a_date_that_cannot_be_met_is_refused_with_the_reason(
    registry: svcs.Registry, wish: object, why: str
) -> None:
    """The slot is emptied, so that the engine asks again."""
    messages, set_slots = await play(
        registry, ValidatePreferredDate(), **SLOTS | {"appointment_type": "general", "preferred_date": wish}
    )

    assert (texts(messages), set_slots) == ([why], {"preferred_date": None})


@pytest.mark.parametrize("wish", [None, "Tuesday", "2026-11-24T10:00", "next week", "asap", "2027-01-21"])
async def test_a_date_that_may_be_met_is_left_as_it_is(registry: svcs.Registry, wish: object) -> None:
    """So is an empty slot: engines ask at every pass of a collect step, before there is an answer as well."""
    assert await play(registry, ValidatePreferredDate(), **SLOTS | {"preferred_date": wish}) == ([], {})


async def test_a_date_is_judged_for_the_appointment_in_question(registry: svcs.Registry, desk: BookingDesk) -> None:
    """Half past eleven leaves no hour before lunch: too late for a specialist, in a booking and in a move."""
    wish = {"preferred_date": "Tuesday at half past eleven"}
    move = await book(desk, "Friday", "specialist")

    assert await play(registry, ValidatePreferredDate(), **SLOTS | wish) == ([], {})
    for asked in ({"appointment_type": "specialist"}, {"appointment_choice": move.reference}):
        _, set_slots = await play(registry, ValidatePreferredDate(), **SLOTS | wish | asked)
        assert set_slots == {"preferred_date": None}


async def test_a_date_is_asked_for_with_the_next_free_times(registry: svcs.Registry, desk: BookingDesk) -> None:
    """A flow's buttons fill the slot, a form's are what the user would type."""
    await book(desk, "Monday at 8")

    [calm], _ = await play(registry, ActionAskPreferredDate(), stack=FLOW, **SLOTS | {"appointment_type": "general"})
    [classic], _ = await play(registry, ActionAskPreferredDate(), **SLOTS)

    assert calm["text"] == classic["text"] == QUESTION
    assert calm["buttons"][0] == {
        "title": "Mon 23 Nov, 08:30",
        "payload": "/SetSlots(preferred_date=2026-11-23T08:30)",
    }
    assert [button["payload"] for button in classic["buttons"]] == [
        "2026-11-23T08:30",
        "2026-11-23T09:00",
        "2026-11-23T09:30",
    ]


async def test_after_a_refusal_the_times_nearest_to_the_refused_wish_are_offered(registry: svcs.Registry) -> None:
    """The refused value is in the events of this turn; a value of an earlier turn is not what was refused."""
    events = [
        *(USER, set_to("preferred_date", "2026-12-09T10:00")),
        *(USER, set_to("preferred_date", "2026-11-29"), set_to("preferred_date", None)),
    ]

    [now], _ = await play(registry, ActionAskPreferredDate(), events=events, **SLOTS)
    [later], _ = await play(registry, ActionAskPreferredDate(), events=[*events, USER], **SLOTS)

    assert now["text"] == "Which other day and time would suit you?"
    assert now["buttons"][0]["payload"] == "2026-11-30T08:00"
    assert (later["text"], later["buttons"][0]["payload"]) == (QUESTION, "2026-11-23T08:00")


async def test_times_that_were_just_offered_are_not_offered_twice(registry: svcs.Registry) -> None:
    """`action_create_appointment` has just shown them, in the same turn."""
    offered = {"event": "bot", "text": "...", "data": {"buttons": [{"title": "x", "payload": "y"}]}}

    [message], _ = await play(registry, ActionAskPreferredDate(), events=[USER, offered], **SLOTS)

    assert (message["text"], message["buttons"]) == ("Which other day and time would suit you?", [])


async def test_a_move_is_asked_for_with_the_appointment_in_full(registry: svcs.Registry, desk: BookingDesk) -> None:
    """Who has one appointment was not asked which, and sees here which one is meant."""
    booking = await book(desk, "Tuesday at 9")

    [message], _ = await play(registry, ActionAskPreferredDate(), **SLOTS | {"appointment_choice": booking.reference})

    assert message["text"] == (
        "When would you like to come instead of Tuesday, 24 November 2026 at 09:00, for your general appointment?"
    )
    assert len(message["buttons"]) == 3


async def test_a_question_is_asked_even_if_the_book_does_not_answer(broken: svcs.Registry) -> None:
    """Without buttons; what the book has to decide is left to the action, which says so."""
    [date], _ = await play(broken, ActionAskPreferredDate(), **SLOTS | {"appointment_choice": "Tuesday"})
    [choice], _ = await play(broken, ActionAskAppointmentChoice(), **SLOTS)
    [confirmation], _ = await play(broken, ActionAskCancellationConfirmed(), **SLOTS)

    assert (date["text"], date["buttons"]) == (QUESTION, [])
    assert (choice["text"], choice["buttons"]) == ("Which appointment do you mean?", [])
    assert confirmation["text"].startswith("I cannot reach the appointment book")
    assert await play(broken, ValidateAppointmentChoice(), **SLOTS | {"appointment_choice": "Tuesday"}) == ([], {})
    assert await play(broken, ValidatePreferredDate(), **SLOTS | {"preferred_date": "Tuesday"}) == ([], {})


async def test_the_only_appointment_is_chosen_without_asking(registry: svcs.Registry, desk: BookingDesk) -> None:
    """The engine asks the validation while the slot is still empty."""
    booking = await book(desk, "Tuesday")

    assert await play(registry, ValidateAppointmentChoice(), **SLOTS) == (
        [],
        {"appointment_choice": booking.reference},
    )


@pytest.mark.parametrize(
    ("said", "chosen", "why"),
    [
        (None, None, []),
        ("the first one", 0, []),
        ("the last one, please", 2, []),
        ("3", 2, []),
        ("Tuesday", 0, []),
        ("the one on 25 November", 1, []),
        ("tomorrow", None, ["I find no such appointment of yours."]),
        ("next week", None, ["More than one of your appointments fits that."]),
        ("my specialist appointment", 2, []),
        ("the general one on Wednesday", 1, []),
        ("the specialist one on Wednesday", None, ["I find no such appointment of yours."]),
        ("general", None, ["More than one of your appointments fits that."]),
        ("the fourth", None, ["I find no such appointment of yours."]),
        ("the", None, ["I find no such appointment of yours."]),
        ("both", None, ["I find no such appointment of yours."]),
        ("x" * 10_000, None, ["I find no such appointment of yours."]),
        (3, None, ["I find no such appointment of yours."]),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_words_become_the_reference_of_one_appointment_or_a_question(
    registry: svcs.Registry, desk: BookingDesk, said: object, chosen: int | None, why: list[str]
) -> None:
    """Nothing is chosen by a guess."""
    bookings = [await book(desk, "Tuesday"), await book(desk, "Wednesday"), await book(desk, "Thursday", "specialist")]

    messages, set_slots = await play(registry, ValidateAppointmentChoice(), **SLOTS | {"appointment_choice": said})

    assert texts(messages) == why
    if chosen is not None:
        assert set_slots == {"appointment_choice": bookings[chosen].reference}
    else:
        assert set_slots == ({} if said is None else {"appointment_choice": None})


async def test_a_reference_is_left_as_it_is(registry: svcs.Registry, desk: BookingDesk) -> None:
    """In any case of letters and in a sentence; the second look at an answer changes nothing."""
    booking = await book(desk, "Tuesday")
    await book(desk, "Wednesday")

    said = f"it is {booking.reference.lower()}, I think"
    _, set_slots = await play(registry, ValidateAppointmentChoice(), **SLOTS | {"appointment_choice": said})

    assert set_slots == {"appointment_choice": booking.reference}
    assert await play(registry, ValidateAppointmentChoice(), **SLOTS | set_slots) == ([], {})


async def test_a_weekday_said_on_that_day_may_be_today(
    registry: svcs.Registry, desk: BookingDesk, clock: FixedClock
) -> None:
    """Who has an appointment today and calls it "Sunday" on a Sunday does not mean next week's."""
    today = await book(desk, "Monday at 16:00")
    await book(desk, "Wednesday")
    clock.now = today.slot.start.replace(hour=9)

    _, set_slots = await play(registry, ValidateAppointmentChoice(), **SLOTS | {"appointment_choice": "on Monday"})

    assert set_slots == {"appointment_choice": today.reference}


async def test_a_choice_is_asked_for_with_a_button_for_each(registry: svcs.Registry, desk: BookingDesk) -> None:
    """Titles are short, payloads are references."""
    first, second = await book(desk, "Tuesday at 9"), await book(desk, "Friday at 10", "specialist")

    [message], _ = await play(registry, ActionAskAppointmentChoice(), stack=FLOW, **SLOTS)

    assert message["text"] == "Which appointment do you mean?"
    assert message["buttons"] == [
        {"title": "general: Tue 24 Nov, 09:00", "payload": f"/SetSlots(appointment_choice={first.reference})"},
        {"title": "specialist: Fri 27 Nov, 10:00", "payload": f"/SetSlots(appointment_choice={second.reference})"},
    ]


async def test_a_cancellation_is_confirmed_with_the_full_date(registry: svcs.Registry, desk: BookingDesk) -> None:
    """And with a yes and a no."""
    await book(desk, "Tuesday at 9")

    [calm], _ = await play(registry, ActionAskCancellationConfirmed(), stack=FLOW, **SLOTS)
    [classic], _ = await play(registry, ActionAskCancellationConfirmed(), **SLOTS)
    [gone], _ = await play(registry, ActionAskCancellationConfirmed(), **SLOTS | {"appointment_choice": "Friday"})

    assert calm["text"] == "Shall I cancel your general appointment on Tuesday, 24 November 2026 at 09:00?"
    assert [button["payload"] for button in calm["buttons"]] == [
        "/SetSlots(cancellation_confirmed=true)",
        "/SetSlots(cancellation_confirmed=false)",
    ]
    assert [button["payload"] for button in classic["buttons"]] == ["Yes", "No"]
    assert gone["text"] == "I find no such appointment of yours."


async def validate(
    registry: svcs.Registry, form: Any, events: list[dict[str, Any]], **slots: Any
) -> tuple[list[str], dict[str, Any]]:
    """Run a form's validation as a classic engine asks for it; return texts and slots."""
    dispatcher = CollectingDispatcher()
    tracker = Tracker("c", SLOTS | slots, {}, events, False, None, {"name": form.form_name()}, None)
    with services.activate(registry):
        set_slots = await form.run(dispatcher, tracker, FORMS)
    return texts(dispatcher.messages), {event["name"]: event["value"] for event in set_slots}


async def test_a_form_refuses_a_date_as_a_flow_does(registry: svcs.Registry, desk: BookingDesk) -> None:
    """In a booking and in a move."""
    await book(desk, "Tuesday")

    for form in (ValidateAppointmentForm(), ValidateRescheduleForm()):
        said, slots = await validate(registry, form, [set_to("preferred_date", "Sunday")], preferred_date="Sunday")
        assert said == ["The clinic has no appointments of that type at that time."]
        assert slots["preferred_date"] is None

        said, slots = await validate(registry, form, [set_to("preferred_date", "Friday")], preferred_date="Friday")
        assert (said, slots["preferred_date"]) == ([], "Friday")


async def test_every_slot_of_a_form_has_a_validate_method(registry: svcs.Registry) -> None:
    """Or each of its turns would be logged as one that nobody checked."""
    for form in (ValidateAppointmentForm(), ValidateCancelForm(), ValidateRescheduleForm()):
        for slot in FORMS["forms"][form.form_name()]["required_slots"]:
            assert callable(getattr(form, f"validate_{slot}"))

    kind = [set_to("appointment_type", "general")]
    assert await validate(registry, ValidateAppointmentForm(), kind) == ([], {"appointment_type": "general"})


async def test_a_form_fills_in_the_only_appointment(registry: svcs.Registry, desk: BookingDesk) -> None:
    """So its first question is the second one."""
    booking = await book(desk, "Tuesday")

    assert await validate(registry, ValidateCancelForm(), []) == ([], {"appointment_choice": booking.reference})


async def test_a_form_asks_which_of_several_and_takes_words(registry: svcs.Registry, desk: BookingDesk) -> None:
    """A yes is left to the mapping of the intents."""
    await book(desk, "Tuesday")
    second = await book(desk, "Wednesday")
    said = [set_to("appointment_choice", "the second")]
    yes = [set_to("cancellation_confirmed", True)]

    assert await validate(registry, ValidateCancelForm(), []) == ([], {})
    assert await validate(registry, ValidateCancelForm(), said, appointment_choice="the second") == (
        [],
        {"appointment_choice": second.reference},
    )
    chosen = {"appointment_choice": second.reference, "cancellation_confirmed": True}
    assert await validate(registry, ValidateCancelForm(), yes, **chosen) == ([], {"cancellation_confirmed": True})


@pytest.mark.parametrize("form", [ValidateCancelForm, ValidateRescheduleForm])
async def test_a_form_ends_at_once_for_who_has_no_appointment(registry: svcs.Registry, form: type[Any]) -> None:
    """The form's action says so; nothing is asked that leads nowhere."""
    assert await validate(registry, form(), []) == ([], {"requested_slot": None})


async def test_a_form_ends_at_once_if_the_book_does_not_answer(broken: svcs.Registry) -> None:
    """The action says that too."""
    assert await validate(broken, ValidateCancelForm(), []) == ([], {"requested_slot": None})
