"""Where an expression over the result of a tool looks."""

from __future__ import annotations

import pytest

from action_server.project.result_paths import ResultPath, paths_in

PATHS: list[tuple[str, list[ResultPath]]] = [
    ("result", [ResultPath((), True)]),
    ("result.structuredContent.a", [ResultPath(("structuredContent", "a"), True)]),
    ("result['structuredContent'].a[0]", [ResultPath(("structuredContent", "a", 0), True)]),
    ("result.content[0].text | trim", [ResultPath(("content", 0, "text"), False)]),
    (
        "result.isError or result.structuredContent.ok",
        [ResultPath(("isError",), False), ResultPath(("structuredContent", "ok"), False)],
    ),
    ("result.structuredContent.get('a')", [ResultPath(("structuredContent",), False)]),
    ("result.structuredContent.items", [ResultPath(("structuredContent",), False, "items")]),
    ("result.structuredContent['items']", [ResultPath(("structuredContent", "items"), True)]),
    ("result.structuredContent.items.a", [ResultPath(("structuredContent",), False, "items")]),
    ("result[name].a", [ResultPath((), False)]),
    ("other.a", []),
    ("{{ result }}", []),
    ("result.", []),
    ("", []),
]


@pytest.mark.parametrize(("expression", "paths"), PATHS, ids=[p[0] for p in PATHS])
def test_the_ways_into_a_result_are_found(expression: str, paths: list[ResultPath]) -> None:
    """Whole or as a part, by dot or bracket; a method of a dict is no key after a dot."""
    assert paths_in(expression) == paths
