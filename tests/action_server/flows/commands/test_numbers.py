"""Numbers are read as they are written and said, and never guessed."""

from __future__ import annotations

import pytest

from action_server.flows.commands.numbers import find_numbers


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2 nights and 3 guests", [2, 3]),
        ("twenty-five", [25]),
        ("two hundred", [200]),
        ("a hundred or so", [100]),
        ("a dog", []),
        ("twenty two three", [22, 3]),
        ("five six", [5, 6]),
        ("$1,000.50", [1000.5]),
        ("1,000", []),
        ("5k", [5000]),
        ("50€", [50]),
        ("19.90 euros", [19.9]),
        ("flight OS412", []),
    ],
)
def test_numbers_of_a_text(text: str, values: list[float]) -> None:
    """In digits and in words; thousands with a comma only where money is meant."""
    assert [number.value for number in find_numbers(text)] == values


@pytest.mark.parametrize("text", ["$5", "5 dollars", "five euros", "5€", "£ 5", "5eur"])
def test_a_currency_makes_an_amount(text: str) -> None:
    """Before the number, after it, and in words."""
    assert [(number.value, number.is_money) for number in find_numbers(text)] == [(5, True)]
