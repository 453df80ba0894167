"""What looks like a fault and is none, or cannot be decided, is not reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.flows.check.checking import Request, check
from tests.action_server.flows.check.checked import CALM, CLASSIC, changed, checked, told, written

ROOT = Path(__file__).parents[4]
DOMAIN, FLOWS, CODE = "domain.yml", "data/flows.yml", "ACTS/send.py"
BODY = '        if tracker.get_slot("kind") == "big":'

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
    "a list that is made elsewhere": (
        CODE,
        'return [SlotSet("sent", tracker.slots["amount"] is not None)]',
        'return self.events()\n\n    def events(self):\n        return [SlotSet("sent", True)]',
    ),
    "run with any arguments": (
        CODE,
        "async def run(self, dispatcher, tracker, domain)",
        "async def run(self, dispatcher, tracker, *rest)",
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
    "an action that another leads to": (
        CODE,
        "",
        '\n\nNEXT = "action_idle"\n\n\nclass Idle(Action):\n    def name(self):\n        return "action_idle"\n\n'
        "    def run(self, dispatcher, tracker, domain):\n        return []\n",
    ),
    "a base class of actions": (
        CODE,
        "class ActionSend(Action)",
        "class Base(Action):\n    def run(self, dispatcher, tracker, domain):\n        ...\n\n\nclass ActionSend(Base)",
    ),
    "an action of the engine's": (FLOWS, "action: utter_done", "action: action_hangup"),
    "an overridden action of the engine's": (
        CODE,
        "",
        '\n\nclass Start(Action):\n    def name(self):\n        return "action_session_start"\n\n'
        "    def run(self, dispatcher, tracker, domain):\n        return []\n",
    ),
    "an action by a name that Jinja makes": (FLOWS, "action: utter_done", 'action: "{context.utter}"'),
    "a flow of the engine's": (FLOWS, "link: other", "link: pattern_human_handoff"),
    "a pattern that is not known here": (FLOWS, "link: other", "link: pattern_of_next_year"),
    "a tool": (FLOWS, "link: other", "call: get_weather\n        mcp_server: weather"),
    "a step inside of a branch": (
        FLOWS,
        "then: amount",
        "then:\n              - action: utter_done\n                next: amount",
    ),
    "a guard that is off": (
        FLOWS,
        "    description: Something else.",
        "    description: Something else.\n    if: False",
    ),
    "a condition on the context": (FLOWS, "slots.amount > 100", "context.number_of_repeat > 3"),
    "a condition that Jinja makes": (FLOWS, "slots.amount > 100", "slots.amount > {{ slots.limit }}"),
    "a condition on a part of a slot": (FLOWS, "slots.amount > 100", "slots.amount.value > 100"),
    "a comparison with null": (FLOWS, "slots.kind == 'small'", "slots.kind is null or slots.kind is not undefined"),
    "a value that starts a slot": (
        DOMAIN,
        "    values: [big, small]",
        "    values: [big, small]\n    initial_value: unset",
    ),
    "numbers as values": (DOMAIN, "    values: [big, small]", "    values: [big, small, 1, 2.50]"),
    "a button that only says something": (DOMAIN, "/SetSlots(kind=big)", "A big one (please)"),
    "a button with a variable": (DOMAIN, "/SetSlots(kind=big)", "'/SetSlots({name}={value})'"),
    "a selective domain": (DOMAIN, "  - action_send\n", "  - action_send: {send_domain: true}\n"),
    "a session of its own": (DOMAIN, "slots:\n", "session_config:\n  session_expiration_time: 5\nslots:\n"),
    "responses of a server": ("endpoints.yml", "", "nlg:\n  url: http://localhost:5056/nlg\n"),
    "responses of training data": (
        "data/nlu.yml",
        "",
        "version: '3.1'\nresponses:\n  utter_more:\n    - text: More.\n",
    ),
}
# What the fault would be, were it not for the near miss.
WITH = {
    "responses of a server": (FLOWS, "action: utter_done", "action: utter_elsewhere"),
    "responses of training data": (FLOWS, "action: utter_done", "action: utter_more"),
    "numbers as values": (FLOWS, "slots.kind == 'small'", "slots.kind == 2.5 or slots.kind is 1"),
    "a value that starts a slot": (FLOWS, "slots.kind == 'small'", "slots.kind == 'unset'"),
}


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_nothing_is_found(tmp_path: Path, name: str) -> None:
    """A project that is right, though it does not look like the others, is left alone."""
    files = changed({**CALM, "ACTS/own.py": "SlotSet = print\n"}, *NEAR_MISSES[name])
    if name in WITH:
        files = changed(files, *WITH[name])

    assert told(checked(tmp_path, files)) == []


def test_a_domain_in_parts_is_one_domain(tmp_path: Path) -> None:
    """Slots in one file, responses in another, as in a folder `domain`."""
    before, responses = CALM[DOMAIN].split("responses:\n")
    responses, actions = responses.split("actions:\n")
    files = {name: text for name, text in CALM.items() if name != DOMAIN}
    files |= {
        "domain/slots.yml": before,
        "domain/more/responses.yml": f"responses:\n{responses}",
        "data/actions.yml": f"actions:\n{actions}",
    }

    assert told(checked(tmp_path, files)) == []


def test_a_project_of_both_kinds_is_checked_as_one(tmp_path: Path) -> None:
    """Flows beside rules and forms, with one domain in two files."""
    domain = "\n".join(line for line in CLASSIC[DOMAIN].splitlines())
    files = {"domain/calm.yml": CALM[DOMAIN], "domain/classic.yml": domain, FLOWS: CALM[FLOWS]}
    files |= {"data/rules.yml": CLASSIC["data/rules.yml"], "ACTS/__init__.py": ""}
    files |= {"ACTS/send.py": CALM[CODE], "ACTS/order.py": CLASSIC["ACTS/order.py"]}

    assert told(checked(tmp_path, files)) == []


def test_actions_may_serve_another_project_beside_this_one(tmp_path: Path) -> None:
    """What a neighbour's files name is neither unused nor unknown; this project's own actions are still its own."""
    other = {f"other/{name}": text for name, text in CLASSIC.items() if not name.startswith("ACTS")}
    files = {**CALM, **other, "ACTS/order.py": CLASSIC["ACTS/order.py"]}
    assert told(checked(tmp_path, files)) == []

    files = changed(files, CODE, 'get_slot("kind")', 'get_slot("size")')
    assert told(checked(tmp_path, files)) == ["unknown-slot ACTS/send.py:10"]


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

    assert told(checked(tmp_path, {**CALM, "data/patterns.yml": pattern})) == []


def test_a_misspelled_response_of_a_pattern_is_found(tmp_path: Path) -> None:
    """Only what is nearly a response of the project's own is surely wrong there."""
    pattern = "flows:\n  pattern_completed:\n    description: Done.\n    steps:\n      - action: utter_dne\n"

    assert told(checked(tmp_path, {**CALM, "data/patterns.yml": pattern})) == ["unknown-response data/patterns.yml:5"]


