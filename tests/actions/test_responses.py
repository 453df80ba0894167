"""What the clinic says: the assistant's responses, its own where there are none, and one for each failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import svcs
from hypothesis import given
from hypothesis import strategies as st
from rasa_sdk import Action
from rasa_sdk.executor import CollectingDispatcher
from ruamel.yaml import YAML

from action_server.testing import make_tracker
from actions.appointments import ActionCheckUrgentSlots, ActionCreateAppointment
from actions.booking import BookingDesk, Reason
from actions.changes import ActionCancelAppointment, ActionListAppointments, ActionRescheduleAppointment
from actions.errors import (
    AuthFailedError,
    BackendError,
    ClinicError,
    ClinicSettingsError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    UnavailableError,
)
from actions.moments import Moments
from actions.responses import REASONS, Speaker, fill, own_responses
from actions.settings import ClinicSettings
from tests.actions.clinic import BERLIN, FixedClock, at, booking_desk
from tests.actions.conversation import FLOW, SLOTS, FailingBackend, play, texts

ROOT = Path(__file__).parents[2]
DOMAINS = {"calm": ROOT / "assistant" / "domain.yml", "classic": ROOT / "assistant" / "classic" / "domain.yml"}
SECRET = "s3cret-text-for-operators"


def domain(name: str = "calm") -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(DOMAINS[name].read_text(encoding="utf-8"))
    return found


def failing(clock: FixedClock, error: ClinicError) -> svcs.Registry:
    registry = svcs.Registry()
    registry.register_value(BookingDesk, booking_desk(FailingBackend(error), clock))
    return registry


async def test_a_response_of_the_domain_is_named_and_its_variables_are_sent(registry: svcs.Registry) -> None:
    """The engine renders it; the text is the assistant's."""
    slots = SLOTS | {"appointment_type": "general", "preferred_date": "2026-11-24T10:00"}

    [message], set_slots = await play(registry, ActionCreateAppointment(), domain=domain(), **slots)

    assert message == {
        "text": None,
        "buttons": [],
        "elements": [],
        "custom": {},
        # What rasa-sdk sends to engines that still call it so.
        "template": "utter_appointment_booked",
        "image": None,
        "attachment": None,
        "response": "utter_appointment_booked",
        "appointment_type": "general",
        "when": "Tuesday, 24 November 2026, 10:00",
        "date": "Tuesday, 24 November 2026",
        "time": "10:00",
        "reference": set_slots["booking_reference"],
    }


async def test_buttons_stand_beside_a_response_of_the_domain(registry: svcs.Registry) -> None:
    """The engine appends them to those that the response has itself."""
    messages, _ = await play(
        registry, ActionCreateAppointment(), stack=FLOW, domain=domain(), **SLOTS | {"appointment_type": "general"}
    )

    assert [message["response"] for message in messages] == ["utter_date_not_understood", "utter_free_times"]
    assert [button["payload"] for button in messages[1]["buttons"]] == [
        f"/SetSlots(preferred_date=2026-11-23T{time})" for time in ("08:00", "08:30", "09:00")
    ]


async def test_each_response_is_looked_up_on_its_own(registry: svcs.Registry) -> None:
    """An assistant may have some of them only, or none, or no domain that anybody sent."""
    some = {"responses": {"utter_free_times": [{"text": "{offers}"}]}}

    messages, _ = await play(
        registry, ActionCreateAppointment(), domain=some, **SLOTS | {"appointment_type": "general"}
    )

    assert [(message["response"], message["text"] is None) for message in messages] == [
        (None, False),
        ("utter_free_times", True),
    ]


@pytest.mark.parametrize("name", DOMAINS)
def test_the_domains_have_each_response_of_the_clinic_in_its_words(name: str) -> None:
    """Texts are equal; the buttons of the classic assistant are intents."""
    theirs = domain(name)["responses"]

    assert {key: theirs[key][0]["text"] for key in own_responses()} == {
        key: response["text"] for key, response in own_responses().items()
    }
    for key, response in own_responses().items():
        buttons = theirs[key][0].get("buttons", [])
        assert [b["title"] for b in buttons] == [b["title"] for b in response.get("buttons", [])]
        if name == "calm":
            assert buttons == response.get("buttons", [])


