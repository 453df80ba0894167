"""Scripts of commands, as `--understand scripted FILE` reads them.

`turns:` holds a list of commands for each message in turn, `messages:` lists by the very words, which go first::

    turns:
      - [{start_flow: book}]
      - [{set_slot: {kind: urgent}}, cancel_flow]
    messages:
      "the usual": [{start_flow: book}, {set_slot: {kind: general}}]
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action_server.errors import SettingsError
from action_server.flows.commands.command import PLAIN_COMMANDS, Clarify, Command, SetSlot, StartFlow
from action_server.yaml_file import read_yaml

_NAMES: dict[type, str] = {type(command): name for name, command in PLAIN_COMMANDS.items()}


@dataclass(frozen=True)
class Script:
    """Commands by the number of the message, and by its text."""

    turns: tuple[tuple[Command, ...], ...]
    by_message: dict[str, tuple[Command, ...]]


def read_script(path: Path) -> Script:
    """Read a script.

    Raises:
        SettingsError: it cannot be read, or something in it is no command; says where.
    """
    content = read_yaml(path, "--understand scripted")
    if not isinstance(content, dict) or not content or set(content) - {"turns", "messages"}:
        raise SettingsError("--understand scripted", f"{path} must hold `turns:`, `messages:` or both")
    turns, messages = content.get("turns") or [], content.get("messages") or {}
    if not isinstance(turns, list) or not isinstance(messages, dict):
        raise SettingsError("--understand scripted", f"{path}: `turns` must be a list, `messages` a mapping")
    return Script(
        tuple(_commands(turn, f"{path}: turns[{n}]") for n, turn in enumerate(turns)),
        {str(text): _commands(turn, f"{path}: messages[{text!r}]") for text, turn in messages.items()},
    )


def command_as_json(command: Command) -> dict[str, Any]:
    """Return a command in the notation of language models' answers."""
    if isinstance(command, StartFlow):
        return {"command": "start_flow", "flow": command.flow}
    if isinstance(command, SetSlot):
        return {"command": "set_slot", "slot": command.name, "value": command.value}
    if isinstance(command, Clarify):
        return {"command": "clarify", "flows": list(command.flows)}
    return {"command": _NAMES[type(command)]}


def _commands(content: Any, where: str) -> tuple[Command, ...]:
    if not isinstance(content, list):
        raise SettingsError(where, "must be a list of commands")
    return tuple(_command(entry, where) for entry in content)


def _command(entry: Any, where: str) -> Command:
    if isinstance(entry, str) and entry in PLAIN_COMMANDS:
        return PLAIN_COMMANDS[entry]
    match entry:
        case {"start_flow": str(flow)} if len(entry) == 1:
            return StartFlow(flow)
        case {"set_slot": {**slots}} if len(entry) == 1 and len(slots) == 1:
            return next(SetSlot(str(name), value) for name, value in slots.items())
        case {"clarify": [*flows]} if len(entry) == 1 and flows:
            return Clarify(tuple(map(str, flows)))
    forms = "{start_flow: <id>}, {set_slot: {<name>: <value>}}, {clarify: [<id>, <id>]}"
    raise SettingsError(where, f"is no command; there are {forms}, {', '.join(PLAIN_COMMANDS)}")
