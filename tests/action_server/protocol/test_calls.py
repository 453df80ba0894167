"""The decoder takes what engines send, says in words what is wrong with the rest, and never repeats a value of it."""

from __future__ import annotations

import json
import math
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_server.errors import RequestError
from action_server.protocol import calls
from action_server.protocol.calls import Call

PROPERTY = settings(deadline=None, max_examples=150)

# Every string of a generated payload carries it, so that a value in a message is found.
MARK = "sEcReT"
MISSING: Any = object()


def payload(**changes: Any) -> dict[str, Any]:
    """A call as an engine sends it, with some fields of it replaced, or left out where the change is MISSING."""
    full = {
        "next_action": "action_book",
        "sender_id": "user-1",
        "tracker": tracker(),
        "domain": {"intents": []},
        "version": "3.6.21",
        **changes,
    }
    return {key: value for key, value in full.items() if value is not MISSING}


def tracker(**changes: Any) -> dict[str, Any]:
    """A tracker as Rasa Pro sends it, changed as :func:`payload`."""
    full = {
        "sender_id": "user-1",
        "slots": {"party_size": 4, "name": None},
        "latest_message": {"intent": {}, "entities": [], "text": None, "message_id": None, "metadata": {}},
        "latest_event_time": 1700000000.5,
        "followup_action": None,
        "paused": False,
        "events": [
            {"event": "session_started", "timestamp": 1.5},
            {"event": "slot", "timestamp": 2.5, "name": "party_size", "value": 4},
        ],
        "latest_input_channel": "rest",
        "active_loop": {},
        "latest_action": {"action_name": "action_listen"},
        "latest_action_name": "action_listen",
        "stack": [{"frame_id": "A1", "flow_id": "book", "step_id": "START", "type": "flow"}],
        "user_id": None,
        **changes,
    }
    return {key: value for key, value in full.items() if value is not MISSING}


def decode(value: Any) -> Call:
    return calls.decode_call(json.dumps(value).encode())


# What is wrong with a body, the body, and what the engine's log shall say about it.
WRONG_BODIES: list[tuple[str, bytes, str]] = [
    ("empty", b"", "the request has no body; send a JSON object"),
    ("blank", b" \r\n\t", "the request has no body; send a JSON object"),
    ("text", b"hello", "the body is not JSON: Expecting value (line 1, column 1)"),
    ("a form", b"next_action=a&x=1", "the body is not JSON: Expecting value (line 1, column 1)"),
    ("cut short", b'{"next_action": "a",', "the body is not JSON: "),
    ("on the second line", b'{"next_action": "a",\n  x}', "(line 2, column 3)"),
    ("two objects", b"{} {}", "the body is not JSON: Extra data (line 1, column 4)"),
    ("single quotes", b"{'next_action': 'a'}", "the body is not JSON: "),
    ("a raw line break in a string", b'{"next_action": "a\nb"}', "the body is not JSON: Invalid control character"),
    ("latin-1", b'{"next_action": "\xe9"}', "the body is not utf-8 text (at byte 17)"),
    ("only zeros", b"\x00\x00\x00\x00", "the body is not JSON: "),
    ("half a UTF-16 character", b"\xff\xfe{", "the body is not utf-16"),
    ("nested too deeply", b"[" * 200_000, "the body nests objects and lists deeper than 100"),
    ("a number without end", b'{"a": ' + b"9" * 5000 + b"}", "the body holds a number with too many digits"),
]


@pytest.mark.parametrize(("body", "problem"), [c[1:] for c in WRONG_BODIES], ids=[c[0] for c in WRONG_BODIES])
def test_a_body_that_is_not_json_is_refused_with_the_place(body: bytes, problem: str) -> None:
    """Bytes that are not JSON are told apart, each with the place where reading stopped."""
    with pytest.raises(RequestError) as refused:
        calls.decode_call(body)

    assert problem in refused.value.message
    assert refused.value.action == ""


