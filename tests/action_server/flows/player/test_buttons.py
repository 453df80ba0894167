"""What a button sends is read as what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.flows.commands.command import (
    Command,
    SetSlot,
    StartFlow,
)
from action_server.flows.player.buttons import read_button_payload
from action_server.project.project_reader import read_project
from tests.action_server.flows.bots import Chat, read
from tests.projects import project

PAYLOADS = [
    ("/SetSlots(amount=1)", (SetSlot("amount", "1"),)),
    ("/SetSlots(amount=x y, recipient='z')", (SetSlot("amount", "x y"), SetSlot("recipient", "'z'"))),
    (" /SetSlots(amount = 2026-12-01T10:00 ) ", (SetSlot("amount", "2026-12-01T10:00"),)),
    ("/SetSlots(amount=NULL)", (SetSlot("amount", None),)),
    ("/SetSlots(amount=[1, 2], iban=3)", (SetSlot("amount", "[1, 2]"), SetSlot("iban", "3"))),
    ("/SetSlots(amount=1, nowhere=2, iban=3)", (SetSlot("amount", "1"),)),
    ("/SetSlots()", ()),
    ("/SetSlots(amount=1", (SetSlot("amount", "1"),)),
    ("/SetSlots(" + ",".join("amount=1" for _ in range(11)) + ")", ()),
    ("/StartFlow(block_card)", ()),
    ("/greet", (StartFlow("hello"),)),
    ('/good_day{"language": "French"}', (StartFlow("hello"), SetSlot("language", "French"))),
    ('/good_day{{"language": ["French", "x"]}}', (StartFlow("hello"), SetSlot("language", "French"))),
    ("/good_day{nonsense}", (StartFlow("hello"),)),
    ("/feel_great", ()),
    ("/setslots(a=1)", ()),
]


@pytest.mark.parametrize(("message", "commands"), PAYLOADS)
def test_payloads(message: str, commands: tuple[Command, ...]) -> None:
    project = read("bank")
    found = read_button_payload(message, project.all_flows, project.domain)

    assert (found.commands if found else ()) == commands


@pytest.mark.parametrize("message", ["hello", "a /SetSlots(a=1)", "/", "/ a", "//"])
def test_words_are_no_payload(message: str) -> None:
    found = read_button_payload(message, {}, read("bank").domain)

    assert found is None or found.commands == ()


def test_an_intent_fills_a_slot_while_its_flow_is_active() -> None:
    project = read("bank")
    found = read_button_payload("/feel_great", project.all_flows, project.domain, "hello")

    assert found is not None
    assert found.commands == (SetSlot("mood", "great"),)


@pytest.mark.parametrize(
    ("message", "started"), [("/greet", True), ("/StartFlow(check_balance)", False), ("/unknown", False)]
)
async def test_payloads_that_start_flows(message: str, started: bool) -> None:
    chat = Chat("bank")

    turn = await chat.say(message)

    assert turn.texts[0].startswith("Hello in") is started


async def test_an_intent_with_entities_fills_slots() -> None:
    chat = Chat("bank")

    turn = await chat.say('/good_day{"language": "English", "other": 1}')

    assert turn.commands == [StartFlow("hello")]
    # The flow that starts does not collect it.
    assert [i.command for i in turn.ignored] == [SetSlot("language", "English")]
    assert turn.texts[0].startswith("Hello in")
    assert chat.player.state.latest_message["intent"] == {"name": "good_day", "confidence": 1.0}


@pytest.mark.parametrize(("mapping", "filled"), [("", True), (", role: to", False), (", group: a", False)])
def test_a_button_s_entity_has_neither_role_nor_group(tmp_path: Path, mapping: str, filled: bool) -> None:
    """A mapping that wants one of them takes nothing from it."""
    domain = f"slots: {{city: {{type: text, mappings: [{{type: from_entity, entity: city{mapping}}}]}}}}"
    found = read_project(project(tmp_path, {"domain.yml": domain})).domain

    payload = read_button_payload('/go{"city": "Vienna"}', {}, found)

    assert payload is not None
    assert payload.commands == ((SetSlot("city", "Vienna"),) if filled else ())
