"""Commands: which are dropped, in which order the others are executed, and what becomes of flows that interrupt."""

from __future__ import annotations

from pathlib import Path
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
from action_server.flows.player.default_actions import trigger_flow
from action_server.flows.player.dialogue import Dialogue
from action_server.project.project_reader import read_project
from tests.action_server.flows.engine.rows import Row, each
from tests.action_server.flows.engine.talkative_bot import (
    ASKS,
    CHECKS,
    FILES,
    FLOWS,
    HI,
    MORE,
    NOT_ASKED,
    ON,
    OTHER,
    PAYS,
    RESETS,
    TEA,
    bot,
    play,
)
from tests.projects import project

# What the user means, turn by turn; the responses of the last turn.
SAID = [
    Row("a slot that nothing asks for is passed over in silence", [[TEA]], []),
    Row("and the question is asked again", [[ASKS], [SetSlot("late", "x")]], ["utter_ask_word"]),
    Row("an unknown slot is not understood", [[SetSlot("nobody", 1)]], [NOT_ASKED]),
    Row("an unknown slot beside another", [[ASKS], [SetSlot("nobody", 1), TEA]], ["utter_ask_amount"]),
    Row("a controlled slot in words is not understood", [[SetSlot("vip", True)]], [NOT_ASKED]),
    Row("an unknown flow is not understood", [[StartFlow("nowhere")]], [NOT_ASKED]),
    Row("a guarded flow is not understood", [[StartFlow("vips")]], [NOT_ASKED]),
    Row(
        "an intent starts a guarded flow, which runs then",
        [["/vip"], [StartFlow("guarded")]],
        ["utter_ask_word"],
    ),
    Row("Jinja in a guard is not rendered", [[StartFlow("rendered")]], [NOT_ASKED]),
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
        "a correction of what was asked later asks the question that waits",
        [[StartFlow("back")], [TEA], [SetSlot("amount", 1)], [SetSlot("word", None)], [SetSlot("amount", 2)]],
        ["utter_corrected_previous_input", "utter_ask_word"],
    ),
    Row(
        "where a response and an action ask, the action does",
        [[StartFlow("twice")]],
        ["utter_internal_error_rasa", "utter_flow_cancelled_rasa", MORE],
    ),
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
    Row("behind a reset of the routing nothing runs", [[ASKS], [TEA], RESETS], []),
    Row("and what ran before is forgotten", [[ASKS], [TEA], RESETS, [ASKS]], ["utter_ask_word"]),
    Row("a flow that begins a session while there is one listens", [[StartFlow("begins")]], []),
    Row("a flow that restarts says so first, and ends", [[ASKS], [StartFlow("restarts")]], ["utter_restart"]),
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
        "a clarification answers the question what else",
        [[HI], [Clarify(("asks", "pays"))]],
        ["completed pattern_completed", "started pattern_clarification", "completed pattern_clarification"],
    ),
    Row(
        "a flow that cleans the stack is the last to end",
        [[ASKS], [StartFlow("cleans")]],
        ["interrupted asks", "started cleans", "completed asks", "completed cleans", "started pattern_completed"],
    ),
    Row(
        "a link of a flow that interrupts comes before the question what goes on",
        [[ASKS], [StartFlow("chains")]],
        [
            "interrupted asks",
            "started chains",
            "completed chains",
            "started hi",
            "completed hi",
            "started pattern_continue_interrupted",
        ],
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


@each(SAID)
async def test_the_bot_says_what_it_says_with_the_engine(row: Row) -> None:
    """In the last of these turns."""
    assert (await play(row.given)).responses == row.engine


@each(EVENTS)
async def test_flows_start_and_end_as_with_the_engine(row: Row) -> None:
    """As tests may ask for them, and actions see them."""
    turn = await play(row.given)

    told = [(e["event"], e["flow_id"]) for e in turn.events if e["event"].startswith("flow_")]
    quiet = "pattern_collect_information"
    assert [f"{event.removeprefix('flow_')} {flow}" for event, flow in told if flow != quiet] == row.engine


@pytest.mark.parametrize("event", ["flow_started", "flow_completed"])
async def test_a_question_is_a_flow_like_others(event: str) -> None:
    """Its start and end are told (rasa-pro 3.21.0, read)."""
    turn = await play([[ASKS], [TEA]])

    assert (event, "pattern_collect_information") in [(e["event"], e.get("flow_id")) for e in turn.events]


async def test_an_action_that_failed_was_executed() -> None:
    """Tests may ask for it (rasa-pro 3.21.0, read)."""
    turn = await play([[StartFlow("fails")]])

    assert "action_fail" in [e.get("name") for e in turn.events if e["event"] == "action"]


async def test_a_flow_that_nothing_runs_below_interrupts_nothing() -> None:
    """One that an action starts as well (rasa-pro 3.21.0, read)."""
    for turns, kind in (([], "regular"), ([[ASKS]], "interrupt")):
        dialogue = Dialogue(bot(), sender_id="s", channel="cmdline", seed=0, clock=lambda: 0.0)
        for _ in turns:
            dialogue.frames.push(dialogue.frames.make("asks"))
        trigger_flow(dialogue, "hi")

        assert [frame.frame_type for frame in dialogue.stack][-1] == kind


def test_a_flow_that_an_action_starts_leaves_the_form() -> None:
    """Nothing is to hold it up (rasa-pro 3.21.0, read)."""
    dialogue = Dialogue(bot(), sender_id="s", channel="cmdline", seed=0, clock=lambda: 0.0)
    dialogue.events.emit({"event": "active_loop", "name": "a_form"})
    trigger_flow(dialogue, "hi")

    assert dialogue.state.active_loop == {}
    assert [frame.flow_id for frame in dialogue.stack] == ["hi"]


@pytest.mark.parametrize(
    ("pattern", "commands", "flows"),
    [
        ("pattern_internal_error", [StartFlow("fails")], ["fails", "pattern_internal_error"]),
        ("pattern_chitchat", [ChitChat()], ["pattern_cannot_handle"]),
    ],
)
async def test_patterns_of_the_project_s_own(
    pattern: str, commands: list[Any], flows: list[str], tmp_path: Path
) -> None:
    """One that fails itself ends all; one for small talk needs somebody who makes it (rasa-pro 3.21.0, read)."""
    action = "action_trigger_chitchat" if pattern == "pattern_chitchat" else "action_fail"
    own = f"  {pattern}: {{description: Own., steps: [{{action: {action}}}]}}\n"
    found = read_project(project(tmp_path, FILES | {"data/flows.yml": FLOWS + own}))

    turn = await play([commands], found)

    assert [e["flow_id"] for e in turn.events if e["event"] == "flow_started"] == flows
    assert turn.stack == []


async def test_a_restart_begins_a_session() -> None:
    """With the action that the project may have of its own (rasa-pro 3.21.0, read)."""
    turn = await play([[ASKS], [StartFlow("restarts")]])

    told = [e.get("name", e["event"]) for e in turn.events if e["event"] in ("action", "restart", "session_started")]
    assert told == ["action_restart", "restart", "action_session_start", "session_started", "action_listen"]
