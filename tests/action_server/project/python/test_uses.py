"""Constants in code that name things of the domain are found, with owner and line."""

from __future__ import annotations

import ast

import pytest

from action_server.project.python.imports import Imports
from action_server.project.python.uses import find_uses

IMPORTS = "from rasa_sdk.events import SlotSet, FollowupAction\nfrom action_server import idempotent\n"


def uses_of(source: str) -> list[tuple[str, str]]:
    tree = ast.parse(IMPORTS + source)
    found, _ = find_uses(tree, "a.py", Imports(tree))
    return [(use.kind, use.name) for use in found]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("tracker.get_slot('age')", [("reads slot", "age")]),
        ("tracker.slots['age']", [("reads slot", "age")]),
        ("tracker.slots.get('age')", [("reads slot", "age")]),
        ("tracker.slots['age'] = 1", [("sets slot", "age")]),
        ("SlotSet('age', 1)", [("sets slot", "age")]),
        ("SlotSet(key='age')", [("sets slot", "age")]),
        ("FollowupAction('action_next')", [("action", "action_next")]),
        ("dispatcher.utter_message(response='utter_hi')", [("response", "utter_hi")]),
        ("dispatcher.utter_message(template='utter_hi')", [("response", "utter_hi")]),
        ("dispatcher.utter_message(buttons=[{'title': 'A', 'payload': '/ok'}])", [("payload", "/ok")]),
        ("@idempotent(key=('age', 'name'))\ndef f(): ...", [("key slot", "age"), ("key slot", "name")]),
        ("other.get_slot('age')", []),
        ("tracker.get_slot(name)", []),
        ("dispatcher.utter_message(text='utter_hi')", []),
    ],
)
def test_uses(source: str, expected: list[tuple[str, str]]) -> None:
    """Each form in which an action names a slot, a response, an action or a button; only constants count."""
    assert uses_of(source) == expected


def test_a_use_knows_its_class_and_its_line() -> None:
    """So that a finding names both."""
    tree = ast.parse("class A:\n    def run(self, tracker):\n        return tracker.get_slot('age')\n")
    ((use,), guarded) = find_uses(tree, "a.py", Imports(tree))

    assert (use.owner, str(use.at), use.at.column) == ("A", "a.py:3", 33)
    assert guarded == set()


def test_a_name_that_is_looked_for_first_is_guarded() -> None:
    """Code that asks whether there is such a slot may name one that there is not."""
    tree = ast.parse("if 'age' in tracker.slots:\n    tracker.slots['age']\n")

    assert find_uses(tree, "a.py", Imports(tree))[1] == {"age"}
