"""Running once: the rule of an action, and the key of a call."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from rasa_sdk import Action

from action_server.errors import RequestError, RuleError
from action_server.idempotency.rules import (
    A_DAY,
    A_MINUTE,
    Idempotent,
    idempotent,
    key_of,
    lifetime_of,
    rule_from,
    rule_of,
)
from action_server.protocol.calls import Call, call_from, decode_call
from tests.action_server.idempotency.turns import done, said, turn, with_slots

PAYLOADS = Path(__file__).parents[2] / "contract" / "payloads"
HOUR = timedelta(hours=1)
TURN = Idempotent()
JOB = Idempotent(key=("appointment_type", "preferred_date"), within=HOUR)


def test_a_mark_changes_nothing_but_what_it_says() -> None:
    """The same class and function come back, and the rule is found on the class, an instance, a function or a run."""

    class ActionBook(Action):
        def name(self) -> str:
            return "action_book"

        @idempotent(key=["appointment_type", "preferred_date"], within=3600)
        def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
            return [self.name()]

    class ActionSend(ActionBook): ...

    def function(dispatcher: Any, tracker: Any, domain: Any) -> None: ...

    assert rule_of(ActionBook(), ActionBook().run) == JOB
    assert ActionBook().run(None, None, None) == ["action_book"]
    assert idempotent(ActionSend) is ActionSend
    assert rule_of(ActionSend) == rule_of(ActionSend()) == TURN
    assert idempotent(key="order", within=HOUR)(function) is function
    assert rule_of(function) == Idempotent(key=("order",), within=HOUR)
    assert rule_of(ActionBook, object()) is None


BAD_RULES: list[tuple[str, dict[str, Any], str]] = [
    ("a key without a window", {"key": ["a"]}, "`key` needs `within`"),
    ("no slot", {"key": [], "within": 60}, "`key` names no slot"),
    ("an empty key", {"key": None, "within": 60}, "`key` names no slot"),
    ("a number for a slot", {"key": [1], "within": 60}, "`key` must be a list of slots' names"),
    ("a number for the key", {"key": 1, "within": 60}, "`key` must be a list of slots' names"),
    ("a slot twice", {"key": ["a", "a"], "within": 60}, "`key` names a slot twice"),
    ("no time", {"key": ["a"], "within": 0}, "`within` must be a time above zero"),
    ("a word for a time", {"key": ["a"], "within": "1h"}, "`within` must be a time above zero"),
    ("true for a time", {"key": ["a"], "within": True}, "`within` must be a time above zero"),
    ("no number for a time", {"key": ["a"], "within": float("nan")}, "`within` must be a time above zero"),
    ("for ever", {"key": ["a"], "within": 1e300}, "`within` is longer than can be counted"),
    ("an unknown scope", {"key": ["a"], "within": 60, "scope": "user"}, "`scope` must be conversation or everyone"),
    ("everyone's turn", {"scope": "everyone"}, "`scope: everyone` needs a `key`"),
    ("an unknown policy", {"on_crash": "ignore"}, "`on_crash` must be refuse or rerun"),
    ("a word for a switch", {"keep_failures": "yes"}, "`keep_failures` must be true or false"),
    (
        "an unknown option",
        {"window": 60},
        "there is no `window`; there are key, within, scope, on_crash, keep_failures",
    ),
]


@pytest.mark.parametrize(("options", "problem"), [r[1:] for r in BAD_RULES], ids=[r[0] for r in BAD_RULES])
def test_a_rule_that_makes_no_sense_is_refused(options: dict[str, Any], problem: str) -> None:
    """In the code and in the settings alike, with the name of the part that is wrong."""
    with pytest.raises(RuleError, match="^" + problem.replace("(", r"\(")):
        idempotent(**options)
    with pytest.raises(RuleError):
        rule_from(options)


def test_a_mark_on_what_is_no_action_is_refused() -> None:
    """A slot's name without `key=`, a rule as an argument, something that takes no attributes."""
    untyped: Any = idempotent
    for arguments, options in ((("slot",), {}), ((print,), {"within": 1})):
        with pytest.raises(RuleError, match="write @idempotent, or @idempotent"):
            untyped(*arguments, **options)
    with pytest.raises(RuleError, match="a builtin_function_or_method cannot be marked"):
        idempotent(print)


RULES: list[tuple[object, object]] = [
    ("turn", TURN),
    (True, TURN),
    (False, False),
    ({}, TURN),
    ({"on_crash": "rerun", "keep_failures": True}, Idempotent(on_crash="rerun", keep_failures=True)),
    ({"key": ["appointment_type", "preferred_date"], "within": 3600}, JOB),
    ({"key": "a", "within": 0.5}, Idempotent(key=("a",), within=timedelta(seconds=0.5))),
    ({"key": ["a"], "within": 9, "scope": "everyone"}, Idempotent(("a",), timedelta(seconds=9), "everyone")),
]


