"""What is usual takes a short way; it is answered, and told of in the log, as what is unusual would be."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasa_sdk import events as sdk
from rasa_sdk.executor import CollectingDispatcher

from action_server.protocol import answers, events, jsonable, responses
from action_server.protocol.answers import answer_of
from action_server.protocol.events import PRO_EVENTS
from tests.action_server.telemetry.logged_lines import PROPERTY
from tests.counting import functions_of


class Words(str, Enum):
    """A text that is an enum as well."""

    SLOT = "slot"
    NAME = "name"


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ATOMS |= st.sampled_from(
    [Words.SLOT, Decimal("1.5"), datetime(2026, 11, 28, tzinfo=timezone.utc), object, 10**30, b"x"]
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 3) | st.sampled_from(list(Words)), inner, max_size=3)
    ),
    max_leaves=8,
)
EVENT_KEYS = [
    "timestamp",
    "name",
    "value",
    "metadata",
    "text",
    "flow_id",
    "step_id",
    "status",
    "confidence",
    "entities",
]
EVENT_KEYS += ["parse_data", "date_time", "update", "action_text", "hide_rule_turn", "input_channel"]
NAMES = st.sampled_from([*sorted(PRO_EVENTS), *["slot"] * 20, "skill_x", "no_event", Words.SLOT])
SLOTS = st.fixed_dictionaries({"event": NAMES, "timestamp": st.none() | VALUES, "name": st.text(max_size=3) | VALUES})
EVENTS = st.one_of(
    st.builds(lambda slot, value: {**slot, "value": value}, SLOTS, VALUES),
    st.builds(lambda name, rest: {"event": name, **rest}, NAMES, st.dictionaries(st.sampled_from(EVENT_KEYS), VALUES)),
    VALUES,
)
MESSAGE_KEYS = ["text", "response", "template", "image", "attachment", "custom", "buttons", "elements", "other"]
BUTTONS = st.fixed_dictionaries({"title": st.text(max_size=3) | VALUES, "payload": st.text(max_size=3) | VALUES})
MESSAGES = st.dictionaries(st.sampled_from(MESSAGE_KEYS), st.text(max_size=3) | VALUES | st.lists(BUTTONS, max_size=2))
VERSIONS = st.sampled_from([None, "3.6.2", "3.21.0"])


def none(*_: object) -> None: ...


def answered(returned: Any, messages: Any, version: str | None) -> str:
    """The answer, its keys in order, and what was told of it."""
    told: list[tuple[str, ...]] = []
    answer = answer_of("action_x", returned, messages, version, lambda *what: told.append(what))
    return json.dumps([answer.events, answer.responses, told], sort_keys=True, allow_nan=False)


def answered_the_long_way(returned: Any, messages: Any, version: str | None) -> str:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answers, "usual_slot", none)
        patched.setattr(answers, "LEAST", sys.maxsize)
        for module in (answers, jsonable, responses):
            patched.setattr(module, "plain_copy", none)
        return answered(returned, messages, version)


@given(returned=st.lists(EVENTS, max_size=3), messages=st.lists(MESSAGES | VALUES, max_size=2), version=VERSIONS)
@PROPERTY
def test_the_short_way_gives_the_answer_of_the_long_one(returned: Any, messages: Any, version: str | None) -> None:
    """Whatever an action returned and said, for every kind of engine; and the same is told of it."""
    assert answered(returned, messages, version) == answered_the_long_way(returned, messages, version)


@given(returned=st.lists(EVENTS, min_size=1, max_size=3), slots=st.integers(0, 20), version=VERSIONS)
@PROPERTY
def test_many_events_are_answered_as_each_of_them_alone(returned: Any, slots: int, version: str | None) -> None:
    """Some kinds of them, over and over, in front of them slots: the short way by columns, and the long way."""
    many = [sdk.SlotSet("a", 1)] * slots + returned * 20

    assert answered(many, [], version) == answered_the_long_way(many, [], version)


def utter(**said: Any) -> Any:
    dispatcher = CollectingDispatcher()
    dispatcher.utter_message(**said)
    return dispatcher.messages[0]


USUAL_EVENTS: dict[str, Any] = {
    "a slot": sdk.SlotSet("a", "b"),
    "a slot of a list": sdk.SlotSet("a", [1, {"b": None}]),
    "a slot with a time": sdk.SlotSet("a", 1.5, timestamp=3.5),
    "a follow-up": sdk.FollowupAction("action_listen"),
    "a bot's text": sdk.BotUttered("hello"),
    "all slots": sdk.AllSlotsReset(),
    "a form": sdk.ActiveLoop("form"),
    "a restart": sdk.Restarted(),
}
PARSED = {
    "text": "to Rome",
    "intent": {"name": "go", "confidence": 0.9},
    "intent_ranking": [{"name": "go", "confidence": 0.9}, {"name": "stay", "confidence": 0}],
    "entities": [{"entity": "city", "value": "Rome", "start": 3, "end": 7, "extractor": None}],
}
SOON = datetime(2026, 11, 29, 7, 30)
# What has more to it than the types of its own fields: usual where there are many.
NESTED_EVENTS: dict[str, Any] = {
    "a user's text": sdk.UserUttered("to Rome", PARSED, timestamp=3.5),
    "entities": {"event": "entities", "timestamp": None, "entities": PARSED["entities"]},
    "a reminder": sdk.ReminderScheduled("EXTERNAL_go", SOON, PARSED["entities"], name="r"),
    "one to the microsecond": sdk.ReminderScheduled("EXTERNAL_go", SOON.replace(microsecond=1, tzinfo=timezone.utc)),
}
USUAL_MESSAGES: dict[str, Any] = {
    "a text": utter(text="hello"),
    "buttons": utter(text="which", buttons=[{"title": "a", "payload": "/a"}]),
    "a template": utter(response="utter_hello", name="Ann"),
    "an object": utter(json_message={"a": [1, 2.5, None]}),
}


@pytest.mark.parametrize("event", USUAL_EVENTS.values(), ids=list(USUAL_EVENTS))
def test_the_sdks_events_take_the_short_way(event: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are copied: what is done to the answer is not done to what the author keeps."""
    monkeypatch.setattr(answers, "_unusual_event", none)
    before = copy.deepcopy(event)
    answer = answer_of("action_x", [event], [], "3.21.0")

    assert answer.events == [event] == [before]
    assert answer.events[0] is not event


