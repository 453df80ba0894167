"""What a turn does beside the steps of its flows: limits of messages, routing, patterns that only engines start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from action_server.flows.commands.command import CannotHandle, Command, SearchAndReply, StartFlow
from action_server.flows.player.player import Player
from action_server.flows.player.trace import Turn
from action_server.project.project_reader import read_project
from tests.action_server.flows.bots import webhook
from tests.action_server.flows.engine.rows import Row, each
from tests.projects import project

EMPTY, LONG = "utter_user_input_empty_error_rasa", "utter_user_input_too_long_error_rasa"
GENERATOR = "pipeline: [{{name: CompactLLMCommandGenerator{}}}]\n"
OWN_LIMIT = GENERATOR.format(", user_input: {max_characters: 5}")
NO_LIMIT = GENERATOR.format(", user_input: {max_characters: -1}")
NOTHING_SAID = GENERATOR.format(", user_input: {max_characters: null}")
FLOWS = """
flows:
  main: {description: The main one., nlu_trigger: [{intent: main}], steps: [{action: utter_hi}]}
  broken: {description: Fails., nlu_trigger: [{intent: broken}], steps: [{action: action_fail}]}
  choosy:
    description: Chooses.
    nlu_trigger: [{intent: choosy}]
    steps:
      - noop: true
        next: [{if: "'{{ slots.word }}' = 'None'", then: [{action: utter_hi, next: END}]}, {else: END}]
