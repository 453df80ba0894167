"""Whatever an action returns, the engine accepts the answer, and the log says what was repaired or dropped."""

from __future__ import annotations

import datetime
import enum
import inspect
import json
import logging
import math
import re
import threading
import types
import uuid
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasa_sdk import events
from rasa_sdk.executor import CollectingDispatcher

from action_server.protocol.answers import Answer, answer_of
from action_server.telemetry.logs import ConsoleFormatter, JsonFormatter

PROPERTY = settings(deadline=None, max_examples=200)

OPEN_SOURCE = "3.6.21"
PRO = "3.21.0"
SECRET = "sEcReT"
NOW = datetime.datetime(2025, 3, 1, 9, 30, tzinfo=datetime.timezone.utc)

# PROTOCOL.md, section 2, typed in a second time: the module under test must not be its own witness.
OPEN_SOURCE_NAMES = (
    *("user", "action", "slot", "entities", "user_featurization", "cancel_reminder", "reminder"),
    *("action_execution_rejected", "form_validation", "loop_interrupted", "form", "active_loop", "reset_slots"),
    *("resume", "pause", "followup", "export", "restart", "undo", "rewind", "bot", "session_started", "agent"),
)
PRO_NAMES = (
    *("session_ended", "inactive", "stack", "routing_session_ended", "error", "memory_set", "memory_cleared"),
    *("flow_started", "flow_interrupted", "flow_resumed", "flow_completed", "flow_cancelled"),
    *("agent_started", "agent_completed", "agent_interrupted", "agent_resumed", "agent_cancelled"),
)


def answer(returned: object, version: str | None = OPEN_SOURCE, messages: list[Any] | None = None) -> Answer:
    return answer_of("action_book", returned, messages or [], version)


def only_event(event: object, version: str | None = OPEN_SOURCE) -> dict[str, Any] | None:
    """What becomes of one event among two good ones, which stay as they are."""
    good = {"event": "restart", "timestamp": None}
    found = answer([good, event, good], version).events
    assert [found[0], found[-1]] == [good, good]
    assert len(found) in (2, 3)
    return found[1] if len(found) == 3 else None


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


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything logged, and for every test: no line of it carries a value, in either format."""
    caplog.set_level(logging.DEBUG, logger="action_server")
    yield caplog
    for record in caplog.records:
        assert SECRET not in JsonFormatter().format(record)
        assert SECRET not in ConsoleFormatter().format(record)


def lines(log: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of each record."""
    return [{**vars(record), "line": record.getMessage()} for record in log.records]


def assert_one_line(log: pytest.LogCaptureFixture, line: str, event: str, level: int = logging.WARNING) -> None:
    """Fail unless there is one record and it names the action and the event."""
    assert [(x["line"], x["action"], x["event"], x["levelno"]) for x in lines(log)] == [
        (line, "action_book", event, level)
    ]


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


ONE_SLOT = {"event": "slot", "timestamp": None, "name": "a", "value": 1}
SHAPES_OF_ONE: dict[str, Callable[[], object]] = {
    "a list": lambda: [ONE_SLOT],
    "a tuple": lambda: (ONE_SLOT,),
    "one event without a list": lambda: ONE_SLOT,
    "a generator": lambda: (e for e in [ONE_SLOT]),
    "values of a dict": lambda: {"a": ONE_SLOT}.values(),
    "a read-only event": lambda: [types.MappingProxyType(ONE_SLOT)],
}
NOTHING: dict[str, Callable[[], object]] = {
    "None": lambda: None,
    "an empty list": list,
    "an empty tuple": tuple,
    "an empty dict": dict,
    "an empty generator": lambda: iter(()),
}


@pytest.mark.parametrize("make", SHAPES_OF_ONE.values(), ids=SHAPES_OF_ONE.keys())
def test_events_are_taken_from(make: Callable[[], object], log: pytest.LogCaptureFixture) -> None:
    """An action may return its events in any of these."""
    assert answer(make()) == Answer([ONE_SLOT], [])
    assert not log.records


@pytest.mark.parametrize("make", NOTHING.values(), ids=NOTHING.keys())
def test_nothing_returned_is_no_mistake(make: Callable[[], object], log: pytest.LogCaptureFixture) -> None:
    """An action without events is the commonest of all."""
    assert answer(make()) == Answer([], [])
    assert not log.records


