"""Lazy decoding comes to what the exact decoder comes to: the same call and tracker, or the same refusal."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet

from action_server.errors import RequestError
from action_server.protocol import calls, lazy
from action_server.protocol.calls import Call
from action_server.protocol.lazy import LazyCall, read_call
from action_server.protocol.tracker import LazyTracker, tracker_of
from tests.action_server.protocol.test_calls import MISSING, WRONG_BODIES, WRONG_FIELDS, payload, tracker

HEAVY = ["events", "slots", "latest_message", "active_loop", "stack"]
DEPTH = 12


def encoded(**changes: Any) -> bytes:
    return json.dumps(payload(**changes)).encode()


def lazy_tracker(**changes: Any) -> Tracker:
    found = tracker_of(read_call(encoded(tracker=tracker(**changes))))
    assert type(found) is LazyTracker
    return found


def plain_tracker(**changes: Any) -> Tracker:
    return tracker_of(calls.decode_call(encoded(tracker=tracker(**changes))))


# Generated bodies: JSON as text, so that there is everything a decoder may stumble over.

atoms = st.sampled_from(
    [
        *(b"null", b"true", b"false", b"{}", b"[]", b"0", b"-0", b"-0.0", b"1e5", b"1E-400", b"1e999", b"0.1"),
        *(b"NaN", b"-Infinity", b"Infinity", b"9007199254740993", b"18446744073709551616", b"-9223372036854775809"),
        *(b"1" + b"0" * 400, b"9" * 4400, b"1.7976931348623159e308", b"0.30000000000000004441", b"01", b"1.", b"+1"),
        *(rb'"\ud800"', rb'"\ud83d\ude00"', rb'"\udc00\ud800x"', rb'"\u0000"', b'"\xc3\xa9"', b'"\xff"', b'"\xc0\xaf"'),
        *(b'"\xed\xa0\x80"', b'"a\nb"', b'"\x7f"', rb'"\x"', rb'"\""', rb'"\\"', b'"', b"'a'", b"", b"nul", b"//"),
        *(b'"{\\"event\\": \\"slot\\"}"', b'"{"', b'"]"', b'"], \\"slots\\": {"', b"[" * 9 + b"]" * 9, b"[" * 13),
    ]
)
keys = st.sampled_from(["event", "name", "value", "entities", "a", "\u00e9", "slots"]).map(
    lambda k: json.dumps(k).encode()
)
blanks = st.sampled_from([b"", b" ", b"\n", b"\t ", b"\r\n"])


def lists_of(items: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(st.lists(items, max_size=3), blanks).map(lambda t: b"[" + (b"," + t[1]).join(t[0]) + t[1] + b"]")


def objects_of(pairs: st.SearchStrategy[tuple[bytes, bytes]]) -> st.SearchStrategy[bytes]:
    joined = st.tuples(st.lists(pairs, max_size=4), blanks)
    return joined.map(lambda t: b"{" + (b"," + t[1]).join(key + b": " + value for key, value in t[0]) + t[1] + b"}")


values = st.recursive(atoms, lambda inner: lists_of(inner) | objects_of(st.tuples(keys, inner)), max_leaves=6)
slot_events = values.map(lambda v: b'{"event": "slot", "timestamp": 1.5, "name": "s", "value": ' + v + b"}")
events = (
    slot_events
    | values.map(lambda v: b'{"event": "user", "metadata": ' + v + b"}")
    | st.sampled_from(
        [b'{"name": "n", "value": 1, "event": "slot"}', b'{"event": "slot", "name": "n"}', b'{"event":1}']
    )
    | st.just(b'{"event": "slot", "name": "n", "value": {"event": "slot", "name": "inner", "value": 3}}')
    | values
)
FIELDS: dict[str, st.SearchStrategy[bytes]] = {
    "sender_id": st.sampled_from([b'"inner"', b'""', b"null"]) | values,
    "slots": objects_of(st.tuples(keys, values)) | values,
    "latest_message": objects_of(st.tuples(keys, values)) | values,
    "events": lists_of(events),
    "paused": st.sampled_from([b"true", b"null", b"0"]),
    "followup_action": st.just(b'"f"') | values,
    "active_loop": objects_of(st.tuples(keys, values)) | values,
    "active_form": objects_of(st.tuples(keys, values)) | values,
    "latest_action_name": st.just(b'"l"') | values,
    "stack": lists_of(objects_of(st.tuples(keys, values))) | values,
    "user_id": st.just(b'"u"') | values,
    "unknown": values,
}
OUTER: dict[str, st.SearchStrategy[bytes]] = {
    "sender_id": st.sampled_from([b'"outer"', b'""', b"null", b"7"]),
    "domain": objects_of(st.tuples(keys, values)) | values,
    "domain_digest": st.just(b'"d"') | values,
    "version": st.just(b'"3.21.0"') | values,
    "unknown": values,
}


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Mostly good calls with a few odd places; keys may be missing, come twice and stand in any order."""

    def fields(kinds: dict[str, st.SearchStrategy[bytes]], least: list[tuple[str, bytes]]) -> bytes:
        drawn = draw(st.lists(st.sampled_from(list(kinds)), max_size=3))
        pairs = draw(st.permutations([*least, *((name, draw(kinds[name])) for name in drawn)]))
        return b"{" + b", ".join(json.dumps(name).encode() + b": " + value for name, value in pairs) + b"}"

    inside = fields(FIELDS, [("sender_id", b'"me"')])
    return draw(blanks) + fields(OUTER, [("next_action", b'"action_a"'), ("tracker", inside)]) + draw(blanks)


