"""Rules about flows: faults planted into steps, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.check.sample_projects import (
    CALM,
    CALM_AND_MORE,
    DOMAIN,
    FLOWS,
    check_files,
    edit,
    lines_of,
)

# File, text, what it becomes, findings.
FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "a slot a flow collects": (FLOWS, "collect: kind", "collect: kid", ["unknown-slot data/flows.yml:7"]),
    "a slot a flow persists": (FLOWS, "      - kind", "      - knid", ["unknown-slot data/flows.yml:5"]),
    "a slot a flow sets": (FLOWS, "- amount: 1", "- amuont: 1", ["unknown-slot data/flows.yml:13"]),
    "a slot in a rejection": (FLOWS, "slots.amount > 100", "slots.sum > 100", ["unknown-slot data/flows.yml:18"]),
    "a response of a step": (FLOWS, "action: utter_done", "action: utter_don", ["unknown-response data/flows.yml:26"]),
    "a response of a rejection": (
        FLOWS,
        "utter: utter_too_much",
        "utter: utter_to_much",
        ["unknown-response data/flows.yml:19"],
    ),
    "a response of a collect": (
        FLOWS,
        "collect: kind",
        "collect: kind\n        utter: utter_which",
        ["unknown-response data/flows.yml:8"],
    ),
    "a slot that nothing asks for": (
        FLOWS,
        "collect: amount",
        "collect: sent",
        [
            "nothing-asks data/flows.yml:16",
            "rejection-of-others data/flows.yml:18",
            "uncalled-action ACTS/send.py:15",
            "uncalled-action ACTS/send.py:23",
        ],
    ),
    "a link": (FLOWS, "link: other", "link: otter", ["unknown-flow data/flows.yml:22"]),
    "a pattern that no flow may link to": (
        FLOWS,
        "link: other",
        "link: pattern_completed",
        ["engine-refuses data/flows.yml:22"],
    ),
    "a call": (FLOWS, "link: other", "call: otter", ["unknown-flow data/flows.yml:22"]),
    "a step": (FLOWS, "then: amount", "then: amonut", ["unknown-step data/flows.yml:9"]),
    "a step nothing leads to": (
        FLOWS,
        "        action: action_send\n",
        "        action: action_send\n        next: END\n",
        ["unreachable-step data/flows.yml:23"],
    ),
    "a value of set_slots": (FLOWS, "- amount: 1", "- kind: huge", ["impossible-value data/flows.yml:13"]),
    "an action that is not listed": (DOMAIN, "  - action_send\n", "", ["action-not-listed data/flows.yml:21"]),
    "two steps of one id": (
        FLOWS,
        "      - id: send\n",
        "      - id: amount\n",
        ["unknown-step data/flows.yml:14", "duplicate-name data/flows.yml:20"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(CALM, *edited)))) == sorted(expected)


NEAR_MISSES: dict[str, tuple[str, str, str]] = {
    "an action of the engine's": (FLOWS, "action: utter_done", "action: action_hangup"),
    "an action by a name that Jinja makes": (FLOWS, "action: utter_done", 'action: "{context.utter}"'),
    "a flow of the engine's": (FLOWS, "link: other", "link: pattern_human_handoff"),
    "a tool": (FLOWS, "link: other", "call: get_weather\n        mcp_server: weather"),
    "a step inside of a branch": (
        FLOWS,
        "then: amount",
        "then:\n              - action: utter_done\n                next: amount",
    ),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, name: str) -> None:
    """A project that is right, though it does not look like the others, is left alone."""
    assert lines_of(check_files(tmp_path, edit(CALM_AND_MORE, *NEAR_MISSES[name]))) == []


def test_the_engine_s_own_patterns_may_be_overridden(tmp_path: Path) -> None:
    """With default actions, default slots and a response of the project's own."""
    pattern = """\
flows:
  pattern_completed:
    description: Nothing to say.
    steps:
      - action: utter_of_a_newer_engine
      - action: action_of_a_newer_engine
      - collect: slot_of_a_newer_engine
  pattern_session_start:
    description: Starts.
    steps:
      - action: action_session_start
        next:
          - if: context.silence and slots.session_started_metadata is not null
            then: END
          - else: END
"""

    assert lines_of(check_files(tmp_path, {**CALM, "data/patterns.yml": pattern})) == []


def test_a_misspelled_response_of_a_pattern_is_found(tmp_path: Path) -> None:
    """Only what is nearly a response of the project's own is surely wrong there."""
    pattern = "flows:\n  pattern_completed:\n    description: Done.\n    steps:\n      - action: utter_dne\n"

    assert lines_of(check_files(tmp_path, {**CALM, "data/patterns.yml": pattern})) == [
        "unknown-response data/patterns.yml:5"
    ]
