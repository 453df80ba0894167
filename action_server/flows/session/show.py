"""A turn in words: what was said, and, if wanted, everything that led to it. Readable without colour.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from action_server.flows.commands.command import CannotHandle, Clarify, Command, SetSlot, StartFlow
from action_server.flows.player.trace import ActionCall, BotMessage, Decision, StepTaken, Turn
from action_server.flows.session.failures import FailedCall
from action_server.flows.session.script import command_as_json
from action_server.project.project_reader import PATTERNS_FILE

_LONGEST_VALUE = 120
# What a pattern that asks for a slot always does: it tells nobody anything.
_ROUTINE = frozenset({"action_listen", "action_run_slot_rejections"})
_UNITS = {"milliseconds": "{:g} ms", "prompt_tokens": "{} tokens in", "completion_tokens": "{} tokens out"}


@dataclass(frozen=True)
class Line:
    """A line of a transcript; the style is rich's, for terminals only."""

    text: str
    style: str = ""


# The text of responses that are nothing without the rephraser: `placeholder_this_utterance_needs_the_rephraser`.
_PLACEHOLDER = "placeholder_"


@dataclass(frozen=True)
class Button:
    """What a user may click: what stands on it, and what it sends."""

    title: str
    payload: str


def user_line(text: str) -> Line:
    """Return the line of a message."""
    return Line(f"you: {text}", "bold")


def bot_lines(messages: Sequence[BotMessage]) -> Iterator[Line]:
    """Yield the lines of what the bot said, buttons numbered through."""
    number = 0
    for message in messages:
        first = "bot: "
        text = message.text or ""
        if message.rephrased and text.startswith(_PLACEHOLDER):
            text = "(a language model would say something here)"
        for line in text.splitlines():
            yield Line(f"{first}{line}", "cyan")
            first = "     "
        buttons = buttons_of([message])
        if buttons:
            titles = "   ".join(f"[{number + n}] {button.title}" for n, button in enumerate(buttons, 1))
            yield Line(f"{first}{titles}", "cyan")
            number += len(buttons)
        others = {"image": message.image, "attachment": message.attachment, "custom": message.custom}
        for name, value in {**others, "elements": message.elements}.items():
            if value:
                yield Line(f"     {name}: {value if isinstance(value, str) else json.dumps(value)}", "cyan")


def buttons_of(messages: Sequence[BotMessage]) -> list[Button]:
    """Return the buttons of messages, in the order of their numbers."""
    found = [button for message in messages for button in (*message.buttons, *message.quick_replies)]
    return [Button(str(b.get("title")), str(b.get("payload") or b.get("title"))) for b in found]


def explain_turn(turn: Turn, failed: Sequence[FailedCall] = (), *, with_patterns: bool = False) -> Iterator[Line]:
    """Yield what happened in a turn: understanding, steps, decisions, calls, and why anything failed.

    The engine's own patterns are a line each, unless ``with_patterns``: every assistant has the same.
    """
    yield from _understanding_lines(turn)
    for call in turn.calls:
        if all(step.call is not call for step in turn.steps):
            yield from _call_lines(call, failed, "  ")
    for flow, group in groupby(turn.steps, key=lambda step: step.flow):
        steps = list(group)
        if not with_patterns and all(map(_is_the_engines, steps)):
            yield from _folded_lines(flow, steps, failed)
            continue
        yield _dim_line(f"  {flow}" if flow else "  outside of flows")
        for step in steps:
            yield from _step_lines(step, failed)
    for failure in turn.failures:
        yield Line(f"  ! {failure}", "red")
    for note in turn.notes:
        yield _dim_line(f"  note: {note}")
    changed = turn.changed_slots
    if changed:
        pairs = (f"{name} {short_json(old)} -> {short_json(new)}" for name, (old, new) in changed.items())
        yield _dim_line(f"  slots: {', '.join(pairs)}")


def failure_lines(turn: Turn, failed: Sequence[FailedCall]) -> Iterator[Line]:
    """Yield only what went wrong in a turn: failures, their error ids and log lines."""
    for failure in turn.failures:
        yield Line(f"  ! {failure}", "red")
    for call in failed:
        yield Line(f"  ! {call}", "red")


def describe_command(command: Command) -> str:
    """Return a command in words."""
    if isinstance(command, StartFlow):
        return f"start {command.flow}"
    if isinstance(command, SetSlot):
        return f"set {command.name} to {short_json(command.value)}"
    if isinstance(command, Clarify):
        return f"ask which is meant: {', '.join(command.flows)}"
    if isinstance(command, CannotHandle):
        return "not understood"
    return str(command_as_json(command)["command"]).replace("_", " ")


