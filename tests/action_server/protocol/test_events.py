"""Each event goes out as the engine accepts it, is put right, or is dropped with a line in the log."""

from __future__ import annotations

import datetime
import enum
import inspect
import json
import logging
import uuid
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from rasa_sdk import events

from tests.action_server.protocol.answering import SECRET, assert_one_line, lines, only_event
from tests.action_server.protocol.engine_schema import (
    OPEN_SOURCE,
    OPEN_SOURCE_NAMES,
    PRO,
    PRO_NAMES,
)

pytestmark = pytest.mark.usefixtures("log")

NOW = datetime.datetime(2025, 3, 1, 9, 30, tzinfo=datetime.timezone.utc)


def complete(name: str) -> dict[str, Any]:
    """An event of this name with what the engine requires of it."""
    required: dict[str, dict[str, Any]] = {
        "slot": {"name": "a", "value": 1},
        "entities": {"entities": [{"entity": "a", "value": 1}]},
        "user": {"text": "hi", "parse_data": {}},
        "action": {"name": "action_listen"},
        "reminder": {"date_time": "2025-03-01T09:30:00"},
        "stack": {"update": "[]"},
        "flow": {"flow_id": "book", "step_id": "ask"},
        "agent": {"agent_id": "helper", "flow_id": "book"},
    }
    family = name.partition("_")[0] if name in PRO_NAMES else name
    return {"event": name, "timestamp": None, **required.get(family, {})}


@pytest.mark.parametrize("version", [OPEN_SOURCE, PRO])
@pytest.mark.parametrize("name", OPEN_SOURCE_NAMES)
def test_an_event_every_engine_knows_goes_through(name: str, version: str, log: pytest.LogCaptureFixture) -> None:
    """It is neither changed nor remarked on."""
    assert only_event(complete(name), version) == complete(name)
    assert not log.records


@pytest.mark.parametrize("name", PRO_NAMES)
def test_an_event_of_rasa_pro_goes_to_rasa_pro_only(name: str, log: pytest.LogCaptureFixture) -> None:
    """For Rasa Open Source it would spoil the whole reply, so it is dropped with a line."""
    assert only_event(complete(name), PRO) == complete(name)
    assert not log.records

    assert only_event(complete(name), OPEN_SOURCE) is None
    assert_one_line(log, "event.dropped", name)


@pytest.mark.parametrize("version", [OPEN_SOURCE, PRO])
@pytest.mark.parametrize("name", ["slots", "Slot", "slot ", "flow", "topic", "session-ended", "sEcRe"])
def test_an_event_nobody_knows_is_dropped(name: str, version: str, log: pytest.LogCaptureFixture) -> None:
    """A typing error in a name costs that event, not the reply."""
    assert only_event({"event": name, "value": SECRET}, version) is None
    assert_one_line(log, "event.dropped", name)


VERSIONS = [
    ("missing", None, False),
    ("empty", "", False),
    ("a word", "latest", False),
    ("one number", "3", False),
    ("Rasa 2", "2.8.34", False),
    ("the last open source", "3.6.21", False),
    ("before it", "3.1.0", False),
    ("the first Pro with CALM", "3.7.0", True),
    ("Pro", "3.21.0", True),
    ("a release candidate", "3.21.0rc1", True),
    ("a development version", "3.22.0.dev20251201", True),
    ("a tenth minor", "3.10.4", True),
    ("Rasa 4", "4.0.0", True),
    ("negative", "-3.-7", False),
    ("a novel", "9" * 5000 + ".1", False),
    ("only dots", "...", False),
]


@pytest.mark.parametrize(("version", "is_pro"), [c[1:] for c in VERSIONS], ids=[c[0] for c in VERSIONS])
def test_the_version_decides_about_session_ended(version: str | None, is_pro: bool) -> None:
    """A version that cannot be read is an old engine's: it gets nothing it might refuse."""
    assert (only_event(events.SessionEnded(), version) is not None) == is_pro


