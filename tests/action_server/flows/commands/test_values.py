"""Values are read from words by rules, and not guessed."""

from __future__ import annotations

import pytest

from action_server.flows.commands.generator import SlotView
from action_server.flows.commands.values import read_boolean, read_category, read_number, read_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Yep, sure, thanks", True),
        ("no thank you", False),
        ("never", False),
        ("yes and no", None),
        ("perhaps", None),
        ("yes I want to cancel the appointment", None),
        ("I'm not sure", None),
        ("I don't know", None),
        ("not ok", False),
        ("not really", False),
        ("I don't think so", False),
        ("we don't need one", False),
        ("I'd rather sit inside, no", False),
        ("no problem", True),
        ("go ahead", True),
        ("that would be lovely", True),
        ("I do", True),
        ("I don't", False),
    ],
)
def test_a_yes_or_a_no(text: str, value: bool | None) -> None:
    """Both at once say nothing, and neither does a yes within a sentence of its own."""
    assert read_boolean(text) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("about -2.5 degrees", -2.5),
        ("twenty-three", 23),
        ("seven", 7),
        ("2 or 3", None),
        ("1,000", None),
        ("none", None),
        ("room b4", None),
    ],
)
def test_the_one_number_of_a_text(text: str, value: float | None) -> None:
    """Of several numbers none is chosen."""
    assert read_number(text) == value


CARE = SlotView("care", "categorical", "", None, ("general", "general practice", "urgent"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("urgent", "urgent"),
        ("it is urgently needed", "urgent"),
        ("general", "general"),
        ("in general practice please", "general practice"),
        ("urgent or general", None),
        ("neither", None),
        ("an urgnet one", "urgent"),
        ("generally speaking", None),
        ("not urgent", None),
    ],
)
def test_the_one_category_of_a_text(text: str, value: str | None) -> None:
    """The longer of two names that stand in each other; of two that do not, none."""
    assert read_category(CARE, text) == value


@pytest.mark.parametrize("text", ["check it", "checked", "I save", "saver"])
def test_a_category_is_no_stem(text: str) -> None:
    """A value is a word: who checks something has no checking account."""
    assert read_category(SlotView("account", "categorical", "", None, ("checking", "savings")), text) is None


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "  Ann Lee ", "Ann Lee"),
        ("text", " ", None),
        ("list", "a, b and c", ["a", "b", "c"]),
        ("any", "x", "x"),
    ],
)
def test_an_answer_is_taken_as_the_slot_s_type(kind: str, text: str, value: object) -> None:
    """A text as it is, a list by its commas."""
    assert read_value(SlotView("s", kind, ""), text) == value
