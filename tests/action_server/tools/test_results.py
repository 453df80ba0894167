"""Answers of tools have one form, whatever an action says, and their schema promises no more than that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from action_server.errors import (
    ActionFailedError,
    ActionRejectedError,
    ActionTimeoutError,
    CallError,
    InternalError,
    SaturatedError,
)
from action_server.protocol.answers import Answer
from action_server.tools.names import answer_key
from action_server.tools.results import ToolResult, failure_of, output_schema, refusal_of, result_of

SETS = {"reference": "reference", "result": answer_key("result")}
FIXED = {"ok", "error", "text", "responses"}
# What JavaScript reads as it was written.
EXACT = 2**53 - 1

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["reference", "result", "errors", "ok", "error", "text", "responses", "followup_action", "day"])
ANSWERS = st.builds(
    lambda slots, texts, failure: Answer(
        [{"event": "slot", "name": name, "value": value} for name, value in slots],
        [{"text": text, "custom": {}} for text in texts],
        CallError("no", "action_x") if failure else None,
    ),
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.lists(st.text(st.characters(exclude_categories=()), max_size=6), max_size=2),
    st.booleans(),
)


def check(result: ToolResult) -> dict[str, Any]:
    """Check the rules that hold for every answer; return what a client reads."""
    written = result.as_json
    assert [block["type"] for block in written["content"]] == ["text"]
    text = written["content"][0]["text"]
    # Well-formed text, finite numbers, and nothing but the structure once more, without a space too many.
    assert text.encode("utf-8").decode("utf-8") == text
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    assert text == json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    assert found == written["structuredContent"]
    assert found.keys() >= FIXED
    assert not {"result", "errors"} & found.keys()
    assert found["ok"] is (found["error"] is None)
    assert isinstance(found["text"], str)
    assert all(abs(number) <= EXACT for number in integers_in(found))
    assert list(Draft202012Validator(output_schema(SETS, {})).iter_errors(found)) == []
    return found


def integers_in(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [number for part in value.values() for number in integers_in(part)]
    if isinstance(value, list):
        return [number for part in value for number in integers_in(part)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []


@given(ANSWERS)
@settings(max_examples=200, deadline=None)
def test_whatever_an_action_says_every_client_reads_it(answer: Answer) -> None:
    """One text that is the structure, all keys, `error` exactly with `ok: false`, and what the schema promises."""
    assert check(result_of(answer, SETS, {}, {}))["ok"] is (answer.failure is None)


@pytest.mark.parametrize("number", [EXACT, EXACT + 1, -EXACT, -EXACT - 1])
def test_an_identifier_is_never_rounded(number: int) -> None:
    """The largest that JavaScript tells from its neighbours is a number, the next one a text."""
    answer = Answer([{"event": "slot", "name": "reference", "value": number}], [])

    assert check(result_of(answer, SETS, {}, {}))["reference"] == (number if abs(number) <= EXACT else str(number))


@pytest.mark.parametrize(
    ("error", "is_error", "said"),
    [
        (SaturatedError("action_x", "max_concurrent", 1), False, "busy: too many calls are running; try again later"),
        (ActionTimeoutError("action_x", 8, "e1"), False, "{} (error_id e1)"),
        (ActionRejectedError("", "action_x"), False, "the action 'action_x' declined"),
        (ActionRejectedError("closed", "action_x"), False, "closed"),
        (CallError("", "action_x"), False, "the action failed"),
        (ActionFailedError("action_x", "e2"), True, "{} (error_id e2)"),
        (InternalError("e3"), True, "{} (error_id e3)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_nobody_foresaw_is_an_error_of_the_protocol(error: CallError, is_error: bool, said: str) -> None:
    """Engines end a flow at `isError`; without it the key is left out."""
    result = failure_of(error, SETS)

    assert check(result)["error"] == said.format(error.message)
    assert result.as_json.get("isError", False) is is_error
    assert ("isError" in result.as_json) is is_error
    assert set(result.structured) == {*FIXED, *SETS.values()}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], {"a": float("nan")}, "half \ud83d"])
def test_what_json_does_not_have_is_put_right(value: Any) -> None:
    """Numbers that are none, and half a character."""
    check(
        result_of(Answer([{"event": "slot", "name": "reference", "value": value}], [{"text": "\udc00"}]), SETS, {}, {})
    )


def test_what_nobody_announced_never_takes_an_announced_key() -> None:
    """Whatever the order in which slots are set; a key that clients do not take is written as they do."""
    events = [{"event": "slot", "name": name, "value": name} for name in ("party size", "party_size", "Größe")]

    found, back = [
        result_of(Answer(order, []), {"party_size": "party_size"}, {}, {}).structured
        for order in (events, events[::-1])
    ]

    assert found["party_size"] == back["party_size"] == "party_size"
    assert found["Grosse"] == "Größe"


def test_the_last_follow_up_counts_and_keys_are_well_formed_too() -> None:
    """As engines take them; half a character in a key of an object is none."""
    events: list[dict[str, Any]] = [{"event": "followup", "name": name} for name in ("action_a", "action_b")]
    events.append({"event": "restart"})
    events.append({"event": "slot", "name": "day", "value": {"\ud83d": 1}})

    found = result_of(Answer(events, []), {}, {}, {}).structured

    assert (found["followup_action"], found["day"]) == ("action_b", {"?": 1})
    assert found.keys() == {*FIXED, "followup_action", "day"}


def test_a_slot_may_nest_as_deep_as_an_answer() -> None:
    """What the webhook can say, a tool can."""
    deep: Any = "x"
    for _ in range(250):
        deep = [deep]

    result = result_of(Answer([{"event": "slot", "name": "day", "value": deep}], []), {}, {}, {})

    assert result.text.count("[") == 251


def test_a_refusal_says_what_to_mend() -> None:
    """And has all keys, as every answer."""
    assert check(refusal_of("city is missing", SETS)) == {
        "ok": False,
        "error": "city is missing",
        "text": "",
        "responses": [],
        "reference": None,
        "slot_result": None,
    }


def test_the_output_schema_types_what_is_made_here_and_nothing_else() -> None:
    """An object at the root, open for further keys; a slot may hold anything."""
    schema = output_schema(SETS, {"reference": "Of the booking."})

    assert set(schema) == {"type", "properties", "required"}
    assert schema["type"] == "object"
    assert schema["required"] == [*schema["properties"]]
    types = {name: {k: v for k, v in part.items() if k != "description"} for name, part in schema["properties"].items()}
    assert types == {
        "ok": {"type": "boolean"},
        "error": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "text": {"type": "string"},
        "responses": {"type": "array", "items": {"type": "object"}},
        "reference": {},
        "slot_result": {},
    }
    assert schema["properties"]["reference"]["description"] == "Of the booking."
    assert schema["properties"]["slot_result"]["description"] == "The slot result."
