"""The tracker does what events say."""

from __future__ import annotations

from action_server.flows.commands.command import SetSlot, StartFlow
from tests.action_server.flows.bots import Chat, run_event


async def test_slots_are_set_and_told() -> None:
    chat, turn = await run_event("set")

    call = next(c for c in turn.calls if c.action == "action_set")
    assert (call.status, call.problem) == (200, "")
    assert call.changed_slots == {"name": (None, "Ann"), "count": (7, 2)}
    assert [e["name"] for e in call.events] == ["name", "count"]
    assert [r["text"] for r in call.responses] == ["Set."]
    assert call.milliseconds >= 0
    assert turn.texts[1:3] == ["Set.", "After."]
    # Slots that an action sets outlive the flow.
    assert chat.slots["name"] == "Ann"


async def test_a_slot_the_domain_does_not_have() -> None:
    _, turn = await run_event("unknown_slot")

    step = next(s for s in turn.steps if s.what == "action action_unknown_slot")
    assert step.notes == ["the domain has no slot 'nmae', so it was not set"]
    assert turn.texts[2] == "After."


async def test_all_slots_are_reset() -> None:
    chat = Chat("events")
    await chat.say("go", StartFlow("do_set"))

    await chat.say("go", StartFlow("do_reset_all"))

    assert (chat.slots["name"], chat.slots["count"]) == (None, 0)


async def test_a_paused_conversation_says_nothing_until_it_is_resumed() -> None:
    chat, turn = await run_event("pause")

    quiet = await chat.say("hello?", StartFlow("do_say"))

    assert turn.texts[-1] == "I pause."
    assert turn.is_paused
    assert (quiet.texts, quiet.steps) == ([], [])
    chat.player.state.add({"event": "resume"})
    assert (await chat.say("now?", StartFlow("do_say"))).texts[0] == "Said."


async def test_a_pause_that_is_taken_back() -> None:
    _, turn = await run_event("resume")

    assert turn.texts[1:3] == ["I go on.", "After."]


async def test_an_action_takes_itself_back() -> None:
    chat, turn = await run_event("undo")

    assert chat.slots["name"] is None
    assert turn.texts[-1] == "Undone."


async def test_the_message_is_taken_back() -> None:
    """The stack is as it was before the message, and so are the slots."""
    chat = Chat("events")
    await chat.say("name", StartFlow("ask_name"))

    turn = await chat.say("go", StartFlow("do_rewind"), SetSlot("name", "Bob"))

    assert turn.texts[-1] == "Rewound."
    assert chat.slots["name"] is None
    assert chat.stack == ["ask_name", "pattern_collect_information"]


async def test_a_form_is_entered_and_left() -> None:
    chat, _ = await run_event("loop")
    active = dict(chat.player.state.active_loop)

    await chat.say("go", StartFlow("leave_form"))

    assert active == {"name": "a_form", "is_interrupted": False, "rejected": False}
    assert chat.player.state.active_loop == {}


async def test_everything_starts_anew() -> None:
    chat, turn = await run_event("restart_all")

    assert turn.texts[-2:] == ["Anew.", "Session of None"]
    assert chat.stack == []


async def test_a_session_ends_and_the_next_message_begins_again() -> None:
    chat, turn = await run_event("end_session")
    hung_up = await chat.say("go", StartFlow("hang_up"))

    assert turn.texts[-1] == "Bye."
    assert turn.has_ended
    assert hung_up.texts == ["After."]
    assert hung_up.has_ended
    assert (await chat.say("go", StartFlow("do_say"))).texts[0] == "Said."


async def test_the_stack_is_changed_by_an_action() -> None:
    """It takes its own flow off the stack."""
    _, turn = await run_event("stack")

    assert "After." not in turn.texts


async def test_a_message_of_the_user_s_that_an_action_makes_up() -> None:
    chat, turn = await run_event("user")

    assert chat.player.state.latest_message["text"] == "said by an action"
    assert turn.texts[1] == "After."