@pytest.mark.parametrize(("value", "rule"), RULES, ids=[json.dumps(value) for value, _ in RULES])
def test_a_rule_is_read_from_the_settings(value: object, rule: object) -> None:
    """The turn, a key, a switch."""
    assert rule_from(value) == rule


@pytest.mark.parametrize("value", [None, "yes", 1, ["a"]])
def test_a_setting_that_is_no_rule_says_what_one_is(value: object) -> None:
    """As pydantic's message too, without the value."""

    class Entry(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True)
        idempotent: Annotated[object, BeforeValidator(rule_from)]

    with pytest.raises(ValidationError, match="Value error, must be `turn`, `false` or a group with `key`"):
        Entry(idempotent=value)


def test_a_server_without_such_actions_pays_nothing() -> None:
    """The mark and its rule load no database."""
    code = "import action_server.idempotency.rules, sys; sys.exit('sqlalchemy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_captured_request_has_its_own_place() -> None:
    """Of all requests of a real engine no two share a key, and each has the one it had when it is read again."""
    files = sorted(PAYLOADS.glob("classic_rules/*.json"))
    bodies = [json.loads(file.read_text())["request_body"] for file in files]

    keys = [key_of(TURN, call_from(body)) for body in bodies]

    assert len(set(keys)) == len(keys) == 50
    assert keys == [key_of(TURN, decode_call(json.dumps(body).encode())) for body in bodies]


def test_the_repeat_that_brings_the_domain_is_the_same_call() -> None:
    """The engine asks again after 449; that is no second turn."""
    first, again = (
        call_from(json.loads((PAYLOADS / "calm_constructed" / f"calm_{name}.json").read_text())["request_body"])
        for name in ("first_call_without_domain", "retry_with_domain")
    )

    assert first != again
    assert key_of(TURN, first) == key_of(TURN, again)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
events = st.lists(
    st.fixed_dictionaries(
        {"event": st.sampled_from(["user", "action", "slot", "bot"]), "timestamp": st.none() | st.floats(0, 1e10)},
        optional={"name": st.text(), "message_id": st.text(), "value": json_values},
    ),
    max_size=6,
)
calls = st.builds(
    lambda action, sender, **tracker: Call(action, sender, tracker),
    st.text(min_size=1),
    st.text(),
    events=events,
    slots=st.dictionaries(st.sampled_from(["appointment_type", "preferred_date", "name"]), json_values),
    stack=st.lists(st.fixed_dictionaries({"frame_id": st.text(), "step_id": st.text()}), max_size=3),
    active_loop=st.fixed_dictionaries({}, optional={"name": st.text()}),
)


@given(call=calls, rule=st.sampled_from([TURN, JOB]))
def test_equal_calls_have_equal_keys(call: Call, rule: Idempotent) -> None:
    """Whatever stands in them, after a journey as JSON too, whatever the order of their members; a key is a digest."""
    payload = {"next_action": call.action, "sender_id": call.sender_id, "tracker": dict(reversed(call.tracker.items()))}
    again = replace(call, tracker=json.loads(json.dumps(payload))["tracker"], domain={"slots": {}}, version="3.21")

    assert key_of(rule, call) == key_of(rule, again)
    assert len(key_of(rule, call)) == 64


@given(call=calls, event=events.filter(bool), word=st.text())
def test_another_place_has_another_key(call: Call, event: list[dict[str, Any]], word: str) -> None:
    """More events, another stack, another loop, another action, another conversation: each alone makes another call."""
    tracker = call.tracker
    places = [
        call,
        replace(call, tracker={**tracker, "events": [*event, *tracker["events"]]}),
        replace(call, tracker={**tracker, "stack": [{"frame_id": word}, *tracker["stack"]]}),
        replace(call, tracker={**tracker, "active_loop": {"name": f"{tracker['active_loop'].get('name')}{word}!"}}),
        replace(call, action=f"{call.action}{word}!"),
        replace(call, sender_id=f"{call.sender_id}{word}!"),
    ]

    assert len({key_of(TURN, place) for place in places}) == len(places)


PLACES: list[tuple[str, Call]] = [
    ("the second time in a turn", turn(said(), done("action_book"))),
    ("after another action", turn(said(), done("action_other"))),
    ("the same words in a new message", turn(said("m-2"))),
    ("a message without an id later", turn(said(None, 200.0))),
    ("the same turn later in the conversation", turn(done("action_listen"), said())),
    ("another flow", turn(said(), stack=[{"frame_id": "B"}])),
    ("in a form", turn(said(), active_loop={"name": "booking_form"})),
    ("in an old engine's form", turn(said(), active_form={"name": "old_form"})),
    ("in another conversation", turn(said(), sender_id="bob")),
    ("of another action", turn(said(), action="action_cancel")),
    ("before any message", turn()),
]


