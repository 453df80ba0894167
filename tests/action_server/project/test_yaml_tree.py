"""Files that are hardly YAML are read as far as they go, and what is wrong is told with its place."""

from __future__ import annotations

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
