"""`check` finds faults planted into rules, stories and forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.check.checked import CLASSIC, changed, checked, told

DOMAIN, RULES_FILE, FORM = "domain.yml", "data/rules.yml", "ACTS/order.py"


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


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
    "an intent of a mapping": (DOMAIN, "intent: inform", "intent: infrom", ["unknown-intent domain.yml:12"]),
    "an intent of a button": (DOMAIN, "'/inform{{", "'/infrom{{", ["unknown-intent domain.yml:28"]),
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
    "a form of a mapping": (
        DOMAIN,
        "active_loop: order_form",
        "active_loop: oder_form",
        ["unknown-form domain.yml:15"],
    ),
    "a slot of a mapping": (DOMAIN, "requested_slot: size", "requested_slot: siez", ["unknown-slot domain.yml:16"]),
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
    "a validator of no form": (
        FORM,
        '"validate_order_form"',
        '"validate_odrer_form"',
        ["uncalled-action ACTS/order.py:12", "action-without-class domain.yml:33"],
    ),
    "a validator that is not listed": (
        DOMAIN,
        "  - validate_order_form\n",
        "",
        ["uncalled-action ACTS/order.py:12"],
    ),
    "a method of no slot": (FORM, "def validate_size", "def validate_siez", ["uncalled-action ACTS/order.py:16"]),
}


@pytest.mark.parametrize("fault", CLASSIC_FAULTS.values(), ids=list(CLASSIC_FAULTS))
def test_a_planted_fault_is_found_in_a_classic_project(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    file, old, new, expected = fault

    assert sorted(told(checked(tmp_path, changed(CLASSIC, file, old, new)))) == sorted(expected)


def test_a_form_whose_slot_nothing_fills_is_found(tmp_path: Path) -> None:
    """A classic form asks for ever for a slot without mappings."""
    files = changed(CLASSIC, DOMAIN, "      - size\n", "      - size\n      - weight\n")
    files = changed(files, DOMAIN, "forms:\n", "  weight:\n    type: float\nforms:\n")

    assert told(checked(tmp_path, files)) == ["form-slot-without-mapping domain.yml:25"]
