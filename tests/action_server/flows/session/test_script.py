"""Scripts of commands are read as strictly as they are followed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from action_server.errors import SettingsError
from action_server.flows.commands.command import PLAIN_COMMANDS, Clarify, Command, SetSlot, StartFlow
from action_server.flows.session.script import command_as_json, read_script

SCRIPT = """
turns:
  - [{start_flow: book}]
  - [{set_slot: {kind: urgent}}, cancel_flow]
  - []
messages:
  the usual: [{start_flow: book}, {set_slot: {kind: 3}}]
  7: [{clarify: [book, pay]}]
"""


def script(folder: Path, text: str) -> Path:
    path = folder / "script.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_commands_stand_by_the_number_of_the_message_and_by_its_words(tmp_path: Path) -> None:
    """A value is what YAML has; a message that reads as a number is a text all the same."""
    read = read_script(script(tmp_path, SCRIPT))

    cancel = PLAIN_COMMANDS["cancel_flow"]
    assert read.turns == ((StartFlow("book"),), (SetSlot("kind", "urgent"), cancel), ())
    assert read.by_message == {
        "the usual": (StartFlow("book"), SetSlot("kind", 3)),
        "7": (Clarify(("book", "pay")),),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must hold `turns:`, `messages:` or both"),
        ("turn: []", "must hold `turns:`, `messages:` or both"),
        ("turns: {a: 1}\nmessages: {}", "`turns` must be a list, `messages` a mapping"),
        ("turns: [cancel_flow]", "turns[0]: must be a list of commands"),
        ("turns: [[cancel]]", "turns[0]: is no command; there are {start_flow: <id>}"),
        ("messages: {hi: [{set_slot: {a: 1, b: 2}}]}", "messages['hi']: is no command"),
        ("turns: [[{clarify: []}]]", "turns[0]: is no command"),
    ],
)
def test_a_script_that_cannot_be_read_says_where(tmp_path: Path, text: str, problem: str) -> None:
    """The entry, and what there is instead."""
    with pytest.raises(SettingsError, match=re.escape(problem)):
        read_script(script(tmp_path, text))


def test_a_script_that_is_not_there_is_said(tmp_path: Path) -> None:
    """With the flag that names it."""
    with pytest.raises(SettingsError, match=r"--understand scripted: .*cannot be read"):
        read_script(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("command", "json"),
    [
        (StartFlow("book"), {"command": "start_flow", "flow": "book"}),
        (SetSlot("kind", None), {"command": "set_slot", "slot": "kind", "value": None}),
        (Clarify(("a", "b")), {"command": "clarify", "flows": ["a", "b"]}),
        *((command, {"command": name}) for name, command in PLAIN_COMMANDS.items()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_command_is_written_as_language_models_do(command: Command, json: dict[str, object]) -> None:
    """Every command there is."""
    assert command_as_json(command) == json
