"""Settings of one source lie over those of another, entry by entry."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.config.merge import merge


@pytest.mark.parametrize(
    ("base", "over", "both"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 4}, "e": 5}, {"a": 1, "b": {"c": 4, "d": 3}, "e": 5}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}),
        ("text", {"a": 1}, {"a": 1}),
        (None, {"a": 1}, {"a": 1}),
    ],
    ids=["entry by entry", "a list", "a value over a group", "a group over a value", "over nothing"],
)
def test_what_lies_over_counts(base: Any, over: Any, both: Any) -> None:
    """A group is merged, everything else replaced as a whole."""
    assert merge(base, over) == both
