"""Recorded calls become tests that say what was answered, whatever stands in a recording."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from action_server.cli.command_line import main
from action_server.testing import webhook_request, written_tests
from action_server.testing.recordings import read_recordings
from tests.processes import PATIENCE, environment
from tests.projects import project

ECHO = """
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet

    class ActionEcho(Action):
        def name(self):
            return "action_echo"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=tracker.latest_message.get("text"))
            return [SlotSet(name, value) for name, value in tracker.slots.items() if value == value]
"""
HOSTILE = (
    *(
        "plain",
        'a "quoted" one',
        "\\n and \n and \\",
        "three \"\"\" and '''",
        "{braces} %s",
        "emoji \U0001f600\n\U0001f600",
    ),
    *("\u2028 \u202e \x00\x1b[31m", "\ud83d alone", "x" * 300, '"); import os; os.abort(); ("'),
)
SLOTS = {"class": 1, "self": 2, "expected": 3, "\u212b": 4, 'a"b': 5, "list": [1, {"k": None}], "yes": True}


def write_call(folder: Path, number: int, status: int = 200, reply: Any = None, **request: Any) -> None:
    """Write a recording as somebody could have it."""
    content = {"status": status, "reply": reply, "request": dict(webhook_request("action_echo"), **request)}
    project(folder, {f"recordings/{number}.json": json.dumps(content)})


def call_about(text: str, slots: dict[str, Any]) -> dict[str, Any]:
    """A tracker in which somebody said something."""
    tracker: dict[str, Any] = webhook_request("action_echo", slots, said=text)["tracker"]
    return tracker


def test_whatever_was_said_becomes_a_test_that_passes(folder: Path) -> None:
    """Quotes, escapes, control characters, halves of emoji, code; slots that are keywords of Python."""
    project(folder, {"actions.py": ECHO, "endpoints.yml": "{}"})
    for number, text in enumerate(HOSTILE):
        events = [{"event": "slot", "timestamp": None, "name": name, "value": value} for name, value in SLOTS.items()]
        reply = {"events": events, "responses": [{"text": text}]}
        write_call(folder, number, reply=reply, tracker=call_about(text, SLOTS))

    assert main(["replay", "recordings", "--as-test", "test_recorded.py"]) == 0
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_recorded.py"],
        cwd=folder,
        env=environment(PYTEST_ADDOPTS=""),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout
    assert f"{len(HOSTILE)} passed" in ended.stdout


@pytest.mark.parametrize("name", ['x"); import os; ("', "\n\nimport os\n", "1 + 1", "\u2028"])
def test_a_name_of_an_action_stays_a_text(tmp_path: Path, name: str) -> None:
    """Whatever it is, the module is one function with one call in it."""
    write_call(tmp_path, 1, reply={}, tracker=call_about("x", {"n": float("nan")}), next_action=name)

    tree = ast.parse(written_tests.tests_of(read_recordings(tmp_path / "recordings")))

    assert [type(node).__name__ for node in tree.body] == ["Expr", "FunctionDef"]
    [argument] = [node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.keywords) == 2]
    assert isinstance(argument, ast.Constant)
    assert argument.value == name


def test_what_a_conversation_begins_with_is_not_said_again(tmp_path: Path) -> None:
    """Engines send every slot; one that was emptied is another thing than one that holds what it began with."""
    slots = {"silence_timeout": {"type": "float", "initial_value": 30.0}, "size": {"initial_value": 2}, "name": {}}
    tracker = call_about("", {"silence_timeout": 30.0, "size": None, "name": None})
    write_call(tmp_path, 1, reply={}, tracker=tracker, domain={"slots": slots})

    written = written_tests.tests_of(read_recordings(tmp_path / "recordings"))

    assert 'call_sync("action_echo", slots={"size": None})' in written


def test_what_no_action_answered_becomes_no_test(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that was full, or has no such action: which is said."""
    for number, status in enumerate((200, 404, 503)):
        write_call(folder, number, status, reply={}, tracker=call_about("x", {}))

    assert main(["replay", "recordings", "--as-test", "test_recorded.py"]) == 0

    assert (folder / "test_recorded.py").read_text(encoding="utf-8").count("def test_") == 1
    assert [line.split()[-7] for line in capsys.readouterr().out.splitlines()[1:]] == ["404", "503"]


@pytest.mark.parametrize(
    "tracker", [{"slots": [1]}, {"latest_message": "hi"}, {"latest_message": {"intent": "greet", "text": "x"}}]
)
def test_a_tracker_of_nobodys_makes_no_test_and_the_others_do(
    folder: Path, capsys: pytest.CaptureFixture[str], tracker: Any
) -> None:
    """Somebody may have sent anything while the server recorded: it is said in a line, not with a traceback."""
    write_call(folder, 1, reply={}, tracker=tracker)
    assert main(["replay", "recordings", "--as-test", "test_recorded.py"]) == 2
    assert "1.json and all others make no test: has no tracker as engines send it" in capsys.readouterr().err

    write_call(folder, 2, reply={}, tracker=call_about("x", {}))
    write_call(folder, 3, 400, reply={}, tracker=call_about("x", {}), next_action="")
    assert main(["replay", "recordings", "--as-test", "test_recorded.py"]) == 0

    assert (folder / "test_recorded.py").read_text(encoding="utf-8").count("def test_") == 1
    left_out = capsys.readouterr().out.splitlines()[1:]
    assert left_out == ["left out 1.json: has no tracker as engines send it", "left out 3.json: names no action"]


@pytest.mark.parametrize("reply", [7, {"events": [1, {"event": "slot"}], "responses": "x"}, None, "text"])
def test_a_reply_of_any_shape_becomes_a_test(tmp_path: Path, reply: Any) -> None:
    """Another server may have answered it."""
    write_call(tmp_path, 1, reply=reply, tracker=call_about("x", {}))

    assert "def test_echo" in written_tests.tests_of(read_recordings(tmp_path / "recordings"))


@pytest.mark.parametrize("argument", ["--as-test", "--update"])
def test_where_nothing_can_be_written_it_is_said_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str], argument: str
) -> None:
    """A file in the place of a folder; a recording that became a folder's name."""
    project(folder, {"actions.py": ECHO, "endpoints.yml": "{}", "file": ""})
    write_call(folder, 1, 404, reply={}, tracker=call_about("x", {}))
    (folder / "recordings" / ".1.json.new").mkdir()
    flags = [argument, "file/test_x.py"] if argument == "--as-test" else [argument]

    assert main(["replay", "recordings", *flags]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
