"""Places in the author's code are said as `file:line`, relative to where they work."""

from __future__ import annotations

import importlib
import json
import sys
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from action_server.source import one_line, place_of, place_of_failure, shorten

MODULE = """
import json

def outer(text):
    return json.loads(text)

class Thing:
    def method(self):
        pass
"""


@pytest.fixture
def module(folder: Path) -> Any:
    """A module in the working directory."""
    (folder / "module_of_test_source.py").write_text(MODULE.lstrip("\n"), encoding="utf-8")
    return importlib.import_module("module_of_test_source")


def test_a_file_below_the_working_directory_is_said_from_there(folder: Path) -> None:
    """One elsewhere keeps its whole path."""
    assert shorten(str(folder / "actions" / "a.py")) == "actions/a.py"
    assert shorten(json.__file__) == json.__file__


def test_a_function_a_class_and_a_method_have_a_line(module: Any) -> None:
    """A wrapped function is the one that was written."""

    @wraps(module.outer)
    def wrapper(text: str) -> object:
        return module.outer(text)

    assert place_of(module.outer) == place_of(wrapper) == "module_of_test_source.py:3"
    assert place_of(module.Thing) == "module_of_test_source.py:6"
    assert place_of(module.Thing().method) == "module_of_test_source.py:7"


def test_what_has_no_source_is_said_by_its_module() -> None:
    """As something written in C; a question mark if there is not even that."""
    assert place_of(sys.intern) == "sys"
    assert place_of(7) == "?"


def test_a_failure_is_where_the_authors_own_code_was(module: Any) -> None:
    """The line in the standard library below it does not help."""
    with pytest.raises(ValueError, match="Expecting") as failed:
        module.outer("no")

    failed.value.__traceback__ = getattr(failed.value.__traceback__, "tb_next", None)
    assert place_of_failure(failed.value) == "module_of_test_source.py:4"


def test_a_syntax_error_is_where_it_stands(folder: Path) -> None:
    """Not where the file was imported."""
    (folder / "broken_of_test_source.py").write_text("a = 1\nb = (\n", encoding="utf-8")
    with pytest.raises(SyntaxError) as failed:
        importlib.import_module("broken_of_test_source")

    assert place_of_failure(failed.value) == "broken_of_test_source.py:2"


def test_a_failure_outside_of_the_authors_code_has_no_place() -> None:
    """None, for whoever has something better to say."""
    assert place_of_failure(ValueError("never raised")) is None


def test_an_error_fits_on_one_line() -> None:
    """Its type and its message, whatever white space is in it."""
    assert one_line(ValueError("a\n  b")) == "ValueError: a b"
