"""What actions answer does to the conversation: events, messages, failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.config.settings import Settings
from action_server.flows.commands.command import SetSlot, StartFlow
from action_server.flows.player.trace import Turn
from action_server.flows.player.webhook import ActionReply, in_process, over_http
from tests.action_server.flows.bots import WHAT_ELSE, Chat, Recording, flow_events, read, run_event, webhook
from tests.processes import server
from tests.projects import project

SORRY = "Sorry, something went wrong. Please try again in a few minutes."


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


async def test_a_follow_up_goes_before_the_flow() -> None:
    _, turn = await run_event("follow_up")

    assert turn.texts[1:4] == ["First.", "Said.", "After."]
    assert any(s.kind == "followup" and "action_say" in s.what for s in turn.steps)


async def test_a_reminder_is_not_waited_for_and_that_is_said() -> None:
    _, turn = await run_event("remind")

    assert notes_of(turn) == ["a reminder is set for 2030-01-01T00:00:00; the player does not wait for it"]


async def test_responses_of_the_domain_with_values_of_the_action() -> None:
    _, turn = await run_event("say_response")

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
        ("not_there", "the action 'action_not_there' failed with status 404"),
    ],
)
async def test_a_failing_action_cancels_the_flow_and_says_sorry(name: str, why: str) -> None:
    chat, turn = await run_event(name)

    assert turn.texts[1:] == [SORRY, f"All right, I have stopped do_{name}.", WHAT_ELSE]
    assert why in turn.failures[0].what
    assert turn.failures[0].at is not None
    assert turn.failures[0].at.file.endswith("events/data/flows.yml")
    assert turn.failures[0].flow == f"do_{name}"
    assert ("flow_completed", f"do_{name}") in flow_events(turn)
    assert "what nobody is to see" not in str(turn.failures)
    assert chat.stack == ["pattern_completed", "pattern_collect_information"]
    assert turn.calls[-1].problem


async def test_an_action_that_rejects_its_execution_is_tried_again_with_the_next_message() -> None:
    """Nothing else is predicted: the turn is over, and the flow is where it was (rasa-pro 3.21.0, read)."""
    chat, turn = await run_event("reject")

    assert turn.texts[1:] == []
    assert "rejects its execution: not now" in turn.failures[0].what
    assert "action_reject" not in turn.actions
    assert "action_execution_rejected" in [event["event"] for event in turn.events]
    assert chat.stack == ["do_reject"]
    assert [c.action for c in (await chat.say("hm", SetSlot("nothing", 1))).calls][-1] == "action_reject"


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

    assert turn.texts == [SORRY, "All right, I have stopped do_fail.", "Shall we go on with ask name?"]


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
    assert turn.texts[1:] == [SORRY, f"All right, I have stopped {flow}.", WHAT_ELSE]


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
    assert turn.texts == [SORRY, "All right, I have stopped check_balance.", WHAT_ELSE]


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
    _, turn = await run_event("logs")

    call = next(c for c in turn.calls if c.action == "action_logs")
    assert [(line.level, line.logger, line.message) for line in call.logs] == [("WARNING", "my.bot", "seen player")]


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
