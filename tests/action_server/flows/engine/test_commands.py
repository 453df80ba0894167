"""Commands: which are dropped, in which order the others are executed, and what becomes of flows that interrupt."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.flows.commands.command import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    RepeatBotMessages,
    SearchAndReply,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from action_server.flows.player.player import Player
from action_server.flows.player.trace import Turn
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from tests.action_server.flows.bots import webhook
from tests.action_server.flows.engine.rows import Row, each
from tests.projects import project

DOMAIN = """
slots:
  word: {type: text}
  kept: {type: text}
  late: {type: text}
  amount: {type: float}
  vip: {type: bool, mappings: [{type: controlled}]}
  start: {type: float, initial_value: 5}
  given: {type: text, initial_value: a}
  noted: {type: text, mappings: [{type: from_text, conditions: [{active_flow: notes}]}]}
  checked: {type: text, validation: {rejections: [{if: slots.checked is "bad", utter: utter_no}]}}
  both: {type: text}
  route_session_to_calm: {type: bool}
responses:
  utter_ask_both: [{text: Both?}]
  utter_ask_noted: [{text: Note?}]
  utter_ask_checked: [{text: Checked?}]
  utter_ask_word: [{text: Word?}]
  utter_ask_kept: [{text: Kept?}]
  utter_ask_late: [{text: Late?}]
  utter_ask_amount: [{text: Amount?}]
  utter_ask_start: [{text: Start?}]
  utter_no: [{text: No.}]
  utter_hi: [{text: Hi.}]
actions: [action_fail, action_ask_both]
"""
FLOWS = """
flows:
  asks: {description: Asks., steps: [{collect: word}, {collect: amount}]}
  other: {description: Another., steps: [{collect: late, ask_before_filling: true}]}
  keeps: {description: Keeps., persisted_slots: [kept], steps: [{collect: kept}, {collect: word}]}
  hi: {description: Says hi., steps: [{action: utter_hi}]}
  calls: {description: Calls., steps: [{call: asks}, {action: utter_hi}]}
  links: {description: Links., steps: [{action: utter_hi}, {link: asks}]}
  triggers: {description: Triggers., steps: [{action: flow_hi}]}
  fails: {description: Fails., steps: [{action: action_fail}, {action: utter_hi}]}
  leads: {description: Leads., steps: [{link: fails}]}
  cleans: {description: Cleans., steps: [{action: action_clean_stack}, {action: utter_hi}]}
  vips: {description: For some., if: slots.vip, steps: [{action: utter_hi}]}
  rejects: {description: Rejects., steps: [{collect: start, rejections: [{if: slots.start > 1, utter: utter_no}]}]}
  orders: {description: Orders., steps: [{call: asks}, {collect: kept}]}
  gives: {description: Gives., steps: [{collect: given}, {action: utter_hi}]}
  notes: {description: Notes., steps: [{collect: noted}]}
  lists: {description: Lists., steps: [{collect: noted}]}
  checks: {description: Checks., steps: [{collect: checked}, {collect: word}]}
  pays: {description: Pays., steps: [{collect: amount}, {collect: word}]}
  quiet: {description: Quiet., steps: [{collect: kept, silence_timeout: 5}]}
  back: {description: Back., steps: [{collect: word}, {collect: amount}, {collect: kept}]}
  twice: {description: Twice., steps: [{collect: both}]}
  named: {description: Named., steps: [{action: "utter_{{ slots.word }}"}]}
  thrifty:
    description: Silent.
    steps: [{collect: word, silence_timeout: 5}, {set_slots: [{amount: 1}]}, {collect: late}]
