"""A turn as JSON has everything that is to know of it."""

from __future__ import annotations

import json

from action_server.flows.commands.command import SetSlot, StartFlow
from action_server.flows.player.trace import (
    ActionCall,
    BotMessage,
    Decision,
    Failure,
    Ignored,
    LogLine,
    StepTaken,
    Turn,
)
from action_server.flows.session.failures import FailedCall
from action_server.flows.session.turn_json import turn_as_json
from action_server.source import Place


def test_a_turn_is_plain_json_with_places_as_file_and_line() -> None:
    """Slots that changed have the value before and after; a branch that was not taken leads nowhere."""
    at = Place(file="flows.yml", line=10)
    call = ActionCall("action_serve", 200, 1.5, {"served": None}, {"served": True}, logs=[LogLine("INFO", "a", "b")])
    decisions = [Decision("slots.a", False, led_to="x"), Decision("slots.b", True, led_to="y")]
    turn = Turn(
        "tea",
        commands=[SetSlot("drink", "tea")],
        because="the test says so",
        ignored=[Ignored(StartFlow("order"), "it runs")],
        steps=[StepTaken("order", "serve", "action", "action action_serve", at, decisions, call)],
        calls=[call],
        messages=[BotMessage("Enjoy!", "utter_enjoy", buttons=[{"title": "x"}])],
        failures=[Failure("it failed", at)],
        slots_before={"drink": None},
        slots={"drink": "tea"},
        active_flow="order",
    )

    found = turn_as_json(turn, [FailedCall("action_pay", "e1", "ValueError: no")])

    assert json.loads(json.dumps(found)) == found
    assert found["commands"] == [{"command": "set_slot", "slot": "drink", "value": "tea"}]
    assert found["ignored"] == [{"command": "start_flow", "flow": "order", "reason": "it runs"}]
    assert found["slots"] == {"drink": [None, "tea"]}
    assert found["failures"] == ["flows.yml:10: it failed"]
    assert found["failed_calls"][0]["error_id"] == "e1"
    [step] = found["steps"]
    assert (step["at"], step["call"], [d["goes_to"] for d in step["decisions"]]) == (
        "flows.yml:10",
        "action_serve",
        [None, "y"],
    )
    assert found["calls"][0]["slots"] == {"served": [None, True]}
    assert found["calls"][0]["logs"] == [{"level": "INFO", "logger": "a", "message": "b"}]


def test_a_message_has_only_what_is_not_empty() -> None:
    """But always its text, its response and the action that said it."""
    messages = [BotMessage("Hi", "utter_hi", "action_x"), BotMessage(None, custom={"a": 1}, image="x.png")]

    assert turn_as_json(Turn("x", messages=messages))["bot"] == [
        {"text": "Hi", "response": "utter_hi", "action": "action_x"},
        {"text": None, "response": "", "action": "", "image": "x.png", "custom": {"a": 1}},
    ]