def told(call: Call, built: Tracker, to_validate: dict[str, Any]) -> list[str]:
    """All there is to know of a call; as texts, as NaN is not equal to itself."""
    attributes = {name: repr(value) for name, value in sorted(vars(built).items())}
    fields = [call.action, call.sender_id, call.tracker, call.domain, call.domain_digest, call.version]
    return [repr(part) for part in (type(built), attributes, to_validate, fields, call.brings_domain)]


def exactly(body: bytes) -> list[str] | RequestError:
    try:
        call = calls.decode_call(body, DEPTH)
    except RequestError as exc:
        return exc
    built = tracker_of(call)
    return told(call, built, built.slots_to_validate())


@settings(max_examples=1500)
@given(bodies(), st.permutations(HEAVY), st.integers(0, len(HEAVY)))
def test_whatever_arrives_both_decoders_come_to_the_same(body: bytes, order: list[str], when: int) -> None:
    """The same values in the same types, in whatever order they are read; or the same refusal, at the latest then."""
    expected = exactly(body)
    try:
        call = read_call(body, DEPTH)
        built = tracker_of(call)
        assert isinstance(built, Tracker)
        for name in order[:when]:
            getattr(built, name)
        to_validate = built.slots_to_validate()
        for name in order[when:]:
            getattr(built, name)
        found: Any = told(call, built, to_validate)
    except RequestError as exc:
        found = exc

    if isinstance(expected, RequestError):
        assert isinstance(found, RequestError)
        assert (found.message, found.action) == (expected.message, expected.action)
    else:
        assert found == expected


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_body_is_refused_by_both_in_the_same_words(data: st.DataObject) -> None:
    """A byte changed or the end cut off, anywhere in a call of an engine."""
    body = bytearray(encoded(domain={"a": {"b": [1]}}))
    place = data.draw(st.integers(0, len(body) - 1))
    if data.draw(st.booleans(), label="cut"):
        del body[place:]
    else:
        body[place] = data.draw(st.integers(0, 255))

    expected = exactly(bytes(body))
    try:
        call = read_call(bytes(body), DEPTH)
        built = tracker_of(call)
        found: Any = told(call, built, built.slots_to_validate())
    except RequestError as exc:
        found = exc

    assert str(found) == str(expected)


@pytest.mark.parametrize("body", [case[1] for case in WRONG_BODIES], ids=[case[0] for case in WRONG_BODIES])
def test_what_is_not_json_is_refused_at_once_and_in_the_same_words(body: bytes) -> None:
    """Each body the exact decoder refuses, before anything of it is read."""
    with pytest.raises(RequestError) as expected:
        calls.decode_call(body)
    with pytest.raises(RequestError) as found:
        read_call(body)

    assert (found.value.message, found.value.action) == (expected.value.message, expected.value.action)


