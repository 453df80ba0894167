"""A turn as JSON, for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from action_server.flows.player.trace import ActionCall, BotMessage, Decision, StepTaken, Turn
from action_server.flows.session.failures import FailedCall
from action_server.flows.session.script import command_as_json
from action_server.protocol.jsonable import JsonObject


def turn_as_json(turn: Turn, failed: Sequence[FailedCall] = ()) -> JsonObject:
    """Return what happened in a turn. Places are ``file:line``; slots that changed are ``[before, after]``."""
    return {
        "user": turn.message,
        "bot": [_message(message) for message in turn.messages],
        "commands": [command_as_json(command) for command in turn.commands],
        "because": turn.because,
        "details": dict(turn.details),
        "ignored": [{**command_as_json(i.command), "reason": i.reason} for i in turn.ignored],
        "steps": [_step(step) for step in turn.steps],
        "calls": [_call(call) for call in turn.calls],
        "slots": {name: list(pair) for name, pair in turn.changed_slots.items()},
        "active_flow": turn.active_flow,
        "asked_slot": turn.asked_slot,
        "failures": [str(failure) for failure in turn.failures],
        "failed_calls": [asdict(call) for call in failed],
        "notes": list(turn.notes),
        "paused": turn.is_paused,
        "ended": turn.has_ended,
    }


def _message(message: BotMessage) -> JsonObject:
    found = {"text": message.text, "response": message.response, "action": message.action}
    rich = {name: getattr(message, name) for name in ("buttons", "quick_replies", "elements", "image", "attachment")}
    return {**found, **{name: value for name, value in {**rich, "custom": message.custom}.items() if value}}


def _step(step: StepTaken) -> JsonObject:
    return {
        "flow": step.flow,
        "step": step.step,
        "kind": step.kind,
        "what": step.what,
        "at": str(step.at) if step.at else None,
        "decisions": [_decision(decision) for decision in step.decisions],
        "call": step.call.action if step.call else None,
        "skipped": step.skipped,
        "notes": list(step.notes),
    }


def _decision(decision: Decision) -> JsonObject:
    return {
        "if": decision.condition,
        "value": decision.value,
        "values": dict(decision.values),
        "error": decision.error,
        "goes_to": decision.led_to if decision.value else None,
    }


def _call(call: ActionCall) -> JsonObject:
    return {
        "action": call.action,
        "status": call.status,
        "milliseconds": call.milliseconds,
        "slots": {name: list(pair) for name, pair in call.changed_slots.items()},
        "events": list(call.events),
        "logs": [asdict(line) for line in call.logs],
        "asked_for_domain": call.asked_for_domain,
        "problem": call.problem,
    }
