"""Drafts of small classic assistants: each flow and each test is played to its end, or says why not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from action_server.flows.check.checking import Request, check
from action_server.flows.migration.plan import Plan
from tests.action_server.flows.migration.classic_assistants import LIBRARY, PIZZERIA, TAXI
from tests.action_server.flows.migration.sample_project import plan_for

ALL = pytest.mark.parametrize("files", [PIZZERIA, LIBRARY, TAXI], ids=["pizzeria", "library", "taxi"])


@ALL
def test_each_draft_plays_to_its_end(files: Mapping[str, str], tmp_path: Path) -> None:
    """Forms, chains of forms, and intents that lead to actions; the drafted tests pass, by rules alone."""
    found = plan_for(tmp_path, files)

    assert found.drafts
    assert {draft.flow: draft.fault for draft in found.drafts if draft.fault} == {}
    assert {test.name: test.fault for test in found.tests if test.fault} == {}


@ALL
def test_nothing_is_found_in_a_drafted_project(files: Mapping[str, str], tmp_path: Path) -> None:
    """With its settings, and without the package of actions, which is elsewhere."""
    plan_for(tmp_path, files).write(tmp_path / "drafts")
    report = check(Request(tmp_path / "drafts", "no_such_package"))

    assert [str(f) for f in report.findings if f.rule.id != "actions-not-found"] == []


def flows_of(found: Plan) -> list[str]:
    return [draft.flow for draft in found.drafts]


def test_a_chain_of_forms_is_one_flow_and_an_intent_that_runs_an_action_is_one(tmp_path: Path) -> None:
    """What only says something is small talk, and no flow."""
    found = plan_for(tmp_path, LIBRARY)

    assert flows_of(found) == ["lend", "member", "list_loans"]
    assert "collect: school" in found.flows
    assert found.flows.count("collect: name") == 1


def test_stories_become_tests_that_say_what_they_leave_out(tmp_path: Path) -> None:
    """What the user says word for word stays so."""
    taxi = plan_for(tmp_path, TAXI).files["tests/e2e_drafts.yml"]

    assert "# To do: the story goes on at a checkpoint, which is left out." in taxi
    assert '- user: "from the station"' in taxi


def test_the_values_of_a_form_are_answers(tmp_path: Path) -> None:
    """In the story's order; its intents are said by their examples."""
    pizza = plan_for(tmp_path, PIZZERIA).files["tests/e2e_drafts.yml"]

    assert [line.strip() for line in pizza.splitlines() if "user:" in line] == [
        '- user: "I would like a pizza"',
        '- user: "Margherita"',
        '- user: "large"',
        '- user: "2"',
    ]


def test_the_settings_are_in_the_language_of_the_project(tmp_path: Path) -> None:
    """With a command generator and the policy for flows."""
    config = plan_for(tmp_path, PIZZERIA).config

    assert "language: it\n" in config
    assert "CompactLLMCommandGenerator" in config


def test_validators_of_a_form_are_actions_over_its_methods(tmp_path: Path) -> None:
    """The draft runs: it asks the old class what becomes of a value."""
    found = plan_for(tmp_path, PIZZERIA)

    compile(found.validators, "validators.py", "exec")
    assert 'slot = "pizza"\n    form = ValidatePizzaForm\n' in found.validators
    assert "class ValidatePieces(_Validation):" in found.validators


def test_without_validators_no_code_is_drafted(tmp_path: Path) -> None:
    """Nothing to copy, no file."""
    assert "validators.py" not in plan_for(tmp_path, TAXI).files
