"""Rules about Python code: what it names, and how its actions wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.check.sample_projects import (
    BODY,
    CALM,
    CALM_AND_MORE,
    CLASSIC,
    CODE,
    FORM,
    check_files,
    edit,
    lines_of,
)

# File, text, what it becomes, findings.
FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
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
    "an unused typed function, whatever it reads and sets": (
        CODE,
        "",
        "\n\nfrom action_server import action\n\n\n@action\n"
        "def then(kid: str, amount: float | None) -> dict[str, bool]:\n"
        "    return {'snet': True, 'sent': True}\n",
        ["unused-action ACTS/send.py:34"],
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
    "a button of the code": (
        CODE,
        'response="utter_done"',
        'text="?", buttons=[{"title": "A", "payload": "/SetSlots(kin=big)"}]',
        ["unknown-slot ACTS/send.py:11"],
    ),
    "a button of the code that is gathered first": (
        CODE,
        'dispatcher.utter_message(response="utter_done")',
        'buttons = [{"title": "A", "payload": "/SetSlots(kin=big)"}]\n'
        '            dispatcher.utter_message(text="?", buttons=buttons)',
        ["unknown-slot ACTS/send.py:11"],
    ),
    "a name that the module gives a slot": (
        CODE,
        'SlotSet("sent", tracker.slots["amount"] is not None)]',
        'SlotSet(SENT, tracker.slots["amount"] is not None)]\n\n\nSENT = "snet"',
        ["unknown-slot ACTS/send.py:12"],
    ),
    "a value of the code": (
        CODE,
        'SlotSet("sent", tracker.slots["amount"] is not None)',
        'SlotSet("kind", "huge")',
        ["impossible-value ACTS/send.py:12"],
    ),
    "an action that another leads to": (
        CODE,
        "return [SlotSet(",
        'return [FollowupAction("action_then"), SlotSet(',
        ["action-without-class ACTS/send.py:12"],
    ),
    "an event without a list": (
        CODE,
        'return [SlotSet("sent", tracker.slots["amount"] is not None)]',
        'return SlotSet("sent", True)',
        ["event-without-list ACTS/send.py:12"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(CALM, *edited)))) == sorted(expected)


CLASSIC_FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "a method of no slot": (FORM, "def validate_size", "def validate_siez", ["uncalled-action ACTS/order.py:16"]),
    "a slot that dict() returns": (
        FORM,
        'return {"size": slot_value}',
        "return dict(siez=slot_value)",
        ["unknown-slot ACTS/order.py:17"],
    ),
}


@pytest.mark.parametrize("fault", CLASSIC_FAULTS.values(), ids=list(CLASSIC_FAULTS))
def test_a_planted_fault_is_found_in_a_classic_project(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(CLASSIC, *edited)))) == sorted(expected)


NEAR_MISSES: dict[str, tuple[str, str, str]] = {
    "a name made at run time": (CODE, 'get_slot("kind")', 'get_slot("ki" + "nd")'),
    "a slot of the engine's": (CODE, 'get_slot("kind")', 'get_slot("requested_slot")'),
    "a slot that is looked for first": (
        CODE,
        BODY,
        '        if "weight" in tracker.slots:\n            tracker.get_slot("weight")\n' + BODY,
    ),
    "a get_slot of something else": (CODE, 'tracker.get_slot("kind")', 'self.machine.get_slot("coin")'),
    "a SlotSet of somebody else's": (
        CODE,
        BODY,
        '        from .own import SlotSet as Own\n\n        Own("x", 1)\n' + BODY,
    ),
    "a sleep that is awaited": (CODE, BODY, "        import asyncio\n\n        await asyncio.sleep(0)\n" + BODY),
    "a blocking call on a thread": (
        CODE,
        BODY,
        "        import asyncio, time\n\n        await asyncio.to_thread(time.sleep, 0)\n" + BODY,
    ),
    "a blocking call in a function of its own": (
        CODE,
        BODY,
        "        import time\n\n        def wait():\n            time.sleep(1)\n\n" + BODY,
    ),
    "a sleep of its own": (
        CODE,
        BODY,
        "        def sleep(seconds):\n            return seconds\n\n        sleep(1)\n" + BODY,
    ),
    "a blocking call in a plain run": (
        CODE,
        'return "action_ask_amount"\n\n    def run(self, dispatcher, tracker, domain):\n',
        'return "action_ask_amount"\n\n    def run(self, dispatcher, tracker, domain):\n'
        "        import time\n\n        time.sleep(0.001)\n",
    ),
    "a task that is kept": (
        CODE,
        BODY,
        "        import asyncio\n\n        task = asyncio.create_task(asyncio.sleep(0))\n        await task\n" + BODY,
    ),
    "a path without a return": (
        CODE,
        'return [SlotSet("sent", tracker.slots["amount"] is not None)]',
        'if tracker.slots["amount"]:\n            return [SlotSet("sent", True)]',
    ),
    "a name that means something else in a function": (
        CODE,
        'SlotSet("sent", tracker.slots["amount"] is not None)]',
        'SlotSet(SENT, True) for SENT in ["sent"]]\n\n\nSENT = "snet"',
    ),
    "a name that is looked for first": (
        CODE,
        'return [SlotSet("sent", tracker.slots["amount"] is not None)]',
        'return [SlotSet(SENT, True)] if SENT in tracker.slots else []\n\n\nSENT = "snet"',
    ),
    "a list that is made elsewhere": (
        CODE,
        'return [SlotSet("sent", tracker.slots["amount"] is not None)]',
        'return self.events()\n\n    def events(self):\n        return [SlotSet("sent", True)]',
    ),
    "a field of Slots with a default": (
        CODE,
        "from rasa_sdk.events",
        "from action_server import Slots\n\n\nclass Mine(Slots):\n    kind: str = ''\n    mass: int = 1\n"
        "from rasa_sdk.events",
    ),
    "a field of Slots under another name": (
        CODE,
        "from rasa_sdk.events",
        "from pydantic import Field\nfrom action_server import Slots\n\n\nclass Mine(Slots):\n"
        "    colour: str = Field(alias='kind')\n\n\nfrom rasa_sdk.events",
    ),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, name: str) -> None:
    """A project that is right, though it does not look like the others, is left alone."""
    assert lines_of(check_files(tmp_path, edit(CALM_AND_MORE, *NEAR_MISSES[name]))) == []


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


@pytest.mark.parametrize(("imports", "line"), BLOCKING.values(), ids=list(BLOCKING))
def test_a_blocking_call_is_found(tmp_path: Path, imports: str, line: str) -> None:
    """Whatever name it was imported under; libraries that are not installed are not needed for it."""
    code = (
        f"try:\n    {imports}\nexcept ImportError:\n    pass\n"
        + edit(
            CALM,
            CODE,
            *(
                '        if tracker.get_slot("kind") == "big":',
                f"        {line}\n        if True:",
            ),
        )[CODE]
    )

    assert lines_of(check_files(tmp_path, {**CALM, CODE: code})) == ["blocking-call ACTS/send.py:14"]


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

    assert lines_of(check_files(tmp_path, {**CALM, CODE: code})) == [expected]


def test_options_of_actions_are_checked(tmp_path: Path) -> None:
    """The slots and responses that endpoints.yml names for an action exist, too."""
    options = "idempotent: {key: [kid], within: 60}, on_error: {say: utter_oh}"
    options = f"action_server:\n  actions:\n    action_send: {{{options}}}\n"

    assert lines_of(check_files(tmp_path, {**CALM, "endpoints.yml": options})) == [
        "unknown-response endpoints.yml:0",
        "unknown-slot endpoints.yml:0",
    ]
