"""Rules about actions: every name has a class, every class a name that somebody calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.flows.check.checking import Request, check
from tests.action_server.flows.check.sample_projects import (
    CALM,
    CALM_AND_MORE,
    CLASSIC,
    CODE,
    DOMAIN,
    FLOWS,
    FORM,
    check_files,
    edit,
    lines_of,
    write_files,
)

# File, text, what it becomes, findings.
FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "an action without class": (
        DOMAIN,
        "  - action_send",
        "  - action_sned",
        ["action-not-listed data/flows.yml:21", "action-without-class domain.yml:25"],
    ),
    "an action of a flow alone": (
        FLOWS,
        "action: action_send",
        "action: action_sned",
        ["action-without-class data/flows.yml:21"],
    ),
    "an action of every turn": (
        DOMAIN,
        "      - type: controlled",
        "      - type: controlled\n        run_action_every_turn: action_look",
        ["action-without-class domain.yml:11", "engine-refuses domain.yml:11"],
    ),
    "a class nobody names": (
        CODE,
        "",
        '\n\nclass Idle(Action):\n    def name(self):\n        return "action_idle"\n\n'
        "    def run(self, dispatcher, tracker, domain):\n        return []\n",
        ["unused-action ACTS/send.py:31"],
    ),
    "a validator the domain does not list": (
        DOMAIN,
        "  - validate_amount\n",
        "",
        ["uncalled-action ACTS/send.py:23"],
    ),
    "a question the domain does not list": (
        DOMAIN,
        "  - action_ask_amount\n",
        "",
        ["nothing-asks data/flows.yml:16", "uncalled-action ACTS/send.py:15"],
    ),
    "a validator of no slot": (
        CODE,
        '"validate_amount"',
        '"validate_amont"',
        ["uncalled-action ACTS/send.py:23", "action-without-class domain.yml:27"],
    ),
    "two actions of one name": (
        CODE,
        "",
        '\n\nclass Again(Action):\n    def name(self):\n        return "action_send"\n\n'
        "    def run(self, dispatcher, tracker, domain):\n        return []\n",
        ["duplicate-name ACTS/send.py:5"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(CALM, *edited)))) == sorted(expected)


CLASSIC_FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
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
}


@pytest.mark.parametrize("fault", CLASSIC_FAULTS.values(), ids=list(CLASSIC_FAULTS))
def test_a_planted_fault_is_found_in_a_classic_project(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(CLASSIC, *edited)))) == sorted(expected)


NEAR_MISSES: dict[str, tuple[str, str, str]] = {
    "an action that another leads to": (
        CODE,
        "",
        '\n\nNEXT = "action_idle"\n\n\nclass Idle(Action):\n    def name(self):\n        return "action_idle"\n\n'
        "    def run(self, dispatcher, tracker, domain):\n        return []\n",
    ),
    "an overridden action of the engine's": (
        CODE,
        "",
        '\n\nclass Start(Action):\n    def name(self):\n        return "action_session_start"\n\n'
        "    def run(self, dispatcher, tracker, domain):\n        return []\n",
    ),
    "a selective domain": (DOMAIN, "  - action_send\n", "  - action_send: {send_domain: true}\n"),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, name: str) -> None:
    """A project that is right, though it does not look like the others, is left alone."""
    assert lines_of(check_files(tmp_path, edit(CALM_AND_MORE, *NEAR_MISSES[name]))) == []


def test_an_action_that_a_step_runs_is_called_whatever_its_name(tmp_path: Path) -> None:
    """`validate_plate` may be a step of a flow, without a slot of that name."""
    files = edit(CALM, CODE, '"action_send"', '"validate_plate"')
    files = edit(files, DOMAIN, "  - action_send\n", "  - validate_plate\n")
    files = edit(files, FLOWS, "action: action_send", "action: validate_plate")

    assert lines_of(check_files(tmp_path, files)) == []


def test_a_close_name_is_suggested(tmp_path: Path) -> None:
    """A finding says what was probably meant, and what to do."""
    report = check_files(tmp_path, edit(CALM, FLOWS, "action: action_send", "action: action_sned"))

    (finding,) = report.findings
    assert finding.message.endswith("has the name 'action_sned'; did you mean 'action_send'?")
    assert finding.fix == "write a class whose `name()` returns it, or correct the name"


def test_actions_may_serve_another_project_beside_this_one(tmp_path: Path) -> None:
    """What a neighbour's files name is neither unused nor unknown; this project's own actions are still its own."""
    other = {f"other/{name}": text for name, text in CLASSIC.items() if not name.startswith("ACTS")}
    files = {**CALM, **other, "ACTS/order.py": CLASSIC["ACTS/order.py"]}
    assert lines_of(check_files(tmp_path, files)) == []

    files = edit(files, CODE, 'get_slot("kind")', 'get_slot("size")')
    assert lines_of(check_files(tmp_path, files)) == ["unknown-slot ACTS/send.py:10"]


def test_a_package_that_is_nowhere_is_said_once(tmp_path: Path) -> None:
    """Then nothing is said of classes."""
    with write_files(tmp_path, CALM):
        report = check(Request(Path("."), "nowhere"))

    assert lines_of(report) == ["actions-not-found domain.yml:25"]