SDK_EVENTS: dict[str, Callable[[], Any]] = {
    "UserUttered": lambda: events.UserUttered("hi", {"intent": {"name": "greet"}, "entities": []}, input_channel="x"),
    "BotUttered": lambda: events.BotUttered("hi", {"buttons": []}, {"a": 1}),
    "SlotSet": lambda: events.SlotSet("a", [1, {"b": None}]),
    "Restarted": events.Restarted,
    "SessionStarted": events.SessionStarted,
    "SessionEnded": events.SessionEnded,
    "UserUtteranceReverted": events.UserUtteranceReverted,
    "AllSlotsReset": events.AllSlotsReset,
    "ReminderScheduled": lambda: events.ReminderScheduled("remind", NOW, [{"entity": "a", "value": 1}], "r1"),
    "ReminderCancelled": lambda: events.ReminderCancelled("r1"),
    "ActionReverted": events.ActionReverted,
    "StoryExported": events.StoryExported,
    "FollowupAction": lambda: events.FollowupAction("action_listen"),
    "ConversationPaused": events.ConversationPaused,
    "ConversationResumed": events.ConversationResumed,
    "ActionExecuted": lambda: events.ActionExecuted("action_listen", "policy", 0.5),
    "AgentUttered": lambda: events.AgentUttered("hi", {"a": 1}),
    "ActiveLoop": lambda: events.ActiveLoop(None),
    "Form": lambda: events.Form("a_form"),
    "LoopInterrupted": lambda: events.LoopInterrupted(True),
    "FormValidation": lambda: events.FormValidation(False),
    "ActionExecutionRejected": lambda: events.ActionExecutionRejected("action_x", "policy", 1),
}


def test_every_event_of_rasa_sdk_is_tested_here() -> None:
    """A new version of rasa-sdk with a new event makes this fail."""
    functions = {name for name, _ in inspect.getmembers(events, inspect.isfunction) if name[0].isupper()}

    assert set(SDK_EVENTS) == functions


def made(name: str) -> Any:
    with warnings.catch_warnings():
        # Form and FormValidation are deprecated, and still in use.
        warnings.simplefilter("ignore", DeprecationWarning)
        return SDK_EVENTS[name]()


@pytest.mark.parametrize("version", [OPEN_SOURCE, PRO])
@pytest.mark.parametrize("name", SDK_EVENTS)
def test_an_event_of_rasa_sdk_survives_unchanged(name: str, version: str, log: pytest.LogCaptureFixture) -> None:
    """Where the engine accepts it, nothing of it is touched and nothing is logged."""
    event = made(name)
    accepted = name != "SessionEnded" or version == PRO

    assert only_event(event, version) == (event if accepted else None)
    assert len(log.records) == (0 if accepted else 1)


REPAIRS: list[tuple[dict[str, Any], Any, str]] = [
    # The event with a wrong field, what becomes of the field, and the field.
    ({"event": "restart", "timestamp": "2025-03-01"}, None, "timestamp"),
    ({"event": "restart", "timestamp": NOW.date()}, None, "timestamp"),
    ({"event": "restart", "timestamp": True}, None, "timestamp"),
    ({"event": "restart", "timestamp": [1]}, None, "timestamp"),
    ({"event": "restart", "metadata": SECRET}, None, "metadata"),
    ({"event": "restart", "metadata": [SECRET]}, None, "metadata"),
    ({"event": "slot", "name": "a", "value": 1, "timestamp": SECRET}, None, "timestamp"),
    ({"event": "user", "text": 7, "parse_data": {}}, None, "text"),
    ({"event": "user", "text": "a", "parse_data": {}, "input_channel": ["rest"]}, None, "input_channel"),
    ({"event": "user", "text": "a", "parse_data": {}, "message_id": uuid.UUID(int=1).int}, None, "message_id"),
    ({"event": "action", "name": "a", "policy": {}}, None, "policy"),
    ({"event": "action", "name": "a", "confidence": "1.0"}, None, "confidence"),
    ({"event": "action", "name": "a", "confidence": True}, None, "confidence"),
    ({"event": "action", "name": 7, "action_text": "a"}, None, "name"),
    ({"event": "action", "name": "a", "action_text": 7}, None, "action_text"),
]


