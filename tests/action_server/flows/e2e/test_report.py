"""What happened is written in the words of tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from action_server.flows.commands.command import SetSlot
from action_server.flows.e2e.report import describe_turn
from action_server.flows.player.trace import Failure
from action_server.flows.session.failures import FailedCall
from tests.action_server.flows.e2e.results import turn

EVENTS: list[dict[str, Any]] = [
    {"event": "flow_started", "flow_id": "order"},
    {"event": "slot", "name": "drink", "value": "tea"},
    {"event": "action", "name": "action_serve"},
    {"event": "action", "name": "action_listen"},
    {"event": "bot", "text": "Enjoy!", "metadata": {"utter_action": "utter_enjoy"}},
    {"event": "bot", "text": None},
    {"event": "session_started"},
]


def test_each_event_a_test_can_ask_for_is_a_line() -> None:
    """Copied into a test it would hold; what the engine does for itself is left out."""
    played = turn("tea please", events=EVENTS)
    played.turn.commands.append(SetSlot("drink", "tea"))

    assert list(describe_turn(played)) == [
        'understood: set drink to "tea"',
        "  because: the test says so",
        "flow_started: order",
        'slot_was_set: drink = "tea"',
        "action_executed: action_serve",
        'bot_uttered: utter_enjoy "Enjoy!"',
        "bot_uttered: null",
    ]


def test_failures_and_calls_that_failed_come_last() -> None:
    """Before the first message nothing was understood."""
    played = replace(turn(""), step=None, failed_calls=(FailedCall("action_pay", "e1", "ValueError: no", "pay.py:3"),))
    played.turn.failures.append(Failure("the action failed"))

    assert list(describe_turn(played)) == [
        "! the action failed",
        "! log ERROR action.failed action=action_pay error_id=e1: ValueError: no at pay.py:3",
    ]