@pytest.mark.parametrize("others", [0, 1], ids=["of one kind", "of two kinds"])
@pytest.mark.parametrize("event", [*USUAL_EVENTS.values(), *NESTED_EVENTS.values(), sdk.ActionExecuted("action_x")])
def test_many_of_the_sdks_events_take_the_short_way(event: Any, others: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No function is entered for each; they are copied, down to their lists."""
    events = [copy.deepcopy(event), *[sdk.AllSlotsReset()] * others] * 50
    before = copy.deepcopy(events)
    monkeypatch.setattr(answers, "_event", none)
    answer = answer_of("action_x", events, [], "3.21.0")

    assert answer.events == before
    kept = {id(part) for one in events for part in (one, *one.values()) if isinstance(part, (dict, list))}
    given = {id(part) for one in answer.events for part in (one, *one.values()) if isinstance(part, (dict, list))}
    assert kept.isdisjoint(given)


_WRONG: tuple[Any, ...] = (None, True, -1, 2.5, "x", "2026-02-30T10:00:00", [], [1], [{}], {}, {"a": [True]})


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from _paths(item, (*path, key))


@pytest.mark.parametrize("event", NESTED_EVENTS.values(), ids=list(NESTED_EVENTS))
def test_one_wrong_field_anywhere_is_seen_among_many_events(event: Any) -> None:
    """Each field of each object, of each wrong type, or left out, or another beside it."""
    for path in _paths(event):
        for wrong in (*_WRONG, "left out", "another"):
            spoilt = copy.deepcopy(event)
            holder = spoilt
            for key in path[:-1]:
                holder = holder[key]
            if wrong == "left out":
                del holder[path[-1]]
            elif wrong == "another" and isinstance(holder, dict):
                holder["response_selector"] = {"all_retrieval_intents": "x"}
            else:
                holder[path[-1]] = wrong
            many = [copy.deepcopy(event) for _ in range(18)] + [spoilt]
            assert answered(many, [], "3.21.0") == answered_the_long_way(many, [], "3.21.0")


@pytest.mark.parametrize(
    "moment",
    ["2026-11-29", "2026-11-29T07:30", "20261129T073000", "2026-W48-7T07:30:00", "2026-11-29T07:30:00.123",
     "2026-11-29T07:30:00+02:00", "2026-11-29T07:30:00.000001+02:00:30", "2026-11-29T07:30:00+02:00:30",
     "2026-11-29 07:30:00", "2026-11-29T24:00:00", "2026-13-29T07:30:00", "\uff12026-11-29T07:30:00", 7, None],
)  # fmt: skip
def test_many_reminders_are_taken_as_each_of_them_alone(moment: Any) -> None:
    """However their moments are written."""
    many = [{**sdk.ReminderScheduled("go", SOON), "date_time": moment}] * 20

    assert answered(many, [], "3.21.0") == answered_the_long_way(many, [], "3.21.0")


def test_many_users_texts_without_more_are_put_right_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """``UserUttered(text)`` writes a null that engines refuse. Each is told of, and the author's stay as they are."""
    events = [sdk.UserUttered(f"text {number}") for number in range(20)]
    expected = answered_the_long_way(events, [], "3.21.0")
    monkeypatch.setattr(answers, "_event", none)

    assert answered(events, [], "3.21.0") == expected
    assert json.loads(expected)[2] == [["repaired", "action_x", "user"]] * 20
    assert all(event["parse_data"] is None for event in events)


@pytest.mark.parametrize("message", USUAL_MESSAGES.values(), ids=list(USUAL_MESSAGES))
def test_what_utter_message_makes_takes_the_short_way(message: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied as well, down to the buttons."""
    monkeypatch.setattr(responses, "_unusual_response", none)
    answer = answer_of("action_x", [], [message], "3.21.0")

    assert answer.responses == [message]
    assert answer.responses[0]["buttons"] is not message["buttons"]


def test_an_event_costs_a_few_functions() -> None:
    """Ten thousand of them cost no more than rasa-sdk's own way with them; counted, not timed."""
    few, many = ([sdk.SlotSet("a", number) for number in range(size)] for size in (100, 200))
    cost = [functions_of(lambda found=found: answer_of("action_x", found, [], "3.21.0")) for found in (few, many)]  # type: ignore[misc]

    assert (cost[1] - cost[0]) / 100 <= 2


def test_no_event_is_usual_of_which_more_has_to_be_looked_at() -> None:
    """An entity without a value, a reminder without a moment."""
    for name in ("user", "entities", "reminder", "action"):
        assert not events.fits({"event": name})
