"""The verb `contract`, as people and scripts type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action_server.cli.command_line import main
from tests.projects import project

ACTIONS = """
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet

    class ActionGuests(Action):
        def name(self):
            return "action_guests"

        def run(self, dispatcher, tracker, domain):
            return [SlotSet("guests", tracker.get_slot("guests"))]
"""
DOMAIN = "slots: {guests: {type: float, mappings: [{type: custom}]}}"


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [("3", 0, "0 of "), ("many", 1, "slots-fit: action_guests: it sets the float slot 'guests' to what is a str")],
    ids=["kept", "broken"],
)
def test_the_exit_code_tells_whether_all_is_kept(
    folder: Path, capsys: pytest.CaptureFixture[str], value: str, code: int, shown: str
) -> None:
    """Each requirement is a sentence, and below a broken one stands what is wrong."""
    project(folder, {"actions.py": ACTIONS, "domain.yml": DOMAIN})

    assert main(["contract", "actions", f"guests={value}"]) == code
    assert shown in capsys.readouterr().out


def test_that_no_action_was_called_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As of `python -m rasa_sdk` without `--actions`: what is kept then says nothing of the bot."""
    project(folder, {"actions.py": ""})

    main(["contract", "actions"])

    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "no action was called: the server lists none; name one with --only NAME"


def test_scripts_get_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the requirements' ids."""
    project(folder, {"actions.py": ACTIONS, "domain.yml": DOMAIN})

    main(["contract", "actions", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert (found["target"], found["called"], found["violations"]) == ("actions", ["action_guests"], 0)
    assert found["requirements"][0]["id"] == "answers"


@pytest.mark.parametrize(
    ("target", "code"), [("http://127.0.0.1:1", 1), ("nowhere", 2)], ids=["an address", "a package"]
)
def test_what_is_not_there_is_said_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str], target: str, code: int
) -> None:
    """As every verb says it."""
    assert main(["contract", target]) == code
    assert len(capsys.readouterr().err.splitlines()) == 1
