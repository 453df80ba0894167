"""What passes an engine's schema and then makes it raise does not go out either."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from rasa_sdk import events

from tests.action_server.protocol.answering import only_event
from tests.action_server.protocol.engine_schema import (
    OPEN_SOURCE,
    PRO,
    is_accepted,
    is_applied,
)

pytestmark = pytest.mark.usefixtures("log")

NOW = datetime.datetime(2025, 3, 1, 9, 30, tzinfo=datetime.timezone.utc)


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