NOT_OBJECTS = [
    ("a list", [], "the body must be a JSON object, not a list"),
    ("a string", MARK, "the body must be a JSON object, not a string"),
    ("a number", 7, "the body must be a JSON object, not a number"),
    ("a fraction", 7.5, "the body must be a JSON object, not a number"),
    ("true", True, "the body must be a JSON object, not true or false"),
    ("null", None, "the body must be a JSON object, not null"),
]
WRONG_ACTIONS = [
    ("missing", MISSING, "next_action is missing; it must be the name of an action"),
    ("null", None, "next_action is missing; it must be the name of an action"),
    ("empty", "", "next_action is missing; it must be the name of an action"),
    ("a number", 7, "next_action must be a string, not a number"),
    ("true", True, "next_action must be a string, not true or false"),
    ("a list", [MARK], "next_action must be a string, not a list"),
    ("an object", {MARK: MARK}, "next_action must be a string, not an object"),
]


@pytest.mark.parametrize(("body", "problem"), [c[1:] for c in NOT_OBJECTS], ids=[c[0] for c in NOT_OBJECTS])
def test_a_body_that_is_no_object_is_refused(body: Any, problem: str) -> None:
    """JSON that is no object is refused by the name of what it is."""
    with pytest.raises(RequestError) as refused:
        decode(body)

    assert refused.value.message == problem


@pytest.mark.parametrize(("action", "problem"), [c[1:] for c in WRONG_ACTIONS], ids=[c[0] for c in WRONG_ACTIONS])
def test_a_call_without_a_name_is_refused(action: Any, problem: str) -> None:
    """A `next_action` that is no name is refused; the error has no action then."""
    with pytest.raises(RequestError) as refused:
        decode(payload(next_action=action))

    assert refused.value.message == problem
    assert refused.value.action == ""


NOWHERE = {"sender_id": MISSING}
# Where something is wrong, the call with it, and the message.
WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    (payload(sender_id=7), "sender_id must be a string, not a number"),
    (payload(domain=[]), "domain must be an object, not a list"),
    (payload(domain=MARK), "domain must be an object, not a string"),
    (payload(domain_digest=7), "domain_digest must be a string, not a number"),
    (payload(version=3.6), "version must be a string, not a number"),
    (payload(tracker=MISSING), "tracker is missing; it must be an object"),
    (payload(tracker=None), "tracker is missing; it must be an object"),
    (payload(tracker=[]), "tracker is a list; it must be an object"),
    (payload(tracker=MARK), "tracker is a string; it must be an object"),
    (payload(tracker=0), "tracker is a number; it must be an object"),
    (payload(tracker=False), "tracker is true or false; it must be an object"),
    (payload(tracker=tracker(sender_id=["s"])), "tracker.sender_id must be a string, not a list"),
    (payload(**NOWHERE, tracker=tracker(**NOWHERE)), "tracker.sender_id is missing; it must be a string"),
    (payload(sender_id=None, tracker=tracker(sender_id=None)), "tracker.sender_id is missing; it must be a string"),
    (payload(tracker=tracker(slots=[])), "tracker.slots must be an object, not a list"),
    (payload(tracker=tracker(latest_message=MARK)), "tracker.latest_message must be an object, not a string"),
    (
        payload(tracker=tracker(latest_message={"entities": {}})),
        "tracker.latest_message.entities must be a list, not an object",
    ),
    (
        payload(tracker=tracker(latest_message={"entities": [{}, MARK]})),
        "tracker.latest_message.entities[1] must be an object, not a string",
    ),
    (payload(tracker=tracker(events={})), "tracker.events must be a list, not an object"),
    (payload(tracker=tracker(events=[{"event": "bot"}, None])), "tracker.events[1] must be an object, not null"),
    (payload(tracker=tracker(events=[{"event": 1}])), "tracker.events[0].event must be a string, not a number"),
    (payload(tracker=tracker(events=[{}])), "tracker.events[0].event must be a string, not null"),
    (
        payload(tracker=tracker(events=[{"event": "slot", "value": 1}])),
        "tracker.events[0] sets a slot, so it needs a name (a string) and a value",
    ),
    (
        payload(tracker=tracker(events=[{"event": "slot", "name": "a"}])),
        "tracker.events[0] sets a slot, so it needs a name (a string) and a value",
    ),
    (
        payload(tracker=tracker(events=[{"event": "slot", "name": 7, "value": MARK}])),
        "tracker.events[0] sets a slot, so it needs a name (a string) and a value",
    ),
    (payload(tracker=tracker(paused="no")), "tracker.paused must be true or false, not a string"),
    (payload(tracker=tracker(paused=0)), "tracker.paused must be true or false, not a number"),
    (payload(tracker=tracker(followup_action={})), "tracker.followup_action must be a string, not an object"),
    (payload(tracker=tracker(active_loop="form")), "tracker.active_loop must be an object, not a string"),
    (payload(tracker=tracker(active_form=[])), "tracker.active_form must be an object, not a list"),
    (payload(tracker=tracker(latest_action_name=7)), "tracker.latest_action_name must be a string, not a number"),
    (payload(tracker=tracker(stack={})), "tracker.stack must be a list, not an object"),
    (payload(tracker=tracker(stack=[MARK])), "tracker.stack[0] must be an object, not a string"),
    (payload(tracker=tracker(user_id=7)), "tracker.user_id must be a string, not a number"),
]


