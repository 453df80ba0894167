"""What an action reads and sets is seen in its code."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from action_server.tools.code import read_code
from tests.action_server.tools.code_actions import (
    ActionAsksWhole,
    ActionHandsOn,
    ActionReads,
    ActionTyped,
    ActionWrites,
)


def test_slots_are_seen_wherever_the_code_leads() -> None:
    """In the class, its bases, functions and constants that it names; never a name that only a loop knows."""
    facts = read_code(ActionReads().run)

    assert list(facts.reads) == ["city", "of_a_class", "plain", "read_by_the_base", "of_a_helper"]
    assert set(facts.sets) == {"set_by_hand", "by_key", "by_dict", "of_the_base"}
    assert (facts.asks_for_conversation, facts.may_ask_for_conversation) == (False, True)


def test_typed_slots_are_read_by_the_fields_that_are_used() -> None:
    """One class of slots may be that of all actions."""
    facts = read_code(ActionTyped().run)

    assert list(facts.reads) == ["kind", "party-size"]
    assert set(facts.sets) == {"status", "unused"}


def test_a_function_of_another_package_is_not_followed() -> None:
    """What is not the author's says nothing of the author's slots."""
    assert dict(read_code(len).reads) == {}


def test_the_code_of_an_action_is_read_once() -> None:
    """`flows test` makes its tools for each case: fifty readings of the clinic's took most of its time."""
    assert read_code(ActionReads().run) is read_code(ActionReads().run)


def test_events_of_other_kinds_set_no_slots() -> None:
    """And what is taken out of the slots was read; a constant of another module and a decorated helper are seen."""
    facts = read_code(ActionWrites().run)

    assert list(facts.reads) == ["popped", "of_a_module", "of_a_decorated_helper"]
    assert list(facts.sets) == ["taken"]
    assert (facts.asks_for_conversation, facts.may_ask_for_conversation) == (True, True)


def test_a_class_of_slots_that_is_handed_on_is_read_whole() -> None:
    """Nobody sees which of its fields are used; of one that is made with whatever there is all are set."""
    facts = read_code(ActionHandsOn().run)

    assert list(facts.reads) == ["day", "hour"]
    assert set(facts.sets) == {"kind", "party-size", "unused", "status"}


def test_methods_of_a_class_of_slots_count_if_they_are_used() -> None:
    """One leads to the next; what no action calls says nothing of it."""
    facts = read_code(ActionAsksWhole().run)

    assert list(facts.reads) == ["day", "hour"]
    assert not facts.may_ask_for_conversation


def test_code_that_changed_since_it_was_imported_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that somebody is just writing ends no start."""
    file = tmp_path / "half_written.py"
    file.write_text("def run(dispatcher, tracker, domain):\n    return tracker.get_slot('x')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("half_written")
    file.write_text("def run(", encoding="utf-8")
    try:
        assert dict(read_code(module.run).reads) == {}
    finally:
        del sys.modules["half_written"]
