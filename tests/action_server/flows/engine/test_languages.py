"""Languages: which slot holds the one that is spoken, and what is said in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from action_server.flows.commands.command import CancelFlow, Clarify, Command, StartFlow
from action_server.flows.player.player import Player
from action_server.flows.player.trace import Turn
from action_server.project.project_reader import read_project
from tests.action_server.flows.bots import webhook
from tests.action_server.flows.engine.rows import Row, each
from tests.projects import project

DOMAIN = """
slots:
  word: {type: text}
  vip: {type: bool, initial_value: true}
responses:
  utter_ask_word: [{text: Word?, translation: {de: Wort?}}]
  utter_hi:
  - text: Hi {vip}.
    translation: {de: "Hallo {vip}.", fr: ""}
    buttons:
    - {title: Yes, payload: /yes, translation: {de: {title: Ja}, fr: {payload: /oui}}}
    - {title: No, payload: /no}
  utter_either: [{text: One.}, {text: Two., translation: {de: Zwei.}}]
  utter_if: [{text: Dear., condition: slots.vip}, {text: You., translation: {de: Du.}}]
  utter_flow_cancelled_rasa: [{text: "Stopped {{context.canceled_name}}.", metadata: {template: jinja}}]
  utter_can_do_something_else: [{text: What else?}]
intents: [yes, no, oui]
"""
FLOWS = """
flows:
  say_hi: {description: Says hi., steps: [{action: utter_hi}]}
  say-either: {description: Says one., steps: [{action: utter_either}]}
  say_if: {description: Says if., steps: [{action: utter_if}]}
  ask_word: {description: Asks., translation: {de: {name: das Wort}}, steps: [{collect: word}]}
  order: {name: order a drink, description: Orders., steps: [{collect: word}]}
"""
CONFIG = "language: en\nadditional_languages: [de, fr]\npipeline: [{name: CompactLLMCommandGenerator}]\n"
HI, EITHER, IF, ASKS = StartFlow("say_hi"), StartFlow("say-either"), StartFlow("say_if"), StartFlow("ask_word")


async def play(folder: Path, language: str | None, *turns: Sequence[Command], config: str = CONFIG) -> Turn:
    files = {"domain.yml": DOMAIN, "data/flows.yml": FLOWS, "config.yml": config}
    player = Player(read_project(project(folder, files)), webhook())
    if language is not None:
        player.set_slots({"language": language})
    played = [await player.turn("x", commands) for commands in turns]
    return played[-1]


# A language, commands; the first text that is said.
TEXTS = [
    Row("the language of the project", ("en", HI), "Hi True."),
    Row("no language", ("", HI), "Hi True."),
    Row("another language", ("de", HI), "Hallo True."),
    Row("a language that is not listed", ("it", HI), "Hi True."),
    Row("an empty translation", ("fr", HI), ""),
    Row("no translation into it", ("fr", IF), "Dear."),
    Row("a variation that is translated goes first", ("de", EITHER), "Zwei."),
    Row("but not before a condition", ("de", IF), "Dear."),
    Row("a question", ("de", ASKS), "Wort?"),
]


@each(TEXTS)
async def test_a_response_is_said_in_the_language_of_the_conversation(row: Row, tmp_path: Path) -> None:
    """Which is what the slot `language` holds, if the settings list it."""
    language, command = row.given

    turn = await play(tmp_path, language, [command])

    assert turn.messages[0].text == row.engine


# A language; the buttons.
BUTTONS = [
    Row("a title", "de", [("Ja", "/yes"), ("No", "/no")]),
    Row("a payload", "fr", [("Yes", "/oui"), ("No", "/no")]),
    Row("neither", "en", [("Yes", "/yes"), ("No", "/no")]),
]


@each(BUTTONS)
async def test_buttons_are_translated_key_by_key(row: Row, tmp_path: Path) -> None:
    """Nothing of other languages is in the message."""
    turn = await play(tmp_path, row.given, [HI])

    assert turn.messages[0].buttons == [{"title": title, "payload": payload} for title, payload in row.engine]


# A language, commands of two turns; what is said of the flow in the second.
NAMES = [
    Row("the id in words", ("en", [ASKS], [CancelFlow()]), "Stopped ask word."),
    Row("the name in another language", ("de", [ASKS], [CancelFlow()]), "Stopped das Wort."),
    Row("the name", ("en", [StartFlow("order")], [CancelFlow()]), "Stopped order a drink."),
    Row("the name, without a translation", ("de", [StartFlow("order")], [CancelFlow()]), "Stopped order a drink."),
]


@each(NAMES)
async def test_users_are_told_the_name_of_a_flow(row: Row, tmp_path: Path) -> None:
    """An id without its underscores and hyphens, if there is no name."""
    language, *turns = row.given

    turn = await play(tmp_path, language, *turns)

    assert turn.texts[0] == row.engine


async def test_options_have_the_names_of_their_flows(tmp_path: Path) -> None:
    """In the language, and with hyphens taken for spaces (rasa-pro 3.21.0, read)."""
    turn = await play(tmp_path, "de", [Clarify(("ask_word", "say-either"))])

    [started] = [e for e in turn.events if e["event"] == "flow_started" and e["flow_id"] == "pattern_clarification"]
    assert started["metadata"]["names"] == ["das Wort", "say either"]


# Settings; what the slot of the language starts with, None if there is no such slot.
SLOTS = [
    Row("the language of config.yml", CONFIG, "en"),
    Row("a slot as well where there is one language", "language: de\npipeline: []\n", "de"),
]


@each(SLOTS)
async def test_the_language_is_a_slot_that_the_engine_makes(row: Row, tmp_path: Path) -> None:
    """Actions see it, and may set it."""
    files = {"domain.yml": DOMAIN, "data/flows.yml": FLOWS, "config.yml": row.given}
    player = Player(read_project(project(tmp_path, files)), webhook())

    await player.start()

    assert player.state.slots["language"] == row.engine


async def test_the_session_s_metadata_may_set_the_language(tmp_path: Path) -> None:
    """As channels do it (rasa-pro 3.21.0, read)."""
    files = {"domain.yml": DOMAIN, "data/flows.yml": FLOWS, "config.yml": CONFIG}
    player = Player(read_project(project(tmp_path, files)), webhook())

    await player.start(metadata={"language": "de"})

    assert (await player.turn("x", [HI])).texts == ["Hallo True.", "What else?"]