@pytest.mark.parametrize(
    ("event", "repaired", "field"), REPAIRS, ids=[f"{e['event']}.{f} {type(e[f]).__name__}" for e, _, f in REPAIRS]
)
def test_a_field_of_a_wrong_type_becomes_null(
    event: dict[str, Any], repaired: Any, field: str, log: pytest.LogCaptureFixture
) -> None:
    """The rest of the event goes through, and one line names the action, the event, the field and the type found."""
    assert only_event(event) == {**event, field: repaired}
    assert_one_line(log, "event.repaired", event["event"])
    assert lines(log)[0]["field"] == field


@pytest.mark.parametrize("value", [None, 0, "yes"])
def test_a_rule_turn_that_is_no_boolean_is_left_out(value: object) -> None:
    """`hide_rule_turn` may not be null either."""
    assert only_event({"event": "action", "name": "a", "hide_rule_turn": value}) == {"event": "action", "name": "a"}


TIMESTAMPS = [
    ("a number", 1.5, 1.5),
    ("a whole number", 7, 7),
    ("zero", 0, 0),
    ("null", None, None),
    ("a Decimal", Decimal("1.5"), 1.5),
    ("a moment with a zone", NOW, NOW.timestamp()),
    ("a naive moment", datetime.datetime(2025, 3, 1, 9, 30), datetime.datetime(2025, 3, 1, 9, 30).timestamp()),
]


@pytest.mark.parametrize(("written", "expected"), [c[1:] for c in TIMESTAMPS], ids=[c[0] for c in TIMESTAMPS])
def test_a_timestamp_is_a_number_of_seconds(written: object, expected: object, log: pytest.LogCaptureFixture) -> None:
    """Also where the author wrote a datetime, which engines refuse."""
    assert only_event(events.Restarted(written)) == {"event": "restart", "timestamp": expected}
    assert not log.records


def test_a_moment_before_all_time_costs_its_event_at_most() -> None:
    """`datetime.min` is what people write for "never"."""
    found = only_event(events.Restarted(datetime.datetime.min))

    assert found is None or found["timestamp"] is None


def test_a_slot_without_a_value_is_set_to_null(log: pytest.LogCaptureFixture) -> None:
    """Engines refuse such an event; for rasa-sdk's `SlotSet` the value is None too."""
    assert only_event({"event": "slot", "name": "a"}) == {"event": "slot", "name": "a", "value": None}
    assert_one_line(log, "event.repaired", "slot")


INCOMPLETE: list[dict[str, Any]] = [
    {"event": "slot", "value": SECRET},
    {"event": "slot", "name": None, "value": SECRET},
    {"event": "slot", "name": 7, "value": SECRET},
    {"event": "entities"},
    {"event": "entities", "entities": None},
    {"event": "entities", "entities": {"entity": "a", "value": SECRET}},
    {"event": "entities", "entities": [{"entity": "a"}]},
    {"event": "entities", "entities": [{"value": SECRET}]},
    {"event": "entities", "entities": [{"entity": 7, "value": SECRET}]},
    {"event": "entities", "entities": [{"entity": "a", "value": 1}, SECRET]},
]


@pytest.mark.parametrize("event", INCOMPLETE, ids=json.dumps)
def test_an_event_that_cannot_be_completed_is_dropped(event: dict[str, Any], log: pytest.LogCaptureFixture) -> None:
    """There is no telling what the author meant."""
    assert only_event(event) is None
    assert_one_line(log, "event.dropped", event["event"])


def test_a_slot_named_by_an_enum_is_set() -> None:
    """Names of slots are often enums of strings, and events are often made with them."""

    class Slot(str, enum.Enum):
        SIZE = "party_size"

    event = only_event({"event": "slot", "timestamp": None, "name": Slot.SIZE, "value": 4})

    assert event == {"event": "slot", "timestamp": None, "name": "party_size", "value": 4}


def test_what_rasa_sdk_makes_by_default_is_no_mistake_of_the_author(log: pytest.LogCaptureFixture) -> None:
    """`UserUttered(text)` has `parse_data: null`, which engines refuse; it is put right at DEBUG."""
    found = only_event(events.UserUttered("hi"))

    assert found is not None
    assert_one_line(log, "event.repaired", "user", logging.DEBUG)