"""
CONFIG = (
    "recipe: default.v1\nlanguage: en\npipeline: [{name: CompactLLMCommandGenerator}]\npolicies: [{name: FlowPolicy}]\n"
)
NOT_ASKED = "utter_ask_rephrase"
MORE, ON = "utter_ask_continue_conversation", "utter_ask_continue_interrupted_flow_confirmation"
ASKS, OTHER, HI, PAYS = StartFlow("asks"), StartFlow("other"), StartFlow("hi"), StartFlow("pays")
CHECKS, THRIFTY, ORDERS = StartFlow("checks"), StartFlow("thrifty"), StartFlow("orders")
TEA = SetSlot("word", "tea")

# What the user means, turn by turn; the responses of the last turn.
SAID = [
    Row("a slot that nothing asks for is passed over in silence", [[TEA]], []),
    Row("and the question is asked again", [[ASKS], [SetSlot("late", "x")]], ["utter_ask_word"]),
    Row("an unknown slot is not understood", [[SetSlot("nobody", 1)]], [NOT_ASKED]),
    Row("an unknown slot beside another", [[ASKS], [SetSlot("nobody", 1), TEA]], ["utter_ask_amount"]),
    Row("a controlled slot in words is not understood", [[SetSlot("vip", True)]], [NOT_ASKED]),
    Row("an unknown flow is not understood", [[StartFlow("nowhere")]], [NOT_ASKED]),
    Row("a guarded flow is not understood", [[StartFlow("vips")]], [NOT_ASKED]),
    Row("a flow that runs already asks again", [[ASKS], [ASKS]], ["utter_ask_word"]),
    Row("a flow that others called runs already", [[StartFlow("calls")], [ASKS]], ["utter_ask_word"]),
    Row("nothing to cancel is not understood", [[CancelFlow()]], [NOT_ASKED]),
    Row("cancelling the question what else asks again", [[HI], [CancelFlow()]], [MORE]),
    Row("nothing to skip is passed over", [[SkipQuestion()]], []),
    Row("a question of a linked flow is not skipped", [[StartFlow("links")], [SkipQuestion()]], ["utter_ask_word"]),
    Row("not understood beside small talk", [[CannotHandle(), ChitChat()]], ["utter_cannot_handle"]),
    Row("small talk twice", [[ChitChat(), ChitChat()]], ["utter_cannot_handle"]),
    Row("small talk comes before a flow", [[HI, ChitChat()]], ["utter_cannot_handle", "utter_hi", MORE]),
    Row("a clarification beside a flow", [[Clarify(("asks", "hi")), HI]], ["utter_hi", MORE]),
    Row("a clarification of one flow starts it", [[Clarify(("hi", "nowhere", "hi"))]], ["utter_hi", MORE]),
    Row("a clarification of none", [[Clarify(("nowhere",))]], ["utter_clarification_no_options_rasa"]),
    Row("two flows one after the other", [[HI, ASKS]], ["utter_hi", "utter_ask_word"]),
    Row("one flow twice", [[HI, HI]], ["utter_hi", MORE]),
    Row(
        "two flows that interrupt: the one that has not begun is offered as well",
        [[ASKS], [HI, OTHER]],
        ["utter_hi", "utter_ask_interrupted_flow_to_continue"],
    ),
    Row("an interrupted flow is offered", [[ASKS], [HI]], ["utter_hi", ON]),
    Row(
        "a flow that interrupts a linked one offers nothing",
        [[StartFlow("links")], [HI]],
        ["utter_hi", "utter_ask_word"],
    ),
    Row(
        "a flow that goes on, then asks what else",
        [[ASKS], [HI], [SetSlot("continue_interrupted_flow_confirmation", True)], [TEA], [SetSlot("amount", 1)]],
        [MORE],
    ),
    Row(
        "a flow that is given up after a digression",
        [[ASKS], [HI], [SetSlot("continue_interrupted_flow_confirmation", False)]],
        ["utter_flow_cancelled_rasa", MORE],
    ),
    Row(
        "all that were interrupted are stopped by name",
        [[ASKS], [OTHER], [HI], [SetSlot("interrupted_flow_to_continue", "none")]],
        ["utter_flow_cancelled_rasa", "utter_flow_cancelled_rasa", MORE],
    ),
    Row("a search offers the flow", [[ASKS], [SearchAndReply()]], ["utter_no_knowledge_base", ON]),
    Row("a search asks what else", [[SearchAndReply()]], ["utter_no_knowledge_base", MORE]),
    Row("an action that starts a flow interrupts its own", [[StartFlow("triggers")]], ["utter_hi", ON]),
    Row(
        "an action that fails stops its flow",
        [[StartFlow("fails")]],
        ["utter_internal_error_rasa", "utter_flow_cancelled_rasa", MORE],
    ),
    Row(
        "an action that fails in a linked flow does not stop it",
        [[StartFlow("leads")]],
        ["utter_internal_error_rasa", "utter_hi", MORE],
    ),
    Row("a flow that cleans the stack goes on", [[ASKS], [StartFlow("cleans")]], ["utter_hi", MORE]),
    Row("to stop and to start", [[ASKS], [CancelFlow(), HI]], ["utter_flow_cancelled_rasa", "utter_hi", MORE]),
    Row("a value that is told again is nothing new", [[ASKS], [TEA], [TEA]], ["utter_ask_amount"]),
    Row(
        "another value corrects",
        [[ASKS], [TEA], [SetSlot("word", "x")]],
        ["utter_corrected_previous_input", "utter_ask_amount"],
    ),
    Row(
        "a number in other digits corrects",
        [[StartFlow("keeps")], [SetSlot("kept", "1")], [SetSlot("kept", "1.0")]],
        ["utter_corrected_previous_input", "utter_ask_word"],
    ),
    Row(
        "a correction beside a slot of another flow corrects nothing",
        [
            [StartFlow("keeps")],
            [SetSlot("kept", "a"), TEA],
            [ASKS],
            [TEA],
            [SetSlot("word", "x"), SetSlot("kept", "b")],
        ],
        ["utter_ask_amount"],
    ),
    Row(
        "a value that was kept is corrected as its flow starts again",
        [[StartFlow("keeps")], [SetSlot("kept", "a")], [TEA], [StartFlow("keeps"), SetSlot("kept", "b")]],
        ["utter_corrected_previous_input", "utter_ask_word"],
    ),
    Row("the value a slot starts with is not looked at by rules", [[StartFlow("rejects")]], [MORE]),
    Row(
        "one that is set is",
        [[StartFlow("rejects"), SetSlot("start", 3)]],
        ["utter_no", "utter_ask_start"],
    ),
    Row(
        "what was said in this turn is repeated",
        [[ChitChat(), RepeatBotMessages()]],
        ["utter_cannot_handle", "utter_cannot_handle"],
    ),
    Row(
        "what was said before a silent turn is repeated",
        [[ChitChat()], [TEA], [RepeatBotMessages()]],
        ["utter_cannot_handle"],
    ),
    Row("a new flow answers the question what else", [[HI], [ASKS]], ["utter_ask_word"]),
    Row(
        "small talk comes before what is stopped",
        [[ASKS], [CancelFlow(), ChitChat()]],
        ["utter_cannot_handle", "utter_flow_cancelled_rasa", MORE],
    ),
    Row(
        "a number is told again in its own digits",
        [[PAYS], [SetSlot("amount", "5")], [SetSlot("amount", "5.0")]],
        ["utter_ask_word"],
    ),
    Row(
        "and in others, which corrects",
        [[PAYS], [SetSlot("amount", "5")], [SetSlot("amount", "5")]],
        ["utter_corrected_previous_input", "utter_ask_word"],
    ),
    Row(
        "a corrected value is looked at by the slot's rules",
        [[CHECKS], [SetSlot("checked", "good")], [SetSlot("checked", "bad")]],
        ["utter_corrected_previous_input", "utter_no", "utter_ask_checked"],
    ),
    Row("a slot with a value from the start is asked for by nobody", [[StartFlow("gives")]], ["utter_hi", MORE]),
    Row("a name of an action sees no slots, and the turn is lost", [[StartFlow("named")]], []),
    Row("what nobody understood is the answer", [[StartFlow("notes")], [CannotHandle()]], [MORE]),
    Row("unless another flow asks", [[StartFlow("lists")], [CannotHandle()]], [NOT_ASKED, "utter_ask_noted"]),
    Row(
        "a clarification twice is one",
        [[Clarify(("asks", "hi")), Clarify(("pays", "hi"))]],
        ["utter_clarification_options_rasa"],
    ),
]
# What the user means, turn by turn; the flows' events of the last turn, without those of questions.
EVENTS = [
    Row("a flow that waits has not started", [[ASKS, HI]], ["started asks"]),
    Row("it starts once the other one is done", [[HI, ASKS]], ["started hi", "completed hi", "started asks"]),
    Row(
        "what is cancelled is completed as well",
        [[ASKS], [CancelFlow()]],
        [
            "cancelled asks",
            "started pattern_cancel_flow",
            "completed pattern_cancel_flow",
            "completed asks",
            "started pattern_completed",
        ],
    ),
    Row(
        "in a called flow only that one is cancelled",
        [[StartFlow("calls")], [CancelFlow()]],
        [
            "cancelled asks",
            "started pattern_cancel_flow",
            "completed pattern_cancel_flow",
            "completed asks",
            "completed calls",
            "started pattern_completed",
        ],
    ),
    Row(
        "a link completes one and starts the other",
        [[StartFlow("links")]],
        ["started links", "completed links", "started asks"],
    ),
    Row("a flow is interrupted before the other starts", [[ASKS], [OTHER]], ["interrupted asks", "started other"]),
    Row(
        "each flow that starts interrupts",
        [[ASKS], [OTHER, StartFlow("keeps")]],
        ["interrupted asks", "interrupted asks", "started other"],
    ),
    Row(
        "what was asked is completed when a flow starts",
        [[HI], [ASKS]],
        ["completed pattern_completed", "started asks"],
    ),
    Row(
        "a flow that others call for goes on",
        [[ASKS], [OTHER], [ASKS]],
        ["resumed asks", "interrupted other"],
    ),
    Row(
        "a correction within a called flow stays there",
        [[StartFlow("calls")], [TEA], [SetSlot("word", "x")]],
        ["started pattern_correction", "completed pattern_correction"],
    ),
    Row(
        "a flow that is called for while it is offered goes on",
        [[ASKS], [HI], [ASKS]],
        ["completed pattern_continue_interrupted", "resumed asks"],
    ),
    Row(
        "a failure cancels without telling so",
        [[StartFlow("fails")]],
        [
            "started fails",
            "started pattern_internal_error",
            "completed pattern_internal_error",
            "started pattern_cancel_flow",
            "completed pattern_cancel_flow",
            "completed fails",
            "started pattern_completed",
        ],
    ),
]
# What the user means, turn by turn, and a slot; its events of the last turn.
SLOTS = [
    Row("a slot that is asked for before it is filled is emptied, even if it is empty", ([[OTHER]], "late"), [None]),
    Row("a flow's slots are reset at its end, even if they are empty", ([[ASKS], [CancelFlow()]], "amount"), [None]),
    Row("a value is one of the slot's type", ([[ASKS], [TEA], [SetSlot("amount", "5")]], "amount"), [5.0, None]),
    Row("a correction sets what was told", ([[ASKS], [TEA], [SetSlot("word", "x")]], "word"), ["x"]),
    Row(
        "what rejects a value sets nothing else",
        ([[StartFlow("rejects"), SetSlot("start", "3")]], "start"),
        [3.0, None],
    ),
    Row("a persisted slot is not reset", ([[StartFlow("keeps")], [SetSlot("kept", "a")], [TEA]], "kept"), []),
    Row("a step's own time of silence", ([[StartFlow("thrifty")]], "silence_timeout"), [5.0]),
    Row("goes with its question", ([[StartFlow("thrifty")], [TEA]], "silence_timeout"), [30.0]),
    Row("the time of silence that is set already", ([[ASKS]], "silence_timeout"), []),
    Row(
        "a flow that begins with a question leaves it to that",
        ([[THRIFTY], [StartFlow("quiet")]], "silence_timeout"),
        [],
    ),
    Row("silence itself leaves it", ([[THRIFTY], ["/silence_timeout"]], "silence_timeout"), []),
    Row("a slot is not filled before its flow asks", ([[OTHER, SetSlot("late", "x")]], "late"), [None]),
    Row("what the calling flow asks for later is taken", ([[ORDERS], [SetSlot("kept", "x")]], "kept"), ["x"]),
    Row("what a flow asks for that starts below another", ([[ASKS, HI, TEA]], "word"), ["tea"]),
    Row("the answer before what interrupts", ([[ASKS], [HI, TEA]], "word"), ["tea"]),
    Row("a flow that starts keeps the session", ([[HI]], "route_session_to_calm"), [True]),
    Row("that it is kept is told once", ([[HI], [ASKS]], "route_session_to_calm"), []),
    Row("a value that is there is not set again", ([[ASKS], [SetSlot("word", None)]], "word"), []),
]


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The bot, which is read once."""
    return read_project(
        project(tmp_path_factory.mktemp("bot"), {"domain.yml": DOMAIN, "data/flows.yml": FLOWS, "config.yml": CONFIG})
    )


