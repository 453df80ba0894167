"""`action-server list`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.action_server.cli.bots import BOT
from tests.processes import run
from tests.projects import GREET, project


@pytest.fixture
def bot(folder: Path) -> Path:
    return project(folder, {"actions.py": BOT})


def test_list_shows_name_thread_or_loop_class_and_place(bot: Path) -> None:
    """A table for people, sorted by name."""
    ended = run(bot, ["list"])

    lines = [line.split("  ") for line in ended.stdout.splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert rows == [
        ["action", "runs on", "code", "place"],
        ["action_echo", "thread", "actions.ActionEcho", "actions.py:5"],
        ["action_fail", "thread", "actions.ActionFail", "actions.py:23"],
        ["action_quiet", "event loop", "actions.ActionQuiet", "actions.py:16"],
        ["validate_party_form", "event loop", "actions.ValidatePartyForm", "actions.py:30"],
    ]


def test_list_prints_json_for_machines(bot: Path) -> None:
    """The same facts, and whether an action reads its domain."""
    rows = json.loads(run(bot, ["list", "--json"]).stdout)

    assert rows[0] == {
        "name": "action_echo",
        "source": "actions.ActionEcho",
        "place": "actions.py:5",
        "is_async": False,
        "reads_domain": False,
    }


def test_strict_refuses_two_actions_of_one_name(folder: Path) -> None:
    """The line names both places; without it there is a warning and the last wins."""
    project(folder, {"actions/__init__.py": "", "actions/a.py": GREET, "actions/b.py": GREET})

    refused = run(folder, ["list", "--strict"])
    warned = run(folder, ["list"])

    assert refused.returncode == 2
    assert refused.stderr == ("error: actions/b.py:6: action 'action_greet' is already registered at actions/a.py:6\n")
    assert warned.returncode == 0
    assert "action.registered_twice" in warned.stderr
    assert "used=actions/b.py:6 replaced=actions/a.py:6" in warned.stderr
    assert "actions/b.py:6" in warned.stdout
