"""The environment is read in one room: whoever else needs a variable is given it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READER = "action_server/config/"
_NAMES = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})

# Where a library leaves no other way.
UNAVOIDABLE = {
    # Written, not read: prometheus_client looks for its directory there, and nowhere else.
    "action_server/telemetry/metrics.py": 1,
    # Written before gRPC's core is loaded, which reads it there: its own lines would stand in a JSON log.
    "action_server/serving/grpc/__init__.py": 1,
}


def uses_of_the_environment(source: str) -> Iterator[int]:
    """Give the line of each use: `os.environ` and its like, also imported by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "os" and node.attr in _NAMES:
                yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node.lineno for alias in node.names if alias.name in _NAMES)


def test_the_environment_is_read_in_config_only() -> None:
    """Otherwise a setting has two sources, and a test of its own process has to patch what it means to say."""
    files = {str(path.relative_to(ROOT)): path for path in (ROOT / "action_server").rglob("*.py")}
    uses = {
        name: len(list(uses_of_the_environment(path.read_text(encoding="utf-8"))))
        for name, path in files.items()
        if not name.startswith(READER)
    }

    assert {name: count for name, count in uses.items() if count} == UNAVOIDABLE


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import os\nx = os.environ['A']", [2]),
        ("import os\ndef f():\n    return os.getenv('A')", [3]),
        ("from os import environ, path", [1]),
        ("import os\nos.environ.get('A', os.environ)", [2, 2]),
        ("import os\nos.path.join(environ, 'a')", []),
    ],
)
def test_a_use_is_found(source: str, lines: list[int]) -> None:
    """However it is written."""
    assert list(uses_of_the_environment(source)) == lines
