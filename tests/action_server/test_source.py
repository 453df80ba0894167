"""Places in the author's code are said as `file:line`, relative to where they work."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import sys
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from action_server.source import Place, deepest_of_author, one_line, parse_place, place_of, place_of_failure, shorten

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


CLASSES = """
import functools

def mark(cls):
    return cls

@mark
@functools.lru_cache
class Decorated:
    class Inner:
        pass

if True:
    class Deep:
        pass
try:
    raise ValueError
except ValueError:
    class Caught:
        pass

def make():
    class Local:
        pass
    return Local

Local = make()
Made = type("Made", (), {"__module__": __name__})
call = lambda: None
"""


def test_each_class_is_where_inspect_has_it(folder: Path) -> None:
    """Decorated, nested, conditional and local ones; one that was made by a call stands nowhere."""
    file = folder / "classes_of_test_source.py"
    file.write_text(CLASSES, encoding="utf-8")
    module = importlib.import_module(file.stem)
    wanted = [module.Decorated.__wrapped__, module.Decorated.__wrapped__.Inner, module.Deep, module.Caught]

    for thing in [*wanted, module.Local, module.make, module.call]:
        assert place_of(thing) == f"{file.name}:{inspect.getsourcelines(thing)[1]}"
    assert place_of(module.Made) == file.stem


@pytest.mark.parametrize("classes", [4, 32])
def test_a_file_is_parsed_once_for_all_of_its_classes(
    classes: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module of eight times as many actions costs eight times as much, not 64 times."""
    parsed = []
    parse = ast.parse

    def count(text: str, *arguments: Any, **options: Any) -> ast.AST:
        parsed.append(text)
        tree: ast.AST = parse(text, *arguments, **options)
        return tree

    file = folder / f"many_of_test_source_{classes}.py"
    file.write_text("".join(f"class A{n}:\n    pass\n" for n in range(classes)), encoding="utf-8")
    module = importlib.import_module(file.stem)
    monkeypatch.setattr(ast, "parse", count)

    places = [place_of(getattr(module, f"A{n}")) for n in range(classes)]

    assert places == [f"{file.name}:{2 * n + 1}" for n in range(classes)]
    assert len(parsed) <= 1


def test_a_file_that_was_edited_is_parsed_again(folder: Path) -> None:
    """As `inspect` does it: a reload shows the new lines."""
    file = folder / "edited_of_test_source.py"
    file.write_text("class A:\n    pass\n", encoding="utf-8")
    module = importlib.import_module(file.stem)
    assert place_of(module.A) == f"{file.name}:1"

    file.write_text("# one line more\nclass A:\n    pass\n", encoding="utf-8")

    assert place_of(importlib.reload(module).A) == f"{file.name}:2"


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


PLACES: list[tuple[str, Place, str, str]] = [
    ("a file", Place("a.yml"), "a.yml", "a.yml"),
    ("a line", Place("a.yml", 3), "a.yml:3", "a.yml:3"),
    ("a column", Place("a.yml", 3, 7), "a.yml:3", "a.yml:3:7"),
    ("an entry", Place("a.yml", key="b.c"), "a.yml:b.c", "a.yml:b.c"),
    ("a flag", Place(key="--url"), "--url", "--url"),
]


@pytest.mark.parametrize(("place", "text", "exact"), [p[1:] for p in PLACES], ids=[p[0] for p in PLACES])
def test_a_place_is_written_as_far_as_it_is_known(place: Place, text: str, exact: str) -> None:
    """Messages say the line; findings the column or the entry as well."""
    assert (str(place), place.exact) == (text, exact)


def test_places_are_in_the_order_of_the_file() -> None:
    """Lines and columns count as numbers."""
    places = [Place("b", 1), Place("a", 10, 1), Place("a", 9, 2), Place("a", 9, 10), Place("a")]

    assert [p.exact for p in sorted(places)] == ["a", "a:9:2", "a:9:10", "a:10:1", "b:1"]


@pytest.mark.parametrize("text", ["a.py:12", "C:\\bot\\a.py:12"])
def test_a_place_that_was_written_is_read_again(text: str) -> None:
    """Whatever colons the file's name has."""
    place = parse_place(text)

    assert place is not None
    assert (str(place), place.line) == (text, 12)


@pytest.mark.parametrize("text", ["", "a.py", "a.py:", "a.py:x", "builtins"])
def test_a_text_without_a_line_is_no_place(text: str) -> None:
    """As the module of a class that is written in C."""
    assert parse_place(text) is None


@pytest.mark.parametrize("outermost", ["<string>", "<frozen runpy>"])
def test_what_a_worker_was_spawned_with_is_not_the_authors_code(outermost: str) -> None:
    """It is in every stack of a worker, and would be named for whatever a library does."""
    library = ("/usr/lib/python3/site-packages/sanic/app.py", 7)

    assert deepest_of_author([library, (outermost, 1)]) is None
    assert deepest_of_author([library, ("/bot/actions.py", 3), (outermost, 1)]) == "/bot/actions.py:3"
