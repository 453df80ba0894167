"""Drafts are played before they are called drafts."""

from __future__ import annotations

import pytest

from action_server.flows.migration.rehearsal import rehearse

DOMAIN = """
slots:
  size: {type: categorical, values: [big, small], mappings: [{type: from_llm}]}
  count: {type: float, min_value: 3, mappings: [{type: from_llm}]}
  sure: {type: bool, mappings: [{type: from_llm}]}
  status: {type: text, mappings: [{type: controlled}]}
responses:
  utter_ask_size: [{text: Which size?}]
  utter_ask_count: [{text: How many?}]
  utter_ask_sure: [{text: Sure?}]
actions: [action_order]
"""


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ("[{collect: size}, {collect: count}, {collect: sure}, {action: action_order}]", ""),
        (
            "[{id: a, collect: size, ask_before_filling: true, "
            "next: [{if: slots.size == 'small', then: a}, {else: END}]}]",
            "it asks for size again and again",
        ),
        ("[{collect: status}]", "the domain has neither utter_ask_status nor action_ask_status"),
    ],
    ids=["it ends", "one value leads back", "nothing asks"],
)
def test_a_flow_that_does_not_end_is_named(steps: str, fault: str) -> None:
    """Each value of a category is tried: one of them may lead back to its question for ever."""
    flows = f"flows: {{order: {{description: Order., steps: {steps}}}}}"

    assert rehearse(flows, DOMAIN) == ({"order": fault} if fault else {})