NOT_EVENTS = [
    ("a string", SECRET, "str"),
    ("bytes", b"sEcReT", "bytes"),
    ("a number", 7, "int"),
    ("true", True, "bool"),
]


@pytest.mark.parametrize(("returned", "kind"), [c[1:] for c in NOT_EVENTS], ids=[c[0] for c in NOT_EVENTS])
def test_what_cannot_hold_events_is_dropped_as_a_whole(
    returned: object, kind: str, log: pytest.LogCaptureFixture
) -> None:
    """The log says what run() returned, by its type."""
    assert answer(returned) == Answer([], [])
    assert_one_line(log, "event.dropped", "?")
    assert lines(log)[0]["problem"] == f"run() returned {kind}, not a list of events"


@pytest.mark.parametrize("item", [None, SECRET, 7, [ONE_SLOT], ("event", "slot"), events.SlotSet, object()])
def test_an_item_that_is_no_event_costs_itself_only(item: object, log: pytest.LogCaptureFixture) -> None:
    """`return [SlotSet(...), None]` sets the slot."""
    assert only_event(item) is None
    assert_one_line(log, "event.dropped", "?")
    assert lines(log)[0]["problem"] == f"it is a {type(item).__name__}, not an event of rasa_sdk.events"


@pytest.mark.parametrize("name", [None, "", 7, ["slot"], {"a": SECRET}], ids=repr)
def test_an_event_without_a_name_is_dropped(name: object, log: pytest.LogCaptureFixture) -> None:
    """What kind it was meant to be cannot be told."""
    assert only_event({"event": name, "name": "a", "value": SECRET}) is None
    assert only_event({"name": "a", "value": SECRET}) is None
    assert {(x["line"], x["event"]) for x in lines(log)} == {("event.dropped", "?")}


def test_every_bad_event_gets_a_line_of_its_own(log: pytest.LogCaptureFixture) -> None:
    """Three mistakes, three lines, in the order of the events; the good event between them goes through."""
    found = answer([None, {"event": "nope"}, ONE_SLOT, events.SlotSet("a", threading.Lock())])

    assert found.events == [ONE_SLOT]
    assert [x["event"] for x in lines(log)] == ["?", "nope", "slot"]


def test_an_answer_does_not_change_what_the_action_returned() -> None:
    """Repairs are made on a copy: a constant event of a module stays what it is."""
    event = {"event": "user", "timestamp": "yesterday", "text": None, "parse_data": None}
    before = dict(event)

    answer([event])

    assert event == before


class Urgency(enum.Enum):
    HIGH = "high"


class Booking(pydantic.BaseModel):
    day: datetime.date
    price: Decimal


def test_values_of_slots_and_messages_are_encoded() -> None:
    """Dates, UUIDs, enums, Decimals and models go out as JSON, from slots and from messages alike."""
    number = uuid.uuid4()
    value = {"at": NOW, "id": number, "how": Urgency.HIGH, "what": Booking(day=NOW.date(), price=Decimal("9.5"))}
    plain = {
        "at": "2025-03-01T09:30:00+00:00",
        "id": str(number),
        "how": "high",
        "what": {"day": "2025-03-01", "price": 9.5},
    }
    dispatcher = CollectingDispatcher()
    dispatcher.utter_message(text="Booked", json_message=value)

    found = answer([events.SlotSet("booking", value)], messages=dispatcher.messages)

    assert found.events[0]["value"] == plain
    assert found.responses[0]["custom"] == plain
    assert found.responses[0]["text"] == "Booked"


def test_an_event_that_holds_no_data_is_dropped_with_its_place(log: pytest.LogCaptureFixture) -> None:
    """The way to the value and its type are enough to find it in the code."""
    assert only_event(events.SlotSet("a", {"session": [SECRET, threading.Lock()]})) is None
    assert_one_line(log, "event.dropped", "slot")
    assert lines(log)[0]["problem"] == "value.*[1] is a lock, which has no JSON form"


@pytest.mark.parametrize("message", [None, SECRET, 7, ["text"], {"custom": {"x": threading.Lock(), "y": SECRET}}])
def test_a_bad_response_costs_itself_only(message: object, log: pytest.LogCaptureFixture) -> None:
    """The user still gets the other messages; the log names the action."""
    found = answer([ONE_SLOT], messages=[{"text": "a"}, message, {"text": "b"}])

    assert found == Answer([ONE_SLOT], [{"text": "a"}, {"text": "b"}])
    assert [(x["line"], x["action"]) for x in lines(log)] == [("response.dropped", "action_book")]


