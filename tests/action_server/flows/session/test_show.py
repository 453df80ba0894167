"""A turn in words."""

from __future__ import annotations

from action_server.flows.commands.command import PLAIN_COMMANDS, Clarify, Command, SetSlot, StartFlow
from action_server.flows.player.trace import (
    ActionCall,
    BotMessage,
    Decision,
    Failure,
    Ignored,
    LogLine,
    StepTaken,
    Turn,
)
from action_server.flows.session.failures import FailedCall
from action_server.flows.session.show import (
    Button,
    bot_lines,
    buttons_of,
    describe_command,
    explain_turn,
    failure_lines,
    short_json,
    user_line,
)
from action_server.project.project_reader import PATTERNS_FILE
from action_server.source import Place

TEA, COFFEE = {"title": "Tea", "payload": "/tea"}, {"title": "Coffee"}
FAILED = FailedCall("action_pay", "e1", "ValueError: stuck", "pay.py:3")


def call(action: str = "action_serve", **changes: object) -> ActionCall:
    after = {"served": True}
    return ActionCall(action, 200, 1.5, {"served": None}, after, **changes)  # type: ignore[arg-type]


def texts(turn: Turn, *failed: FailedCall, with_patterns: bool = False) -> list[str]:
    return [line.text for line in explain_turn(turn, failed, with_patterns=with_patterns)]


def test_what_the_bot_said_is_told_from_what_it_adds() -> None:
    """Lines below each other; buttons numbered through all messages; what a terminal cannot show by its name."""
    messages = [
        BotMessage("What would\nyou like?", buttons=[TEA]),
        BotMessage(None, quick_replies=[COFFEE], image="x.png", custom={"a": 1}),
    ]

    assert [line.text for line in bot_lines(messages)] == [
        "bot: What would",
        "     you like?",
        "     [1] Tea",
        "bot: [2] Coffee",
        "     image: x.png",
        '     custom: {"a": 1}',
    ]
    assert buttons_of(messages) == [Button("Tea", "/tea"), Button("Coffee", "Coffee")]
    assert user_line("tea").text == "you: tea"


def test_commands_are_said_in_words() -> None:
    """Each kind of them."""
    commands: list[Command] = [StartFlow("order"), SetSlot("n", None), Clarify(("a", "b"))]
    plain = {name: describe_command(command) for name, command in PLAIN_COMMANDS.items()}

    assert list(map(describe_command, commands)) == ["start order", "set n to null", "ask which is meant: a, b"]
    assert plain["cancel_flow"] == "cancel flow"
    assert plain["cannot_handle"] == "not understood"


def test_a_turn_is_explained_from_what_was_understood_to_what_changed() -> None:
    """In the order in which it happened, with places and values."""
    decision = Decision("slots.served", True, values={"slots.served": True}, led_to="thank")
    at = Place(file="flows.yml", line=10)
    serve = StepTaken("order", "serve", "action", "action action_serve", at, [decision], notes=["nothing was reset"])
    serve.call = call(logs=[LogLine("INFO", "cafe", "serving")], events=[{"event": "pause", "timestamp": None}])
    turn = Turn(
        "tea",
        commands=[SetSlot("drink", "tea")],
        because="answers the question",
        details={"model": "small", "milliseconds": 12.0, "cost": 0.2},
        ignored=[Ignored(StartFlow("order"), "it runs already")],
        steps=[serve],
        calls=[call("action_every_turn", asked_for_domain=True), serve.call],
        notes=["a note"],
        slots_before={"served": None},
        slots={"served": True},
    )

    assert texts(turn) == [
        '  understood: set drink to "tea"',
        "    because: answers the question (model small, 12 ms, cost 0.200000)",
        "    not followed: start order: it runs already",
        "  call action_every_turn: 200 in 1.5 ms, asked for the domain first",
        "    slot served: null -> true",
        "  order",
        "    serve  action action_serve  flows.yml:10",
        "      call action_serve: 200 in 1.5 ms",
        "        slot served: null -> true",
        '        event {"event": "pause"}',
        "        log INFO cafe: serving",
        "      nothing was reset",
        "      if slots.served: true; slots.served = true, goes to thank",
        "  note: a note",
        "  slots: served null -> true",
    ]


def test_steps_the_engine_brings_are_shown_without_a_place() -> None:
    """It would lead into this package; those that it passes over are left out."""
    at = Place(file=str(PATTERNS_FILE), line=3)
    shown = StepTaken("pattern_x", "ask", "collect", "collect x", at)
    skipped = StepTaken("pattern_x", "validate", "action", "action validate_x", at, skipped=True)
    own = StepTaken("own", "own_0_action_a", "action", "action action_a", Place(file="f.yml", line=1), skipped=True)

    lines = texts(Turn("x", steps=[shown, skipped, own]), with_patterns=True)

    assert lines[2:] == [
        "  pattern_x",
        "    ask  collect x",
        "  own",
        "    action action_a  (passed over)  f.yml:1",
    ]


def test_the_engines_patterns_are_a_line_each() -> None:
    """With what they did beside their routine, what they called of the author's, and conditions that failed."""
    at, own = Place(file=str(PATTERNS_FILE), line=3), Place(file="f.yml", line=1)
    wrong = Decision("slots.a >", False, error="cannot be read")
    steps = [
        StepTaken("pattern_ask", "start", "action", "action action_run_slot_rejections", at, [wrong]),
        StepTaken("pattern_ask", "ask", "action", "action utter_ask_x", at),
        StepTaken("pattern_ask", "listen", "action", "action action_listen", at),
        StepTaken("pattern_ask", "listen", "resumed", "action action_listen", at),
        StepTaken("pattern_done", "end", "end", "the flow ends", at),
        StepTaken("pattern_mine", "say", "action", "action action_say", own),
    ]
    steps[1].call = call("action_ask_x")

    assert texts(Turn("x", steps=steps))[2:] == [
        "  pattern_ask: utter_ask_x",
        "    if slots.a >: false (cannot be read)",
        "    call action_ask_x: 200 in 1.5 ms",
        "      slot served: null -> true",
        "  pattern_done",
        "  pattern_mine",
        "    say  action action_say  f.yml:1",
    ]


def test_what_failed_stands_with_the_call_or_alone() -> None:
    """The explanation has it where it happened; without one it is all that is shown."""
    turn = Turn("pay", calls=[call("action_pay")], failures=[Failure("the action failed", Place(file="f.yml", line=2))])

    assert [line.text for line in failure_lines(turn, [FAILED])] == ["  ! f.yml:2: the action failed", f"  ! {FAILED}"]
    assert f"    ! {FAILED}" in texts(turn, FAILED)
    assert f"    ! {FAILED}" not in texts(Turn("x", calls=[call()]), FAILED)


def test_a_long_value_is_cut() -> None:
    """At 120 characters; what JSON has no word for is a text."""
    assert short_json("x" * 200) == '"' + "x" * 118 + "…"
    assert short_json(Place) == f'"{Place}"'
