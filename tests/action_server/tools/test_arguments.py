"""Arguments are read leniently: models and engines write one value in several ways."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.tools.arguments import Argument, read_arguments
from action_server.tools.shapes import Kind, Shape

CATEGORY = Shape("categorical", ("general", "Urgent", 3, True))

READ: list[tuple[Shape | Kind, Any, Any]] = [
    ("text", None, None),
    ("text", "", ""),
    ("text", "null", "null"),
    ("text", 5, "5"),
    ("text", 491701234567.0, "491701234567"),
    ("text", True, "true"),
    ("bool", "", None),
    ("bool", "null", None),
    ("bool", " NULL ", None),
    ("bool", "true", True),
    ("bool", "False", False),
    ("bool", 1, True),
    ("bool", 0.0, False),
    ("number", 5, 5),
    ("number", 5.0, 5.0),
    ("number", "5.5", 5.5),
    ("number", "", None),
    ("integer", 5.0, 5),
    ("integer", "5", 5),
    (CATEGORY, "GENERAL", "general"),
    (CATEGORY, "urgent", "Urgent"),
    (CATEGORY, "3", 3),
    (CATEGORY, 3.0, 3),
    (CATEGORY, "true", True),
    (CATEGORY, "", None),
    (CATEGORY, "null", None),
    (Shape("categorical", ("null", "a")), "null", "null"),
    ("list", ["a", 1], ["a", 1]),
    ("list", '["a", null]', ["a", None]),
    ("list", "null", None),
    ("object", '{"a": 1}', {"a": 1}),
    ("object", {"a": 1}, {"a": 1}),
    ("any", "x", "x"),
    ("any", "", None),
    ("any", {"a": [1]}, {"a": [1]}),
]
REFUSED: list[tuple[Shape | Kind, Any, str]] = [
    ("text", ["secret"], "a text"),
    ("bool", "secret", "true or false"),
    ("bool", 2, "true or false"),
    ("number", "secret", "a number"),
    ("number", "nan", "a number"),
    ("number", True, "a number"),
    ("integer", 5.5, "a whole number"),
    (Shape("number", minimum=1, maximum=8), 9, "a number, at least 1, at most 8"),
    (CATEGORY, "secret", "one of general, Urgent, 3, true"),
    (CATEGORY, ["secret"], "one of general, Urgent, 3, true"),
    ("list", "secret", "a list"),
    ("list", {"secret": 1}, "a list"),
    ("object", "[1]", "an object, as text that holds JSON"),
    ("object", "[" * 100_000, "an object, as text that holds JSON"),
]


def of(shape: Shape | Kind) -> Argument:
    return Argument("wish", "slot", shape if isinstance(shape, Shape) else Shape(shape))


@pytest.mark.parametrize(("shape", "given", "expected"), READ)
def test_a_value_is_read(shape: Shape | Kind, given: Any, expected: Any) -> None:
    """By the type of what it is to be."""
    read = read_arguments([of(shape)], {"wish": given})

    assert read.problems == ()
    assert read.slots["slot"] == expected
    assert type(read.slots["slot"]) is type(expected)


@pytest.mark.parametrize(("shape", "given", "said"), REFUSED)
def test_a_value_that_does_not_fit_is_told_without_it(shape: Shape | Kind, given: Any, said: str) -> None:
    """What it has to be, and nothing of what it is."""
    read = read_arguments([of(shape)], {"wish": given})

    assert read.problems == (f"wish has to be {said}",)


def test_what_is_missing_is_null_and_what_nobody_knows_is_passed_over() -> None:
    """Only what nobody can do without is told."""
    needed = Argument("day", "day", Shape("text"), is_required=True)

    read = read_arguments([of("text"), needed], {"weather": "fine", "day": None})

    assert read.slots == {"slot": None, "day": None}
    assert read.unknown == ("weather",)
    assert read.problems == ("day is missing",)