def test_a_response_goes_out_as_the_dispatcher_made_it() -> None:
    """Falsy fields and free keys are the engine's business."""
    dispatcher = CollectingDispatcher()
    dispatcher.utter_message(response="utter_greet", buttons=[{"title": "a", "payload": "/b"}], name="Ann", empty=None)

    assert answer([], messages=dispatcher.messages).responses == dispatcher.messages


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


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_integer(value: object) -> bool:
    return is_number(value) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_true_or_false(value: object) -> bool:
    return isinstance(value, bool)


def is_text_or_null(value: object) -> bool:
    return value is None or is_text(value)


def is_number_or_null(value: object) -> bool:
    return value is None or is_number(value)


def is_object_or_null(value: object) -> bool:
    return value is None or isinstance(value, dict)


Rules = dict[str, Callable[[object], bool]]


def obeys(value: dict[str, Any], rules: Rules, *required: str) -> bool:
    return all(key in value for key in required) and all(rules[key](value[key]) for key in rules.keys() & value.keys())


def object_of(rules: Rules) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and obeys(value, rules)


def list_of(rules: Rules, *required: str) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, list) and all(isinstance(item, dict) and obeys(item, rules, *required) for item in value)
    )


INTENT: Rules = {"name": is_text, "confidence": is_number}
ENTITY: Rules = {
    "entity": is_text,
    "start": is_integer,
    "end": is_integer,
    "confidence": is_number,
    "extractor": is_text_or_null,
    "role": is_text_or_null,
    "group": is_text_or_null,
}
are_entities = list_of(ENTITY, "entity", "value")
PARSE_DATA: Rules = {
    "text": is_text_or_null,
    "intent": object_of(INTENT),
    "intent_ranking": list_of(INTENT),
    "entities": are_entities,
}
COMMON: Rules = {"event": is_text, "timestamp": is_number_or_null, "metadata": is_object_or_null}
SHAPES: dict[str, Rules] = {
    "user": {
        "text": is_text_or_null,
        "input_channel": is_text_or_null,
        "message_id": is_text_or_null,
        "parse_data": object_of(PARSE_DATA),
    },
    "action": {
        "policy": is_text_or_null,
        "confidence": is_number_or_null,
        "name": is_text_or_null,
        "hide_rule_turn": is_true_or_false,
        "action_text": is_text_or_null,
    },
    "slot": {"name": is_text},
    "entities": {"entities": are_entities},
    "stack": {"update": is_text},
    **dict.fromkeys(
        [name for name in PRO_NAMES if name.startswith(("flow_", "agent_"))],
        dict.fromkeys(["flow_id", "step_id", "agent_id", "status", "reason"], is_text),
    ),
}
REQUIRED = {"slot": ("name", "value"), "entities": ("entities",)}


def is_accepted(event: dict[str, Any], version: str) -> bool:
    """Tell whether the schema of an engine of this version takes an event (rasa/shared/utils/schemas/events.py)."""
    name = str(event.get("event"))
    known = OPEN_SOURCE_NAMES if version == OPEN_SOURCE else OPEN_SOURCE_NAMES + PRO_NAMES
    return name in known and obeys(event, {**COMMON, **SHAPES.get(name, {})}, *REQUIRED.get(name, ()))


def is_applied(event: dict[str, Any]) -> bool:
    """Tell whether the engine makes an object of its own of an accepted event (rasa/shared/core/events.py of 3.6.21).

    Otherwise it raises, and the user's turn is lost as with an event the schema refuses.
    """
    if event["event"] == "user":
        # UserUttered._from_parse_data() calls parse_data.get(), whether there is one or not.
        return "parse_data" in event
    if event["event"] == "action":
        # ActionExecuted.__init__() insists on one of the two.
        return event.get("name") is not None or event.get("action_text") is not None
    if event["event"] == "reminder":
        # dateutil's parser gets it, which raises for what is no date.
        return re.match(r"\d{4}-?\d\d-?\d\d", str(event.get("date_time"))) is not None
    return True


