"""The requests are those of an engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from action_server.flows.commands.command import (
    CannotHandle,
    Clarify,
    Command,
    SearchAndReply,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from action_server.flows.player.request_body import command_as_json
from action_server.project.domain import domain_digest
from tests.action_server.flows.bots import NOON, sent_by

CAPTURED = Path(__file__).parents[3] / "contract" / "payloads" / "calm_constructed"


async def test_a_request_has_what_an_engine_s_has() -> None:
    """Key by key as in the request constructed from the documentation."""
    (path,) = CAPTURED.glob("*retry_with_domain.json")
    expected = json.loads(path.read_text())["request_body"]

    sent = await sent_by("bank", ("block", (StartFlow("block_card"), SetSlot("card", "credit"))))
    call = next(c for c in sent if c["next_action"] == "validate_card")

    assert set(call) | {"domain"} == set(expected)
    assert set(call["tracker"]) == set(expected["tracker"])
    assert set(call["tracker"]["latest_message"]) == set(expected["tracker"]["latest_message"])
    assert [set(frame) for frame in call["tracker"]["stack"]] == [set(f) for f in expected["tracker"]["stack"]]
    kinds = {e["event"]: e for e in expected["tracker"]["events"]}
    for event in call["tracker"]["events"]:
        if event["event"] in kinds:
            assert set(event) <= {*kinds[event["event"]], "metadata"}
    assert call["version"] == expected["version"]
    assert len(call["domain_digest"]) == 32


async def test_what_a_request_says() -> None:
    sent = await sent_by("bank", ("block", (StartFlow("block_card"), SetSlot("card", "CREDIT"))))
    tracker = next(c for c in sent if c["next_action"] == "validate_card")["tracker"]

    assert tracker["slots"]["card"] == "credit"
    assert {"flow_hashes", "session_started_metadata", "csat_score"} < set(tracker["slots"])
    assert tracker["latest_message"]["commands"] == [
        {"flow": "block_card", "command": "start flow"},
        {"name": "card", "value": "CREDIT", "extractor": "LLM", "command": "set slot"},
    ]
    assert tracker["latest_action_name"] == "action_run_slot_rejections"
    bottom, top = tracker["stack"]
    assert (bottom["flow_id"], bottom["step_id"], bottom["frame_type"], bottom["type"]) == (
        "block_card",
        "block_card_0_collect_card",
        "regular",
        "flow",
    )
    assert (top["type"], top["collect"], top["utter"], top["collect_action"]) == (
        "pattern_collect_information",
        "card",
        "utter_ask_card",
        "action_ask_card",
    )
    assert top["step_id"] == "pattern_collect_information_1_validate_{{context.collect}}"
    assert tracker["events"][0]["timestamp"] == NOON
    assert tracker["latest_event_time"] == tracker["events"][-1]["timestamp"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Clarify(("a", "b")), {"command": "clarify", "options": ["a", "b"]}),
        (CannotHandle(), {"command": "cannot handle", "reason": "default"}),
        (SearchAndReply(), {"command": "knowledge"}),
        (SkipQuestion(), {"command": "skip question"}),
    ],
)
def test_commands_in_the_engine_s_words(command: Command, expected: dict[str, Any]) -> None:
    assert command_as_json(command) == expected


def test_a_digest_is_the_domain_s() -> None:
    assert domain_digest({"a": 1, "b": 2}) == domain_digest({"b": 2, "a": 1}) != domain_digest({"a": 1})
