"""`check` finds each planted fault at its place, and nothing in projects that agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from action_server.flows.check.catalogue import RULES
from tests.action_server.flows.check.checked import CALM, CLASSIC, changed, checked, told

DOMAIN, FLOWS, CODE = "domain.yml", "data/flows.yml", "ACTS/send.py"

# File, text, what it becomes, findings.
CALM_FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "a slot a flow collects": (FLOWS, "collect: kind", "collect: kid", ["unknown-slot data/flows.yml:7"]),
    "a slot a flow persists": (FLOWS, "      - kind", "      - knid", ["unknown-slot data/flows.yml:5"]),
    "a slot a flow sets": (FLOWS, "- amount: 1", "- amuont: 1", ["unknown-slot data/flows.yml:13"]),
    "a slot in a condition": (
        FLOWS,
        "slots.kind == 'small'",
        "slots.kidn == 'small'",
        ["unknown-slot data/flows.yml:9"],
    ),
    "a slot in a rejection": (FLOWS, "slots.amount > 100", "slots.sum > 100", ["unknown-slot data/flows.yml:18"]),
    "a slot in a response's condition": (
        DOMAIN,
        "slots.kind == 'big'",
        "slots.kinds == 'big'",
        ["unknown-slot domain.yml:22"],
    ),
    "a slot a button sets": (DOMAIN, "SetSlots(kind=big)", "SetSlots(knd=big)", ["unknown-slot domain.yml:17"]),
    "a slot the code reads": (CODE, 'get_slot("kind")', 'get_slot("kid")', ["unknown-slot ACTS/send.py:10"]),
    "a slot the code looks up": (
        CODE,
        'tracker.slots["amount"]',
        'tracker.slots["amont"]',
        ["unknown-slot ACTS/send.py:12"],
    ),
    "a slot the code gets": (
        CODE,
        'tracker.slots["amount"]',
        'tracker.slots.get("amont")',
        ["unknown-slot ACTS/send.py:12"],
    ),
    "a slot the code sets": (CODE, 'SlotSet("sent"', 'SlotSet("snet"', ["unknown-slot ACTS/send.py:12"]),
    "a slot of a rule of repeats": (
        CODE,
        "class ActionSend(Action)",
        "from action_server import idempotent\n\n\n@idempotent(key=('kid',), within=60)\nclass ActionSend(Action)",
        ["unknown-slot ACTS/send.py:8"],
    ),
    "a required field of Slots": (
        CODE,
        "",
        "\n\nfrom action_server import Slots\n\n\nclass Mine(Slots):\n    kind: str | None = None\n    weight: int\n",
        ["unknown-slot ACTS/send.py:36"],
    ),
    "a misspelled field of Slots": (
        CODE,
        "",
        "\n\nfrom action_server import Slots\n\n\nclass Mine(Slots):\n    ammount: str | None = None\n",
        ["unknown-slot ACTS/send.py:35"],
    ),
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
    "a response of the code": (
        CODE,
        'response="utter_done"',
        'response="utter_dune"',
        ["unknown-response ACTS/send.py:11"],
    ),
    "a response of the code by its old name": (
        CODE,
        'response="utter_done"',
        'template="utter_dune"',
        ["unknown-response ACTS/send.py:11"],
    ),
    "a slot that nothing asks for": (
        FLOWS,
        "collect: amount",
        "collect: sent",
        ["nothing-asks data/flows.yml:16", "uncalled-action ACTS/send.py:15", "uncalled-action ACTS/send.py:23"],
    ),
    "a link": (FLOWS, "link: other", "link: otter", ["unknown-flow data/flows.yml:22"]),
    "a call": (FLOWS, "link: other", "call: otter", ["unknown-flow data/flows.yml:22"]),
    "a button that starts a flow": (
        DOMAIN,
        "/SetSlots(kind=big)",
        "/StartFlow(sned)",
        ["unknown-flow domain.yml:17"],
    ),
    "a button of the code": (
        CODE,
        'response="utter_done"',
        'text="?", buttons=[{"title": "A", "payload": "/SetSlots(kin=big)"}]',
        ["unknown-slot ACTS/send.py:11"],
    ),
    "a step": (FLOWS, "then: amount", "then: amonut", ["unknown-step data/flows.yml:9"]),
    "a step nothing leads to": (
        FLOWS,
        "        action: action_send\n",
        "        action: action_send\n        next: END\n",
        ["unreachable-step data/flows.yml:23"],
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
    "a slot without prefix": (FLOWS, "slots.amount > 100", "amount > 100", ["condition-name data/flows.yml:18"]),
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
    "a value in a set": (
        FLOWS,
        "slots.kind == 'small'",
        "\"{'small' 'tiny'} contains slots.kind\"",
        ["impossible-value data/flows.yml:9"],
    ),
    "a value of set_slots": (FLOWS, "- amount: 1", "- kind: huge", ["impossible-value data/flows.yml:13"]),
    "a value of the code": (
        CODE,
        'SlotSet("sent", tracker.slots["amount"] is not None)',
        'SlotSet("kind", "huge")',
        ["impossible-value ACTS/send.py:12"],
    ),
    "a value of a button": (DOMAIN, "SetSlots(kind=big)", "SetSlots(kind=bigg)", ["impossible-value domain.yml:17"]),
    "an action without class": (
        DOMAIN,
        "  - action_send",
        "  - action_sned",
        ["action-not-listed data/flows.yml:21", "action-without-class domain.yml:25"],
    ),
    "an action that is not listed": (DOMAIN, "  - action_send\n", "", ["action-not-listed data/flows.yml:21"]),
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
        ["action-without-class domain.yml:11"],
    ),
    "an action that another leads to": (
        CODE,
        "return [SlotSet(",
        'return [FollowupAction("action_then"), SlotSet(',
        ["action-without-class ACTS/send.py:12"],
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
    "two steps of one id": (
        FLOWS,
        "      - id: send\n",
        "      - id: amount\n",
        ["unknown-step data/flows.yml:14", "duplicate-name data/flows.yml:20"],
    ),
    "two slots of one name": (
        DOMAIN,
        "  sent:\n",
        "  kind:\n    type: text\n  sent:\n",
        ["duplicate-name domain.yml:8"],
    ),
    "an event without a list": (
        CODE,
        'return [SlotSet("sent", tracker.slots["amount"] is not None)]',
        'return SlotSet("sent", True)',
        ["event-without-list ACTS/send.py:12"],
    ),
    "a run of two arguments": (
        CODE,
        "async def run(self, dispatcher, tracker, domain)",
        "async def run(self, dispatcher, tracker)",
        ["not-an-action ACTS/send.py:5"],
    ),
    "an import that fails": (
        CODE,
        "from rasa_sdk import Action\n",
        "from rasa_sdk import Action\nimport there_is_no_such_module\n",
        ["import-failed ACTS/send.py:2"],
    ),
    "Python that is none": (
        CODE,
        "",
        "\n\ndef broken(:\n",
        ["import-failed ACTS/send.py:31"],
    ),
}


BLOCKING = {
    "sleep": ("import time", "time.sleep(1)"),
    "sleep by name": ("from time import sleep", "sleep(1)"),
    "sleep by another name": ("import time as clock", "clock.sleep(1)"),
    "requests": ("import requests", 'requests.get("http://localhost", timeout=1)'),
    "urlopen": ("import urllib.request", 'urllib.request.urlopen("http://localhost")'),
    "urlopen by name": ("from urllib.request import urlopen", 'x = urlopen("http://localhost").read()'),
    "subprocess": ("import subprocess", 'subprocess.run(["ls"])'),
    "sqlite": ("import sqlite3", 'sqlite3.connect("x")'),
    "psycopg2": ("import psycopg2", 'psycopg2.connect("x")'),
}


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("files", [CALM, CLASSIC], ids=["calm", "classic"])
def test_nothing_is_found_in_a_project_that_agrees(tmp_path: Path, files: Mapping[str, str]) -> None:
    """The projects that the faults are planted into are clean, and were read to the end."""
    report = checked(tmp_path, files)

    assert told(report) == []
    assert len(report.code.registered) == len(report.project.domain.actions)


@pytest.mark.parametrize("fault", CALM_FAULTS.values(), ids=list(CALM_FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    file, old, new, expected = fault

    assert sorted(told(checked(tmp_path, changed(CALM, file, old, new)))) == sorted(expected)


@pytest.mark.parametrize(("imports", "line"), BLOCKING.values(), ids=list(BLOCKING))
def test_a_blocking_call_is_found(tmp_path: Path, imports: str, line: str) -> None:
    """Whatever name it was imported under; libraries that are not installed are not needed for it."""
    code = (
        f"try:\n    {imports}\nexcept ImportError:\n    pass\n"
        + changed(
            CALM,
            CODE,
            *(
                '        if tracker.get_slot("kind") == "big":',
                f"        {line}\n        if True:",
            ),
        )[CODE]
    )

    assert told(checked(tmp_path, {**CALM, CODE: code})) == ["blocking-call ACTS/send.py:14"]


AWAITED = {
    "a method": ("self._look()", "not-awaited ACTS/send.py:10"),
    "a function": ("look()", "not-awaited ACTS/send.py:10"),
    "asyncio.sleep": ("asyncio.sleep(1)", "not-awaited ACTS/send.py:10"),
}


@pytest.mark.parametrize(("line", "expected"), AWAITED.values(), ids=list(AWAITED))
def test_a_coroutine_that_nobody_awaits_is_found(tmp_path: Path, line: str, expected: str) -> None:
    """A statement that only makes a coroutine does nothing."""
    code = CALM[CODE].replace('        if tracker.get_slot("kind") == "big":', f"        {line}\n        if True:")
    code = code.replace("\n\n\nclass ActionAsk", "\n\n    async def _look(self):\n        pass\n\n\nclass ActionAsk")
    code += "\n\nimport asyncio\n\n\nasync def look():\n    pass\n"

    assert told(checked(tmp_path, {**CALM, CODE: code})) == [expected]


def test_options_of_actions_are_checked(tmp_path: Path) -> None:
    """The slots and responses that endpoints.yml names for an action exist, too."""
    options = "idempotent: {key: [kid], within: 60}, on_error: {say: utter_oh}"
    options = f"action_server:\n  actions:\n    action_send: {{{options}}}\n"

    assert told(checked(tmp_path, {**CALM, "endpoints.yml": options})) == [
        "unknown-response endpoints.yml:0",
        "unknown-slot endpoints.yml:0",
    ]


def test_a_close_name_is_suggested(tmp_path: Path) -> None:
    """A finding says what was probably meant, and what to do."""
    report = checked(tmp_path, changed(CALM, FLOWS, "action: action_send", "action: action_sned"))

    (finding,) = report.findings
    assert finding.message.endswith("has the name 'action_sned'; did you mean 'action_send'?")
    assert finding.fix == "write a class whose `name()` returns it, or correct the name"


def test_each_rule_has_a_planted_fault() -> None:
    """Those of silencing and of files that cannot be read are in files of their own."""
    elsewhere = {"unreadable", "readable-with-care", "unused-silencing", "actions-not-found"}
    found = {line.split()[0] for *_, lines in CALM_FAULTS.values() for line in lines}
    found |= {"blocking-call", "not-awaited", "form-slot-without-mapping", "unknown-intent", "unknown-form"}

    assert found | elsewhere == set(RULES)
