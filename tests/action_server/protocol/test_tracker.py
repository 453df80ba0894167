"""A tracker whose parts are decoded when they are read is rasa-sdk's for whoever uses it."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.events import BotUttered, SlotSet

from action_server.protocol import calls, lazy
from action_server.protocol.lazy import read_call
from action_server.protocol.tracker import LazyTracker, tracker_of
from tests.action_server.protocol.test_calls import payload, tracker

HEAVY = ["events", "slots", "latest_message", "active_loop", "stack"]


def encoded(**changes: Any) -> bytes:
    return json.dumps(payload(**changes)).encode()


def lazy_tracker(**changes: Any) -> Tracker:
    found = tracker_of(read_call(encoded(tracker=tracker(**changes))))
    assert type(found) is LazyTracker
    return found


def plain_tracker(**changes: Any) -> Tracker:
    return tracker_of(calls.decode_call(encoded(tracker=tracker(**changes))))


def watched(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The parts that are decoded from now on."""
    decoded: list[bytes] = []
    real = lazy._decode

    def decode(part: bytes) -> Any:
        decoded.append(part)
        return real(part)

    monkeypatch.setattr(lazy, "_decode", decode)
    return decoded


def test_an_unread_tracker_has_decoded_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither making it nor its plain fields decode a part; reading one part decodes that one."""
    decoded = watched(monkeypatch)
    monkeypatch.setattr(calls, "decode_call", None)

    found = lazy_tracker(latest_action_name="x")
    assert (found.sender_id, found.latest_action_name, found.is_paused(), found.user_id) == ("user-1", "x", False, None)
    assert decoded == []

    assert found.get_slot("party_size") == 4
    assert decoded == [json.dumps(tracker()["slots"]).encode()]


def test_a_read_tracker_is_a_plain_one() -> None:
    """Its class, its attributes, and nothing of ours left in it."""
    found = lazy_tracker()
    for name in HEAVY:
        getattr(found, name)

    assert type(found) is Tracker
    assert vars(found) == vars(plain_tracker())


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(vars, id="vars"),
        pytest.param(lambda t: t.__dict__, id="__dict__"),
        pytest.param(lambda t: t.current_state(), id="current_state"),
        pytest.param(lambda t: vars(copy.copy(t)), id="copy.copy"),
        pytest.param(lambda t: vars(copy.deepcopy(t)), id="copy.deepcopy"),
        pytest.param(lambda t: vars(t.copy()), id="Tracker.copy"),
        pytest.param(lambda t: vars(pickle.loads(pickle.dumps(t))), id="pickle"),  # noqa: S301 - our own
        pytest.param(lambda t: type(copy.copy(t)), id="the class of a copy"),
        pytest.param(lambda t: type(pickle.loads(pickle.dumps(t))), id="the class of a pickle"),  # noqa: S301
        pytest.param(lambda t: sorted(set(dir(t)) - {"_parts"}), id="dir"),
        pytest.param(lambda t: t.applied_events(), id="applied_events"),
        pytest.param(lambda t: t.get_latest_input_channel(), id="get_latest_input_channel"),
        pytest.param(lambda t: list(t.get_latest_entity_values("day")), id="get_latest_entity_values"),
        pytest.param(lambda t: t.get_intent_of_latest_message(), id="get_intent_of_latest_message"),
        pytest.param(lambda t: t.active_loop_name, id="active_loop_name"),
        pytest.param(lambda t: t.slots_to_validate(), id="slots_to_validate"),
        pytest.param(lambda t: t.last_executed_action_has("action_x"), id="last_executed_action_has"),
        pytest.param(lambda t: hasattr(t, "nonsense"), id="hasattr"),
        pytest.param(lambda t: isinstance(t, Tracker), id="isinstance"),
    ],
)
def test_an_unread_tracker_answers_as_rasa_sdks(use: Any) -> None:
    """Whatever is asked of it first."""
    message = {"intent": {}, "entities": [{"entity": "day", "value": "monday"}], "intent_ranking": [{"name": "i"}]}
    loop = {"name": "form"}
    expected = use(plain_tracker(latest_message=message, active_loop=loop))

    assert use(lazy_tracker(latest_message=message, active_loop=loop)) == expected


def test_trackers_are_equal_however_they_were_read() -> None:
    """Read or not, on either side."""
    assert lazy_tracker() == plain_tracker()
    assert plain_tracker() == lazy_tracker()
    assert lazy_tracker() == lazy_tracker()
    assert (lazy_tracker() != plain_tracker()) is False
    assert lazy_tracker(sender_id="other") != plain_tracker()
    assert lazy_tracker() != 7


def test_a_name_that_is_no_attribute_is_missing_under_the_trackers_name() -> None:
    """The error of a typing mistake is the usual one."""
    with pytest.raises(AttributeError, match="'Tracker' object has no attribute 'slot'"):
        _ = lazy_tracker().slot


def test_an_attribute_may_be_set_before_it_is_read() -> None:
    """What the action sets is what it gets."""
    found = lazy_tracker()
    found.events = [{"event": "mine"}]
    found.add_slots([SlotSet("a", 1)])

    assert [event["event"] for event in found.current_state()["events"]] == ["mine", "slot"]
    assert found.slots_to_validate() == {"a": 1}


def test_added_slots_stand_at_the_end_of_the_events_and_in_the_slots() -> None:
    """Without reading the events before them, and in order with those that were there."""
    expected, found = plain_tracker(), lazy_tracker()
    for each in (expected, found):
        each.add_slots([SlotSet("a", 1), BotUttered("no slot"), SlotSet("b", 2)])
    assert type(found) is LazyTracker

    assert found.slots_to_validate() == expected.slots_to_validate() == {"party_size": 4, "a": 1, "b": 2}
    assert found.events == expected.events
    found.add_slots([SlotSet("c", 3)])
    assert found.events[-1]["name"] == "c"
    assert found.slots == {**expected.slots, "c": 3}


def test_slots_to_validate_reads_no_other_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long history, only the candidates at its end, and the one event before them."""
    decoded = watched(monkeypatch)
    history = [{"event": "user", "text": '{"event": "slot"', "parse_data": {"x": [1] * 50}}] * 500
    last = [{"event": "slot", "timestamp": 1, "name": name, "value": {"v": [name]}} for name in ("a", "b")]

    found = lazy_tracker(events=[*history, *last])

    assert found.slots_to_validate() == {"a": {"v": ["a"]}, "b": {"v": ["b"]}}
    assert list(found.slots_to_validate()) == ["a", "b"]
    assert sum(map(len, decoded)) < 2000


def test_a_candidate_is_the_same_object_when_all_events_are_read() -> None:
    """A validator that changes a value in place changes the event, as with rasa-sdk."""
    found = lazy_tracker(events=[{"event": "user"}, {"event": "slot", "name": "a", "value": []}])
    found.slots_to_validate()["a"].append(1)

    assert found.events[-1]["value"] == [1]


def test_threads_that_read_a_part_at_once_get_the_same_object() -> None:
    """Or what one of them changed would be lost."""
    for _ in range(20):
        found = lazy_tracker(events=[{"event": "user", "text": "x" * 50}] * 200)
        together = threading.Barrier(4)
        seen: list[Any] = []

        def read(found: Tracker = found, together: threading.Barrier = together, seen: list[Any] = seen) -> None:
            together.wait()
            seen.append((found.events, found.slots))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len({(id(events), id(slots)) for events, slots in seen}) == 1