@pytest.mark.parametrize("project", ["assistant", "assistant/classic"])
def test_nothing_is_found_in_the_clinic(monkeypatch: pytest.MonkeyPatch, project: str) -> None:
    """Neither the CALM assistant nor its classic twin, which share their actions."""
    monkeypatch.chdir(ROOT)
    report = check(Request(Path(project), "actions"))

    assert [f"{f.place.exact} {f.rule.id} {f.message}" for f in report.findings] == []
    assert report.code.knows_all_names
    assert len(report.code.registered) >= 5


@pytest.mark.parametrize("name", ["plain", "seed", "repair"])
def test_nothing_is_found_in_projects_that_others_play(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Projects made for the player hold shapes nobody had in mind here; their actions are elsewhere."""
    monkeypatch.chdir(Path(__file__).parents[1] / "projects" / name)
    report = check(Request(Path("."), "there_are_none"))

    assert [f for f in report.findings if f.rule.id != "actions-not-found"] == []


def test_a_package_that_is_nowhere_is_said_once(tmp_path: Path) -> None:
    """Then nothing is said of classes."""
    with written(tmp_path, CALM):
        report = check(Request(Path("."), "nowhere"))

    assert told(report) == ["actions-not-found domain.yml:25"]


def test_text_alone_is_read_on_request(tmp_path: Path) -> None:
    """Without an import, names that the text tells are known, and no code runs."""
    files = changed(CALM, CODE, "", "\n\nraise RuntimeError('imported')\n")
    files = changed(files, FLOWS, "action: action_send", "action: action_sned")
    with written(tmp_path, files) as package:
        report = check(Request(Path("."), package, load=False))

    assert told(report) == ["action-without-class data/flows.yml:21"]