def test_no_response_is_left_over() -> None:
    """What responses.yml has is said somewhere, and what is said is there; reasons all have one."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "actions").glob("*.py"))

    assert set(re.findall(r'"(utter_\w+)"', code)) == set(own_responses())
    assert set(REASONS) == set(Reason)


def test_questions_of_actions_are_not_called_like_those_of_the_engine() -> None:
    """CALM runs utter_ask_<slot> and action_ask_<slot> both if it finds both."""
    calm = domain()
    asked = {name.removeprefix("action_ask_") for name in calm["actions"] if name.startswith("action_ask_")}

    assert asked
    assert not {f"utter_ask_{slot}" for slot in asked} & calm["responses"].keys()


# Keys of a message with a meaning of their own, and parameters of the engine's function that renders a response.
RESERVED = {
    *("text", "image", "json_message", "template", "response", "attachment", "buttons", "elements", "custom"),
    *("quick_replies", "utter_action", "tracker", "output_channel", "metadata", "channel"),
}


async def test_variables_do_not_collide_with_the_engines_own_names(registry: svcs.Registry) -> None:
    """And every place of a text is filled by one of its variables."""
    own = own_responses()
    places = {place for response in own.values() for place in re.findall(r"{(\w+)}", response["text"])}

    assert places == {
        *("appointment_type", "date", "time", "reference", "known", "horizon_days", "offers", "appointments"),
    }
    assert not places & RESERVED


def speaker(dispatcher: CollectingDispatcher, clock: FixedClock, locale: str = "en_GB") -> Speaker:
    desk = booking_desk(FailingBackend(UnavailableError("not asked")), clock, locale=locale)
    return Speaker(dispatcher, make_tracker(), {}, desk)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{a} and {b}", "1 and two"),
        ("{missing} {a}", "{missing} 1"),
        ("{{a}} and {{}}", "{a} and {}"),
        ("{}", "{}"),
        ("{a\n}", "{a\n}"),
        ("}{a}{", "}1{"),
    ],
)
def test_places_are_filled_as_the_engine_does(text: str, said: str) -> None:
    """Doubled braces are braces, and a place without a variable stays."""
    assert fill(text, {"a": 1, "b": "two"}) == said


@given(st.text(alphabet="{}ab\n", max_size=20), st.text(alphabet="{}ab", max_size=5))
def test_no_text_and_no_value_stop_a_sentence(text: str, value: str) -> None:
    """Values are not filled in again: a name with braces is a name."""
    fill(text, {"a": value})

    assert fill("<{a}>", {"a": value}) == f"<{value}>"


@pytest.mark.parametrize(
    ("locale", "full", "short"),
    [
        ("en_GB", "Tuesday, 24 November 2026, 10:00", "Tue 24 Nov, 10:00"),
        ("en_US", "Tuesday, November 24, 2026, 10:00\N{NARROW NO-BREAK SPACE}AM", "Tue, Nov 24, 10:00"),
        ("de", "Dienstag, 24. November 2026, 10:00", "Di., 24. Nov., 10:00"),
        ("fr", "mardi 24 novembre 2026 10:00", "mar. 24 nov. 10:00"),
        ("es", "martes, 24 de noviembre de 2026, 10:00", "mar, 24 nov, 10:00"),
    ],
)
def test_dates_are_written_in_the_clinics_locale_and_zone(locale: str, full: str, short: str) -> None:
    """For sentences and for buttons; what a button sends is ISO 8601 everywhere."""
    moments = Moments(BERLIN, locale)
    instant = at("2026-11-24T10:00")

    assert moments.full(instant) == full
    assert moments.short(instant).startswith(short)
    assert moments.iso(instant) == "2026-11-24T10:00"


def test_times_on_both_sides_of_a_clock_change_are_those_on_the_wall() -> None:
    """09:00 is 09:00, whichever offset holds."""
    moments = Moments(BERLIN, "en_GB")

    assert [moments.time(at(f"{day}T09:00")) for day in ("2027-03-27", "2027-03-28", "2027-10-30", "2027-10-31")] == [
        "09:00"
    ] * 4


@pytest.mark.parametrize("locale", ["xx", "en-GB", "", "../etc", SECRET])
def test_a_locale_that_there_is_not_stops_the_start(locale: str) -> None:
    """With a sentence that repeats no value."""
    with pytest.raises(ClinicSettingsError, match=r"services\.clinic\.locale: is not a locale") as caught:
        ClinicSettings.read({"clinic": {"locale": locale}})
    assert SECRET not in str(caught.value)
    assert ClinicSettings.read({}).locale == "en_GB"
    assert ClinicSettings.read({"clinic": {"locale": "de"}}).locale == "de"


SAID: Mapping[BackendError, str] = {
    UnavailableError(SECRET): "I cannot reach the appointment book right now.",
    RateLimitedError(SECRET, 5.0): "Too many people are booking at once.",
    AuthFailedError(SECRET): "I may not use the appointment book at the moment.",
    InvalidRequestError(SECRET): "The appointment book did not take that.",
}
BOOKING_UNKNOWN = "I do not know yet whether it is booked. Ask me again in a moment"
CHANGE_UNKNOWN = "I do not know yet whether that has been changed."
ACTIONS = [ActionCreateAppointment, ActionListAppointments, ActionCancelAppointment, ActionRescheduleAppointment]


@pytest.mark.parametrize("error", SAID, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("action", [*ACTIONS, ActionCheckUrgentSlots])
async def test_each_failure_has_its_own_sentence_and_its_text_reaches_nobody_but_the_log(
    clock: FixedClock, caplog: pytest.LogCaptureFixture, action: type[Action], error: BackendError
) -> None:
    """One log line with the kind of error; no slot, no conversation in it."""
    slots = SLOTS | {"appointment_type": "general", "preferred_date": "Tuesday at 10", "cancellation_confirmed": True}

    messages, _ = await play(failing(clock, error), action(), "the-sender", **slots)

    [said] = texts(messages)
    assert said.startswith(SAID[error])
    assert SECRET not in said
    [record] = caplog.records
    assert (record.message, vars(record)["problem"]) == ("clinic.failed", type(error).__name__)
    assert "Tuesday" not in caplog.text
    assert "the-sender" not in caplog.text


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (ActionCreateAppointment, BOOKING_UNKNOWN),
        (ActionCancelAppointment, CHANGE_UNKNOWN),
        (ActionRescheduleAppointment, CHANGE_UNKNOWN),
        (ActionListAppointments, "I cannot reach the appointment book right now."),
        (ActionCheckUrgentSlots, "I cannot reach the appointment book right now."),
    ],
)
async def test_an_unknown_outcome_is_said_to_be_unknown(clock: FixedClock, action: type[Action], said: str) -> None:
    """Neither "booked" nor "not booked"; what only looks has no outcome."""
    slots = SLOTS | {"appointment_type": "general", "preferred_date": "Tuesday at 10", "cancellation_confirmed": True}

    messages, set_slots = await play(failing(clock, OutcomeUnknownError(SECRET)), action(), **slots)

    assert texts(messages)[0].startswith(said)
    assert "booked" not in set_slots.values()


@pytest.mark.parametrize("error", [*SAID, OutcomeUnknownError(SECRET)], ids=lambda error: type(error).__name__)
async def test_after_a_failure_the_flow_ends_instead_of_asking_for_another_date(
    clock: FixedClock, error: BackendError
) -> None:
    """Another date would not help, and after an unknown outcome it could become a second appointment."""
    registry = failing(clock, error)
    slots = SLOTS | {"appointment_type": "general", "preferred_date": "Tuesday at 10", "cancellation_confirmed": True}

    _, created = await play(registry, ActionCreateAppointment(), **slots)
    _, moved = await play(registry, ActionRescheduleAppointment(), **slots)
    _, cancelled = await play(registry, ActionCancelAppointment(), **slots)
    _, listed = await play(registry, ActionListAppointments(), **slots)
    _, urgent = await play(registry, ActionCheckUrgentSlots(), **slots)

    assert created == {"booking_status": "failed", "preferred_date": None}
    assert moved == cancelled == created | {"cancellation_confirmed": None}
    assert listed == {"appointments_found": "unknown"}
    assert urgent == {"urgent_slot": None}


def test_a_free_time_is_offered_in_the_clinics_locale(clock: FixedClock) -> None:
    """The sentence is a response, the date is data."""
    dispatcher = CollectingDispatcher()

    speaker(dispatcher, clock, "de").say("utter_free_times", offers=Moments(BERLIN, "de").full(at("2026-11-24T10:00")))

    assert dispatcher.messages[-1]["text"] == "The nearest free times are:\nDienstag, 24. November 2026, 10:00"
