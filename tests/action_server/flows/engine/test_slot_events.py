"""Slots: which events set them in a turn, and who is told to have filled them."""

from __future__ import annotations

from action_server.flows.commands.command import CancelFlow, SetSlot, StartFlow
from action_server.flows.player.dialogue import Dialogue
from tests.action_server.flows.engine.rows import Row, each
from tests.action_server.flows.engine.talkative_bot import (
    ASKS,
    HI,
    ORDERS,
    OTHER,
    RESETS,
    TEA,
    THRIFTY,
    bot,
    play,
)

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
    Row("an intent is no answer in words", ([[StartFlow("notes")], ["/hello"]], "noted"), []),
    Row("a whole number that a step sets becomes one of the type", ([[StartFlow("counts")]], "amount"), [1, 1.0, None]),
    Row(
        "what goes on is asked anew the next time",
        ([[ASKS], [HI], [SetSlot("continue_interrupted_flow_confirmation", True)]], "interrupted_flow_to_continue"),
        [None, None],
    ),
    Row(
        "a reset of the routing empties the route alone by an event", ([[HI], RESETS], "route_session_to_calm"), [None]
    ),
    Row("and resets slots without one", ([[HI], RESETS], "word"), []),
    Row("an entity of an intent that starts the slot's flow", ([['/place{"place": "here"}']], "where"), ["here", None]),
    Row("an entity of another intent", ([[StartFlow("places")], ['/bye{"place": "here"}']], "told"), ["here", None]),
    Row("an entity of an intent that is left out", ([[StartFlow("places")], ['/hello{"place": "here"}']], "told"), []),
    Row("a form that is left asks for nothing", ([[StartFlow("leaves")]], "requested_slot"), [None]),
    Row("a flow that starts keeps the session", ([[HI]], "route_session_to_calm"), [True]),
    Row("that it is kept is told once", ([[HI], [ASKS]], "route_session_to_calm"), []),
    Row("a value that is there is not set again", ([[ASKS], [SetSlot("word", None)]], "word"), []),
]


@each(SLOTS)
async def test_slots_are_set_as_by_the_engine(row: Row) -> None:
    """Each event counts, for tests that ask whether a slot was set."""
    turns, slot = row.given

    turn = await play(turns)

    assert [e["value"] for e in turn.events if e["event"] == "slot" and e["name"] == slot] == row.engine


async def test_who_found_a_value_is_told() -> None:
    """In the words of the engine (rasa-pro 3.21.0, read)."""
    by_words = await play([[ASKS], [TEA]])
    by_button = await play([[ASKS], ["/SetSlots(word=tea)"]])

    told = [[e.get("filled_by") for e in t.events if e.get("name") == "word"] for t in (by_words, by_button)]
    assert told == [["LLM"], ["CommandPayloadReader"]]


async def test_a_question_s_time_of_silence_ends_with_the_question() -> None:
    """Before what follows it runs (rasa-pro 3.21.0, read)."""
    turn = await play([[StartFlow("thrifty")], [TEA]])

    names = [e.get("name") for e in turn.events if e["event"] == "slot"]
    assert names.index("silence_timeout") < names.index("amount")


async def test_a_restart_is_not_taken_back() -> None:
    """Nor what it ended (rasa-pro 3.21.0, read)."""
    events = Dialogue(bot(), sender_id="s", channel="cmdline", seed=0, clock=lambda: 0.0)
    events.events.set_slot("word", "tea")
    for kind in ("pause", "restart", "user"):
        events.events.emit({"event": kind, "text": "x"})
    assert not events.state.is_paused
    events.events.emit({"event": "rewind"})

    assert events.state.slots["word"] is None