def short_json(value: Any) -> str:
    """Return a value as JSON, cut where it is too long for a line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _understanding_lines(turn: Turn) -> Iterator[Line]:
    meant = "; ".join(map(describe_command, turn.commands)) or "nothing that can be followed"
    yield _dim_line(f"  understood: {meant}")
    details = _format_details(turn.details)
    yield _dim_line(f"    because: {turn.because or 'nobody said why'}{f' ({details})' if details else ''}")
    for ignored in turn.ignored:
        yield _dim_line(f"    not followed: {describe_command(ignored.command)}: {ignored.reason}")


def _format_details(details: Mapping[str, Any]) -> str:
    known = {**details}
    cost = known.pop("cost", None)
    parts = [_UNITS.get(name, f"{name} {{}}").format(found) for name, found in known.items()]
    return ", ".join([*parts, *([f"cost {cost:.6f}"] if cost is not None else [])])


def _step_lines(step: StepTaken, failed: Sequence[FailedCall]) -> Iterator[Line]:
    # The engine's own patterns ask for actions that hardly any project has.
    if not (step.skipped and _is_the_engines(step)):
        name = "" if step.kind in ("end", "followup") or _has_no_id(step) else f"{step.step}  "
        passed_over = "  (passed over)" if step.skipped else ""
        resumed = "goes on after " if step.kind == "resumed" else ""
        place = f"  {step.at}" if step.at and step.kind != "end" and not _is_the_engines(step) else ""
        yield _dim_line(f"    {resumed}{name}{step.what}{passed_over}{place}")
        if step.call is not None:
            yield from _call_lines(step.call, failed, "      ")
        for note in step.notes:
            yield _dim_line(f"      {note}")
    for decision in step.decisions:
        yield _dim_line(f"      {_format_decision(decision)}")


def _folded_lines(flow: str, steps: Sequence[StepTaken], failed: Sequence[FailedCall]) -> Iterator[Line]:
    """Yield a pattern as its name and what it did beside its routine, then the author's actions that it called."""
    did = [s.what.removeprefix("action ") for s in steps if s.kind not in ("end", "resumed") and not s.skipped]
    told = ", ".join(what for what in did if what not in _ROUTINE)
    yield _dim_line(f"  {flow}: {told}" if told else f"  {flow}")
    for step in steps:
        if step.call is not None:
            yield from _call_lines(step.call, failed, "    ")
        for decision in step.decisions:
            if decision.error:
                yield _dim_line(f"    {_format_decision(decision)}")


def _is_the_engines(step: StepTaken) -> bool:
    """Tell a step of a pattern that the project does not have: its place says nothing to the reader."""
    return step.at is not None and Path(os.path.realpath(step.at.file)) == PATTERNS_FILE


def _has_no_id(step: StepTaken) -> bool:
    # Made of the flow's id, a number and what the step does, which stands beside it.
    return step.step.removeprefix(f"{step.flow}_")[:1].isdecimal()


def _format_decision(decision: Decision) -> str:
    found = ", ".join(f"{name} = {short_json(v)}" for name, v in decision.values.items())
    # A condition may be written over several lines.
    parts = [f"if {' '.join((decision.rendered or decision.condition).split())}: {str(decision.value).lower()}"]
    parts += [f" ({decision.error})"] if decision.error else []
    parts += [f"; {found}"] if found else []
    parts += [f", goes to {decision.led_to}"] if decision.led_to and decision.value else []
    return "".join(parts)


def _call_lines(call: ActionCall, failed: Sequence[FailedCall], indent: str) -> Iterator[Line]:
    twice = ", asked for the domain first" if call.asked_for_domain else ""
    yield _dim_line(f"{indent}call {call.action}: {call.status or 'no answer'} in {call.milliseconds:g} ms{twice}")
    for name, (old, new) in call.changed_slots.items():
        yield _dim_line(f"{indent}  slot {name}: {short_json(old)} -> {short_json(new)}")
    other = [e for e in call.events if e.get("event") != "slot"]
    for event in other:
        yield _dim_line(f"{indent}  event {short_json({k: v for k, v in event.items() if v is not None})}")
    for line in call.logs:
        yield _dim_line(f"{indent}  log {line.level} {line.logger}: {line.message}")
    for found in failed:
        if found.action == call.action:
            yield Line(f"{indent}  ! {found}", "red")


def _dim_line(text: str) -> Line:
    return Line(text, "dim")
