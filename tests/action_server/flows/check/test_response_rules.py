"""Rules about responses and slots: buttons, mappings and their conditions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.check.sample_projects import (
    CALM,
    CALM_AND_MORE,
    CLASSIC,
    DOMAIN,
    check_files,
    edit,
    lines_of,
)

_CONDITION = "condition: slots.kind == 'big'"


def _constraint(slot: str, value: str) -> str:
    return f"condition:\n        - type: slot\n          name: {slot}\n          value: {value}"


# File, text, what it becomes, findings.
FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "a slot in a response's condition": (
        DOMAIN,
        "slots.kind == 'big'",
        "slots.kinds == 'big'",
        ["unknown-slot domain.yml:22"],
    ),
    "a slot a button sets": (DOMAIN, "SetSlots(kind=big)", "SetSlots(knd=big)", ["unknown-slot domain.yml:17"]),
    "a button that starts a flow": (
        DOMAIN,
        "/SetSlots(kind=big)",
        "/StartFlow(send)",
        ["broken-payload domain.yml:17"],
    ),
    "a value of a button": (DOMAIN, "SetSlots(kind=big)", "SetSlots(kind=bigg)", ["impossible-value domain.yml:17"]),
    "a text for a bool": (DOMAIN, _CONDITION, _constraint("sent", '"true"'), ["impossible-value domain.yml:23"]),
    "another number for a bool": (DOMAIN, _CONDITION, _constraint("sent", "2"), ["impossible-value domain.yml:23"]),
    "a text for a number": (DOMAIN, _CONDITION, _constraint("amount", '"5"'), ["impossible-value domain.yml:23"]),
    "a text for a bool in a condition": (
        DOMAIN,
        _CONDITION,
        "condition: slots.sent == 'true'",
        ["impossible-value domain.yml:22"],
    ),
    "a text for a number in a condition": (
        DOMAIN,
        _CONDITION,
        "condition: slots.sent and slots.amount != '5'",
        ["impossible-value domain.yml:22"],
    ),
    "a response that is only listed": (
        DOMAIN,
        "  - action_send\n",
        "  - action_send\n  - utter_dune\n",
        ["unknown-response domain.yml:26"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(CALM, *edited)))) == sorted(expected)


CLASSIC_FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "an intent of a mapping": (DOMAIN, "intent: inform", "intent: infrom", ["unknown-intent domain.yml:12"]),
    "an intent of a button": (DOMAIN, "'/inform{{", "'/infrom{{", ["unknown-intent domain.yml:28"]),
    "a form of a mapping": (
        DOMAIN,
        "active_loop: order_form",
        "active_loop: oder_form",
        ["unknown-form domain.yml:15"],
    ),
    "a slot of a mapping": (DOMAIN, "requested_slot: size", "requested_slot: siez", ["unknown-slot domain.yml:16"]),
}


@pytest.mark.parametrize("fault", CLASSIC_FAULTS.values(), ids=list(CLASSIC_FAULTS))
def test_a_planted_fault_is_found_in_a_classic_project(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(CLASSIC, *edited)))) == sorted(expected)


NEAR_MISSES: dict[str, tuple[str, str, str]] = {
    "a bool for a bool": (DOMAIN, _CONDITION, _constraint("sent", "true")),
    "a number that is a bool": (DOMAIN, _CONDITION, _constraint("sent", "1")),
    "a number for a number": (DOMAIN, _CONDITION, _constraint("amount", "5")),
    "nothing for a bool": (DOMAIN, _CONDITION, _constraint("sent", "null")),
    "a bool in a condition": (DOMAIN, _CONDITION, "condition: slots.sent == true and slots.sent is not null"),
    "a response that is listed": (DOMAIN, "  - action_send\n", "  - action_send\n  - utter_done\n"),
    "a kind of responses that is listed": (
        DOMAIN,
        "  utter_done:\n",
        "  utter_faq/a:\n    - text: A.\n  utter_done:\n",
    ),
    "a button that only says something": (DOMAIN, "/SetSlots(kind=big)", "A big one (please)"),
    "a button with a variable": (DOMAIN, "/SetSlots(kind=big)", "'/SetSlots({name}={value})'"),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, name: str) -> None:
    """A project that is right, though it does not look like the others, is left alone."""
    assert lines_of(check_files(tmp_path, edit(CALM_AND_MORE, *NEAR_MISSES[name]))) == []