"""
DOMAIN = """
slots: {word: {type: text}}
responses: {utter_hi: [{text: Hi.}]}
actions: [action_fail]
intents: [main, broken, choosy]
"""
ROUTED = DOMAIN.replace("slots: {", "slots: {route_session_to_calm: {type: bool, mappings: [{type: controlled}]}, ")

# config.yml and a message; the responses that follow.
MESSAGES = [
    Row("420 characters are enough", ("", "x" * 420), ["utter_ask_rephrase"]),
    Row("421 are too many", ("", "x" * 421), [LONG]),
    Row("a limit of the project's own", (OWN_LIMIT, "123456"), [LONG]),
    Row("up to the limit", (OWN_LIMIT, "12345"), ["utter_ask_rephrase"]),
    Row("a negative limit is none", (NO_LIMIT, "x" * 5000), ["utter_ask_rephrase"]),
    Row("null is the default", (NOTHING_SAID, "x" * 421), [LONG]),
    Row("space counts as a character", (OWN_LIMIT, "1    6"), [LONG]),
    Row("space alone is nothing", ("", "   "), [EMPTY]),
    Row("space alone is nothing, however long", (OWN_LIMIT, " " * 9), [EMPTY]),
    Row("a payload may be longer", (OWN_LIMIT, "/main@1.0000"), ["utter_hi", "utter_ask_continue_conversation"]),
]
# A message; what whoever understands words hears of it, None if it is a payload.
WORDS = [
    Row("words", "main", "main"),
    Row("an intent of the domain", "/main", None),
    Row("with space", " /main ", None),
    Row("with a confidence", "/main@0.5", None),
    Row("with entities", '/main{"a": "b"}', None),
    Row("with what is no JSON", "/main{a}", None),
    Row("with words behind it", "/main please", "main please"),
    Row("an intent of no domain", "/nobody", "nobody"),
    Row("an intent of the engine's own", "/restart", None),
    Row("two slashes", "//main", "main"),
    Row("a flow is no payload", "/StartFlow(main)", "StartFlow(main)"),
    Row("a slot", "/SetSlots(word=a)", None),
    Row("a slot without its last bracket", "/SetSlots(word=a", None),
    Row("no slot", "/SetSlots()", "SetSlots()"),
    Row("a slot that is not there", "/SetSlots(nobody=a)", "SetSlots(nobody=a)"),
]
# A domain and commands; the slot's value, None if there is none.
ROUTES: list[Row] = [
    Row("a flow that starts keeps the session", (ROUTED, [StartFlow("main")]), True),
    Row("what is not understood does not", (ROUTED, [CannotHandle()]), None),
    Row("without the slot there is no route", (DOMAIN, [StartFlow("main")]), None),
]
# A message; the actions that run, up to the one that listens.
ACTIONS = [
    Row(
        "an action that fails counts as executed",
        "/broken",
        [
            "action_fail",
            "utter_internal_error_rasa",
            "action_cancel_flow",
            "utter_flow_cancelled_rasa",
            "action_run_slot_rejections",
            "utter_ask_continue_conversation",
        ],
    ),
    Row("Jinja in a flow that looks up a slot loses the turn", "/choosy", []),
    Row("the session's end hangs up", "/session_end", ["action_hangup"]),
]
# Steps in a row, by kind and number; the responses that follow.
LONG_TURNS = [
    Row("249 steps without an action", [("noop", 248)], ["utter_hi", "utter_ask_continue_conversation"]),
    Row("250", [("noop", 250)], ["utter_internal_error_rasa", "utter_ask_continue_conversation"]),
    Row(
        "an action begins the count anew",
        [("noop", 200), ("action", 1), ("noop", 200)],
        ["utter_hi", "utter_hi", "utter_ask_continue_conversation"],
    ),
    Row("300 actions", [("action", 300)], [*["utter_hi"] * 301, "utter_ask_continue_conversation"]),
]


async def play(folder: Path, message: str, *commands: Command, config: str = "", domain: str = DOMAIN) -> Turn:
    class Says:
        async def predict_commands(self, view: Any) -> Any:
            from action_server.flows.commands.generator import Prediction

            return Prediction(commands or (CannotHandle(),), "a test says so")

    files = {"config.yml": config, "domain.yml": domain, "data/flows.yml": FLOWS}
    return await Player(read_project(project(folder, files)), webhook()).say(message, Says())


@each(MESSAGES)
async def test_a_message_may_be_so_long(row: Row, tmp_path: Path) -> None:
    """Longer and empty ones are answered by the pattern for errors, and nobody is asked what they mean."""
    config, message = row.given

    assert (await play(tmp_path, message, config=config)).responses == row.engine


@each(WORDS)
async def test_what_is_no_payload_is_understood_as_words(row: Row, tmp_path: Path) -> None:
    """Without the slashes at its beginning, which is also what is kept of it."""
    heard: list[str] = []

    class Listens:
        async def predict_commands(self, view: Any) -> Any:
            from action_server.flows.commands.generator import Prediction

            heard.append(view.message)
            return Prediction((CannotHandle(),), "a test says so")

    files = {"domain.yml": DOMAIN, "data/flows.yml": FLOWS}
    turn = await Player(read_project(project(tmp_path, files)), webhook()).say(row.given, Listens())

    assert heard == ([] if row.engine is None else [row.engine])
    assert turn.message == (row.given if row.engine is None else row.engine)


@each(ROUTES)
async def test_a_session_is_routed_to_flows(row: Row, tmp_path: Path) -> None:
    """Where an assistant has a classic part as well."""
    domain, commands = row.given

    assert (await play(tmp_path, "x", *commands, domain=domain)).slots.get("route_session_to_calm") is row.engine


@each(ACTIONS)
async def test_these_actions_are_executed(row: Row, tmp_path: Path) -> None:
    """As tests may ask for them."""
    turn = await play(tmp_path, row.given)

    assert [name for name in turn.actions if name not in ("action_session_start", "action_listen")] == row.engine


@each(LONG_TURNS)
async def test_a_turn_may_have_so_many_steps(row: Row, tmp_path: Path) -> None:
    """From one action to the next; the flow that takes too many ends, and the pattern for errors says so."""
    kinds = [kind for kind, count in row.given for _ in range(count)]
    steps = [
        {"id": f"s{n}", kind: "utter_hi" if kind == "action" else True, "next": f"s{n + 1}"}
        for n, kind in enumerate(kinds)
    ]
    last = {"id": f"s{len(kinds)}", "action": "utter_hi"}
    flows = {"flows": {"long": {"description": "Long.", "steps": [*steps, last]}}}
    found = read_project(project(tmp_path, {"domain.yml": DOMAIN, "data/flows.yml": json.dumps(flows)}))

    turn = await Player(found, webhook()).turn("x", [StartFlow("long")])

    assert turn.responses == row.engine


async def test_a_search_is_played_up_to_its_answer(tmp_path: Path) -> None:
    """Its actions count as executed; what the model would say is not made up."""
    search = "  pattern_search: {description: d, steps: [{action: action_trigger_search}]}\n"
    files = {"domain.yml": DOMAIN, "data/flows.yml": FLOWS + search}

    player = Player(read_project(project(tmp_path, files)), webhook())
    turn = await player.turn("what is tea?", [SearchAndReply()])

    assert [n for n in turn.actions if "search" in n or "send" in n] == ["action_trigger_search", "action_send_text"]
    assert turn.responses == ["utter_ask_continue_conversation"]
    assert any("would answer here" in note for step in turn.steps for note in [*step.notes, *turn.notes])
