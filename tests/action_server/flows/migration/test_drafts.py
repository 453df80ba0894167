"""Drafts of flows and of the domain they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.project.flows import END, ActionStep, CollectStep, NoopStep
from tests.action_server.flows.migration.sample_project import DATA, DOMAIN, PROJECT, plan_for, read_drafts


def test_drafts_are_read_without_a_problem(tmp_path: Path) -> None:
    """One flow for the forms that follow each other, with the domain it needs."""
    project = read_drafts(plan_for(tmp_path), tmp_path / "drafts")

    assert [str(problem) for problem in project.problems] == []
    assert list(project.flows) == ["order", "cancel"]
    assert {name for name, slot in project.domain.slots.items() if not slot.is_default} == {
        "size",
        "address",
        "order_number",
    }


def test_a_draft_asks_as_the_form_did_and_ends_as_its_rules(tmp_path: Path) -> None:
    """Collect steps in the form's order, its own questions, and a branch for what the rules' conditions tell."""
    flow = read_drafts(plan_for(tmp_path), tmp_path / "drafts").flows["order"]

    size, address, branch, order, small = flow.steps
    assert isinstance(size, CollectStep)
    assert (size.collect, size.ask_before_filling, size.utter) == ("size", True, "")
    assert isinstance(address, CollectStep)
    assert (address.collect, address.ask_before_filling, address.utter) == (
        "address",
        False,
        "utter_ask_order_form_address",
    )
    assert isinstance(branch, NoopStep)
    assert [b.condition.text if b.condition else "" for b in branch.next] == [
        "slots.size == 'big'",
        "slots.size == 'small'",
        "",
    ]
    assert isinstance(order, ActionStep)
    assert isinstance(small, ActionStep)
    assert (order.action, small.action) == ("action_order", "utter_small")
    # The form that follows requires only what was asked.
    assert [b.target for b in small.next] == [END]
    assert "send me something" in flow.description


def test_slots_keep_their_kind_and_are_filled_by_the_model(tmp_path: Path) -> None:
    """Those that only code sets stay out of the model's hands; buttons set slots where that is the same."""
    domain = read_drafts(plan_for(tmp_path), tmp_path / "drafts").domain

    assert (domain.slots["size"].type, domain.slots["size"].initial_value) == ("categorical", "small")
    assert [m.type for m in domain.slots["size"].mappings] == ["from_llm"]
    assert domain.slots["order_number"].is_controlled
    buttons = domain.responses["utter_ask_size"].variations[0].buttons
    assert [button["payload"] for button in buttons] == ["/SetSlots(size=big)", "Neither"]


def test_a_form_after_a_form_asks_what_is_not_known_yet(tmp_path: Path) -> None:
    """In the same flow: a second one would forget the first one's answers and ask for them again."""
    domain = DOMAIN.replace("required_slots: [size, address]", "required_slots: [size]")
    found = plan_for(tmp_path, {**PROJECT, "domain.yml": domain})
    flow = read_drafts(found, tmp_path / "drafts").flows["order"]

    assert [step.what for step in flow.steps] == [
        "collect size",
        "decide",
        "action action_order",
        "action utter_small",
        "collect address",
    ]


def test_a_form_that_people_ask_for_has_a_flow_of_its_own_too(tmp_path: Path) -> None:
    """Also where it follows another one; one that leads back to the first is a link."""
    rules = """\
  - rule: address
    steps:
      - intent: cancel
      - action: action_deactivate_loop
      - action: address_form
      - active_loop: address_form
  - rule: back
    condition:
      - active_loop: address_form
    steps:
      - action: address_form
      - active_loop: null
      - action: order_form
stories:
"""
    found = plan_for(tmp_path, {**PROJECT, "data/all.yml": DATA.replace("stories:\n", rules)})
    flows = read_drafts(found, tmp_path / "drafts").flows

    assert list(flows) == ["order", "address", "cancel"]
    assert "link order" in [step.what for step in flows["order"].steps]
    # The loop is no fault: each round asks, and a person may stop it.
    assert [draft.flow for draft in found.drafts if draft.fault] == ["order", "address"]


@pytest.mark.parametrize(
    "form", ["{required_slots: {size: [{type: from_entity, entity: size}]}}", "{size: [{type: from_text}]}"]
)
def test_slots_of_an_older_form_are_asked_for(tmp_path: Path, form: str) -> None:
    """Until Rasa 3 the mappings stood in the form, until 2.6 without a key of their own; the model fills them now."""
    domain = f"""\
version: "2.0"
intents: [order]
slots: {{size: {{type: text}}}}
forms: {{order_form: {form}}}
responses: {{utter_ask_size: [{{text: "Which size?"}}]}}
"""
    found = plan_for(tmp_path, {"domain.yml": domain, "data/all.yml": DATA, "ACTS.py": ""})
    project = read_drafts(found, tmp_path / "drafts")

    assert project.flows["order"].steps[0].what == "collect size"
    assert [mapping.type for mapping in project.domain.slots["size"].mappings] == ["from_llm"]