async def play(bot: Project, turns: list[list[Any]]) -> Turn:
    """Play turns; one that is a text is a message, without commands. Returns the last one."""
    player = Player(bot, webhook())
    return [await (player.turn(c[0]) if isinstance(c[0], str) else player.turn("x", c)) for c in turns][-1]


@each(SAID)
async def test_the_bot_says_what_it_says_with_the_engine(row: Row, bot: Project) -> None:
    """In the last of these turns."""
    assert (await play(bot, row.given)).responses == row.engine


@each(EVENTS)
async def test_flows_start_and_end_as_with_the_engine(row: Row, bot: Project) -> None:
    """As tests may ask for them, and actions see them."""
    turn = await play(bot, row.given)

    told = [(e["event"], e["flow_id"]) for e in turn.events if e["event"].startswith("flow_")]
    quiet = "pattern_collect_information"
    assert [f"{event.removeprefix('flow_')} {flow}" for event, flow in told if flow != quiet] == row.engine


@each(SLOTS)
async def test_slots_are_set_as_by_the_engine(row: Row, bot: Project) -> None:
    """Each event counts, for tests that ask whether a slot was set."""
    turns, slot = row.given

    turn = await play(bot, turns)

    assert [e["value"] for e in turn.events if e["event"] == "slot" and e["name"] == slot] == row.engine


@pytest.mark.parametrize("event", ["flow_started", "flow_completed"])
async def test_a_question_is_a_flow_like_others(event: str, bot: Project) -> None:
    """Its start and end are told (rasa-pro 3.21.0, read)."""
    turn = await play(bot, [[ASKS], [TEA]])

    assert (event, "pattern_collect_information") in [(e["event"], e.get("flow_id")) for e in turn.events]


async def test_who_found_a_value_is_told(bot: Project) -> None:
    """In the words of the engine (rasa-pro 3.21.0, read)."""
    by_words = await play(bot, [[ASKS], [TEA]])
    by_button = await play(bot, [[ASKS], ["/SetSlots(word=tea)"]])

    told = [[e.get("filled_by") for e in t.events if e.get("name") == "word"] for t in (by_words, by_button)]
    assert told == [["LLM"], ["CommandPayloadReader"]]


async def test_a_question_s_time_of_silence_ends_with_the_question(bot: Project) -> None:
    """Before what follows it runs (rasa-pro 3.21.0, read)."""
    turn = await play(bot, [[StartFlow("thrifty")], [TEA]])

    names = [e.get("name") for e in turn.events if e["event"] == "slot"]
    assert names.index("silence_timeout") < names.index("amount")
