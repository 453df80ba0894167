"""Stubs are made of what tests or a server recorded, and found out when the code answers otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action_server.cli.command_line import main
from action_server.testing import ActionClient
from tests.processes import run
from tests.projects import project

ACTIONS = """
    from rasa_sdk import Action, ActionExecutionRejection
    from rasa_sdk.events import SlotSet

    class ActionGuests(Action):
        def name(self):
            return "action_guests"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=f"That makes {tracker.get_slot('guests') + 1}.")
            return [SlotSet("guests", tracker.get_slot("guests") + 1)]

    class ActionReject(Action):
        def name(self):
            return "action_reject"

        def run(self, dispatcher, tracker, domain):
            raise ActionExecutionRejection("action_reject", "no")
"""
CASES = """
    test_cases:
      - test_case: more guests
        steps:
          - user: one more
"""


@pytest.fixture
def recorded(folder: Path) -> Path:
    """A project with a file of tests, and with calls that a test recorded: two of one action, one of another."""
    project(folder, {"actions.py": ACTIONS, "endpoints.yml": "{}", "tests/cases.yml": CASES})
    with ActionClient(folder, record=folder / "recordings") as client:
        client.call_sync("action_guests", slots={"guests": 7})
        client.call_sync("action_guests", slots={"guests": 2})
        client.call_sync("action_reject")
    return folder


def change(folder: Path, old: str, new: str) -> None:
    text = (folder / "actions.py").read_text(encoding="utf-8")
    (folder / "actions.py").write_text(text.replace(old, new), encoding="utf-8")


def test_a_stub_holds_until_its_action_answers_otherwise(recorded: Path) -> None:
    """Written into the file of tests, checked with exit code 0; after a change of the code with 1 and a diff."""
    written = run(recorded, ["stubs", "--write", "tests/cases.yml"])
    held = run(recorded, ["stubs", "--check", "tests/cases.yml"])
    change(recorded, "+ 1", "+ 10")
    changed = run(recorded, ["stubs", "--check", "tests"])

    assert [ended.returncode for ended in (written, held, changed)] == [0, 0, 1], held.stdout + held.stderr
    assert "action_guests: 2 different answers; the last one counts" in written.stdout
    assert "action_reject: no stub: no call of it was answered" in written.stdout
    text = (recorded / "tests" / "cases.yml").read_text(encoding="utf-8")
    assert text.startswith("\ntest_cases:\n")
    assert 'text: "That makes 3."' in text
    assert "1 stubs: 1 same, 0 changed, 0 not checked" in held.stdout
    assert '-   "text": "That makes 3."' in changed.stdout
    assert '+   "text": "That makes 12."' in changed.stdout


def test_an_action_that_is_gone_or_fails_holds_no_stub(recorded: Path) -> None:
    """Its status is what it answers now."""
    run(recorded, ["stubs", "--write", "tests/cases.yml"])
    change(recorded, 'return "action_guests"', 'return "action_other"')

    ended = run(recorded, ["stubs", "--check", "tests/cases.yml", "--json"])

    assert ended.returncode == 1
    [found] = json.loads(ended.stdout)
    assert (found["stub"], found["action"], found["result"]) == ("action_guests", "action_guests", "changed")
    assert "it answers 404" in found["problem"]


def test_a_stub_of_one_test_is_checked_as_well(recorded: Path) -> None:
    """It holds if a recorded call gets its answer; one whose action nobody recorded is not checked."""
    stub = '{events: [{event: slot, name: guests, value: %s}], responses: [{text: "That makes %s."}]}'
    lines = [f"    more_guests::action_guests: {stub % (8, 8)}", f"    action_guests: {stub % (5, 5)}"]
    block = "\n".join(["stub_custom_actions:", *lines, "    action_else: {events: [], responses: []}"])
    (recorded / "tests" / "cases.yml").write_text(block, encoding="utf-8")

    ended = run(recorded, ["stubs", "recordings", "--check", "tests/cases.yml", "--json"])

    found = {one["stub"]: one["result"] for one in json.loads(ended.stdout)}
    assert ended.returncode == 1
    assert found == {"more_guests::action_guests": "same", "action_guests": "changed", "action_else": "not checked"}


def test_stubs_are_printed_if_no_file_is_named(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As YAML that can be piped into a file, or as JSON; what is left out goes to standard error."""
    assert main(["stubs", "--only", "action_guests"]) == 0
    printed = capsys.readouterr()
    assert main(["stubs", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert printed.out.startswith("stub_custom_actions:\n  action_guests:\n    events:\n      - event: slot\n")
    assert "2 different answers" in printed.err
    assert found["stub_custom_actions"]["action_guests"]["responses"] == [{"text": "That makes 3."}]
    assert list(found["left_out"]) == ["action_reject"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "is no folder with recorded calls"),
        (["--only", "action_reject"], "no call that a stub can be made of"),
        (["--check", "nothing.yml"], "cannot be read"),
        (["--check", "tests"], "has no stubs"),
        (["--check", "other.yml"], "no call of an action with a stub"),
        (["--url", "http://127.0.0.1:1"], "does nothing without --check"),
    ],
    ids=["no recordings", "no answer", "no file", "no stubs", "none recorded", "an address"],
)
def test_where_nothing_can_be_done_it_is_said_in_a_line(
    recorded: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """With exit code 2."""
    project(recorded, {"other.yml": "stub_custom_actions: {action_else: {events: [], responses: []}}"})

    assert main(["stubs", *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
