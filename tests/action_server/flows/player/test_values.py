"""What slots make of the values they are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.flows.commands.command import (
    SetSlot,
    StartFlow,
)
from action_server.flows.player.player import Player
from action_server.flows.player.values import CoercedValue, coerce_value
from action_server.project.domain import Slot
from action_server.project.project_reader import read_project
from action_server.source import Place
from tests.action_server.flows.bots import Chat, webhook
from tests.projects import project


@pytest.mark.parametrize(("value", "kept"), [("A", "a"), ("b", "b")])
async def test_a_category_is_known_in_any_case(value: str, kept: str) -> None:
    chat = Chat("shop")
    await chat.say("strict", StartFlow("strict"))

    turn = await chat.say(value, SetSlot("strict", value))

    assert [e["value"] for e in turn.events if e["event"] == "slot" and e["name"] == "strict"] == [kept, None]


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ({"size": "many"}, ["many is not a number. Please give me one.", "Which size?"]),
        ({"size": 1, "kind": "green"}, ["green is not one of the options. Please choose one of them.", "Which kind?"]),
        ({"size": "1.5", "kind": "RED"}, ["Sure?"]),
    ],
)
async def test_values_a_slot_cannot_hold_are_refused(slots: dict[str, object], said: list[str]) -> None:
    chat = Chat("plain")

    turn = await chat.say("sized", StartFlow("sized"), *(SetSlot(n, v) for n, v in slots.items()))

    assert turn.texts == said


@pytest.mark.parametrize(("value", "said"), [("perhaps", "perhaps is not"), ("TRUE", "Hi."), ("0", "Hi.")])
async def test_a_yes_is_a_yes(value: str, said: str) -> None:
    chat = Chat("plain")
    await chat.say("sized", StartFlow("sized"), SetSlot("size", 1), SetSlot("kind", "blue"))

    turn = await chat.say(value, SetSlot("sure", value))

    assert turn.texts[0].startswith(said)


@pytest.mark.parametrize(
    ("slot", "value", "coerced"),
    [
        ({"type": "float"}, "1.5", CoercedValue(1.5)),
        ({"type": "float"}, "many", CoercedValue("many", refused=True)),
        ({"type": "bool"}, "TRUE", CoercedValue(True)),
        ({"type": "text"}, 7, CoercedValue("7")),
        ({"type": "categorical", "values": ("a",)}, "A", CoercedValue("a")),
        ({"type": "any"}, {"a": 1}, CoercedValue({"a": 1})),
    ],
)
def test_a_value_becomes_one_of_the_slot_s_type(slot: dict[str, object], value: object, coerced: CoercedValue) -> None:
    """Where that is possible; what the slot cannot hold is refused and left as it was given."""
    declared = Slot.model_validate({"name": "s", "at": Place(file="domain.yml"), **slot})

    assert coerce_value(declared, value) == coerced


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("3", ["Thanks."]),
        ("0", ["0.0 is not a number. Please give me one.", "Size?"]),
        ("11", ["11.0 is not a number. Please give me one.", "Size?"]),
    ],
)
async def test_a_number_out_of_its_bounds_is_refused_and_asked_for_again(
    tmp_path: Path, size: str, said: list[str]
) -> None:
    """`min_value` and `max_value` of a float slot hold in conversations."""
    domain = """
        slots: {size: {type: float, min_value: 1, max_value: 10}}
        responses:
          utter_ask_size: [{text: Size?}]
          utter_thanks: [{text: Thanks.}]
    """
    flows = """
        flows:
          sized:
            description: Asks for a size.
            steps: [{collect: size}, {action: utter_thanks}]
    """
    found = read_project(project(tmp_path, {"domain.yml": domain, "data/flows.yml": flows}))
    player = Player(found, webhook())
    await player.turn("sized", [StartFlow("sized")])

    turn = await player.turn(size, [SetSlot("size", size)])

    assert turn.texts[: len(said)] == said
