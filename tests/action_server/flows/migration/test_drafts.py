"""Drafts of flows and of the domain they need."""

from __future__ import annotations

from pathlib import Path

from action_server.project.flows import ActionStep, CollectStep, LinkStep, NoopStep
from tests.action_server.flows.migration.sample_project import plan_for, read_drafts


def test_drafts_are_read_without_a_problem(tmp_path: Path) -> None:
    """A flow for each form, with the domain it needs."""
    project = read_drafts(plan_for(tmp_path), tmp_path / "drafts")

    assert [str(problem) for problem in project.problems] == []
    assert list(project.flows) == ["order", "address"]
    assert {name for name, slot in project.domain.slots.items() if not slot.is_default} == {
        "size",
        "address",
        "order_number",
    }


def test_a_draft_asks_as_the_form_did_and_ends_as_its_rules(tmp_path: Path) -> None:
    """Collect steps in the form's order, its own questions, and a branch for what the rules' conditions tell."""
    flow = read_drafts(plan_for(tmp_path), tmp_path / "drafts").flows["order"]

    size, address, branch, order, small, link = flow.steps
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
    assert isinstance(link, LinkStep)
    assert link.link == "address"
    assert "send me something" in flow.description


def test_slots_keep_their_kind_and_are_filled_by_the_model(tmp_path: Path) -> None:
    """Those that only code sets stay out of the model's hands; buttons set slots where that is the same."""
    domain = read_drafts(plan_for(tmp_path), tmp_path / "drafts").domain

    assert (domain.slots["size"].type, domain.slots["size"].initial_value) == ("categorical", "small")
    assert [m.type for m in domain.slots["size"].mappings] == ["from_llm"]
    assert domain.slots["order_number"].is_controlled
    buttons = domain.responses["utter_ask_size"].variations[0].buttons
    assert [button["payload"] for button in buttons] == ["/SetSlots(size=big)", "/cancel"]
