"""Projects that are wrong in ways an engine meets while a conversation runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.flows.commands.command import ChitChat, HumanHandoff, RepeatBotMessages, SetSlot, StartFlow
from action_server.flows.player.player import Player
from action_server.project.places import UnsupportedError
from action_server.project.project_reader import read_project
from tests.action_server.flows.bots import NOON, Chat, webhook
from tests.projects import project

SORRY = "Sorry, something went wrong. Please try again in a few minutes."
DOMAIN = """
    slots:
      age: {type: float}
      word: {type: text}
      listed: {type: list}
    actions: [action_fail, action_say, action_set, utter_elsewhere, action_default_fallback]
    responses:
      utter_ask_age: [{text: Age?}]
      utter_ask_word: [{text: Word?}]
      utter_ask_listed: [{text: Which?}]
      utter_hi: [{text: Hi.}]
"""
FLOWS = """
    flows:
      hi:
        description: Says hi.
        steps:
          - action: utter_hi
      unreadable:
        description: Its rule can never be evaluated.
        steps:
          - collect: age
            rejections: [{if: slots.age ==, utter: utter_hi}]
      unanswered:
        description: Its rule has no response.
        steps:
          - collect: age
            rejections: [{if: slots.age < 1, utter: utter_nowhere}]
      uncomparable:
        description: Its rule cannot compare what it gets.
        steps:
          - collect: word
            rejections: [{if: slots.word > 1, utter: utter_hi}]
          - action: utter_hi
      bad_link: {description: d, steps: [{link: nowhere}]}
      bad_slot: {description: d, steps: [{collect: nothing}]}
      bad_next: {description: d, steps: [{action: utter_hi, next: nowhere}]}
      bad_set: {description: d, steps: [{set_slots: [{nothing: 1}]}, {action: utter_hi}]}
      bad_call: {description: d, steps: [{call: nowhere}]}
      bad_name: {description: d, steps: [{action: "{{ 1 / 0 }}"}]}
      no_steps: {description: d, steps: []}
      elsewhere: {description: d, steps: [{action: utter_elsewhere}]}
      triggers: {description: d, steps: [{action: flow_hi}]}
      own_default: {description: d, steps: [{action: action_default_fallback}]}
      fill_list: {description: d, steps: [{collect: listed}]}
      pattern_completed: {description: d, steps: [{action: utter_hi}]}
"""
FAILING_PATTERNS = """
    flows:
      hi: {description: d, steps: [{action: utter_hi}]}
      pattern_chitchat: {description: d, steps: [{action: action_fail}]}
      pattern_human_handoff: {description: d, steps: [{collect: nothing}]}
