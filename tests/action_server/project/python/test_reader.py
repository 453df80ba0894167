"""A package is read without being imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from action_server.project.python.reader import read_package
from tests.projects import project

FILES = {
    "bot/__init__.py": "",
    "bot/base.py": """
        from rasa_sdk import Action

        class Base(Action):
            pass
    """,
    "bot/deep/book.py": """
        from bot.base import Base

        raise RuntimeError("who imports this fails")

        class Book(Base):
            def name(self):
                return "action_book"

            async def run(self, dispatcher, tracker, domain):
                return []

        class Helper:
            pass
    """,
    "bot/broken.py": "def (:\n",
}


def test_actions_are_classes_that_derive_from_one_however_far(tmp_path: Path) -> None:
    """Through a base of the package's own as well; the name is what `name` returns."""
    facts = read_package(project(tmp_path, FILES) / "bot", "bot")

    assert [(cls.module, cls.name) for cls in facts.actions] == [("bot.base", "Base"), ("bot.deep.book", "Book")]
    book = facts.actions[1]
    assert book.action_name == "action_book"
    assert (book.methods["run"].arguments, book.methods["run"].is_async) == (3, True)


def test_a_file_that_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    """The others are read all the same."""
    facts = read_package(project(tmp_path, FILES) / "bot", "bot")

    ((place, message),) = facts.unread
    assert (Path(place.file).name, place.line, message) == ("broken.py", 1, "invalid syntax")


@pytest.mark.parametrize("coding", ["nope", "rot13"])
def test_a_file_of_an_unknown_encoding_is_named_with_a_place_that_there_is(tmp_path: Path, coding: str) -> None:
    """Python gives -1 for its column, which no report may hold."""
    (tmp_path / "actions.py").write_text(f"# coding: {coding}\n")

    ((place, _),) = read_package(tmp_path / "actions.py", "actions").unread

    assert (place.line, place.column) == (1, 0)


def test_a_module_of_one_file_has_the_package_s_name(tmp_path: Path) -> None:
    """`--actions actions` may be a file."""
    path = project(tmp_path, {"actions.py": "class A: ...\n"}) / "actions.py"

    assert [cls.module for cls in read_package(path, "actions").classes] == ["actions"]


def test_a_file_is_walked_once_however_many_coroutines_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them asks for the file's coroutines; to walk through the file for each took most of a check's time."""
    methods = "".join(f"    async def a{number}(self):\n        late()\n\n" for number in range(20))
    (tmp_path / "actions.py").write_text(f"async def late():\n    pass\n\n\nclass Many:\n{methods}")
    walked: list[ast.AST] = []
    walk = ast.walk

    def noted(node: ast.AST) -> Iterator[ast.AST]:
        walked.append(node)
        return walk(node)

    monkeypatch.setattr(ast, "walk", noted)

    facts = read_package(tmp_path, "actions")

    assert [fault.rule for cls in facts.classes for method in cls.methods.values() for fault in method.faults] == [
        "not-awaited"
    ] * 20
    assert sum(isinstance(node, ast.Module) for node in walked) == 1
