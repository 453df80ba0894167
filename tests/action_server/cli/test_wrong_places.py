"""Paths and addresses that cannot be meant: a verb names the flag, what was given and what to do, and does nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action_server.cli.command_line import main
from action_server.testing.tested_project import read_tested_project
from tests.projects import project

ACTIONS = """
    from rasa_sdk import Action

    class ActionGreet(Action):
        def name(self):
            return "action_greet"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=f"{sorted(domain['slots'])}")
            return []
"""
FLOWS = "flows:\n  greet:\n    description: Says hello to whoever comes in.\n    steps:\n      - action: action_greet\n"
NO_FOLDER = "is a folder: name the file in it, such as part/endpoints.yml"
EMPTY = "is empty: give it a value, or leave it out"
NOT_THERE = "there is no file or folder nope"
NO_WEBHOOK = "is not the URL of a webhook, such as http://localhost:5055/webhook"


@pytest.fixture
def bot(folder: Path) -> Path:
    """A bot with a domain in two files, and a folder, a text and bytes that are none of what a flag could mean."""
    project(
        folder,
        {
            "actions.py": ACTIONS,
            "domain/slots.yml": "slots:\n  guest: {type: text}\n",
            "domain/more.yml": "slots:\n  size: {type: float}\nactions: [action_greet]\n",
            "data/flows.yml": FLOWS,
            "part/notes.txt": "[",
        },
    )
    (folder / "bytes").write_bytes(b"\xff\xfe\x00")
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("list --endpoints part", f"--endpoints: part {NO_FOLDER}"),
        ("list --endpoints=", f"--endpoints: {EMPTY}"),
        ("check --data nope", f"--data: {NOT_THERE}"),
        ("chat --data nope", f"--data: {NOT_THERE}"),
        ("flows graph --data nope", f"--data: {NOT_THERE}"),
        ("types --domain nope", f"--domain: {NOT_THERE}"),
        ("types --domain part", "--domain: there is no domain to read slots from in part"),
        ("types --check part", "--check: part cannot be read: Is a directory"),
        ("types --write actions.py", "--write: actions.py was not made by `action-server types`; name another file"),
        ("call action_greet --domain part", "--domain: part is not a domain"),
        ("contract actions --project nope", "--project: there is no folder nope"),
        ("contract actions --domain part/notes.txt", "--domain: part/notes.txt cannot be read as YAML"),
        ("contract ftp://127.0.0.1/webhook", f"URL-or-package: {NO_WEBHOOK}"),
        ("replay part --against mysql://host/name", f"--against: {NO_WEBHOOK}"),
        ("replay part --against grpc://host", "--against: grpc://host is no address of gRPC"),
        ("check --drafts part", "--drafts: does nothing without --migration"),
        ("check --conversations nope", "--conversations: does nothing without --migration"),
        ("check --migration --conversations nope", "--conversations: nope cannot be read: No such file or directory"),
        ("check --migration --conversations bytes", "--conversations: bytes cannot be read as UTF-8 text"),
        ("stubs part --cafile nope", "--cafile: does nothing without TLS: write https:// or grpcs://"),
    ],
)
def test_what_cannot_be_meant_is_named(bot: Path, capsys: pytest.CaptureFixture[str], words: str, said: str) -> None:
    """By its flag; without a traceback, and without doing something else instead."""
    before = (bot / "actions.py").read_text(encoding="utf-8")

    assert main(words.split()) == 2
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].startswith(f"error: {said}")
    assert (printed.out, (bot / "actions.py").read_text(encoding="utf-8")) == ("", before)


@pytest.mark.parametrize(
    "words", ["call action_greet --domain", "check --project", "types --write", "replay", "new --from", "chat --cafile"]
)
def test_an_empty_path_is_not_the_working_directory(bot: Path, capsys: pytest.CaptureFixture[str], words: str) -> None:
    """As of a variable of the shell that is not set."""
    with pytest.raises(SystemExit, match="2"):
        main([*words.split(), ""])

    assert EMPTY in capsys.readouterr().err
    assert sorted(path.name for path in bot.iterdir()) == ["actions.py", "bytes", "data", "domain", "part"]


@pytest.mark.parametrize(("file", "state"), [("nope.py", "not there"), ("bytes", "out of date")])
def test_a_module_of_types_that_is_none_is_not_up_to_date(
    bot: Path, capsys: pytest.CaptureFixture[str], file: str, state: str
) -> None:
    """Also where it is no text at all."""
    assert main(["types", "--check", file]) == 1
    assert capsys.readouterr().out == f"{file} is {state}\n"


def test_a_domain_without_slots_of_its_own_refuses_none(bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that the engine has for flows are no list of the author's; where there is one, only it is shown."""
    (bot / "domain" / "slots.yml").unlink()
    assert main(["call", "action_greet", "gest=Ann", "--domain", "domain"]) == 2
    assert "'gest': is not in the domain; it has size" in capsys.readouterr().err
    assert main(["call", "action_greet", "gest=Ann"]) == 2
    assert "'gest': is not in the domain; it has size" in capsys.readouterr().err

    project(bot, {"domain/more.yml": "actions: [action_greet]\n"})
    assert not read_tested_project(bot).knows_slots
    main(["call", "action_greet", "gest=Ann"])
    assert "is not in the domain" not in capsys.readouterr().err


def test_call_sends_a_domain_in_parts_along(bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As an engine does, which merges them; the setting of tools that has the same name is not spoken of."""
    assert main(["call", "action_greet", "--domain", "domain", "--json"]) == 0

    printed = capsys.readouterr()
    assert json.loads(printed.out)["body"]["responses"][0]["text"] == "['guest', 'size']"
    assert printed.err == ""
