"""Classes are found by what they derive from."""

from __future__ import annotations

from action_server.project.python.facts import ClassFacts, ModuleFacts, PythonFacts
from action_server.source import Place

AT = Place(file="a.py", line=1)


def facts_of(**bases: tuple[str, ...]) -> PythonFacts:
    classes = tuple(ClassFacts("bot.a", name, AT, found) for name, found in bases.items())
    return PythonFacts((ModuleFacts("bot.a", classes, (), frozenset(), frozenset()),))


def test_a_subclass_is_found_however_far_below() -> None:
    """And a class that only looks like one is not."""
    facts = facts_of(Base=("Action",), Book=("Base",), Other=("Thing",))

    assert [cls.source for cls in facts.actions] == ["bot.a.Base", "bot.a.Book"]


def test_classes_that_derive_from_each_other_end() -> None:
    """Text that no interpreter would run is read all the same."""
    assert facts_of(A=("B",), B=("A",)).subclasses_of(frozenset({"Action"})) == []
