"""What a call of a tool takes along on the road of every call, and what its log says once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from action_server.errors import ActionFailedError, ActionRejectedError, CallError, SlotValueError
from action_server.protocol.answers import Answer
from action_server.protocol.tool_calls import ToolCall, ToolTracker
from action_server.runtime.tool_options import McpSettings, ToolOptions
from action_server.tools.calling import LONG_ANSWER, Caller, ToolCaller
from tests.action_server.serving.mcp.tool_actions import ActionHelped, ActionWho
from tests.action_server.tools.offers import action, offer

DOMAIN = {"slots": {"city": {"type": "text"}, "outside": {"type": "bool", "initial_value": True}}}
READS = ToolOptions(reads=("city", "party size"), sets=("done",))
EMPTY = '{"ok":true,"error":null,"text":"","responses":[],"done":""}'


class Road:
    """Takes the place of what runs a call: keeps what it is given, and answers as it is told."""

    def __init__(self, answer: Answer | None = None, error: CallError | None = None, missed: str = "") -> None:
        self.answer, self.error, self.missed = answer, error, missed
        self.given: list[tuple[Any, dict[str, Any]]] = []
        self.measured: list[int] = []

    async def __call__(self, call: Any, **how: Any) -> tuple[Answer | None, CallError | None]:
        self.given.append((call, how))
        call.missed.update(self.missed.split())
        if self.answer is not None:
            self.measured.append(call.measure(self.answer))
        return self.answer, self.error

    def caller(self, domain: dict[str, Any] | None = DOMAIN, **options: Any) -> ToolCaller:
        settings = McpSettings(actions=("*",), tools={"*": READS}, timeout=3, **options)
        offered = offer(action("action_a"), action("action_b"), settings=settings, domain=domain)
        return ToolCaller(offered, self, "sender")


async def test_a_call_takes_along_who_calls_and_how_long_it_may_take() -> None:
    """The caller's headers too: its trace is in them. Slots are as at the start, and those that it sets are empty."""
    road = Road(Answer([], []))
    tools, who = road.caller(), Caller({"traceparent": "00-1-2-01"}, "r-1", "10.0.0.7", 17, "calm")

    await tools.call(tools.offer.tools["action_a"], {"city": "Ulm", "party_size": "2"}, {"sender": "c-1"}, who)

    [(call, how)] = road.given
    assert how == {
        "transport": "mcp",
        "headers": {"traceparent": "00-1-2-01"},
        "request_id": "r-1",
        "client": "10.0.0.7",
        "engine": "calm",
        "size": 17,
        "patience": 3,
    }
    slots = {"city": "Ulm", "outside": True, "done": None, "party size": "2"}
    assert (call.action, call.sender_id, call.part("slots")) == ("action_a", "c-1", slots)
    # As a turn, by which a repeat is told from another call.
    assert {event["name"]: event["value"] for event in call.part("events")} == slots
    assert {(event["event"], event["timestamp"]) for event in call.part("events")} == {("slot", None)}
    # The action does not look at it.
    assert call.domain is None


async def test_a_call_without_anything_is_one_of_nobody() -> None:
    """And of no domain: an empty one is none."""
    road = Road(Answer([], []))
    tools = road.caller(None)

    await tools.call(tools.offer.tools["action_b"], {})

    [(call, how)] = road.given
    assert (call.sender_id, call.domain, how["headers"], how["size"]) == ("", None, None, 0)
    assert call.part("slots") == {"city": None, "done": None, "party size": None}


PEOPLE: list[tuple[Any, Any, str]] = [
    (None, " Ada\n  LOVELACE ", "who:ada lovelace"),
    (None, "Straße", "who:strasse"),
    (None, 491.0, "who:491"),
    ("c-1", "Ada", "c-1"),
    ("null", "Ada", "who:ada"),
    (None, "", ""),
    (None, "null", ""),
    (None, True, ""),
    (None, None, ""),
]


@pytest.mark.parametrize(("sent", "given", "conversation"), PEOPLE)
async def test_one_person_is_one_however_the_name_is_written(sent: Any, given: Any, conversation: str) -> None:
    """Models write it in their own ways; what says nothing is nobody, and never a person of that name."""
    road = Road(Answer([], []))
    tools = road.caller(conversation_argument="who")

    await tools.call(tools.offer.tools["action_a"], {"who": given}, {"sender": sent})

    [(call, _)] = road.given
    assert call.sender_id == conversation


async def test_an_action_that_is_seen_to_ask_for_the_conversation_is_not_begun_without_one() -> None:
    """What it does before it asks would be done; one that may ask somewhere else is, and has the argument for it."""
    road = Road(Answer([], []))
    settings = McpSettings(actions=("*",), conversation_argument="who")
    tools = ToolCaller(offer(ActionWho, ActionHelped, settings=settings), road, "sender")

    for tool in tools.offer.tools.values():
        await tools.call(tool, {})

    assert [call.action for call, _ in road.given] == ["action_helped"]
    assert [list(t.input_schema["properties"]) for t in tools.offer.tools.values()] == [["who"]] * 2


