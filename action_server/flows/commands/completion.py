"""A language model's completion: the schema it must follow, and the commands it means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from action_server.errors import InvalidCompletionError
from action_server.flows.commands.command import PLAIN_COMMANDS, Clarify, Command, SetSlot, StartFlow
from action_server.flows.commands.generator import DialogueView, SlotView

_MOST_COMMANDS = 20
_LONGEST_TEXT = 2000
# What a model thought before it answered; servers that cut its beginning off leave the end.
_THOUGHT = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL)
# So many braces of the prose around an answer are looked at: each may be read to the end of the text.
_MOST_BRACES = 50


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


class _Completion(_Part):
    commands: Annotated[list[_AnyPart], Field(min_length=1, max_length=_MOST_COMMANDS)]


def read_completion(text: str, view: DialogueView) -> list[Command]:
    """Return the commands of a completion, all of them possible where the conversation stands.

    Raises:
        InvalidCompletionError: it has no JSON, not of the schema, or names a flow, slot or value that there is not.
    """
    content = _find_json(_THOUGHT.sub("", text))
    try:
        completion = _Completion.model_validate(content)
    except ValidationError as exc:
        invalid = [_describe_problem(error["loc"], error["msg"]) for error in exc.errors()[:5]]
        raise InvalidCompletionError(invalid) from None
    problems: list[str] = []
    commands = [_to_command(part, f"commands[{n}]", view, problems) for n, part in enumerate(completion.commands)]
    if problems:
        raise InvalidCompletionError(problems)
    return commands


def _find_json(text: str) -> Any:
    """Return the JSON that a text is, or the last object with commands in it: prose and fences may stand around it."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        pass
    found = [value for value in _objects_in(text) if "commands" in value]
    if not found:
        raise InvalidCompletionError(["the answer is not JSON"])
    return found[-1]


def _objects_in(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    start = text.find("{")
    for _ in range(_MOST_BRACES):
        if start < 0:
            return
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield value
        start = text.find("{", end)


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _describe_problem(location: tuple[int | str, ...], message: str) -> str:
    # The name of the kind of command, which pydantic puts into the place, says nothing to the reader.
    parts = [part for part in location if part not in ("start_flow", "set_slot", "clarify", *PLAIN_COMMANDS)]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    return f"{place or 'the answer'}: {message}"


def _to_command(
    part: _StartFlow | _SetSlot | _Clarify | _Plain, where: str, view: DialogueView, problems: list[str]
) -> Command:
    flows = [flow.id for flow in view.flows]
    if isinstance(part, _StartFlow):
        if part.flow not in flows:
            problems.append(f"{where}.flow: there is no such flow; there are {_join_names(flows)}")
        return StartFlow(part.flow)
    if isinstance(part, _Clarify):
        if not set(part.flows) <= set(flows):
            problems.append(f"{where}.flows: not all of them exist; there are {_join_names(flows)}")
        return Clarify(tuple(part.flows))
    if isinstance(part, _SetSlot):
        slot = next((slot for slot in view.slots if slot.name == part.slot), None)
        if slot is None:
            problems.append(
                f"{where}.slot: no such slot can be filled; those that can: {_join_names([s.name for s in view.slots])}"
            )
            return SetSlot(part.slot, None)
        try:
            return SetSlot(slot.name, _validate_value(slot, part.value))
        except ValueError as exc:
            problems.append(f"{where}.value: must be {exc}")
            return SetSlot(slot.name, None)
    return PLAIN_COMMANDS[part.command]


def _validate_value(slot: SlotView, value: Any) -> Any:
    """Return the value as the slot has it; raises `ValueError` that says what it must be."""
    if value is None:
        return None
    if slot.values:
        same = [v for v in slot.values if str(v).casefold() == str(value).casefold()]
        if not same:
            raise ValueError(f"one of {_join_names([str(v) for v in slot.values])}")
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


def _join_names(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
