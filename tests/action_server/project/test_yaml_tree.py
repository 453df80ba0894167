"""Files that are hardly YAML are read as far as they go, and what is wrong is told with its place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from action_server.project.places import Problems
from action_server.project.yaml_tree import parse_tree

ODD = [
    ("a: 2026-12-01", {"a": "2026-12-01"}),
    ("a: yes", {"a": "yes"}),
    ("a: 0x10", {"a": 16}),
    ("a: ~", {"a": None}),
    ("1: 2", {"1": 2}),
    ("a: !custom b", {"a": "b"}),
    ("a: !!int b", {"a": "b"}),
    (
        "a: &x {b: 1}\nc: {<<: *x, d: 2}\ne: {<<: [*x, {f: 3}], b: 4}",
        {"a": {"b": 1}, "c": {"d": 2, "b": 1}, "e": {"b": 4, "f": 3}},
    ),
    ("? [a]\n: b", {}),
    ("", {}),
    ("# only a comment", {}),
    ("a: 1\n---\nb: 2", None),
    ("a: &x [*x]", None),
    ("[" * 200 + "]" * 200, None),
    ("[" * 5000, None),
    ("a: \x01", None),
]


@pytest.mark.parametrize(("text", "expected"), ODD)
def test_odd_yaml(text: str, expected: object) -> None:
    """Read if it can be, a problem if not, never an exception."""
    problems = Problems()
    node = parse_tree(text, "f.yml", problems)

    if expected is None:
        assert problems
    else:
        assert node is not None
        assert node.plain() == expected


# Each as long as a number says.
LONG: dict[str, Callable[[int], str]] = {
    "one key": lambda n: "a: 1\n" * n,
    "keys that stand twice": lambda n: "".join(f"a{i}: 1\na{i}: 2\n" for i in range(n)),
    "keys that are no texts": lambda n: "".join(f"? [{i}]\n: 1\n" for i in range(n)),
    "values that do not fit their tag": lambda n: "".join(f"a{i}: !!int b\n" for i in range(n)),
    "anchors": lambda n: "".join(f"a{i}: &a{i} 1\n" for i in range(n)),
    "an anchor anew": lambda n: "".join(f"a{i}: &a 1\n" for i in range(n)),
    "merge keys": lambda n: "b: &b {x: 1}\n" + "".join(f"a{i}: {{<<: *b}}\n" for i in range(n)),
    "a list that is merged": lambda n: f"b: &b {{x: 1}}\na: {{<<: [{', '.join(['*b'] * n)}]}}",
    "a plain text": lambda n: "a: " + "b\n  " * n,
    "a quoted text": lambda n: 'a: "' + "\\n b\n  " * n + '"',
    "a block": lambda n: "a: |\n" + "  b\n" * n,
    "comments": lambda n: "# b\n" * n,
    "documents": lambda n: "---\na: 1\n" * n,
}


@pytest.mark.parametrize("kind", LONG)
def test_a_file_twice_as_long_takes_twice_the_calls(kind: str) -> None:
    """Nothing that a file may hold is looked through again for each of its kind, and few problems are noted."""
    short, problems = _calls_for(LONG[kind](400))
    long, more_problems = _calls_for(LONG[kind](800))

    assert long < 2.2 * short + 1000
    assert max(problems, more_problems) <= 102


def _calls_for(text: str) -> tuple[int, int]:
    """Return how many functions reading a text takes, and how many problems it notes."""
    problems, calls = Problems(), 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        parse_tree(text, "f.yml", problems)
    finally:
        sys.setprofile(None)
    return calls, len(problems)


def test_a_key_that_stands_often_is_one_problem() -> None:
    """With how often, where it stands for the second time."""
    problems = Problems()

    parse_tree("b: 1\n" + "a: 1\n" * 1000, "f.yml", problems)

    assert [str(p) for p in problems] == ["f.yml:3:1: the key 'a' stands here 1000 times; the first one counts"]


def test_the_problems_that_are_not_listed_are_counted() -> None:
    """Errors and warnings by themselves."""
    problems = Problems()
    text = "".join(f"a{i}: !!int b\n" for i in range(150)) + "".join(f"b{i}: ${{NO}}\n" for i in range(7))

    parse_tree(text, "f.yml", problems, {})

    assert [(p.severity, p.message) for p in problems[100:]] == [
        ("error", "cannot be read as it stands in 50 more places, which are not listed"),
        ("warning", "cannot be read as it stands in 7 more places, which are not listed"),
    ]
