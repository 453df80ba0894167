"""Domains are read and merged; what cannot be read is a problem with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.project.project_reader import read_project
from tests.action_server.flows.bots import read
from tests.projects import project

FLOWS = "flows: {hi: {description: Says hi., steps: [{action: utter_hi}]}}"


@pytest.mark.parametrize(
    ("domain", "problem"),
    [
        ("- a", "a domain has to be a mapping, not a list"),
        ("slots: [a]", "'slots' of a domain has to be a mapping, not a list"),
        ("actions: {a: 1}", "'actions' of a domain has to be a list, not a mapping"),
        ("slots: {a: text}", "the slot 'a' has to be a mapping, not a text"),
        ("slots: {a: {type: text, mappings: {}}}", "'mappings' of the slot 'a' has to be a list, not a mapping"),
        ("slots: {a: {type: [text]}}", "'type' of the slot 'a' has to be a text, not a list"),
        ("slots: {a: {type: float, max_value: much}}", "'max_value' of the slot 'a' has to be a number, not a text"),
        ("responses: {utter_a: [{text: a, buttons: [x]}]}", "'buttons' of a variation of 'utter_a' lists mappings"),
        (
            "responses: {utter_a: [{text: a, metadata: x}]}",
            "'metadata' of a variation of 'utter_a' has to be a mapping",
        ),
        ("responses: {utter_a: [{text: a, condition: [{type: x}]}]}", "is not of the type slot"),
        ("responses: {utter_a: [{text: a, condition: {a: 1}}]}", "a condition has to be a text, not a mapping"),
        ("forms: {a: [x]}", "the form 'a' has to be a mapping, not a list"),
    ],
)
def test_odd_domains(tmp_path: Path, domain: str, problem: str) -> None:
    found = read_project(project(tmp_path, {"domain.yml": domain, "data/f.yml": FLOWS})).problems

    assert any(problem in p.message for p in found), [p.message for p in found]


def test_two_session_configurations(tmp_path: Path) -> None:
    files = {
        "domain/a.yml": "session_config: {session_expiration_time: 0}\nslots:\nforms: {f: }",
        "domain/b.yml": "session_config: {carry_over_slots_to_new_session: false}",
        "data/f.yml": FLOWS,
    }
    found = read_project(project(tmp_path, files))

    assert found.domain.session.session_expiration_time == 0
    assert "two different session_config" in found.problems[0].message


def test_the_merged_domain() -> None:
    domain = read("bank").domain

    assert domain.session.model_dump() == {
        "session_expiration_time": 30,
        "carry_over_slots_to_new_session": False,
    }
    assert domain.every_turn_actions == ("action_who_is_it",)
    controlled = [name for name, slot in domain.slots.items() if slot.is_controlled]
    assert controlled == ["has_funds", "is_premium", "user_name"]
    assert domain.slots["recipient"].mappings[0].type == "from_llm"
    assert domain.slots["age"].mappings[0].type == "from_llm"
    assert domain.slots["iban"].validation is not None
    assert domain.slots["iban"].validation.refill_utter == "utter_refill_iban"
    assert domain.slots["mood"].mappings[0].active_flows == ("hello",)
    # What actions get is all of it, the engine's own part included.
    assert domain.raw["slots"]["amount"] == {"type": "float"}
    assert domain.raw["actions"][-2:] == [{"action_add_recipient": {"send_domain": True}}, "validate_card"]
    assert "csat_score" in domain.raw["slots"]