def test_places_are_told_apart() -> None:
    """Each of these is a call of its own."""
    keys = {name: key_of(TURN, call) for name, call in [("the first", turn(said())), *PLACES]}

    assert len(set(keys.values())) == len(keys), keys


def test_slots_are_no_place() -> None:
    """What a repeat finds in its slots does not matter: events say where it is."""
    assert key_of(TURN, with_slots(name="Ada")) == key_of(TURN, with_slots(name=None))


SAME_JOBS: list[tuple[str, Call]] = [
    ("in a new message", with_slots(turn(said("m-2", 200.0)), appointment_type="cleaning", preferred_date=3)),
    ("in another order", with_slots(preferred_date=3, appointment_type="cleaning")),
    ("with other slots", with_slots(appointment_type="cleaning", preferred_date=3, name="Ada")),
    ("with a number as gRPC has it", with_slots(appointment_type="cleaning", preferred_date=3.0)),
]
OTHER_JOBS: list[tuple[str, Call]] = [
    ("with another value", with_slots(appointment_type="checkup", preferred_date=3)),
    ("with another type", with_slots(appointment_type="cleaning", preferred_date="3")),
    ("with true for a number", with_slots(appointment_type="cleaning", preferred_date=True)),
    ("with the values swapped", with_slots(appointment_type=3, preferred_date="cleaning")),
    ("in another conversation", with_slots(turn(sender_id="bob"), appointment_type="cleaning", preferred_date=3)),
    ("of another action", with_slots(turn(action="action_x"), appointment_type="cleaning", preferred_date=3)),
    ("with a null", with_slots(appointment_type="cleaning", preferred_date=None)),
]


@pytest.mark.parametrize("call", [c for _, c in SAME_JOBS], ids=[n for n, _ in SAME_JOBS])
def test_the_same_values_are_the_same_job(call: Call) -> None:
    """Wherever in the conversation; a message that a channel delivers twice is the usual case."""
    assert key_of(JOB, call) == key_of(JOB, with_slots(appointment_type="cleaning", preferred_date=3))


@pytest.mark.parametrize("call", [c for _, c in OTHER_JOBS], ids=[n for n, _ in OTHER_JOBS])
def test_other_values_are_another_job(call: Call) -> None:
    """Also those that Python would call equal."""
    assert key_of(JOB, call) != key_of(JOB, with_slots(appointment_type="cleaning", preferred_date=3))


def test_a_job_may_be_everyones() -> None:
    """Then two conversations share it; a rule's scope, slots and kind are part of its keys."""
    everyone = replace(JOB, scope="everyone")
    mine, yours = (with_slots(turn(sender_id=s), appointment_type="a", preferred_date="b") for s in ("me", "you"))

    assert key_of(everyone, mine) == key_of(everyone, yours) != key_of(JOB, mine)
    assert key_of(replace(JOB, key=("appointment_type",)), mine) != key_of(JOB, mine) != key_of(TURN, mine)


def test_a_slot_that_is_not_there_is_null_and_worth_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Engines send every slot, so its name is most likely misspelt in the rule; no value is logged."""
    missing = key_of(JOB, with_slots(appointment_type="cleaning"))

    assert [(r.message, vars(r)["slot"]) for r in caplog.records] == [("idempotent.slot_missing", "preferred_date")]
    assert missing == key_of(JOB, with_slots(appointment_type="cleaning", preferred_date=None))
    assert len(caplog.records) == 1
    assert key_of(JOB, turn(slots=None)) == key_of(JOB, with_slots(turn(), appointment_type=None, preferred_date=None))


@pytest.mark.parametrize("rule", [TURN, JOB], ids=["turn", "key"])
def test_values_too_deep_to_compare_are_the_requests_fault(rule: Idempotent) -> None:
    """A 400 that names the action."""
    deep: Any = []
    for _ in range(200_000):
        deep = [deep]
    call = with_slots(turn({**said(), "metadata": deep}), appointment_type=deep, preferred_date=None)

    with pytest.raises(RequestError, match="nested too deeply") as caught:
        key_of(rule, call)
    assert caught.value.action == "action_book"
    while deep:
        deep = deep[0]  # or the interpreter frees it recursively


def test_an_answer_lives_as_long_as_its_rule_says() -> None:
    """A turn for a day, or a minute if the request does not say when it is; a job for its window."""
    no_time = turn({"event": "user", "text": "hello"})

    assert lifetime_of(TURN, turn(said())) == lifetime_of(TURN, turn(said(at=None))) == A_DAY
    assert lifetime_of(TURN, no_time) == lifetime_of(TURN, turn()) == A_MINUTE
    assert lifetime_of(Idempotent(within=timedelta(days=2)), turn(said())) == timedelta(days=2)
    assert lifetime_of(Idempotent(within=timedelta(seconds=9)), turn()) == timedelta(seconds=9)
    assert lifetime_of(JOB, turn(said())) == lifetime_of(JOB, no_time) == HOUR
