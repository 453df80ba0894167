"""Scripted commands, turn by turn or by the words of the message."""

from __future__ import annotations

import pytest

from action_server.errors import ScriptEndedError
from action_server.flows.commands.command import (
    SetSlot,
    StartFlow,
)
from action_server.flows.commands.scripted import ScriptedCommandGenerator
from tests.action_server.flows.bots import Chat


async def test_a_script_gives_its_turns_in_order() -> None:
    """Words that have commands of their own go first; a turn without commands is not understood."""
    chat = Chat("plain")
    script = ScriptedCommandGenerator([[StartFlow("two")], []], by_message={"my name": [SetSlot("first", "x")]})

    texts = [(await chat.player.say(text, script)).texts for text in ("go", "my name", "hm")]

    assert texts == [
        ["First?"],
        ["Second?"],
        ["Sorry, I did not understand that. Could you say it differently?", "Second?"],
    ]
    with pytest.raises(ScriptEndedError, match="no commands for the message 'more'"):
        await chat.player.say("more", script)


async def test_a_payload_needs_no_script() -> None:
    turn = await Chat("repair").player.say("/session_start", ScriptedCommandGenerator())

    assert turn.because == "the message is the intent 'session_start'"