INSIDE = ("tracker.events[", "tracker.stack[", "tracker.latest_message.entities")


@pytest.mark.parametrize(("call", "problem"), WRONG_FIELDS, ids=[c[1] for c in WRONG_FIELDS])
def test_a_wrong_field_is_refused_at_once_and_what_is_inside_of_one_when_it_is_read(
    call: dict[str, Any], problem: str
) -> None:
    """An action that never reads the events does not stumble over them; one that does gets a 400's error."""
    body = json.dumps(call).encode()
    if not problem.startswith(INSIDE):
        with pytest.raises(RequestError) as refused:
            read_call(body)
    else:
        built = tracker_of(read_call(body))
        with pytest.raises(RequestError) as refused:
            built.current_state()

    assert (refused.value.message, refused.value.action) == (problem, "action_book")


@pytest.mark.parametrize("name", HEAVY)
def test_a_bomb_inside_of_a_part_is_refused_when_the_part_is_read(name: str) -> None:
    """However deep: it costs nobody anything who does not look at it, and no decoder's stack otherwise."""
    for levels in (101, 900, 100_000):
        bomb = b"[" * levels + b"]" * levels
        part = b"[" + bomb + b"]" if name in ("events", "stack") else b'{"a": ' + bomb + b"}"
        body = b'{"next_action": "a", "tracker": {"sender_id": "s", "%s": %s}}' % (name.encode(), part)

        with pytest.raises(RequestError, match="deeper than 100"):
            getattr(tracker_of(read_call(body)), name)


def test_what_is_nested_within_the_limit_is_read() -> None:
    """The levels around a part count, as in the whole body."""
    deepest: Any = []
    for _ in range(96):
        deepest = [deepest]

    assert lazy_tracker(slots={"a": deepest}).slots == {"a": deepest}
    with pytest.raises(RequestError):
        _ = lazy_tracker(slots={"a": [deepest]}).slots


# The call, which middlewares see.


def test_a_call_is_equal_to_the_exact_one_and_copied_as_one() -> None:
    """For middlewares nothing has changed: a frozen dataclass of JSON values."""
    body = encoded(domain={"a": 1}, domain_digest="d")
    exact, found = calls.decode_call(body), read_call(body)

    assert type(found) is LazyCall
    assert found == exact
    assert exact == found
    assert found != dataclasses.replace(exact, action="other")
    assert type(pickle.loads(pickle.dumps(found))) is Call  # noqa: S301 - our own
    assert copy.deepcopy(found) == exact
    assert dataclasses.replace(found, action="other") == dataclasses.replace(exact, action="other")
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.action = "other"  # type: ignore[misc]


def test_what_a_middleware_changes_in_the_tracker_the_action_sees() -> None:
    """The tracker of a call is one object, whoever reads it first."""
    call = read_call(encoded())
    call.tracker["slots"]["added"] = True
    call.tracker["followup_action"] = "f"

    built = tracker_of(call)

    assert (built.get_slot("added"), built.followup_action) == (True, "f")


def test_parts_that_were_read_are_those_of_the_whole_tracker() -> None:
    """What the action changed is there when a middleware looks afterwards."""
    call = read_call(encoded())
    built = tracker_of(call)
    built.slots["added"] = True
    built.add_slots([SlotSet("a", 1)])

    assert call.tracker["slots"] is built.slots
    assert call.part("slots") is built.slots
    assert call.tracker["events"] == built.events
    assert call.part("latest_input_channel") == "rest"
    assert call.part("nonsense") is None


@pytest.mark.parametrize("domain", [MISSING, None, {}, {"a": [1]}], ids=["missing", "null", "empty", "full"])
def test_whether_there_is_a_domain_is_known_without_decoding_it(domain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are there too, for whoever knows them already."""
    body = encoded(domain=domain)
    found, exact = read_call(body), calls.decode_call(body)
    monkeypatch.setattr(lazy, "_decode", None)

    assert found.brings_domain == exact.brings_domain == isinstance(domain, dict)
    assert found.domain_bytes == (json.dumps(domain).encode() if isinstance(domain, dict) else None)
    assert exact.domain_bytes is None
