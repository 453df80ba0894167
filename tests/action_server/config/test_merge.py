"""Trees of settings lie over each other entry by entry."""

from __future__ import annotations

from action_server.config.merge import merge


def test_what_lies_above_counts_and_the_rest_stays() -> None:
    """Mappings are merged as deep as they go; lists and single values count as a whole. Neither tree is changed."""
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"z": 1}}
    over = {"a": {"y": [3], "n": None}, "b": {"new": 1}, "c": 2}

    assert merge(base, over) == {"a": {"x": 1, "y": [3], "n": None}, "b": {"new": 1}, "c": 2}
    assert base["a"] == {"x": 1, "y": [1, 2]}


def test_nothing_lies_under_everything() -> None:
    """The first of several trees has none below it."""
    assert merge(None, {"a": 1}) == {"a": 1}
    assert merge({}, {}) == {}
