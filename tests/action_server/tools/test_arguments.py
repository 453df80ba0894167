"""Arguments are read leniently: models and engines write one value in several ways."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.tools.arguments import Argument, read_arguments
from action_server.tools.shapes import Kind, Shape

CATEGORY = Shape("categorical", ("general", "Urgent", 3, True))

ADDRESS = Shape("record", fields=(("street", Shape("text")), ("number", Shape("integer"))))
NUMBERS = Shape(options=(Shape("integer"), Shape("number")))
FLAG_OR_COUNT = Shape(options=(Shape("bool"), Shape("integer")))
DAYS = Shape(options=(Shape("text", words=("In the format date.",)), Shape("text")))

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
    ("bool", "1.0", True),
    ("bool", "0.0", False),
    ("bool", " True ", True),
    ("number", 5, 5),
    ("number", 5.0, 5.0),
    ("number", "5.5", 5.5),
    ("number", "", None),
    ("integer", 5.0, 5),
    ("integer", "5", 5),
    ("integer", "5.0", 5),
    # What JavaScript would round goes out as a text, and comes back as one.
    ("integer", "9007199254740993", 9007199254740993),
    (CATEGORY, "GENERAL", "general"),
    (CATEGORY, "urgent", "Urgent"),
    (CATEGORY, "3", 3),
    (CATEGORY, 3.0, 3),
    (CATEGORY, "true", True),
    (CATEGORY, "", None),
    (CATEGORY, "null", None),
    (Shape("categorical", ("null", "a")), "null", "null"),
    (Shape("categorical", ("A", "a")), "a", "a"),
    (Shape("categorical", (1, True)), "true", True),
    (Shape("categorical", (1, True)), True, True),
    (Shape("categorical", (1.5, 2.0)), 2.0, 2.0),
    (Shape("categorical", (1.5, 2.0)), "2", 2.0),
    (Shape("categorical", (" large ",)), "large", " large "),
    (Shape("categorical", (" a", "a")), "a", "a"),
    (Shape("categorical", ("A", "a ")), "a ", "a "),
    ("list", ["a", 1], ["a", 1]),
    ("list", '["a", null]', ["a", None]),
    ("list", "null", None),
    ("list", ["null"], None),
    (Shape("list", items=Shape("text")), ["null"], None),
    (Shape("list", items=Shape("text")), ["null", "a"], ["null", "a"]),
    ("list", [""], [None]),
    ("object", '{"a": 1}', {"a": 1}),
    ("object", {"a": 1}, {"a": 1}),
    ("any", "x", "x"),
    ("any", "", None),
    ("any", {"a": [1]}, {"a": [1]}),
    (NUMBERS, "5", 5),
    (NUMBERS, 5.5, 5.5),
    (NUMBERS, 5.0, 5),
    (Shape(options=(Shape("number"), Shape("integer"))), 5.0, 5.0),
    (ADDRESS, {"number": "5", "more": "5"}, {"number": 5, "more": "5"}),
    (FLAG_OR_COUNT, 1, 1),
    (FLAG_OR_COUNT, True, True),
    (FLAG_OR_COUNT, "true", True),
    (FLAG_OR_COUNT, "", None),
    (Shape(options=(Shape("list", items=Shape("integer")), Shape("integer"))), "[1, 2]", [1, 2]),
    (Shape(options=(Shape("object"), Shape("integer"))), '{"a": 1}', {"a": 1}),
    (DAYS, "", ""),
    (DAYS, 5, "5"),
    (Shape(options=(Shape("number"), Shape("text"))), "5", "5"),
    (Shape(options=(Shape("number"), Shape("text"))), 5, 5),
    (Shape(options=(Shape("number"), Shape("text"))), "", None),
]
REFUSED: list[tuple[Shape | Kind, Any, str]] = [
    ("text", ["secret"], "a text"),
    ("bool", "secret", "true or false"),
    ("bool", 2, "true or false"),
    ("bool", "yes", "true or false"),
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
    (Shape("integer", minimum=1_000_000, maximum=20_261_231), 5, "a whole number, at least 1000000, at most 20261231"),
    (NUMBERS, "secret", "a whole number or a number"),
    (NUMBERS, True, "a whole number or a number"),
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


def test_a_number_may_be_larger_than_any_fraction() -> None:
    """Python has no fraction of so many digits; it is a number all the same."""
    for kind in ("number", "integer"):
        assert read_arguments([of(kind)], {"wish": 10**400}).slots["slot"] == 10**400


PARTS: list[tuple[Shape, Any, str]] = [
    (Shape("list", items=Shape("integer")), [1, "secret"], "wish[1] has to be a whole number"),
    (ADDRESS, {"number": "secret"}, "wish.number has to be a whole number"),
    (Shape("list", items=ADDRESS), '[{"number": "secret"}]', "wish[0].number has to be a whole number"),
    (Shape("list", items=ADDRESS), ["secret"], "wish[0] has to be an object"),
]


@pytest.mark.parametrize(("shape", "given", "said"), PARTS)
def test_of_what_has_parts_the_one_that_does_not_fit_is_told(shape: Shape, given: Any, said: str) -> None:
    """The whole would be no help to whoever has to mend it."""
    assert read_arguments([of(shape)], {"wish": given}).problems == (said,)


def test_what_is_missing_is_null_and_what_nobody_knows_is_passed_over() -> None:
    """Only what nobody can do without is told."""
    needed = Argument("day", "day", Shape("text"), is_required=True)

    read = read_arguments([of("text"), needed], {"weather": "fine", "day": None})

    assert read.slots == {"slot": None, "day": None}
    assert read.unknown == ("weather",)
    assert read.problems == ("day is missing",)
