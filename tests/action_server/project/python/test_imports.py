"""A name in a file stands for what the file imports."""

from __future__ import annotations

import ast

import pytest

from action_server.project.python.imports import Imports, dotted_name


def full_name(source: str, expression: str) -> str:
    return Imports(ast.parse(source)).full_name(ast.parse(expression, mode="eval").body)


@pytest.mark.parametrize(
    ("source", "expression", "expected"),
    [
        ("import requests", "requests.get", "requests.get"),
        ("import requests as r", "r.get", "requests.get"),
        ("import os.path", "os.system", "os.system"),
        ("from time import sleep", "sleep", "time.sleep"),
        ("from time import sleep as wait", "wait", "time.sleep"),
        ("from . import clients", "clients.get", "..clients.get"),
        ("def f():\n    import time", "time.sleep", "time.sleep"),
        ("", "time.sleep", ""),
        ("import time", "(lambda: time)().sleep", ""),
    ],
)
def test_a_name_stands_for_what_is_imported(source: str, expression: str, expected: str) -> None:
    """Whatever form the import has, and nothing for a name that is not imported."""
    assert full_name(source, expression) == expected


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime = None",
        "import time\ndef f(time): ...",
        "import time\ndef time(): ...",
        "import time\nimport clock as time",
    ],
)
def test_a_name_with_two_meanings_stands_for_nothing(source: str) -> None:
    """What it means depends on the place: no fault is claimed of it."""
    assert full_name(source, "time.sleep") == ""


def test_only_a_chain_of_names_has_a_dotted_name() -> None:
    """Calls and subscripts on the way have none."""
    assert dotted_name(ast.parse("a.b.c", mode="eval").body) == "a.b.c"
    assert dotted_name(ast.parse("a().c", mode="eval").body) == ""
