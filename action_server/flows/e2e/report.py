"""What happened in a turn of a test, in the words of tests, so that it can be copied into one."""

from __future__ import annotations

from collections.abc import Iterator

from action_server.flows.e2e.checks import format_value
from action_server.flows.e2e.runner import PlayedTurn
from action_server.flows.session.show import describe_command


def describe_turn(played: PlayedTurn) -> Iterator[str]:
    """Yield a line for what was understood, each event a test can ask for, and each failure."""
    turn = played.turn
    if played.step is not None:
        yield f"understood: {'; '.join(map(describe_command, turn.commands)) or 'nothing'}"
        yield f"  because: {turn.because}"
    for event in turn.events:
        kind = event["event"]
        if kind == "slot":
            yield f"slot_was_set: {event['name']} = {format_value(event.get('value'))}"
        elif kind == "action" and event.get("name") != "action_listen":
            yield f"action_executed: {event['name']}"
        elif kind in ("flow_started", "flow_completed", "flow_cancelled"):
            yield f"{kind}: {event['flow_id']}"
        elif kind == "bot":
            name = (event.get("metadata") or {}).get("utter_action")
            yield f"bot_uttered: {f'{name} ' if name else ''}{format_value(event.get('text'))}"
    yield from (f"! {failure}" for failure in turn.failures)
    yield from (f"! {call}" for call in played.failed_calls)
