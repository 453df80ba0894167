"""The bot says responses of the domain and messages that actions made."""

from __future__ import annotations

from pathlib import Path

from action_server.flows.player.response_generator import bot_event
from action_server.flows.player.trace import BotMessage
from tests.action_server.flows.player.playing import dialogue_of


def test_a_response_is_said_recorded_and_appended(tmp_path: Path) -> None:
    """With the values it is given, and with what said it."""
    dialogue = dialogue_of(tmp_path)

    assert dialogue.responses.utter_response("utter_ask_day", None, "action_ask", {"name": "Ann"})

    (message,) = dialogue.recorder.turn.messages
    assert (message.text, message.response, message.action) == ("Which day, Ann?", "utter_ask_day", "action_ask")
    (event,) = dialogue.state.events
    assert (event["text"], event["metadata"]["utter_action"]) == ("Which day, Ann?", "utter_ask_day")


def test_a_response_that_does_not_exist_says_nothing(tmp_path: Path) -> None:
    """The caller is told, and decides what that means."""
    dialogue = dialogue_of(tmp_path)

    assert not dialogue.responses.utter_response("utter_nowhere", None, "")
    assert dialogue.state.events == []


def test_a_variation_is_chosen_by_its_condition(tmp_path: Path) -> None:
    """Over the slots as they are now; one without a condition is for all other states."""
    dialogue = dialogue_of(tmp_path)

    dialogue.responses.utter_response("utter_greeting", None, "")
    dialogue.events.set_slot("vip", True)
    dialogue.responses.utter_response("utter_greeting", None, "")

    assert dialogue.recorder.turn.texts == ["Hello.", "Hello, guest of honour."]


def test_a_response_of_which_no_variation_fits_is_a_failure(tmp_path: Path) -> None:
    """The bot says that something went wrong, as engines do."""
    dialogue = dialogue_of(tmp_path)

    assert dialogue.responses.utter_response("utter_vips", None, "")

    assert dialogue.recorder.turn.responses == ["utter_vips"]
    assert dialogue.recorder.turn.texts == ["Sorry, something went wrong. Please try again in a few minutes."]
    (failure,) = dialogue.recorder.turn.failures
    assert "no variation of 'utter_vips' fits" in failure.what


def test_an_earlier_message_is_said_again_whole(tmp_path: Path) -> None:
    """Text, buttons, and the response it came from."""
    dialogue = dialogue_of(tmp_path)
    said = BotMessage("Which?", "utter_ask_day", buttons=[{"title": "Today", "payload": "today"}], image="a.png")

    dialogue.responses.repeat_message(bot_event(said))

    (again,) = dialogue.recorder.turn.messages
    assert (again.text, again.response, again.buttons, again.image) == (
        said.text,
        said.response,
        said.buttons,
        said.image,
    )
    assert again.action == "action_repeat_bot_messages"
