"""Events are appended to the tracker and to the record of the turn."""

from __future__ import annotations

import json

from action_server.flows.player.event_log import EventLog
from action_server.flows.player.stack import Frame
from action_server.flows.player.state import State
from action_server.flows.player.turn_recorder import TurnRecorder
from tests.action_server.flows.bots import NOON, read


def event_log() -> tuple[EventLog, State, TurnRecorder]:
    state = State(read("events").domain, sender_id="s", channel="cmdline", clock=lambda: NOON)
    recorder = TurnRecorder()
    return EventLog(state, recorder), state, recorder


def test_an_event_is_in_the_tracker_and_in_the_turn() -> None:
    """With the time, and with what it does."""
    events, state, recorder = event_log()

    events.set_slot("name", "Ann", filled_by="button")

    expected = {"event": "slot", "name": "name", "value": "Ann", "filled_by": "button", "timestamp": NOON}
    assert state.events == recorder.turn.events == [expected]
    assert state.slots["name"] == "Ann"


def test_what_an_event_cannot_do_is_noted() -> None:
    """The event is kept all the same, as engines do."""
    events, state, recorder = event_log()

    events.set_slot("nmae", "Ann")

    assert recorder.turn.notes == ["the domain has no slot 'nmae', so it was not set"]
    assert len(state.events) == 1


def test_a_reset_is_noted_only_if_it_changes_something() -> None:
    """The event is appended in any case; a slot that does not exist is left alone."""
    events, state, recorder = event_log()

    events.reset_slot("count")
    events.set_slot("count", 3)
    events.reset_slot("count")
    events.reset_slot("nowhere")

    assert [event["value"] for event in state.events] == [0, 3, 0]
    assert recorder.turn.notes == ["slot count goes back to 0"]


def test_a_stack_event_says_what_changed_since_the_last_one() -> None:
    """None is appended where nothing changed."""
    events, state, _ = event_log()

    events.emit_stack()
    state.stack.append(Frame("1", "book"))
    events.emit_stack()
    events.emit_stack()
    state.stack.clear()
    events.emit_stack()

    updates = [[operation["op"] for operation in json.loads(event["update"])] for event in state.events]
    assert updates == [["add"], ["remove"]]
