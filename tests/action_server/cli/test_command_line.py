"""The command line as people type it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from action_server import __version__
from action_server.cli import command_line
from action_server.errors import SettingsError
from tests.processes import run, server
from tests.projects import GREET, project

BOT = """
    from rasa_sdk import Action, FormValidationAction
    from rasa_sdk.events import ActionExecuted, SlotSet

    class ActionEcho(Action):
        def name(self):
            return "action_echo"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=f"you said {tracker.latest_message['text']}", image="x.png",
                                     buttons=[{"title": "ok [1]", "payload": "/ok"}])
            dispatcher.utter_message(response="utter_more", who=tracker.sender_id)
            size = tracker.get_slot("size") + 1
            return [SlotSet("size", size), SlotSet("new", "Zoë"), ActionExecuted("action_listen")]

    class ActionQuiet(Action):
        def name(self):
            return "action_quiet"

        async def run(self, dispatcher, tracker, domain):
            return []

    class ActionFail(Action):
        def name(self):
            return "action_fail"

        def run(self, dispatcher, tracker, domain):
            raise RuntimeError("boom")

    class ValidatePartyForm(FormValidationAction):
        def name(self):
            return "validate_party_form"

        def validate_size(self, value, dispatcher, tracker, domain):
            return {"size": None if value > 8 else value}
"""


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


def test_call_shows_messages_slot_changes_events_and_time(bot: Path) -> None:
    """Everything a developer wants to know of one call, readable through a pipe."""
    ended = run(bot, ["call", "action_echo", "size=4", "--message", "hello", "--sender", "ann"])

    assert (ended.returncode, ended.stderr) == (0, "")
    first, *lines = [line.rstrip() for line in ended.stdout.splitlines()]
    assert first.startswith("action_echo  200  ")
    assert first.endswith(" ms")
    assert lines == [
        "  bot: you said hello",
        "       [ok [1]] /ok",
        '       image: "x.png"',
        "  bot: response utter_more",
        '       who: "ann"',
        "slot   before   after",
        "size   4        5",
        'new    -        "Zoë"',
        '  event action {"name": "action_listen"}',
    ]


def test_call_of_an_action_that_does_nothing_says_so(bot: Path) -> None:
    """An empty screen would leave the reader guessing."""
    assert "no messages, no events" in run(bot, ["call", "action_quiet"]).stdout


def test_call_of_a_failing_action_exits_1_and_shows_where_it_failed(bot: Path) -> None:
    """The status and id on standard output, the traceback on standard error."""
    ended = run(bot, ["call", "action_fail"])

    assert ended.returncode == 1
    assert "action_fail  500" in ended.stdout
    assert "error_id: " in ended.stdout
    assert "RuntimeError: boom" in ended.stderr


def test_call_sends_the_domain_a_form_needs(bot: Path) -> None:
    """The slots given are the form's candidates."""
    project(bot, {"domain.yml": "forms:\n  party_form:\n    required_slots: [size]\n"})

    ended = run(bot, ["call", "validate_party_form", "size=9", "--domain", "domain.yml", "--json"])

    assert json.loads(ended.stdout)["body"]["events"][0] == {
        "event": "slot",
        "timestamp": None,
        "name": "size",
        "value": None,
    }