@pytest.mark.parametrize(("call", "problem"), WRONG_FIELDS, ids=[c[1] for c in WRONG_FIELDS])
def test_a_wrong_field_is_named_with_its_place(call: dict[str, Any], problem: str) -> None:
    """The message says where the field is, what it must be and what it is; the error knows the action."""
    with pytest.raises(RequestError) as refused:
        decode(call)

    assert refused.value.message == problem
    assert refused.value.action == "action_book"


OPTIONAL = [*(("call", k) for k in ("sender_id", "domain", "domain_digest", "version"))]
OPTIONAL += [("tracker", key) for key in tracker() if key != "sender_id"] + [("tracker", "active_form")]


@pytest.mark.parametrize("value", [MISSING, None], ids=["missing", "null"])
@pytest.mark.parametrize(("owner", "key"), OPTIONAL, ids=[f"{owner}.{key}" for owner, key in OPTIONAL])
def test_an_optional_field_may_be_absent(owner: str, key: str, value: Any) -> None:
    """What engines leave out or send as null is no mistake."""
    call = payload(**{key: value}) if owner == "call" else payload(tracker=tracker(**{key: value}))

    assert decode(call).action == "action_book"


def test_a_call_of_nothing_but_an_action_and_a_sender_is_complete() -> None:
    """No other key is insisted on."""
    call = decode({"next_action": "a", "tracker": {"sender_id": "s"}})

    assert call == Call(action="a", sender_id="s", tracker={"sender_id": "s"})


SENDERS = [
    ("of the tracker first", "outer", "inner", "inner"),
    ("of the call without one in the tracker", "outer", MISSING, "outer"),
    ("of the call when the tracker's is empty", "outer", "", "outer"),
    ("of the tracker alone", MISSING, "inner", "inner"),
    ("empty when both are", "", "", ""),
]


@pytest.mark.parametrize(("outer", "inner", "expected"), [c[1:] for c in SENDERS], ids=[c[0] for c in SENDERS])
def test_the_sender_is_the_one(outer: Any, inner: Any, expected: str) -> None:
    """The conversation's id is taken from where it stands."""
    assert decode(payload(sender_id=outer, tracker=tracker(sender_id=inner))).sender_id == expected


def test_a_call_keeps_the_tracker_and_the_domain_as_they_came() -> None:
    """Nothing is added to them, nothing left out, keys we do not know included."""
    call = payload(tracker=tracker(unknown={"a": [1]}), domain={"x": 1}, domain_digest="d" * 32, new_key=1)

    decoded = decode(call)

    assert decoded == Call("action_book", "user-1", call["tracker"], {"x": 1}, "d" * 32, "3.6.21")


def test_numbers_come_back_as_they_went_out() -> None:
    """NaN, infinities and integers over 64 bits are read as Python's own; rounding one would change a slot."""
    values = [math.inf, -math.inf, 2**64, 9007199254740993, -(10**40), 0.1, 3]

    slots = decode(payload(tracker=tracker(slots={"nan": math.nan, "values": values}))).tracker["slots"]

    assert math.isnan(slots["nan"])
    assert slots["values"] == values
    assert [type(v) for v in slots["values"]] == [type(v) for v in values]


def test_a_lone_surrogate_survives_both_ways() -> None:
    """Half an emoji in a message is neither refused nor replaced, and goes back as the escape it came as."""
    body = json.dumps(payload(tracker=tracker(slots={"text": "\ud83d"})), ensure_ascii=True).encode()

    text = calls.decode_call(body).tracker["slots"]["text"]

    assert text == "\ud83d"
    assert calls.encode_reply([{"event": "slot", "name": "text", "value": text}], []).count(rb"\ud83d") == 1


