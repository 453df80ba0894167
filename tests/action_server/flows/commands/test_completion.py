"""A language model's completion is a claim: only what is possible becomes a command."""

from __future__ import annotations

import pytest

from action_server.errors import InvalidCompletionError
from action_server.flows.commands.command import CancelFlow, CannotHandle, Clarify, Command, SetSlot, StartFlow
from action_server.flows.commands.completion import read_completion
from tests.action_server.flows.commands.completions import VIEW, saying


@pytest.mark.parametrize(
    ("completion", "commands"),
    [
        (
            saying(
                {"command": "start_flow", "flow": "book"}, {"command": "set_slot", "slot": "kind", "value": "URGENT"}
            ),
            [StartFlow("book"), SetSlot("kind", "urgent")],
        ),
        (f"```json\n{saying({'command': 'cancel_flow'})}\n```", [CancelFlow()]),
        (saying({"command": "clarify", "flows": ["list", "book"]}), [Clarify(("list", "book"))]),
        (saying({"command": "set_slot", "slot": "size", "value": 4}), [SetSlot("size", 4)]),
        (saying({"command": "set_slot", "slot": "sure", "value": False}), [SetSlot("sure", False)]),
        (saying({"command": "set_slot", "slot": "names", "value": ["a"]}), [SetSlot("names", ["a"])]),
        (saying({"command": "set_slot", "slot": "wish", "value": None}), [SetSlot("wish", None)]),
        (saying({"command": "cannot_handle"}), [CannotHandle()]),
    ],
)
def test_commands_are_read(completion: str, commands: list[Command]) -> None:
    """In CALM's terms, with the values as the slots have them; a fence around the JSON does no harm."""
    assert read_completion(completion, VIEW) == commands


BOOK = saying({"command": "start_flow", "flow": "book"})


@pytest.mark.parametrize(
    "completion",
    [
        f"<think>They want to {{book}}.\n{saying({'command': 'cancel_flow'})}?</think>\n\n{BOOK}",
        f"They want to book.</think>{BOOK}",
        f"<thinking>hm</thinking>```json\n{BOOK}\n```",
        f"Here is the answer:\n\n{BOOK}\n\nI hope this helps!",
        f"The user {{said}} so:\n```json\n{BOOK}\n```\nLet me know {{if}} it fits.",
        f"```\n{BOOK}```",
        f"First I thought {saying({'command': 'cancel_flow'})}, but it is {BOOK}.",
        f'{{"why": "a"}} {BOOK} {{"done": true}}',
    ],
    ids=range(8),
)
def test_what_stands_around_the_json_is_passed_over(completion: str) -> None:
    """Thoughts, prose and fences; of several answers the last counts."""
    assert read_completion(completion, VIEW) == [StartFlow("book")]


def test_an_answer_of_braces_takes_no_time() -> None:
    """A quarter of a megabyte of beginnings is given up."""
    with pytest.raises(InvalidCompletionError):
        read_completion("x" + '{"a":[' * 40_000, VIEW)


@pytest.mark.parametrize(
    ("completion", "problem"),
    [
        ("I would book an appointment.", "the answer is not JSON"),
        ("", "the answer is not JSON"),
        ("[" * 100_000, "the answer is not JSON"),
        ('{"commands": [{"command": "set_slot", "slot": "size", "value": NaN}]}', "the answer is not JSON"),
        ("[]", "the answer: Input should be"),
        ('{"commands": []}', "commands: List should have at least 1 item"),
        (saying(*[{"command": "chitchat"}] * 21), "commands: List should have at most 20 items"),
        (saying({"command": "rm -rf"}), "commands[0]: Input tag"),
        (saying({"command": "start_flow"}), "commands[0].flow: Field required"),
        (saying({"command": "start_flow", "flow": "book", "and": 1}), "commands[0].and: Extra inputs"),
        (saying({"command": "start_flow", "flow": "pay_me"}), "there is no such flow; there are book, list"),
        (saying({"command": "clarify", "flows": ["book", "x"]}), "commands[0].flows: not all of them exist"),
        (saying({"command": "set_slot", "slot": "admin", "value": True}), "no such slot can be filled"),
        (saying({"command": "set_slot", "slot": "kind", "value": "vip"}), "must be one of general, urgent"),
        (saying({"command": "set_slot", "slot": "sure", "value": "yes"}), "must be true or false"),
        (saying({"command": "set_slot", "slot": "size", "value": True}), "must be a number"),
        (saying({"command": "set_slot", "slot": "wish", "value": "x" * 5000}), "must be text of at most 2000"),
        (saying({"command": "set_slot", "slot": "names", "value": "a"}), "must be a list"),
    ],
    ids=range(18),
)
def test_a_completion_of_no_use_says_why(completion: str, problem: str) -> None:
    """A sentence for each thing that is wrong, which the model is sent."""
    with pytest.raises(InvalidCompletionError) as caught:
        read_completion(completion, VIEW)

    assert any(problem in found for found in caught.value.problems)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """So that one correction is enough."""
    wrong = saying({"command": "start_flow", "flow": "x"}, {"command": "set_slot", "slot": "size", "value": "big"})

    with pytest.raises(InvalidCompletionError) as caught:
        read_completion(wrong, VIEW)

    assert caught.value.problems == (
        "commands[0].flow: there is no such flow; there are book, list",
        "commands[1].value: must be a number",
    )