HISTORY = "events latest_message stack active_loop latest_action_name followup_action user_id"


@pytest.mark.parametrize("name", HISTORY.split())
def test_what_no_tools_call_has_is_noted_when_it_is_read(name: str) -> None:
    """Not before: each tracker holds it, empty. What is set is there as on every tracker."""
    call = ToolCall("action_a", "c-1", {})
    tracker = ToolTracker.of(call)
    assert (call.missed, tracker.sender_id) == (set(), "c-1")

    assert not getattr(tracker, name)
    assert call.missed == {name}
    setattr(tracker, name, "x")
    assert getattr(tracker, name) == "x"


@pytest.mark.parametrize("ask", [lambda call: ToolTracker.of(call).sender_id, lambda call: call.ask_for_conversation()])
def test_an_action_that_asks_in_vain_goes_no_further(ask: Callable[[ToolCall], object]) -> None:
    """It would do its work for somebody whom it does not know."""
    call = ToolCall("action_a", "", {})

    with pytest.raises(ActionRejectedError):
        ask(call)
    assert call.missed == {"sender_id"}


@pytest.mark.parametrize(("more", "is_long"), [(0, False), (1, True)])
async def test_an_answer_is_long_from_a_number_of_characters_on(
    more: int, is_long: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted as a model reads it; the road is told of the same number, for the line of the call."""
    assert LONG_ANSWER == 16_000
    filling = "a" * (LONG_ANSWER + more - len(EMPTY))
    road = Road(Answer([{"event": "slot", "name": "done", "value": filling}], []))
    tools = road.caller()

    result = await tools.call(tools.offer.tools["action_a"], {})

    assert road.measured == [len(result.text)] == [LONG_ANSWER + more]
    assert [vars(r)["characters"] for r in caplog.records] == ([LONG_ANSWER + more] if is_long else [])


async def test_each_thing_is_said_once_for_each_tool(caplog: pytest.LogCaptureFixture) -> None:
    """One does not keep another from being said, nor one tool another."""
    caplog.set_level(logging.WARNING)
    tools = Road(Answer([], [{"text": "a" * LONG_ANSWER}]), missed="stack events").caller()
    for _ in range(2):
        for tool in tools.offer.tools.values():
            await tools.call(tool, {"weather": "fine", "party size": 2})

    said = [(r.message, vars(r)["tool"]) for r in caplog.records]
    kinds = ["mcp.unknown_argument", "mcp.missed", "mcp.long_answer"]
    assert said == [(kind, tool) for tool in ("action_a", "action_b") for kind in kinds]
    assert {vars(r).get("argument") for r in caplog.records} == {"weather", None}
    assert {vars(r).get("missed") for r in caplog.records} == {"events, stack", None}


FAILURES: list[tuple[CallError | None, str, bool]] = [
    (None, "the action failed", False),
    (CallError("no such table", "action_a"), "no such table", False),
    (ActionFailedError("action_a", "e1"), "e1", True),
]


@pytest.mark.parametrize(("error", "said", "is_error"), FAILURES)
async def test_a_call_without_an_answer_says_why(error: CallError | None, said: str, is_error: bool) -> None:
    """With all keys of an answer; an error of the protocol only where nobody foresaw it."""
    tools = Road(error=error).caller()

    result = await tools.call(tools.offer.tools["action_a"], {})

    assert (result.structured["ok"], result.is_error, result.structured["done"]) == (False, is_error, None)
    assert said in result.structured["error"]


async def test_a_value_that_an_actions_slots_refuse_is_the_callers_mistake() -> None:
    """Told for each slot, and no error of the protocol: a model can mend it."""
    error = ActionFailedError("action_a", "e1")
    error.__cause__ = SlotValueError({"city": "has to be a text", "day": "is missing"})
    tools = Road(error=error).caller()

    result = await tools.call(tools.offer.tools["action_a"], {})

    assert result.structured["error"] == "slot 'city' has to be a text; slot 'day' is missing"
    assert (result.is_error, result.structured["done"]) == (False, None)


async def test_values_that_do_not_fit_are_all_told_and_nothing_runs() -> None:
    """In one answer, as a model asks again after each."""
    road = Road()
    schema = {"properties": {"day": {"type": "boolean"}, "hour": {"type": "integer"}}, "required": ["hour"]}
    settings = McpSettings(actions=("*",), tools={"*": ToolOptions(arguments=schema, sets=("done",))})
    tools = ToolCaller(offer(action("action_a"), settings=settings), road, "sender")

    result = await tools.call(tools.offer.tools["action_a"], {"day": "secret", "hour": "null"})

    assert result.structured["error"] == "day has to be true or false; hour is missing"
    assert (result.structured["done"], result.is_error, road.given) == (None, False, [])
