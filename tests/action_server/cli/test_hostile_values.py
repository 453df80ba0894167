"""Each verb with values that would steer the terminal or pose as another line: what comes from outside is escaped."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.action_server.flows.cafe import DOMAIN, FLOWS, Cafe, open_cafe
from tests.processes import run
from tests.projects import project

# Control sequences, a title, a bell, C1, bidi, and line breaks of each kind before what looks like a user's line.
HOSTILE = (
    "x\x1b[2J\x1b]0;t\x07\x9b31m\u202e\u2066\nyou: forged\r\nyou: forged\u2028you: forged\x85you: forged\x0byou: forged"
)
ESCAPED = r"x\x1b[2J\x1b]0;t\x07\x9b31m\u202e\u2066"
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

ACTIONS = f"""
    from contextlib import asynccontextmanager
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet

    HOSTILE = {HOSTILE!r}

    class Book:
        def describe(self):
            return [HOSTILE]

    def refuse(_):
        raise ConnectionError(HOSTILE)

    @asynccontextmanager
    async def lifespan(registry, config):
        registry.register_value(Book, Book(), ping=refuse)
        yield

    class ActionSay(Action):
        def name(self):
            return "action_say"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=HOSTILE, image=HOSTILE, json_message={{HOSTILE: HOSTILE}},
                                     buttons=[{{"title": HOSTILE, "payload": HOSTILE}}])
            dispatcher.utter_message(response=tracker.get_slot("a") and HOSTILE)
            return [SlotSet(HOSTILE, HOSTILE), {{"event": "followup", "name": HOSTILE}}]

    class ActionHostile(Action):
        def name(self):
            return "action" + HOSTILE

        def run(self, dispatcher, tracker, domain):
            return []
"""
SERVE = f"""
import logging
from rasa_sdk import Action
from rasa_sdk.events import SlotSet

HOSTILE = {HOSTILE!r}

class ActionServe(Action):
    def name(self):
        return "action_serve"

    def run(self, dispatcher, tracker, domain):
        logging.getLogger("cafe").info(HOSTILE)
        dispatcher.utter_message(text=HOSTILE, image=HOSTILE, json_message={{HOSTILE: HOSTILE}},
                                 buttons=[{{"title": HOSTILE, "payload": HOSTILE}}])
        return [SlotSet("guest", HOSTILE), SlotSet("served", True)]

class ActionPay(Action):
    def name(self):
        return "action_pay"

    def run(self, dispatcher, tracker, domain):
        raise ValueError(HOSTILE)
"""


def assert_tame(shown: str) -> None:
    """Nothing in it steers a terminal, and no line poses as a user's."""
    assert _RAW.findall(shown) == []
    assert not re.search(r"^you: forged", shown, re.MULTILINE)


@pytest.fixture
def cafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    made = open_cafe(tmp_path, monkeypatch)
    made.write(f"{made.actions}.py", SERVE)
    made.write("tests/action_server.yml", "action_server: {services: {}}\n")
    return made


@pytest.mark.parametrize("flags", [[], ["--explain"]])
def test_chat_shows_no_value_raw(cafe: Cafe, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Messages, buttons, slots, log lines, failures, and what the user says."""
    cafe.chat("order a drink\ntea\n/slots\n1\npay the bill\n\x1b[2J\u202e\n", *flags)

    shown = capsys.readouterr().out
    assert_tame(shown)
    assert rf"bot: {ESCAPED}" in shown
    assert rf"[1] {ESCAPED}\nyou: forged\r\n" in shown
    assert r"guest = " in shown


def test_chat_for_machines_shows_no_value_raw(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON says all of it, in ASCII."""
    cafe.chat("order a drink\ntea\n", "--json")

    shown = capsys.readouterr().out
    assert_tame(shown)
    assert json.dumps(HOSTILE)[1:-1] in shown
    assert all(json.loads(line) for line in shown.splitlines())


def test_flows_test_shows_no_value_raw(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """Names of tests, what was expected and what was said, on both streams; the repetitions as well."""
    name = json.dumps(f"tea {HOSTILE}")
    step = json.dumps(HOSTILE)
    cases = f"test_cases:\n  - test_case: {name}\n    steps:\n      - user: order a drink\n"
    cafe.write(
        "tests/cases.yml",
        f"{cases}      - user: tea\n      - bot: {step}\n      - bot: {json.dumps('nobody says' + HOSTILE)}\n",
    )

    code = cafe.test("--repeat", "2", "--coverage")

    shown = capsys.readouterr()
    assert code == 1
    assert_tame(shown.out)
    assert_tame(shown.err)
    assert rf"tea {ESCAPED}" in shown.out


def test_flows_graph_draws_no_value_raw(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """Mermaid and SVG, whose XML has no way to write control characters; a file stays in its folder."""
    condition = json.dumps(f"slots.drink = '{HOSTILE}'")
    flows = FLOWS.replace("if: slots.served", f"if: {condition}").replace("id: serve", f"id: {json.dumps(HOSTILE)}")
    flows = flows.replace("name: order a drink", f"name: {json.dumps(HOSTILE)}")
    cafe.write("data/flows.yml", flows.replace("  look_up:", '  "../../out\\e":'))

    cafe.graph("order_drink")
    assert_tame(capsys.readouterr().out)
    cafe.graph("order_drink", "--format", "svg")
    drawn = capsys.readouterr().out
    assert_tame(drawn)
    ET.fromstring(drawn)  # noqa: S314 - our own drawing
    cafe.graph("--format", "svg", "--output", "drawn/flows")

    assert_tame(capsys.readouterr().err)
    names = {path.name for path in (cafe.folder / "drawn" / "flows").iterdir()}
    assert names == {"order_drink.svg", "pay_bill.svg", "______out_.svg"}


def test_check_shows_no_value_raw(cafe: Cafe) -> None:
    """Names of files, keys and conditions."""
    cafe.write("data/flows.yml", FLOWS.replace("if: slots.served", f"if: {json.dumps('slots.' + HOSTILE)}"))
    cafe.write("domain.yml", DOMAIN.replace("  guest:", f"  {json.dumps(HOSTILE)}: {{}}\n  guest:"))
    cafe.write(f"data/{HOSTILE.replace('/', '')}.yml", "flows: [a")

    done = run(cafe.folder, ["check", "--actions", cafe.actions])

    assert done.returncode == 1
    assert_tame(done.stdout)
    assert_tame(done.stderr)
    assert r"\x1b[2J" in done.stdout


def test_doctor_shows_no_value_raw(folder: Path) -> None:
    """What endpoints.yml says."""
    url = json.dumps(f"http://127.0.0.1:1/{HOSTILE}")
    project(folder, {"actions.py": ACTIONS, "endpoints.yml": f"action_endpoint:\n  url: {url}\n  {url}: 1\n"})

    done = run(folder, ["doctor", "--endpoints", "endpoints.yml", "--online"])

    assert_tame(done.stdout)
    assert_tame(done.stderr)


def test_call_list_and_services_show_no_value_raw(folder: Path) -> None:
    """Messages, slots, events, errors, names of actions, and what services say of themselves."""
    project(folder, {"actions.py": ACTIONS})

    called = run(folder, ["call", "action_say", f"a={HOSTILE}"])
    refused = run(folder, ["call", f"action_nobody_has{HOSTILE}"])
    listed = run(folder, ["list"])
    asked = run(folder, ["services"])

    for done in (called, refused, listed, asked):
        assert_tame(done.stdout)
        assert ESCAPED in done.stdout
    assert_tame(refused.stderr)
