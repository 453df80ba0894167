"""Flows as they are written: what belongs to one."""

from __future__ import annotations

from action_server.project.flows import with_called
from tests.action_server.flows.bots import read


def test_a_flow_with_all_it_calls() -> None:
    flows = read("bank").flows

    assert [f.id for f in with_called(flows["pay_somebody"], flows)] == [
        "pay_somebody",
        "add_recipient",
        "recipient_details",
    ]
