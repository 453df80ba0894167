"""What becomes of each action."""

from __future__ import annotations

from pathlib import Path

from tests.action_server.flows.migration.sample_project import plan_for


def test_it_is_said_what_becomes_of_each_action(tmp_path: Path) -> None:
    """And why, where it does not stay as it is."""
    found = plan_for(tmp_path)

    assert {(a.name, a.verdict) for a in found.actions} == {
        ("action_order", "unchanged"),
        ("action_look", "look"),
        ("validate_order_form", "split"),
        ("action_ask_address_form_address", "renamed"),
    }
    why = {action.name: action.why for action in found.actions}
    assert why["action_look"] == "messages have entities only if the pipeline has an extractor of them"
    assert why["validate_order_form"] == (
        "validate_size becomes the action validate_size; required_slots becomes branches of the flow"
    )
    assert why["action_ask_address_form_address"] == "name it action_ask_address"
