"""A language model's answer: the schema it must follow, and the commands it means."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from action_server.errors import InvalidAnswerError
from action_server.flows.commands.port import (
    PLAIN_COMMANDS,
    Clarify,
    Command,
    DialogueView,
    SetSlot,
    SlotView,
    StartFlow,
)

_MOST_COMMANDS = 20
_LONGEST_TEXT = 2000
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class _StartFlow(_Part):
    command: Literal["start_flow"]
    flow: str


class _SetSlot(_Part):
    command: Literal["set_slot"]
    slot: str
    value: JsonValue


class _Clarify(_Part):
    command: Literal["clarify"]
    flows: Annotated[list[str], Field(min_length=1, max_length=10)]


class _Plain(_Part):
    command: Literal[
        "cancel_flow",
        "repeat_bot_messages",
        "human_handoff",
        "chitchat",
        "search_and_reply",
        "skip_question",
        "cannot_handle",
    ]


_AnyPart = Annotated[_StartFlow | _SetSlot | _Clarify | _Plain, Field(discriminator="command")]


class _Answer(_Part):
    commands: Annotated[list[_AnyPart], Field(min_length=1, max_length=_MOST_COMMANDS)]


def read_answer(text: str, view: DialogueView) -> list[Command]:
    """Return the commands of an answer, all of them possible where the conversation stands.

    Raises:
        InvalidAnswerError: it is not JSON, not of the schema, or names a flow, slot or value that there is not.
    """
    fenced = _FENCE.match(text)
    try:
        content = json.loads(fenced[1] if fenced else text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidAnswerError(["the answer is not JSON"]) from None
    try:
        answer = _Answer.model_validate(content)
    except ValidationError as exc:
        raise InvalidAnswerError([_problem(error["loc"], error["msg"]) for error in exc.errors()[:5]]) from None
    problems: list[str] = []
    commands = [_command(part, f"commands[{n}]", view, problems) for n, part in enumerate(answer.commands)]
    if problems:
        raise InvalidAnswerError(problems)
    return commands


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _problem(location: tuple[int | str, ...], message: str) -> str:
    # The name of the kind of command, which pydantic puts into the place, says nothing to the reader.
    parts = [part for part in location if part not in ("start_flow", "set_slot", "clarify", *PLAIN_COMMANDS)]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    return f"{place or 'the answer'}: {message}"


def _command(
    part: _StartFlow | _SetSlot | _Clarify | _Plain, where: str, view: DialogueView, problems: list[str]
) -> Command:
    flows = [flow.id for flow in view.flows]
    if isinstance(part, _StartFlow):
        if part.flow not in flows:
            problems.append(f"{where}.flow: there is no such flow; there are {_listed(flows)}")
        return StartFlow(part.flow)
    if isinstance(part, _Clarify):
        if not set(part.flows) <= set(flows):
            problems.append(f"{where}.flows: not all of them exist; there are {_listed(flows)}")
        return Clarify(tuple(part.flows))
    if isinstance(part, _SetSlot):
        slot = next((slot for slot in view.slots if slot.name == part.slot), None)
        if slot is None:
            problems.append(
                f"{where}.slot: no such slot can be filled; those that can: {_listed([s.name for s in view.slots])}"
            )
            return SetSlot(part.slot, None)
        try:
            return SetSlot(slot.name, _value(slot, part.value))
        except ValueError as exc:
            problems.append(f"{where}.value: must be {exc}")
            return SetSlot(slot.name, None)
    return PLAIN_COMMANDS[part.command]


def _value(slot: SlotView, value: Any) -> Any:
    """Return the value as the slot has it; raises `ValueError` that says what it must be."""
    if value is None:
        return None
    if slot.values:
        same = [v for v in slot.values if str(v).casefold() == str(value).casefold()]
        if not same:
            raise ValueError(f"one of {_listed([str(v) for v in slot.values])}")
        return same[0]
    if slot.type == "bool" and not isinstance(value, bool):
        raise ValueError("true or false")
    if slot.type == "float" and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise ValueError("a number")
    if slot.type == "text" and not (isinstance(value, str) and len(value) <= _LONGEST_TEXT):
        raise ValueError(f"text of at most {_LONGEST_TEXT} characters")
    if slot.type == "list" and not isinstance(value, list):
        raise ValueError("a list")
    return value


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
