"""What actions answer does to the conversation: events, messages, failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.config.settings import Settings
from action_server.flows.commands.port import SetSlot, StartFlow
from action_server.flows.player.trace import Turn
from action_server.flows.player.webhook import ActionReply, in_process, over_http
from tests.action_server.flows.bots import Chat, Recording, read, webhook
from tests.processes import server
from tests.projects import project

SORRY = "Sorry, something went wrong. Please try again in a few minutes."


async def run(name: str) -> tuple[Chat, Turn]:
    chat = Chat("events")
    return chat, await chat.say("go", StartFlow(f"do_{name}"))


def notes_of(turn: Turn) -> list[str]:
    """What is noted with the steps of flows; patterns leave out what a project need not have."""
    return [note for step in turn.steps if not step.flow.startswith("pattern_") for note in step.notes]


async def test_a_session_begins_with_an_action_of_the_project_s_own() -> None:
    """It sees the metadata, and what it sets is there for the first turn."""
    chat = Chat("events")

    turn = await chat.player.turn("go", [StartFlow("do_set")], metadata={"who": "Ann"})

    assert turn.texts[:3] == ["Session of Ann", "Set.", "After."]
    assert turn.calls[0].action == "action_session_start"
    assert [e["event"] for e in turn.events[:4]] == ["slot", "action", "bot", "session_started"]
    assert (await chat.say("go", StartFlow("do_say"))).texts[0] == "Said."


async def test_slots_are_set_and_told() -> None:
    chat, turn = await run("set")

    call = next(c for c in turn.calls if c.action == "action_set")
    assert (call.status, call.problem) == (200, "")
    assert call.changed == {"name": (None, "Ann"), "count": (7, 2)}
    assert [e["name"] for e in call.events] == ["name", "count"]
    assert [r["text"] for r in call.responses] == ["Set."]
    assert call.milliseconds >= 0
    assert turn.texts[1:3] == ["Set.", "After."]
    # Slots that an action sets outlive the flow.
    assert chat.slots["name"] == "Ann"


async def test_a_slot_the_domain_does_not_have() -> None:
    _, turn = await run("unknown_slot")

    step = next(s for s in turn.steps if s.what == "action action_unknown_slot")
    assert step.notes == ["the domain has no slot 'nmae', so it was not set"]
    assert turn.texts[2] == "After."


async def test_all_slots_are_reset() -> None:
    chat = Chat("events")
    await chat.say("go", StartFlow("do_set"))

    await chat.say("go", StartFlow("do_reset_all"))

    assert (chat.slots["name"], chat.slots["count"]) == (None, 0)


async def test_a_follow_up_goes_before_the_flow() -> None:
    _, turn = await run("follow_up")

    assert turn.texts[1:4] == ["First.", "Said.", "After."]
    assert any(s.kind == "followup" and "action_say" in s.what for s in turn.steps)


async def test_a_paused_conversation_says_nothing_until_it_is_resumed() -> None:
    chat, turn = await run("pause")

    quiet = await chat.say("hello?", StartFlow("do_say"))

    assert turn.texts[-1] == "I pause."
    assert turn.is_paused
    assert (quiet.texts, quiet.steps) == ([], [])
    chat.player.state.add({"event": "resume"})
    assert (await chat.say("now?", StartFlow("do_say"))).texts[0] == "Said."


async def test_a_pause_that_is_taken_back() -> None:
    _, turn = await run("resume")

    assert turn.texts[1:3] == ["I go on.", "After."]


async def test_an_action_takes_itself_back() -> None:
    chat, turn = await run("undo")

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


async def test_the_default_fallback() -> None:
    turn = await Chat("events").say("go", StartFlow("fall_back"))

    assert turn.texts[1] == "Pardon?"


async def test_a_form_is_entered_and_left() -> None:
    chat, _ = await run("loop")
    active = dict(chat.player.state.active_loop)

    await chat.say("go", StartFlow("leave_form"))

    assert active == {"name": "a_form", "is_interrupted": False, "rejected": False}
    assert chat.player.state.active_loop == {}


async def test_a_reminder_is_not_waited_for_and_that_is_said() -> None:
    _, turn = await run("remind")

    assert notes_of(turn) == ["a reminder is set for 2030-01-01T00:00:00; the player does not wait for it"]


async def test_everything_starts_anew() -> None:
    chat, turn = await run("restart_all")

    assert turn.texts[-1] == "Anew."
    assert chat.stack == []


async def test_a_session_ends_and_the_next_message_begins_again() -> None:
    chat, turn = await run("end_session")
    hung_up = await chat.say("go", StartFlow("hang_up"))

    assert turn.texts[-1] == "Bye."
    assert turn.has_ended
    assert hung_up.texts == ["After."]
    assert hung_up.has_ended
    assert (await chat.say("go", StartFlow("do_say"))).texts[0] == "Said."


async def test_the_stack_is_changed_by_an_action() -> None:
    """It takes its own flow off the stack."""
    _, turn = await run("stack")

    assert "After." not in turn.texts


async def test_a_message_of_the_user_s_that_an_action_makes_up() -> None:
    chat, turn = await run("user")

    assert chat.player.state.latest_message["text"] == "said by an action"
    assert turn.texts[1] == "After."


async def test_responses_of_the_domain_with_values_of_the_action() -> None:
    _, turn = await run("say_response")

    first, second = turn.messages[1:3]
    assert (first.text, first.response, first.action) == (
        "Hello None, again.",
        "utter_template",
        "action_say_response",
    )
    assert [b["title"] for b in first.buttons] == ["A", "B"]
    assert (second.custom, second.attachment) == ({"card": 1}, "file")
    assert notes_of(turn) == ["action_say_response wants to say 'utter_nowhere', which the domain does not have"]


async def test_the_domain_is_sent_when_it_is_asked_for() -> None:
    hook = Recording(webhook())
    chat = Chat("events", webhook=hook)

    turn = await chat.say("go", StartFlow("do_domain"))

    calls = [c for c in hook.sent if c["next_action"] == "action_domain"]
    assert turn.texts[1] == f"{len(read('events').domain.raw['slots'])} slots"
    assert ["domain" in c for c in calls] == [False]
    # The first call of the session was answered with 449; by then the server knows the domain.
    assert ["domain" in c for c in hook.sent[:2]] == [False, True]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fail", "the action 'action_fail' failed with status 500"),
        ("reject", "the action 'action_reject' rejects its execution: not now"),
        ("not_there", "the action 'action_not_there' failed with status 404"),
    ],
)
async def test_a_failing_action_cancels_the_flow_and_says_sorry(name: str, why: str) -> None:
    chat, turn = await run(name)

    assert turn.texts[1:] == [SORRY]
    assert why in turn.failures[0].what
    assert turn.failures[0].at is not None
    assert turn.failures[0].at.file.endswith("events/data/flows.yml")
    assert turn.failures[0].flow == f"do_{name}"
    assert [e["flow_id"] for e in turn.events if e["event"] == "flow_cancelled"] == [f"do_{name}"]
    assert "what nobody is to see" not in str(turn.failures)
    assert chat.stack == []
    assert turn.calls[-1].problem


async def test_a_session_s_action_that_fails_is_not_tried_again() -> None:
    chat = Chat("events", webhook=Recording(ActionReply(500, None, 1.0)))

    first = await chat.say("hm")
    second = await chat.say("hm")

    assert [c.action for c in first.calls] == ["action_session_start", "action_every_turn"]
    assert [c.action for c in second.calls] == ["action_every_turn"]


async def test_a_failing_action_leaves_other_flows_alone() -> None:
    chat = Chat("events")
    await chat.say("name", StartFlow("ask_name"))

    turn = await chat.say("go", StartFlow("do_fail"))

    assert turn.texts == [SORRY, "Shall we go on with ask_name?"]


@pytest.mark.parametrize(
    ("flow", "why"),
    [
        ("not_listed", "the domain lists no action 'action_not_listed'"),
        ("no_response", "the domain has no response 'utter_not_there'"),
    ],
)
async def test_what_the_domain_does_not_have(flow: str, why: str) -> None:
    turn = await Chat("events").say("go", StartFlow(flow))

    assert turn.failures[0].what == why
    assert turn.texts[1:] == [SORRY]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ActionReply(0, None, 1.0, problem="refused"), "cannot be called: refused"),
        (ActionReply(500, None, 1.0), "failed with status 500: no reason given"),
        (ActionReply(200, ["x"], 1.0), "answered with something else than an object"),
        (ActionReply(200, {"events": None}, 1.0), "answered with 'events' that is not a list of objects"),
        (ActionReply(200, {"responses": [1]}, 1.0), "answered with 'responses' that is not a list of objects"),
        (ActionReply(449, {}, 1.0), "failed with status 449"),
    ],
)
async def test_answers_that_engines_take_for_failures(answer: ActionReply, why: str) -> None:
    chat = Chat("bank", webhook=Recording(answer))

    turn = await chat.say("balance", StartFlow("check_balance"))

    assert turn.failures[0].what.startswith(f"the action 'action_balance' {why}")
    assert turn.texts == [SORRY]


@pytest.mark.parametrize("body", [{}, None, {"events": [], "responses": []}])
async def test_answers_without_anything(body: object) -> None:
    chat = Chat("bank", webhook=Recording(ActionReply(200, body, 1.0)))

    assert (await chat.say("balance", StartFlow("check_balance"))).failures == []


async def test_a_failing_every_turn_action_is_tolerated() -> None:
    chat = Chat("events")

    turn = await chat.say("fail every turn", StartFlow("do_say"))
    fine = await chat.say("fine", StartFlow("do_say"))

    assert turn.texts[1] == "Said."
    assert [(c.action, bool(c.problem)) for c in turn.calls][1:3] == [
        ("action_every_turn", True),
        ("action_say", False),
    ]
    # Only slots count of what it answers: it also resets them all.
    assert (chat.slots["every_turn"], chat.slots["count"], fine.failures) == ("fine", 7, [])


async def test_a_checking_action_runs_with_each_pass_while_the_slot_is_empty_too() -> None:
    chat = Chat("events")
    await chat.say("name", StartFlow("ask_name"))

    await chat.say("Bob", SetSlot("name", "Bob"))

    assert chat.slots["count"] == 2


async def test_what_an_action_logs_is_kept_with_its_call() -> None:
    _, turn = await run("logs")

    call = next(c for c in turn.calls if c.action == "action_logs")
    assert [(line.level, line.logger, line.message) for line in call.logs] == [("WARNING", "my.bot", "seen player")]


async def test_default_actions_in_flows() -> None:
    chat = Chat("events")
    chat.player.set_slots({"name": "x"})

    clean = await chat.say("go", StartFlow("clean"))
    talk = await chat.say("go", StartFlow("small_talk"))
    routing = await chat.say("go", StartFlow("routing"))

    assert clean.failures == []
    assert talk.texts[0] == "Sorry, I cannot help with that."
    assert routing.failures == []
    assert chat.slots["name"] is None


ACTION = """
    from rasa_sdk import Action

    class ActionBalance(Action):
        def name(self):
            return "action_balance"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=f"{tracker.sender_id} has {len(domain['slots'])}")
            return []
"""


async def test_over_http_it_is_the_same(folder: Path) -> None:
    """A server in a process of its own, asked for the domain by 449, answers as the executor in this one."""
    project(folder, {"bank_actions.py": ACTION})
    async with in_process(Settings(actions="bank_actions")) as hook:
        assert hook.actions == {"action_balance"}
        inside = await Chat("bank", webhook=hook).say("balance", StartFlow("check_balance"))
    with server(folder, "--actions", "bank_actions") as running:
        async with over_http(f"{running.url}/webhook") as remote:
            outside = await Chat("bank", webhook=remote).say("balance", StartFlow("check_balance"))

    assert inside.texts == outside.texts
    assert inside.texts[0].startswith("player has ")
    assert [c.asked_for_domain for c in outside.calls] == [c.asked_for_domain for c in inside.calls]


async def test_nothing_answers() -> None:
    async with over_http("http://127.0.0.1:1/webhook") as remote:
        turn = await Chat("bank", webhook=remote).say("balance", StartFlow("check_balance"))

    assert "cannot be called: no action server answers at http://127.0.0.1:1/webhook" in turn.failures[0].what
    assert turn.calls[-1].status == 0
