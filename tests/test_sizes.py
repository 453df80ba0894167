"""Files of at most 400 lines, functions of at most 40; a list has what is over that, to the line, and only shrinks."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 40
FOLDERS = ("action_server", "actions", "benchmarks", "tests")

# Lines a file has today, exactly. Splitting one is welcome; adding to one is not.
LARGE_FILES: dict[str, int] = {}
LARGE_FUNCTIONS: dict[str, int] = {}


def sources() -> dict[str, str]:
    files = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in files
        if "contract/payloads" not in str(path)
    }


def test_no_file_grows_over_its_size() -> None:
    """The list is exact: who makes a file smaller takes its entry down."""
    sizes = {name: len(text.splitlines()) for name, text in sources().items()}
    large = {name: size for name, size in sizes.items() if size > MOST_LINES_OF_A_FILE}

    assert large == LARGE_FILES


def test_no_function_grows_over_its_size() -> None:
    """The same for functions, docstrings included."""
    large = {
        f"{name}:{node.name}": node.end_lineno - node.lineno + 1
        for name, text in sources().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    }

    assert large == LARGE_FUNCTIONS