UNICODE_FORMS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]


@pytest.mark.parametrize("encoding", UNICODE_FORMS)
def test_a_body_in_any_unicode_form_is_read(encoding: str) -> None:
    """JSON may be written in any Unicode encoding."""
    body = json.dumps(payload(sender_id="Zoë"), ensure_ascii=False).encode(encoding)

    assert calls.decode_call(body) == decode(payload(sender_id="Zoë"))


def test_a_tracker_of_five_megabytes_is_read_whole() -> None:
    """A long conversation is no reason to refuse or to shorten it."""
    events = [{"event": "user", "timestamp": i, "text": "x" * 400, "parse_data": {}} for i in range(12_000)]
    body = json.dumps(payload(tracker=tracker(events=events))).encode()
    assert len(body) > 5_000_000

    assert calls.decode_call(body).tracker["events"] == events


def test_a_value_nested_as_deep_as_people_nest_is_read() -> None:
    """Nearly a hundred levels are no attack."""
    value: Any = "bottom"
    for _ in range(48):
        value = {"deeper": [value]}

    assert decode(payload(tracker=tracker(slots={"s": value}))).tracker["slots"]["s"] == value


# Properties: whatever arrives, the outcome is a Call or a RequestError that repeats nothing of it.

secrets = st.uuids().map(lambda n: f"{MARK}-{n}")
scalars = st.none() | st.booleans() | st.integers() | st.floats() | secrets
keys = st.sampled_from(["event", "name", "value", "entities", "sender_id", "slots", "timestamp"]) | secrets
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


def outcome_of(body: bytes) -> Call | RequestError:
    """Decode, and check what is said of every refusal."""
    try:
        return calls.decode_call(body)
    except RequestError as exc:
        refusal = exc
    assert MARK not in refusal.message
    assert MARK not in str(refusal)
    assert refusal.message.isprintable()
    # The JSON decoder's own error holds the whole body: it must not travel along.
    assert refusal.__cause__ is None
    assert refusal.__suppress_context__ or refusal.__context__ is None
    return refusal


@PROPERTY
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_are_refused_or_read(body: bytes) -> None:
    """No bytes make the decoder raise anything else."""
    assert isinstance(outcome_of(body), (Call, RequestError))


@PROPERTY
@given(json_values)
def test_arbitrary_json_is_refused_or_read(value: Any) -> None:
    """No JSON makes the decoder raise anything else, and none of its strings is repeated."""
    assert isinstance(outcome_of(json.dumps(value).encode()), (Call, RequestError))


TRACKER_KEYS = [*tracker(), "active_form"]


@PROPERTY
@given(st.sampled_from([*payload(), "domain_digest"]), json_values)
def test_a_call_with_one_field_replaced_is_refused_or_read(key: str, value: Any) -> None:
    """Whatever stands in one field of a call, it is taken or refused in words."""
    outcome = outcome_of(json.dumps(payload(**{key: value})).encode())

    assert isinstance(outcome, (Call, RequestError))


@PROPERTY
@given(st.sampled_from(TRACKER_KEYS), json_values | st.lists(json_values) | st.dictionaries(keys, json_values))
def test_a_tracker_with_one_field_replaced_is_refused_or_read(key: str, value: Any) -> None:
    """Whatever stands in one field of a tracker, it is taken or refused under that field's name."""
    outcome = outcome_of(json.dumps(payload(tracker=tracker(**{key: value}))).encode())

    if isinstance(outcome, RequestError):
        assert outcome.message.startswith(f"tracker.{key}")


@PROPERTY
@given(st.data())
def test_a_damaged_body_repeats_nothing_of_itself(data: st.DataObject) -> None:
    """A body cut off or with a byte changed, as a broken proxy leaves it, is refused without its secrets."""
    secret = f"{MARK}-{uuid.UUID(int=7)}"
    body = bytearray(json.dumps(payload(sender_id=secret, tracker=tracker(slots={secret: secret}))).encode())
    place = data.draw(st.integers(0, len(body) - 1))
    if data.draw(st.booleans(), label="cut"):
        del body[place:]
    else:
        body[place] = data.draw(st.integers(0, 255))

    assert isinstance(outcome_of(bytes(body)), (Call, RequestError))
