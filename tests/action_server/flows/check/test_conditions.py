"""Rules about conditions: faults planted into them, and what only looks like one."""

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

# A slot that a user's words may fill.
NOTE = "  note:\n    type: text\n"
# File, text, what it becomes, findings.
FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "a slot in a condition": (
        FLOWS,
        "slots.kind == 'small'",
        "slots.kidn == 'small'",
        ["unknown-slot data/flows.yml:9"],
    ),
    "a condition": (
        FLOWS,
        "slots.kind == 'small'",
        "slots.kind === 'small' and",
        ["condition-syntax data/flows.yml:9"],
    ),
    "a text without quotes": (
        FLOWS,
        "slots.kind == 'small'",
        "slots.kind == small",
        ["condition-name data/flows.yml:9"],
    ),
    "a slot without prefix": (
        FLOWS,
        "slots.amount > 100",
        "amount > 100",
        ["condition-name data/flows.yml:18", "engine-refuses data/flows.yml:18"],
    ),
    "a value in a condition": (
        FLOWS,
        "slots.kind == 'small'",
        "slots.kind is 'smal'",
        ["impossible-value data/flows.yml:9"],
    ),
    "a value in other letters": (
        FLOWS,
        "slots.kind == 'small'",
        "slots.kind != 'Small'",
        ["impossible-value data/flows.yml:9"],
    ),
    "an expression that can take for ever": (
        FLOWS,
        "slots.kind == 'small'",
        "slots.kind matches '(a+)+$'",
        ["engine-refuses data/flows.yml:9", "slow-expression data/flows.yml:9"],
    ),
    "a user's text in a condition": (
        FLOWS,
        "slots.kind == 'small'",
        "\"slots.kind == '{{ slots.note | upper }}'\"",
        ["condition-pastes-text data/flows.yml:9"],
    ),
    "a user's text in a condition, by another way": (
        FLOWS,
        "slots.kind == 'small'",
        "\"'{{ 'no ' ~ slots['note'] }}' is slots.kind\"",
        ["condition-pastes-text data/flows.yml:9"],
    ),
    "a value in a set": (
        FLOWS,
        "slots.kind == 'small'",
        "\"{'small' 'tiny'} contains slots.kind\"",
        ["impossible-value data/flows.yml:9"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    files = edit(CALM, DOMAIN, "  sent:", f"{NOTE}  sent:")

    found = lines_of(check_files(tmp_path, edit(files, *edited)))
    assert sorted(line for line in found if not line.startswith("rejection-of-others ")) == sorted(expected)


NEAR_MISSES: dict[str, tuple[str, str, str]] = {
    "a guard that is off": (
        FLOWS,
        "    description: Something else.",
        "    description: Something else.\n    if: False",
    ),
    "a condition on the context": (FLOWS, "slots.amount > 100", "context.number_of_repeat > 3"),
    "a condition that Jinja makes": (FLOWS, "slots.amount > 100", "slots.amount > {{ slots.limit }}"),
    "a number that Jinja makes of a text": (FLOWS, "slots.amount > 100", "slots.amount > {{ slots.note | length }}"),
    "a comparison that Jinja makes of a text": (FLOWS, "slots.amount > 100", "\"{{ slots.note == 'x' }} is true\""),
    "a category that Jinja writes": (FLOWS, "slots.amount > 100", "\"slots.note == '{{ slots.kind }}'\""),
    "a text that only actions set": (FLOWS, "slots.amount > 100", "\"slots.note == '{{ slots.code }}'\""),
    "a text of the engine's": (FLOWS, "slots.amount > 100", "\"slots.note == '{{ context.reason }}'\""),
    "an expression that ends in time": (FLOWS, "slots.kind == 'small'", "slots.note matches '^(\\d+,)+\\d+$'"),
    "a condition on a part of a slot": (FLOWS, "slots.amount > 100", "slots.amount.value > 100"),
    "a comparison with null": (FLOWS, "slots.kind == 'small'", "slots.kind is null or slots.kind is not undefined"),
    "a value that starts a slot": (
        DOMAIN,
        "    values: [big, small]",
        "    values: [big, small]\n    initial_value: unset",
    ),
    "numbers as values": (DOMAIN, "    values: [big, small]", "    values: [big, small, 1, 2.50]"),
}


# What the fault would be, were it not for the near miss.
WITH: dict[str, tuple[str, str, str]] = {
    "a value that starts a slot": (FLOWS, "slots.kind == 'small'", "slots.kind == 'unset'"),
    "numbers as values": (FLOWS, "slots.kind == 'small'", "slots.kind == 2.5 or slots.kind is 1"),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, name: str) -> None:
    """A project that is right, though it does not look like the others, is left alone."""
    slots = f"{NOTE}  code:\n    type: text\n    mappings:\n      - type: controlled\n"
    files = edit(edit(CALM_AND_MORE, DOMAIN, "  sent:", f"{slots}  sent:"), *NEAR_MISSES[name])
    if name in WITH:
        files = edit(files, *WITH[name])

    # The rejection looks at another slot than its own, which is another rule's.
    found = [line for line in lines_of(check_files(tmp_path, files)) if not line.startswith("rejection-of-others ")]
    assert found == []


def test_a_condition_without_end_is_a_finding(tmp_path: Path) -> None:
    """What cannot be read by recursion does not stop the check."""
    endless = " and ".join(["slots.kind == 'small'"] * 3000)

    assert lines_of(check_files(tmp_path, edit(CALM, FLOWS, "slots.kind == 'small'", endless))) == [
        "condition-syntax data/flows.yml:9"
    ]
