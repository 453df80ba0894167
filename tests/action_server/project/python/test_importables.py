"""Names that settings give by their module are looked for in the project's files; nothing is imported."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from action_server.project.python.importables import problem_of_name
from tests.projects import project

FILES = {
    "plain.py": "raise RuntimeError\nA = 1\nB: int = 2\nclass C: ...\nif A:\n  def d(): ...\nelse:\n  import e as f\n",
    "anything.py": "from plain import *\n",
    "broken.py": "def\n",
    "folder/inside.py": "def hook(): ...\n",
    "package/__init__.py": "from .inside import hook\n",
    "package/inside.py": "hook = print\n",
    "texts/notes.txt": "a",
}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("plain.C", ""),
        ("plain.d", ""),
        ("plain.f", ""),
        ("plain.B", ""),
        ("plain.A", "'A' of 'plain' cannot be called"),
        ("plain.e", "the module 'plain' has no 'e'"),
        ("anything.whatever", ""),
        ("broken.hook", "the module 'broken' cannot be read"),
        ("folder.inside.hook", ""),
        ("folder.hook", "the package 'folder' has no 'hook'"),
        ("package.hook", ""),
        ("package.inside.hook", ""),
        ("package.outside.hook", "the project has no module 'package.outside'"),
        ("texts.hook", "neither the project nor this environment has a module 'texts'"),
        ("json.dumps", ""),
        ("without_spec.hook", "neither the project nor this environment has a module 'without_spec'"),
        ("rasa.anything.Class", ""),
        ("plain.a-b", "it is no name that Python can import"),
        ("hook", "it has no module in front of it"),
    ],
)
def test_a_name_that_can_be_imported_has_no_problem(
    name: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages are believed to have what is named."""
    monkeypatch.setitem(sys.modules, "without_spec", types.ModuleType("without_spec"))

    found = problem_of_name(project(tmp_path, FILES), name)

    assert (found.text if found else "") == problem
    assert bool(found and found.may_be_elsewhere) is problem.startswith("neither")