def test_call_can_use_a_running_server(tmp_path: Path) -> None:
    """With --url nothing of the project is loaded here."""
    project(tmp_path, {"bot/actions.py": GREET})
    with server(tmp_path / "bot") as running:
        ended = run(tmp_path, ["call", "action_greet", "--url", f"{running.url}/webhook", "--json"])

        reply = json.loads(ended.stdout)
        assert reply["body"]["responses"][0]["text"] == f"hello from {running.process.pid}"
        assert reply["status"] == 200

        wrong = run(tmp_path, ["call", "action_greet", "--url", f"{running.url}/health"])
        assert (wrong.returncode, "405" in wrong.stdout) == (1, True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/webhook", "no-url", "http://[/"])
def test_call_of_a_server_that_is_not_there_exits_1_with_one_line(tmp_path: Path, url: str) -> None:
    """The line names the address."""
    ended = run(tmp_path, ["call", "action_greet", "--url", url])

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: no action server answers at {url}: ")
    assert ended.stderr.count("\n") == 1


SERVICES = """
    import asyncio
    from contextlib import asynccontextmanager

    class Book: pass
    class Crm: pass
    class Silent: pass

    async def never(_):
        await asyncio.Event().wait()

    def refuse(_):
        raise ConnectionError("the CRM refuses the token: it lacks\\n the scope contacts.write")

    @asynccontextmanager
    async def lifespan(registry, config):
        registry.register_value(Book, Book(), ping=lambda book: None)
        if config.get("broken"):
            registry.register_value(Crm, Crm(), ping=refuse)
            registry.register_value(Silent, Silent(), ping=never)
        if config.get("closed"):
            raise RuntimeError("no database")
        yield
"""


def test_services_says_which_work(folder: Path) -> None:
    """All of them: exit code 0."""
    project(folder, {"actions.py": SERVICES})

    done = run(folder, ["services", "--json"])

    assert (done.returncode, done.stderr) == (0, "")
    [book] = json.loads(done.stdout)
    assert (book["name"], book["ok"], book["problem"]) == ("actions.Book", True, "")


def test_services_says_in_words_what_is_wrong(folder: Path) -> None:
    """One refuses, one never answers, one is well; exit code 1."""
    project(folder, {"actions.py": SERVICES})

    done = run(folder, ["services", "--timeout", "0.2"], ACTION_SERVER__SERVICES__BROKEN="yes")

    assert (done.returncode, done.stderr) == (1, "")
    book, crm, silent = [" ".join(line.split()) for line in done.stdout.splitlines()[1:]]
    assert book.startswith("actions.Book yes ")
    assert crm.startswith("actions.Crm no ")
    assert crm.endswith(" the CRM refuses the token: it lacks the scope contacts.write")
    assert silent.endswith(" does not answer within 0.2 s")


def test_services_say_what_they_understood(folder: Path) -> None:
    """One with a method `describe` is quoted, in lines below the table; machines get them with the service."""
    describe = "class Book:\n        def describe(self): return ['open [Mo] 08:00', 'closed on Sundays']"
    project(folder, {"actions.py": SERVICES.replace("class Book: pass", describe)})

    said, read = run(folder, ["services"]), run(folder, ["services", "--json"])

    assert said.stdout.splitlines()[-3:] == ["actions.Book", "  open [Mo] 08:00", "  closed on Sundays"]
    assert json.loads(read.stdout)[0]["description"] == ["open [Mo] 08:00", "closed on Sundays"]


def test_services_that_cannot_be_opened_are_one_line(folder: Path) -> None:
    """With its place; exit code 2."""
    project(folder, {"actions.py": SERVICES})

    done = run(folder, ["services"], ACTION_SERVER__SERVICES__CLOSED="yes")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "actions.py:2" in done.stderr
    assert "no database" in done.stderr


def test_services_without_any_says_so(folder: Path) -> None:
    """It is no failure."""
    project(folder, {"actions.py": GREET})

    done = run(folder, ["services"])

    assert (done.returncode, done.stdout.strip()) == (0, "no service was registered with a ping")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["call", "action_x", "noequals"], "error: 'noequals': is not slot=value"),
        (["call", "action_x", "--domain", "nowhere.yml"], "error: --domain: nowhere.yml cannot be read: No such file"),
        (["call", "action_x", "--domain", "list.yml"], "error: --domain: list.yml is not a domain"),
        (["run", "--port", "eighty"], "error: --port: "),
        (["list", "--actions", "no.such"], "error: no.such: cannot import 'no.such': there is no such module"),
        (["run", "--nonsense"], "usage: action-server"),
        (["nonsense"], "usage: action-server"),
    ],
)
def test_wrong_usage_exits_2_with_a_line_that_says_what_is_wrong(folder: Path, arguments: list[str], said: str) -> None:
    """No traceback, nothing on standard output."""
    project(folder, {"actions.py": BOT, "list.yml": "- a"})

    ended = run(folder, arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(said)
    assert "Traceback" not in ended.stderr


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


@pytest.mark.parametrize(
    "arguments", [["--port", "eighty"], ["run", "--port", "eighty"], ["start", "--port", "eighty"]]
)
def test_run_start_and_no_verb_are_the_same(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m action_server --actions actions` runs, and so does the official image's `start --actions actions`."""
    assert command_line.main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: --port: ")


def test_help_and_version_are_the_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Help lists the verbs; the help of `run` has rasa-sdk's flags."""
    for arguments, said in (
        (["--help"], "serve the actions"),
        (["run", "-h"], "--ssl-ca-file"),
        (["--version"], __version__),
    ):
        with pytest.raises(SystemExit) as ended:
            command_line.main(arguments)
        assert ended.value.code == 0
        assert said in capsys.readouterr().out


def test_the_working_directory_comes_first_when_actions_are_imported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before a package of the same name that is installed."""
    monkeypatch.setattr(sys, "path", ["/somewhere/bin", *sys.path])

    assert command_line.main(["list", "--actions", "missing_here"]) == 2
    assert sys.path[0] == str(folder)


def test_slots_are_json_or_text() -> None:
    """Numbers, lists and truth values need no quoting; quoting makes them text."""
    pairs = ["n=4", "name=Ann", 'id="7"', "tags=[1, 2]", "ok=true", "none=null", "date=2026-11-24", "eq=a=b", "empty="]

    assert command_line.parse_slots(pairs) == {
        "n": 4,
        "name": "Ann",
        "id": "7",
        "tags": [1, 2],
        "ok": True,
        "none": None,
        "date": "2026-11-24",
        "eq": "a=b",
        "empty": "",
    }
    with pytest.raises(SettingsError):
        command_line.parse_slots(["=x"])
