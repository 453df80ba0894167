"""What is written reads back as it was: calls of the command line, replies and errors."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_server.errors import ActionFailedError, BodyTooLargeError, RequestError
from action_server.protocol import calls

PROPERTY = settings(deadline=None, max_examples=150)

# NaN is not equal to itself, and has a test of its own.
equal_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
# A reply holds no infinity either.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
names = st.text(min_size=1, max_size=20)


@PROPERTY
@given(
    action=names,
    slots=st.dictionaries(names, equal_values, max_size=4),
    message=st.none() | st.text(),
    sender_id=st.text(),
    domain=st.none() | st.dictionaries(names, equal_values, max_size=3),
)
def test_an_encoded_call_decodes_to_itself(
    action: str, slots: dict[str, Any], message: str | None, sender_id: str, domain: dict[str, Any] | None
) -> None:
    """What the command line sends is what an action gets."""
    body = calls.encode_call(action, slots=slots, message=message, sender_id=sender_id, domain=domain, version="3.21.1")
    call = calls.decode_call(body)

    assert (call.action, call.sender_id, call.version, call.domain) == (action, sender_id, "3.21.1", domain or {})
    assert call.domain_digest is None
    assert call.tracker["slots"] == slots
    assert call.tracker["latest_message"]["text"] == message
    assert [(e["name"], e["value"]) for e in call.tracker["events"] if e["event"] == "slot"] == list(slots.items())


def test_an_encoded_calls_slots_are_its_last_events() -> None:
    """A `validate_*` action looks for its candidates at the end of the events."""
    call = calls.decode_call(calls.encode_call("validate_x", slots={"a": 1, "b": 2}, message="hi", version="3.21.1"))

    assert [e["event"] for e in call.tracker["events"]][-3:] == ["user", "slot", "slot"]


def test_a_reply_has_both_keys_in_rasa_sdks_order() -> None:
    """Empty lists are written, not left out."""
    assert calls.encode_reply([], []) == b'{"events":[],"responses":[]}'


@PROPERTY
@given(st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=3))
def test_a_reply_is_json_in_ascii(objects: list[dict[str, Any]]) -> None:
    """Whatever the values, the body is ASCII on one line and reads back as it was."""
    body = calls.encode_reply(objects, objects[:1])

    assert json.loads(body) == {"events": objects, "responses": objects[:1]}
    assert body.isascii()
    assert b"\n" not in body


def test_a_reply_is_strict_json_whoever_made_it() -> None:
    """What a middleware answers comes here as it is, and a malformed 200 costs the user the turn."""
    slot = {"event": "slot", "name": "a", "value": math.nan, "timestamp": datetime.date(2025, 3, 1)}

    body = calls.encode_reply([slot], [{"custom": {"b": math.inf}}])

    expected = {"events": [{**slot, "value": None, "timestamp": "2025-03-01"}], "responses": [{"custom": {"b": None}}]}
    assert json.loads(body) == expected
    assert b"NaN" not in body


def test_an_error_names_the_action_even_without_one() -> None:
    """Rasa Open Source reads `action_name` from every 400, so it stands in every error."""
    assert json.loads(calls.encode_error(RequestError("it is wrong"))) == {"error": "it is wrong", "action_name": ""}


def test_an_error_with_details_in_the_log_carries_their_id() -> None:
    """The id, and nothing else, leads from the answer to the log."""
    body = json.loads(calls.encode_error(ActionFailedError("action_book", "0a1b2c")))

    assert set(body) == {"error", "action_name", "error_id"}
    assert (body["action_name"], body["error_id"]) == ("action_book", "0a1b2c")


@pytest.mark.parametrize("action", ["Zoë", "\ud800", 'a"b', "a\nb"])
def test_an_error_is_ascii_whatever_the_action_is_called(action: str) -> None:
    """A name we cannot print does not turn one error into another."""
    body = calls.encode_error(RequestError("no", action))

    assert body.isascii()
    assert json.loads(body)["action_name"] == action


def test_an_error_of_a_kind_of_its_own_is_written_as_any_other() -> None:
    """No error writes more than its message and its action."""
    assert set(json.loads(calls.encode_error(BodyTooLargeError(1024)))) == {"error", "action_name"}


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "Zürich",
        "\U0001f600",
        'a "quoted"\n\x00text',
        2**70,
        -1,
        1e16,
        5e-324,
        -0.0,
        True,
        None,
        [[]],
        {"a": {}},
    ],
)
def test_a_plain_reply_says_what_the_strict_one_says(value: object) -> None:
    """To whoever decodes it; only the spelling of letters and numbers differs."""
    events, responses = [{"event": "slot", "name": "a", "value": value}], [{"text": "x", "custom": {"v": value}}]

    assert json.loads(calls.encode_plain_reply(events, responses)) == json.loads(calls.encode_reply(events, responses))


def test_a_lone_surrogate_goes_out_as_an_escape() -> None:
    """UTF-8 cannot hold it, and the engine that sent it understands it."""
    assert rb'"\ud83d"' in calls.encode_plain_reply([], [{"text": "\ud83d"}])
