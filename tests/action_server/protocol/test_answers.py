"""Whatever an action returns, the engine accepts the answer, and the log says what was repaired or dropped."""

from __future__ import annotations

import datetime
import enum
import json
import math
import threading
import types
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasa_sdk import events
from rasa_sdk.executor import CollectingDispatcher

from action_server.protocol.answers import Answer
from tests.action_server.protocol.answering import SECRET, answer, assert_one_line, lines, only_event
from tests.action_server.protocol.engine_schema import (
    COMMON,
    ENTITY,
    INTENT,
    OPEN_SOURCE,
    OPEN_SOURCE_NAMES,
    PRO,
    PRO_NAMES,
    SHAPES,
    is_accepted,
    is_applied,
)

pytestmark = pytest.mark.usefixtures("log")

PROPERTY = settings(deadline=None, max_examples=200)
NOW = datetime.datetime(2025, 3, 1, 9, 30, tzinfo=datetime.timezone.utc)


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


@pytest.mark.parametrize("item", [None, SECRET, 7, events.SlotSet, object()])
def test_an_item_that_is_no_event_costs_itself_only(item: object, log: pytest.LogCaptureFixture) -> None:
    """`return [SlotSet(...), None]` sets the slot."""
    assert only_event(item) is None
    assert_one_line(log, "event.dropped", "?")
    assert lines(log)[0]["problem"] == f"it is a {type(item).__name__}, not an event of rasa_sdk.events"


LISTS: dict[str, Callable[[], object]] = {
    "a list": lambda: [ONE_SLOT],
    "a tuple": lambda: (ONE_SLOT,),
    "a generator": lambda: (e for e in [ONE_SLOT]),
    "values of a dict": lambda: {"a": ONE_SLOT}.values(),
}


@pytest.mark.parametrize("make", LISTS.values(), ids=LISTS.keys())
def test_events_of_a_list_inside_of_the_list_go_out_in_their_places(
    make: Callable[[], object], log: pytest.LogCaptureFixture
) -> None:
    """`events.append(more)` where `extend` was meant loses nothing, and is named in the log."""
    inner = make()
    assert only_event(inner) == ONE_SLOT
    assert_one_line(log, "event.repaired", "?")
    assert lines(log)[0]["found"] == type(inner).__name__


def test_lists_in_lists_in_lists_are_one_list(log: pytest.LogCaptureFixture) -> None:
    """In the order in which the events are written; what is no event inside of them costs itself only."""
    slots = [events.SlotSet(name, 1) for name in "abcd"]

    found = answer([slots[0], [slots[1], [[slots[2]], None]], slots[3]]).events

    assert found == slots
    assert [x["line"] for x in lines(log)] == ["event.repaired"] * 3 + ["event.dropped"]


def test_a_list_that_contains_itself_ends() -> None:
    """The other events go out."""
    inner: list[object] = [ONE_SLOT]
    inner.append(inner)

    assert answer([inner, {"event": "restart"}]).events[-1] == {"event": "restart"}


@pytest.mark.parametrize("forgotten", [events.AllSlotsReset, events.Restarted, events.ConversationPaused])
def test_an_event_without_its_parentheses_is_made(
    forgotten: Callable[[], dict[str, Any]], log: pytest.LogCaptureFixture
) -> None:
    """`return [AllSlotsReset]` can mean one thing only; one that needs arguments is dropped."""
    assert only_event(forgotten) == forgotten()
    assert_one_line(log, "event.repaired", forgotten()["event"])


MISSING_VALUES = [math.nan, math.inf, Decimal("NaN"), {"deep": [1, {"er": math.nan}]}, [math.nan] * 1000]


@pytest.mark.parametrize("value", MISSING_VALUES, ids=["NaN", "infinity", "a Decimal", "nested", "a thousand"])
def test_a_missing_value_goes_out_as_null_with_one_line(value: object, log: pytest.LogCaptureFixture) -> None:
    """A bare NaN is no JSON: parsers of other languages refuse the whole reply."""
    event = only_event(events.SlotSet("a", value))

    assert event is not None
    assert "null" in json.dumps(event["value"], allow_nan=False)
    assert_one_line(log, "event.repaired", "slot")
    assert lines(log)[0]["field"].startswith("value")


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


ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    "message", [None, object(), {"text": ENDLESS}, {"custom": {"x": threading.Lock(), "y": SECRET}}]
)
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
    json.dumps([found.events, found.responses], allow_nan=False)


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
