"""Responses are chosen and filled in as the documentation says."""

from __future__ import annotations

import pytest

from action_server.flows.commands.command import StartFlow
from tests.action_server.flows.bots import Chat


async def test_a_response_with_everything() -> None:
    chat = Chat("shop")
    chat.player.set_slots({"kind": "shirt"})

    (message, *_) = (await chat.say("show", StartFlow("rich"))).messages

    assert (message.text, message.response, message.image) == ("Look", "utter_rich", "https://example.org/shirt.png")
    assert message.buttons == [{"title": "Buy shirt", "payload": '/buy{"colour":"red"}'}]
    assert message.quick_replies == [{"title": "Later", "payload": "later"}]
    assert message.elements == [{"title": "{kind}"}]
    assert message.custom == {"kind": "shirt", "nested": ["any", 1]}
    assert message.metadata == {"metadata": {"tone": "kind"}, "sound": "ding"}
    bot = next(e for e in chat.player.state.events if e["event"] == "bot")
    assert bot["metadata"]["utter_action"] == "utter_rich"
    assert bot["data"]["buttons"] == message.buttons


@pytest.mark.parametrize(
    ("slots", "channel", "said"),
    [
        ({}, "web", ["Welcome.", "Hello, person.", "In a chat."]),
        ({"visits": 2, "vip": True}, "web", ["Nice to see you again.", "Hello, person.", "In a chat, for a VIP."]),
        (
            {"visits": 1, "vip": True, "loyal": True},
            "x",
            ["Hello.", "Hello, very important person.", "Anywhere, for a VIP."],
        ),
        ({}, "x", ["Welcome.", "Hello, person.", "Anywhere."]),
    ],
)
async def test_variations_by_condition_and_channel(slots: dict[str, object], channel: str, said: list[str]) -> None:
    chat = Chat("shop", channel=channel)
    chat.player.set_slots(slots)

    turn = await chat.say("hello", StartFlow("hello"))

    assert turn.texts[:3] == said
    assert turn.texts[4] == "No size, any"
    assert turn.messages[4].rephrased


async def test_the_choice_among_variations_is_the_seed_s() -> None:
    said = [(await Chat("shop", seed=seed).say("hello", StartFlow("hello"))).texts[3] for seed in [1, 1, *range(12)]]

    assert said[0] == said[1]
    assert set(said) == {"One.", "Two.", "Three."}


async def test_no_variation_fits() -> None:
    """Engines say then that something went wrong, and go on."""
    chat = Chat("shop")

    turn = await chat.say("never", StartFlow("never"))

    assert turn.texts[:2] == ["Sorry, something went wrong. Please try again in a few minutes."] * 2
    assert "no variation of 'utter_never' fits" in turn.failures[0].what
    assert "division by zero" in turn.failures[1].what
    assert str(turn.failures[0].at).endswith("shop/domain.yml:65")
