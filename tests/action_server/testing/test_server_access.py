"""Servers that speak TLS are called by every verb that takes an address, with a certificate of the caller's."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from action_server.cli.command_line import main
from action_server.testing import ActionClient
from tests.action_server.security.certificates import Files, make_files
from tests.processes import server
from tests.projects import project

ACTIONS = """
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet

    class ActionGuests(Action):
        def name(self):
            return "action_guests"

        def run(self, dispatcher, tracker, domain):
            return [SlotSet("guests", 3)]
"""
STUBS = """
stub_custom_actions:
  action_guests:
    events: [{event: slot, timestamp: null, name: guests, value: 3}]
    responses: []
"""
DOMAIN = """
version: "3.1"
actions: [action_guests]
slots:
  guests: {type: float, mappings: [{type: controlled}]}
responses:
  utter_guests: [{text: "They are {guests}."}]
"""
FLOWS = """
flows:
  count_guests:
    description: Count the guests.
    steps:
      - action: action_guests
      - action: utter_guests
"""
CASES = """
test_cases:
  - test_case: three guests
    steps:
      - user: count guests
      - slot_was_set: [{guests: 3}]
      - utter: utter_guests
"""


@dataclass
class Secure:
    """A server with TLS that asks for a certificate: its addresses, and the files there are."""

    https: str
    grpcs: str
    files: Files
    folder: Path

    @property
    def trusted(self) -> list[str]:
        """The flags with which it answers."""
        return [
            *("--cafile", str(self.files["ca.pem"])),
            *("--ssl-client-cert", str(self.files["client.pem"])),
            *("--ssl-client-key", str(self.files["client.key"])),
        ]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("secure")
    files = make_files(tmp_path_factory.mktemp("certificates"))
    project(folder, {"actions.py": ACTIONS, "endpoints.yml": "{}", "stubs.yml": STUBS})
    project(folder, {"domain.yml": DOMAIN, "data/flows.yml": FLOWS, "tests/e2e/guests.yml": CASES})
    with ActionClient(folder, record=folder / "recordings") as client:
        client.call_sync("action_guests")
    tls = ["--ssl-certificate", str(files["server.pem"]), "--ssl-keyfile", str(files["server.key"])]
    with server(folder, "--grpc-port", "0", *tls, "--ssl-ca-file", str(files["ca.pem"])) as running:
        ready = next(line for line in running.log if line["event"] == "server.ready")
        ports = [str(address).rpartition(":")[2] for address in (running.url, ready["grpc_url"])]
        yield Secure(f"https://localhost:{ports[0]}/webhook", f"grpcs://localhost:{ports[1]}", files, folder)


@pytest.fixture(params=["https", "grpcs"])
def address(secure: Secure, request: pytest.FixtureRequest) -> str:
    return str(getattr(secure, request.param))


def test_it_is_examined(
    secure: Secure, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every requirement that was looked at is kept."""
    monkeypatch.chdir(secure.folder)

    assert main(["contract", address, *secure.trusted, "--json"]) == 0

    report = json.loads(capsys.readouterr().out)
    assert report["called"] == ["action_guests"]
    assert "broken" not in {one["result"] for one in report["requirements"]}


@pytest.mark.parametrize("verb", [["replay", "recordings"], ["stubs", "recordings", "--check", "stubs.yml"]])
def test_its_recordings_are_replayed(
    secure: Secure, address: str, verb: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared with what was recorded, and with what a stub says."""
    monkeypatch.chdir(secure.folder)

    assert main([*verb, "--url", address, *secure.trusted]) == 0


@pytest.mark.parametrize(
    ("verb", "expected", "code"),
    [
        (["call", "action_guests"], "action_guests  200", 1),
        # It goes on, as an engine's does.
        (["chat"], "bot: They are 3", 0),
        (["flows", "test"], "1 passed", 1),
    ],
    ids=["call", "chat", "flows test"],
)
def test_its_actions_answer(
    secure: Secure,
    verb: list[str],
    expected: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """For every verb that calls a server at an address; and to nobody who does not know its CA."""
    monkeypatch.chdir(secure.folder)
    monkeypatch.setattr(sys, "stdin", io.StringIO("count guests\n"))

    assert main([*verb, "--url", secure.https, *secure.trusted]) == 0
    assert expected in capsys.readouterr().out

    monkeypatch.setattr(sys, "stdin", io.StringIO("count guests\n"))
    assert main([*verb, "--url", secure.https, *secure.trusted[2:]]) == code
    assert "certificate verify failed" in "".join(capsys.readouterr())


@pytest.mark.parametrize("verb", [["call", "action_guests"], ["chat"], ["flows", "test"]])
def test_a_ca_for_the_actions_in_place_is_refused(
    secure: Secure, verb: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is called over TLS there."""
    monkeypatch.chdir(secure.folder)

    assert main([*verb, *secure.trusted]) == 2
    assert "--cafile: does nothing without TLS" in capsys.readouterr().err


def test_two_of_its_faces_are_compared(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--against` is reached with the same files."""
    monkeypatch.chdir(secure.folder)

    assert main(["replay", "recordings", "--url", secure.https, "--against", secure.grpcs, *secure.trusted]) == 0


@pytest.mark.parametrize("left_out", [0, 2], ids=["whom to trust", "who is calling"])
def test_without_its_files_it_is_not_reached(
    secure: Secure, address: str, left_out: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which is said in a line, with the address; a server with a certificate nobody knows gets nothing."""
    trusted = secure.trusted[2:] if left_out == 0 else secure.trusted[:2]

    assert main(["contract", address, *trusted]) == 1

    [line] = capsys.readouterr().err.splitlines()
    assert address.partition("/webhook")[0] in line


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--cafile", "nothing.pem"], "--cafile: nothing.pem cannot be used: no such file or directory"),
        (["--cafile", "stubs.yml"], "--cafile: stubs.yml cannot be used: "),
        (["--ssl-client-cert", "client.pem"], "--ssl-client-cert: does nothing alone"),
        (["--ssl-client-key", "client.key"], "--ssl-client-key: does nothing alone"),
    ],
)
def test_what_cannot_be_used_is_said(
    secure: Secure,
    address: str,
    flags: list[str],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is sent."""
    monkeypatch.chdir(secure.folder)

    assert main(["contract", address, *flags]) == 2
    assert problem in capsys.readouterr().err


def test_files_of_tls_without_tls_are_refused(secure: Secure, capsys: pytest.CaptureFixture[str]) -> None:
    """Who names a CA believes that somebody is verified."""
    assert main(["contract", "grpc://localhost:1", "--cafile", str(secure.files["ca.pem"])]) == 2
    assert "--cafile: does nothing without TLS" in capsys.readouterr().err