UNUSABLE: dict[str, dict[str, Any]] = {
    "UserUttered(text) of rasa-sdk": events.UserUttered("hi"),
    "a user without parse_data": {"event": "user", "text": "hi"},
    "a user with text for parse_data": {"event": "user", "text": "hi", "parse_data": "greet"},
    "an intent without a name": {"event": "user", "parse_data": {"intent": {"name": None, "confidence": 0.0}}},
    "an intent that is a name": {"event": "user", "parse_data": {"intent": "greet"}},
    "an intent in a list": {"event": "user", "parse_data": {"intent_ranking": [{"name": None}]}},
    "a ranking of names": {"event": "user", "parse_data": {"intent_ranking": ["greet"]}},
    "null for the entities in parse_data": {"event": "user", "parse_data": {"entities": None}},
    "entities in parse_data without values": {"event": "user", "parse_data": {"entities": [{"entity": "a"}]}},
    "a fraction for a start": {"event": "entities", "entities": [{"entity": "a", "value": 1, "start": 0.5}]},
    "true for an end": {"event": "entities", "entities": [{"entity": "a", "value": 1, "end": True}]},
    "a null confidence": {"event": "entities", "entities": [{"entity": "a", "value": 1, "confidence": None}]},
    "a number for a role": {"event": "entities", "entities": [{"entity": "a", "value": 1, "role": 7}]},
    "an action without a name": {"event": "action", "name": None},
    "an action named by a number": {"event": "action", "name": 7},
    "an action named by nothing": {"event": "action"},
    "a reminder without a time": {"event": "reminder", "intent": "a"},
    "a reminder at no time": {"event": "reminder", "intent": "a", "date_time": "soon"},
    "a reminder at a number": {"event": "reminder", "intent": "a", "date_time": 1740821400},
}


