"""What is told by its look."""

from __future__ import annotations

import pytest

from action_server.flows.commands.slot_kinds import Kind
from action_server.flows.commands.spans import find_codes, find_spans


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("mail ann.lee@example.org", [("ann.lee@example.org", Kind.EMAIL)]),
        ("add @tomk, please", [("@tomk", Kind.HANDLE)]),
        ("call +43 660 998877", [("+43 660 998877", Kind.PHONE)]),
        ("order #A-991", [("#A-991", Kind.CODE)]),
        ("next friday at 2pm", [("next friday", Kind.DATE), ("2pm", Kind.TIME)]),
        ("on 2 May 2027", [("2 May 2027", Kind.DATE)]),
        ("the 2nd, 50eur, 3pm", [("3pm", Kind.TIME)]),
        ("from Berlin to New York", [("Berlin", Kind.PERSON), ("New York", Kind.PERSON)]),
        ("send money to john", [("john", Kind.PERSON)]),
        ("I'd like to", []),
    ],
)
def test_parts_of_a_message(message: str, found: list[tuple[str, Kind]]) -> None:
    """From the left, each letter once."""
    assert [(span.text, span.kind) for span in find_spans(message)] == found


def test_a_day_takes_its_time_along() -> None:
    """Where nothing else wants to know the time."""
    [span] = find_spans("next Tuesday at 10 in the morning", with_time=True)

    assert span.text == "next Tuesday at 10"


def test_a_name_knows_its_preposition() -> None:
    """It says whose name it is."""
    assert [(span.preposition, span.text) for span in find_spans("from Oslo to Rome")] == [
        ("from", "Oslo"),
        ("to", "Rome"),
    ]


def test_codes_are_words_with_digits_and_long_numbers() -> None:
    """Not what a number and its unit make."""
    assert [span.text for span in find_codes("C-2024-99, 77421, 5th, 12")] == ["C-2024-99", "77421"]
