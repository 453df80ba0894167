"""`action-server call`: what a developer sees of one call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action_server.cli.command_line import main
from tests.action_server.cli.bots import BOT
from tests.processes import run, server
from tests.projects import GREET, project


@pytest.fixture
def bot(folder: Path) -> Path:
    return project(folder, {"actions.py": BOT})


def test_what_of_the_log_is_shown_is_said_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A call shows warnings; there is no -v here."""
    with pytest.raises(SystemExit):
        main(["call", "--help"])

    said = " ".join(capsys.readouterr().out.split())
    assert "DEBUG, INFO, WARNING or ERROR (default: WARNING)" in said
    assert "-vv" not in said


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
    dated = "slots: {day: {type: text, initial_value: 2026-12-01}}\n"
    project(bot, {"domain.yml": f"{dated}forms:\n  party_form:\n    required_slots: [size]\n"})

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


DOMAIN = "slots:\n  size:\n    type: float\n"


@pytest.mark.parametrize(
    ("files", "flags"),
    [
        ({"domain.yml": DOMAIN}, []),
        ({"assistant/domain/slots.yml": DOMAIN}, []),
        ({"other.yml": DOMAIN}, ["--domain", "other.yml"]),
    ],
    ids=["of the project", "of assistant/", "given"],
)
def test_a_slot_that_the_domain_does_not_have_is_not_sent(bot: Path, files: dict[str, str], flags: list[str]) -> None:
    """The action would read none, and the developer wonder why."""
    project(bot, files)

    ended = run(bot, ["call", "action_quiet", "sise=4", *flags])

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: slot 'sise': is not in the domain; did you mean 'size'?\n"
    assert run(bot, ["call", "action_quiet", "size=4", *flags]).returncode == 0


READS_ANY = """
    from rasa_sdk import Action

    class ActionAny(Action):
        def name(self):
            return "action_any"

        def run(self, dispatcher, tracker, domain):
            which = tracker.get_slot("which")
            dispatcher.utter_message(text=str(tracker.get_slot(which)))
            return []

    class ActionHanded(Action):
        def name(self):
            return "action_handed"

        def run(self, dispatcher, tracker, domain):
            return list(filter(None, map(str.strip, [])))or self.more(tracker)

        def more(self, tracker):
            tracker.slots["size"]
            return []
"""


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ("action_echo", "slot 'sise': is not read by action_echo; did you mean 'size'?"),
        ("action_quiet", "slot 'sise': is not read by action_quiet"),
        ("action_handed", "slot 'sise': is not read by action_handed; did you mean 'size'?"),
    ],
)
def test_without_a_domain_the_code_tells_which_slots_there_are(bot: Path, action: str, problem: str) -> None:
    """The action does not run: it would read None, and the developer wonder why."""
    project(bot, {"actions.py": BOT + READS_ANY})

    ended = run(bot, ["call", action, "sise=4"])

    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"error: {problem}\n")


@pytest.mark.parametrize("action", ["action_any", "validate_party_form"])
def test_a_slot_that_may_be_read_is_sent_with_a_warning(bot: Path, action: str) -> None:
    """Whoever looks slots up by a variable, or hands the tracker to somebody else's code, may read any."""
    project(bot, {"actions.py": BOT + READS_ANY})

    ended = run(bot, ["call", action, "sise=4"])

    assert ended.stdout.startswith(f"{action}  ")
    assert f"warning: nothing is seen to read the slot 'sise' in {action}" in ended.stderr


def test_a_url_of_the_other_kind_is_said(bot: Path) -> None:
    """At once, with the URL that may be meant; a plain server refuses a handshake before the client gives up."""
    with server(bot) as running:
        url = f"{running.url}/webhook"
        ended = run(bot, ["call", "action_quiet", "--url", url.replace("http:", "https:")])

    assert ended.returncode == 1
    assert ended.stderr.endswith(f": TLS fails there; if it serves plain HTTP, the URL is {url}\n")


def test_a_misspelt_action_is_answered_with_the_one_that_may_be_meant(bot: Path) -> None:
    """As is a URL that does not lead to the webhook."""
    ended = run(bot, ["call", "action_qiuet"])

    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (1, "hint: did you mean action_quiet?")
    with server(bot) as running:
        wrong = run(bot, ["call", "action_quiet", "--url", running.url])

    assert wrong.returncode == 1
    assert wrong.stderr.splitlines()[-1] == f"hint: an action server answers at /webhook: --url {running.url}/webhook"


@pytest.mark.parametrize("url", ["", "no-url", "http://[/"])
def test_call_of_what_is_no_url_exits_2_with_one_line(tmp_path: Path, url: str) -> None:
    """An empty one, of a variable that is not set, is not the actions in place."""
    ended = run(tmp_path, ["call", "action_greet", "--url", url])

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("error: --url: is not the URL of a webhook")


def test_call_of_a_server_that_is_not_there_exits_1_with_one_line(tmp_path: Path) -> None:
    """The line names the address."""
    url = "http://127.0.0.1:1/webhook"
    ended = run(tmp_path, ["call", "action_greet", "--url", url])

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: no action server answers at {url}: ")
    assert ended.stderr.count("\n") == 1
