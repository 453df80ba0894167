"""What runs on the oldest Python that pyproject.toml names, whichever one runs the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.processes import ROOT

OLDEST = (3, 10)
# Classes of the standard library that can be subscripted while a program runs since that version, as bases of others.
SUBSCRIPTED = {"AsyncIterator", "Awaitable", "Callable", "ContextVar", "Counter", "Generic", "Iterator", "Mapping"}
SUBSCRIPTED |= {
    "MutableMapping",
    "NamedTuple",
    "OrderedDict",
    "Protocol",
    "Sequence",
    "UserDict",
    "deque",
    "dict",
    "list",
}
SUBSCRIPTED |= {
    "AbstractContextManager",
    "Hashable",
    "Iterable",
    "Collection",
    "RootModel",
    "TypeDecorator",
    "set",
    "tuple",
    "Set",
}


def test_the_oldest_python_is_the_one_of_the_package() -> None:
    """The number stands in one place more."""
    assert f'requires-python = ">={OLDEST[0]}.{OLDEST[1]}' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", ["action_server", "actions", "tests"])
def test_its_grammar_is_enough_and_bases_can_be_subscripted(folder: str) -> None:
    """`class Handler(logging.StreamHandler[str])` is right for a type checker, and fails on 3.10."""
    wrong = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"), feature_version=OLDEST)
        wrong += [f"{file.relative_to(ROOT)}:{line}: {base}" for line, base in _subscripted_bases(tree)]
    assert wrong == []


def _subscripted_bases(tree: ast.Module) -> Iterator[tuple[int, str]]:
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            if isinstance(base, ast.Subscript):
                name = base.value.attr if isinstance(base.value, ast.Attribute) else getattr(base.value, "id", "?")
                if name not in SUBSCRIPTED | own:
                    yield base.lineno, ast.unparse(base)