"""


def player_of(folder: Path, flows: str = FLOWS, domain: str = DOMAIN) -> Player:
    found = read_project(project(folder, {"domain.yml": domain, "data/flows.yml": flows}))
    return Player(found, webhook(), clock=lambda: NOON)


@pytest.mark.parametrize(
    ("flow", "why"),
    [
        ("bad_link", "the link leads to 'nowhere', and there is no such flow"),
        ("bad_slot", "the domain has no slot 'nothing'"),
    ],
)
async def test_what_fails_while_it_runs(tmp_path: Path, flow: str, why: str) -> None:
    turn = await player_of(tmp_path).turn("go", [StartFlow(flow)])

    assert turn.failures[0].what == why
    assert turn.failures[0].at is not None
    assert turn.texts[0] == SORRY


@pytest.mark.parametrize(
    ("flow", "why"),
    [
        ("bad_next", "the flow 'bad_next' has no step 'nowhere'"),
        ("bad_name", "the name '{{ 1 / 0 }}' cannot be rendered: division by zero"),
    ],
)
async def test_what_loses_the_turn(tmp_path: Path, flow: str, why: str) -> None:
    """An engine has no next step, and remembers nothing of the turn (rasa-pro 3.21.0, read)."""
    player = player_of(tmp_path)

    turn = await player.turn("go", [StartFlow(flow)])

    assert turn.failures[0].what == why
    assert "an engine loses this turn" in turn.notes[-1]
    assert (turn.stack, [e["event"] for e in player.state.events if e["event"] == "user"]) == ([], [])


async def test_a_flow_without_steps_ends_at_once(tmp_path: Path) -> None:
    turn = await player_of(tmp_path).turn("go", [StartFlow("no_steps")])

    assert (turn.failures, turn.texts) == ([], ["Hi."])


async def test_a_slot_that_set_slots_invents(tmp_path: Path) -> None:
    turn = await player_of(tmp_path).turn("go", [StartFlow("bad_set")])

    assert turn.steps[0].notes == ["the domain has no slot 'nothing', so it was not set"]
    assert turn.texts[0] == "Hi."


async def test_a_call_of_nothing_is_taken_for_a_sub_agent(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="`call: nowhere`"):
        await player_of(tmp_path).turn("go", [StartFlow("bad_call")])


async def test_a_rule_that_can_never_be_evaluated(tmp_path: Path) -> None:
    """As documented: the response for internal errors, and the question again."""
    turn = await player_of(tmp_path).turn("go", [StartFlow("unreadable"), SetSlot("age", 3)])

    assert turn.texts == [SORRY, "Age?"]
    assert turn.failures[0].what == "the condition 'slots.age ==' raises, which rejects: Unexpected end of predicate!"


async def test_a_rule_without_a_response(tmp_path: Path) -> None:
    turn = await player_of(tmp_path).turn("go", [StartFlow("unanswered"), SetSlot("age", 0)])

    assert turn.texts == ["Age?"]
    assert turn.failures[0].what == "the domain has no response 'utter_nowhere'"


async def test_a_rule_that_cannot_compare_rejects_and_says_so(tmp_path: Path) -> None:
    """As the engine does, with the response for internal errors."""
    turn = await player_of(tmp_path).turn("go", [StartFlow("uncomparable"), SetSlot("word", "x")])

    assert turn.texts[0] == SORRY
    (decision,) = [d for s in turn.steps for d in s.decisions if d.condition == "slots.word > 1"]
    assert not decision.value
    assert "cannot be evaluated" in decision.error
    assert turn.failures[0].what.startswith("the condition 'slots.word > 1' raises, which rejects: cannot be evaluated")


async def test_a_response_that_is_listed_without_a_text(tmp_path: Path) -> None:
    turn = await player_of(tmp_path).turn("go", [StartFlow("elsewhere")])

    assert turn.failures == []
    assert "an NLG server would say it" in turn.steps[0].notes[0]


async def test_an_action_that_starts_a_flow(tmp_path: Path) -> None:
    turn = await player_of(tmp_path).turn("go", [StartFlow("triggers")])

    # What asked for it is interrupted, even by its last step.
    assert turn.texts == ["Hi.", "Shall we go on with triggers?"]
    assert ("flow_started", "hi") in [(e["event"], e.get("flow_id")) for e in turn.events]


async def test_a_default_action_of_the_project_s_own_is_called(tmp_path: Path) -> None:
    turn = await player_of(tmp_path).turn("go", [StartFlow("own_default")])

    assert [c.action for c in turn.calls] == ["action_default_fallback"]
    assert "failed with status 404" in turn.failures[0].what


@pytest.mark.parametrize("value", [["a"], "a"])
async def test_one_value_of_a_list_is_a_list(tmp_path: Path, value: object) -> None:
    player = player_of(tmp_path)
    turn = await player.turn("go", [StartFlow("fill_list"), SetSlot("listed", value)])

    assert turn.failures == []
    assert ["a"] in [event.get("value") for event in turn.events if event["event"] == "slot"]


async def test_jinja_that_looks_up_a_slot_fails_the_flow(tmp_path: Path) -> None:
    """In a flow's conditions it sees the context alone; an engine does not survive it (rasa-pro 3.21.0, read)."""
    flows = """
    flows:
      asks:
        description: d
        steps:
          - noop: true
            next:
              - if: "slots.age > {{ slots.age }}"
                then: [{action: utter_hi, next: END}]
              - else: END
"""
    turn = await player_of(tmp_path, flows).turn("go", [StartFlow("asks")])

    assert turn.texts == []
    assert turn.failures[0].what.startswith("the condition 'slots.age > {{ slots.age }}' cannot be rendered")


@pytest.mark.parametrize("command", [ChitChat(), HumanHandoff()])
async def test_a_pattern_that_fails(tmp_path: Path, command: ChitChat | HumanHandoff) -> None:
    player = player_of(tmp_path, FAILING_PATTERNS)

    alone = await player.turn("hm", [command])
    in_question = await player.turn("hi", [StartFlow("hi")])
    beside = await player.turn("hm", [command])

    assert alone.texts == [SORRY]
    assert in_question.asked_slot == "continue_conversation"
    assert beside.texts == [SORRY, "Is there something else you need?"]


async def test_the_pattern_for_errors_fails_itself(tmp_path: Path) -> None:
    """Nothing is said, and it does not go on for ever."""
    flows = FAILING_PATTERNS + "      pattern_internal_error: {description: d, steps: [{action: action_fail}]}\n"
    player = player_of(tmp_path, flows)

    turn = await player.turn("hm", [ChitChat()])

    assert turn.texts == []
    assert len(turn.failures) == 2
    assert (await player.turn("hi", [StartFlow("hi")])).texts[0] == "Hi."


async def test_a_question_that_an_action_asks_is_repeated_once() -> None:
    chat = Chat("shop")
    await chat.say("note", StartFlow("note"), ChitChat())

    turn = await chat.say("again?", RepeatBotMessages())

    assert turn.texts == ["Sorry, I cannot help with that.", "What else?"]
