"""A condition's regular expression ends in time, and one that would not is told before anybody uses it."""

from __future__ import annotations

import pytest

from action_server.project.conditions import evaluate
from action_server.project.regular_expressions import LimitedPattern, SlowExpression, can_take_for_ever

# One text goes through a round of these in several ways.
FOR_EVER = [
    r"(a+)+$",
    r"(a*)*",
    r"(\w+\s?)*$",
    r"^([a-z]+-?)+$",
    r"(a|a)+",
    r"(a|aa)+$",
    r"(aa?)+",
    r"(?:.*,?)*x",
    r"((a+))+$",
    r"(a|b|ab)*c$",
    r"(x+x+)+y",
    r"(a?b?)+",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
]
# What looks like it: each round begins or ends with something of its own, or there are few of them.
IN_TIME = [
    r"^\d+$",
    r"(\d+,)+\d+",
    r"^[a-z0-9._-]+@[a-z0-9-]+(\.[a-z0-9-]+)+$",
    r"(foo|bar)+",
    r"(?:mon|mar|tue)+",
    r"^(\+\d{1,3})?[ 0-9]{5,15}$",
    r"(\s+\w+)*$",
    r"a*b*c*",
    r"(a+){2}",
    r"(ab?)*",
    r"(\w-?)+",
    r"(a?)+",
    r"(?i)^(yes|no|maybe)$",
    r"[A-Z]{2}\d{2}( ?\d{4}){4}",
    r"^(?!.*test).*$",
    "(",
]


@pytest.mark.parametrize("pattern", FOR_EVER)
def test_an_expression_that_can_take_for_ever_is_told(pattern: str) -> None:
    """However it is written: groups, optional parts, branches with a common beginning."""
    assert can_take_for_ever(pattern)


@pytest.mark.parametrize("pattern", IN_TIME)
def test_an_expression_that_only_looks_like_it_is_not(pattern: str) -> None:
    """Nobody rewrites an expression that does no harm; one that cannot be read is another rule's."""
    assert not can_take_for_ever(pattern)


def test_a_search_ends_in_time() -> None:
    """And is not begun once more for the same text, which a thousand guards of flows may ask for in one turn."""
    pattern = LimitedPattern(r"(a|aa)+$")
    assert pattern.search("b" + "a" * 10) is not None

    for _ in range(1000):
        with pytest.raises(SlowExpression):
            pattern.search("a" * 60 + "b")

    assert pattern.search("b") is None


def test_a_condition_that_takes_too_long_is_false_and_says_why() -> None:
    """The conversation goes on; an engine would not answer any more."""
    found = evaluate("slots.name matches '(a|aa)+$'", {"name": "a" * 60 + "b"})

    assert (found.value, found.error) == (
        False,
        "cannot be evaluated: the regular expression takes longer than 1 s",
    )


@pytest.mark.parametrize(
    ("condition", "value"),
    [("slots.name matches '^[A-Z]\\w+$'", True), ("slots.name matches 'x'", False), ("slots.none matches 'x'", False)],
)
def test_a_condition_matches_as_in_engines(condition: str, value: bool) -> None:
    """Anywhere in the text; what is no text matches nothing."""
    assert evaluate(condition, {"name": "Zoë", "none": None}).value is value
