"""`check` finds faults planted into rules, stories and forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.check.sample_projects import (
    CLASSIC,
    DOMAIN,
    RULES_FILE,
    check_files,
    edit,
    lines_of,
)

# File, text, what it becomes, findings.
CLASSIC_FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "an intent of a rule": (RULES_FILE, "intent: inform", "intent: infrom", ["unknown-intent data/rules.yml:8"]),
    "an intent of a story": (RULES_FILE, "intent: greet", "intent: great", ["unknown-intent data/rules.yml:27"]),
    "an intent under or": (
        RULES_FILE,
        "intent: faq/prices",
        "intent: fag/prices",
        ["unknown-intent data/rules.yml:22"],
    ),
    "an intent a form ignores": (DOMAIN, "      - greet\n", "      - grete\n", ["unknown-intent domain.yml:20"]),
    "a form of a rule": (
        RULES_FILE,
        "      - active_loop: order_form",
        "      - active_loop: oder_form",
        ["unknown-form data/rules.yml:10"],
    ),
    "a form a rule runs": (
        RULES_FILE,
        "      - action: order_form\n      - active_loop: order_form",
        "      - action: oder_form\n      - active_loop: order_form",
        ["action-without-class data/rules.yml:9", "unknown-form data/rules.yml:9"],
    ),
    "a slot of a rule": (RULES_FILE, "- size: big", "- siez: big", ["unknown-slot data/rules.yml:6"]),
    "a value of a rule": (RULES_FILE, "- size: big", "- size: bigg", ["impossible-value data/rules.yml:6"]),
    "a slot of a form": (DOMAIN, "      - size\n", "      - siez\n", ["unknown-slot domain.yml:22"]),
    "an action of a rule": (
        RULES_FILE,
        "action: action_order",
        "action: action_odrer",
        ["action-without-class data/rules.yml:17"],
    ),
    "an action that is not listed": (DOMAIN, "  - action_order\n", "", ["action-not-listed data/rules.yml:17"]),
    "a response of a rule": (
        RULES_FILE,
        "action: utter_faq",
        "action: utter_fag",
        ["unknown-response data/rules.yml:23"],
    ),
}


@pytest.mark.parametrize("fault", CLASSIC_FAULTS.values(), ids=list(CLASSIC_FAULTS))
def test_a_planted_fault_is_found_in_a_classic_project(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(CLASSIC, *edited)))) == sorted(expected)


def test_a_loop_of_the_engine_s_own_is_no_form(tmp_path: Path) -> None:
    """The two-stage fallback is a loop that no domain lists."""
    loop = "      - action: action_two_stage_fallback\n      - active_loop: action_two_stage_fallback\n"
    files = edit(CLASSIC, RULES_FILE, "      - action: action_restart\n", loop)

    assert lines_of(check_files(tmp_path, files)) == []


def test_a_form_whose_slot_nothing_fills_is_found(tmp_path: Path) -> None:
    """A classic form asks for ever for a slot without mappings."""
    files = edit(CLASSIC, DOMAIN, "      - size\n", "      - size\n      - weight\n")
    files = edit(files, DOMAIN, "forms:\n", "  weight:\n    type: float\nforms:\n")

    assert lines_of(check_files(tmp_path, files)) == ["form-slot-without-mapping domain.yml:25"]