@pytest.mark.parametrize("event", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_event_the_engine_cannot_use_is_put_right_or_dropped(event: dict[str, Any]) -> None:
    """What passes the schema and then raises in the engine costs the user the turn as well."""
    found = only_event(event)

    assert found is None or (is_accepted(found, OPEN_SOURCE) and is_applied(found))


SELECTORS: list[Any] = [[], {}, {"all_retrieval_intents": None}]


@pytest.mark.parametrize("selector", SELECTORS, ids=json.dumps)
def test_a_response_selector_the_engine_refuses_does_not_go_out(selector: object) -> None:
    """It has to be an object of exactly one of two shapes, and an empty one is of both."""
    found = only_event({"event": "user", "text": "a", "parse_data": {"response_selector": selector}})

    assert found is None or "response_selector" not in found["parse_data"]


def test_a_user_without_parse_data_says_the_same_in_other_words() -> None:
    """`UserUttered(text)` reaches the engine with empty parse data."""
    assert only_event(events.UserUttered("/greet")) == {**events.UserUttered("/greet"), "parse_data": {}}


def test_a_message_the_engine_sent_may_be_sent_back() -> None:
    """Actions change a word of `tracker.latest_message` and return it; nothing the engine wrote itself is touched."""
    latest = {
        "intent": {"name": "greet", "confidence": 0.99},
        "entities": [{"entity": "day", "value": "today", "start": 0, "end": 5, "extractor": "DIET", "role": None}],
        "text": "today",
        "message_id": "m1",
        "metadata": {},
        "text_tokens": [[0, 5]],
        "intent_ranking": [{"name": "greet", "confidence": 0.99}],
        "response_selector": {"all_retrieval_intents": [], "default": {"response": {"responses": None}}},
    }
    event = events.UserUttered("today", latest)

    assert only_event(event) == event


PRO_FIELDS: list[dict[str, Any]] = [
    {"event": "flow_started", "flow_id": None},
    {"event": "flow_completed", "flow_id": "a", "step_id": 7},
    {"event": "agent_started", "agent_id": 7, "flow_id": "a"},
    {"event": "agent_completed", "agent_id": "a", "flow_id": "a", "status": 7},
    {"event": "agent_cancelled", "agent_id": "a", "flow_id": "a", "reason": None},
    {"event": "stack", "update": []},
]


@pytest.mark.parametrize("event", PRO_FIELDS, ids=json.dumps)
def test_a_field_rasa_pro_refuses_is_put_right_or_dropped(event: dict[str, Any]) -> None:
    """Ids of flows, steps and agents, and updates of the stack, are strings where they stand."""
    found = only_event(event, PRO)

    assert found is None or is_accepted(found, PRO)


@pytest.mark.parametrize("when", ["2025-03-01T09:30:00", "2025-03-01T09:30:00+01:00", "2025-03-01T09:30:00.123456Z"])
def test_a_reminder_has_a_moment_in_iso_8601(when: str) -> None:
    """With and without a zone."""
    event = {"event": "reminder", "intent": "a", "date_time": when}

    assert only_event(event) == event


@pytest.mark.parametrize(("when", "is_read"), [("2025-03-01 9:30", True), ("2025-W01-1", False)])
def test_a_reminder_goes_out_if_the_engine_reads_its_moment(when: str, is_read: bool) -> None:
    """The engine uses `dateutil.parser.parse`: it reads hours of one digit, and no dates by the week."""
    assert (only_event({"event": "reminder", "intent": "a", "date_time": when}) is not None) == is_read


def test_a_reminder_may_hold_its_moment_itself() -> None:
    """An event made by hand with a datetime in it is as good as rasa-sdk's."""
    found = only_event({"event": "reminder", "intent": "a", "date_time": NOW})

    assert found is not None
    assert is_applied(found)


def test_a_key_that_becomes_event_does_not_rename_the_event() -> None:
    """Two keys of a Python dict can be one key of a JSON object; what is checked is what goes out."""
    found = only_event({"event": "slot", "name": "a", "value": 1, b"event": "nope"})

    assert found is None or is_accepted(found, OPEN_SOURCE)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.datetimes(min_value=datetime.datetime(1971, 1, 1), max_value=datetime.datetime(2100, 1, 1)),
    st.dates(),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.binary(max_size=3),
    st.sampled_from([Urgency.HIGH, Booking(day=NOW.date(), price=Decimal(1)), object(), Urgency]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(sorted({key for rules in (COMMON, *SHAPES.values()) for key in rules} - {"event"}))
names = st.sampled_from(OPEN_SOURCE_NAMES + PRO_NAMES) | st.text(max_size=5) | scalars
entities = st.dictionaries(st.sampled_from(sorted({*ENTITY, "value"})), st.text(max_size=3) | values)
intents = st.dictionaries(st.sampled_from(sorted(INTENT)), values) | values
parse_data = st.fixed_dictionaries(
    {},
    optional={
        "text": values,
        "intent": intents,
        "intent_ranking": st.lists(intents, max_size=2),
        "entities": st.lists(entities, max_size=2),
    },
)
# Mostly events that need only a little more to be good ones.
some_events = st.builds(
    lambda name, found, better: {"event": name, **found, **better},
    names,
    st.dictionaries(fields, values, max_size=5),
    st.fixed_dictionaries(
        {},
        optional={
            "entities": st.lists(entities, max_size=3),
            "parse_data": parse_data,
            "name": st.text(max_size=3),
            "date_time": values | st.datetimes().map(datetime.datetime.isoformat),
        },
    ),
)
some_lists = st.lists(some_events | values, max_size=5)
returned_values = some_lists | some_lists.map(tuple) | some_events | values


@PROPERTY
@given(returned=returned_values, messages=st.lists(values, max_size=3), version=st.sampled_from([OPEN_SOURCE, PRO]))
def test_whatever_an_action_returns_the_engine_can_use(returned: object, messages: list[object], version: str) -> None:
    """Every event let through is one the engine of that version accepts, and all of the answer is JSON."""
    found = answer(returned, version, messages)

    assert [event for event in found.events if not (is_accepted(event, version) and is_applied(event))] == []
    assert all(isinstance(response, dict) for response in found.responses)
    json.dumps([found.events, found.responses])


@PROPERTY
@given(returned=values | some_events, version=st.sampled_from([OPEN_SOURCE, PRO]))
def test_whatever_stands_between_two_good_events_costs_neither(returned: object, version: str) -> None:
    """The good ones go through, in their places."""
    only_event(returned, version)


@PROPERTY
@given(st.lists(some_events, max_size=5), st.sampled_from([OPEN_SOURCE, PRO]))
def test_an_answer_answered_again_does_not_change(returned: list[dict[str, Any]], version: str) -> None:
    """What was put right once is right, and needs no second line."""
    once = answer(returned, version)

    assert repr(answer(once.events, version)) == repr(once)


def test_numbers_python_alone_writes_go_through() -> None:
    """NaN in a slot is the author's business: engines read it."""
    found = only_event(events.SlotSet("a", math.nan))

    assert found is not None
    assert math.isnan(found["value"])
