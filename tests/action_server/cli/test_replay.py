"""Calls are recorded by a server, and replayed on changed code."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from action_server.cli.command_line import main
from action_server.errors import SettingsError
from action_server.testing import ActionClient
from tests.engine_calls import grpc_request
from tests.processes import PATIENCE, environment, run, server
from tests.projects import project

ACTIONS = """
    from rasa_sdk import Action, ActionExecutionRejection
    from rasa_sdk.events import SlotSet

    class ActionGuests(Action):
        def name(self):
            return "action_guests"

        def run(self, dispatcher, tracker, domain):
            guests = tracker.get_slot("guests") or 0
            if guests < 0:
                raise ActionExecutionRejection("action_guests", "no")
            if guests > 100:
                raise ValueError("too many")
            dispatcher.utter_message(text=f"That makes {guests + 1}.")
            return [SlotSet("guests", guests + 1)]
"""
# Says how it was called, which only the same way gives again.
FACE = ACTIONS.replace('text=f"', 'text=current_call().transport + f": ').replace(
    "from rasa_sdk import", "from action_server import current_call\n    from rasa_sdk import", 1
)
CALLS = ("guests=2", "guests=-1", "guests=200")


@pytest.fixture
def recorded(folder: Path) -> Path:
    """A project with three recorded calls: one that answers, one that rejects and one that fails."""
    project(folder, {"actions.py": ACTIONS, "endpoints.yml": "{}"})
    with server(folder, "--record", "recordings") as running:
        for slot in CALLS:
            run(folder, ["call", "action_guests", slot, "--message", "hello", "--url", f"{running.url}/webhook"])
    assert len(list((folder / "recordings").glob("*.json"))) == len(CALLS)
    return folder


def change(folder: Path) -> None:
    text = (folder / "actions.py").read_text(encoding="utf-8")
    (folder / "actions.py").write_text(text.replace("guests + 1", "guests + 10"), encoding="utf-8")


def test_a_change_is_shown_and_accepted(recorded: Path) -> None:
    """Nothing at first; then the diff and exit code 1; with --update it is what counts from then on."""
    same = run(recorded, ["replay", "recordings"])
    change(recorded)
    changed = run(recorded, ["replay", "recordings"])
    updated = run(recorded, ["replay", "recordings", "--update"])
    again = run(recorded, ["replay", "recordings"])

    assert [ended.returncode for ended in (same, changed, updated, again)] == [0, 1, 0, 0]
    assert "3 calls, 0 changed" in same.stdout
    assert "That makes 3." in changed.stdout
    assert "That makes 12." in changed.stdout
    assert "3 calls, 1 changed" in changed.stdout
    assert "accepted" in updated.stdout


def test_two_servers_are_compared(recorded: Path) -> None:
    """The proof of a migration: the same calls to both, and where they differ."""
    with server(recorded) as before:
        change(recorded)
        with server(recorded) as after:
            urls = ["--url", f"{before.url}/webhook", "--against", f"{after.url}/webhook"]
            ended = run(recorded, ["replay", "recordings", "--json", *urls])

    found = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert [one["changed"] for one in found] == [True, False, False]
    assert [one["status"] for one in found] == [[200, 200], [400, 400], [500, 500]]


def test_recorded_calls_become_tests_that_pass(recorded: Path) -> None:
    """They read as if somebody had written them; an existing file is not overwritten."""
    assert run(recorded, ["replay", "recordings", "--as-test", "test_recorded.py"]).returncode == 0
    assert run(recorded, ["replay", "recordings", "--as-test", "test_recorded.py"]).returncode == 2

    text = (recorded / "test_recorded.py").read_text(encoding="utf-8")
    assert 'call_sync("action_guests", slots={"guests": 2}, said="hello")' in text
    assert 'result.says("That makes 3.")' in text
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_recorded.py"],
        cwd=recorded,
        env=environment(PYTEST_ADDOPTS=""),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "3 passed" in ended.stdout


def test_a_call_over_grpc_is_recorded_and_replayed(folder: Path) -> None:
    """The way it came, here and at an address: the same answer on the code in place, and a change is seen."""
    project(folder, {"actions.py": FACE, "endpoints.yml": "{}"})
    with grpc_server(folder, "--record", "recordings") as address:
        codes = [call_over_grpc(address, guests) for guests in (2, -1, 200)]
    recorded = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("recordings/*.json"))]
    same = run(folder, ["replay", "recordings"])
    with grpc_server(folder) as address:
        there = run(folder, ["replay", "recordings", "--url", f"grpc://{address}"])
    nobody = run(folder, ["replay", "recordings", "--url", f"grpc://{address}"])
    change(folder)
    changed = run(folder, ["replay", "recordings"])

    assert codes == ["OK", "INTERNAL", "INTERNAL"]
    assert [(one["face"], one["status"]) for one in recorded] == [("grpc", 200), ("grpc", 400), ("grpc", 500)]
    assert [ended.returncode for ended in (same, there, nobody, changed)] == [0, 0, 1, 1], same.stdout + there.stdout
    assert "3 calls, 0 changed" in same.stdout
    assert "3 calls, 0 changed" in there.stdout
    assert address in nobody.stderr
    assert "3 calls, 1 changed" in changed.stdout


@contextmanager
def grpc_server(folder: Path, *flags: str) -> Iterator[str]:
    """Run a server over gRPC within the block; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with server(folder, "--grpc", "--port", str(port), *flags):
        yield f"127.0.0.1:{port}"


def call_over_grpc(address: str, guests: int) -> str:
    """Call the action and return the status code."""
    with grpc.insecure_channel(address) as channel:
        stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
        try:
            stub.Webhook(grpc_request("action_guests", {"guests": guests}), timeout=PATIENCE)
        except grpc.RpcError as exc:
            return str(exc.code().name)
    return "OK"


def test_a_request_id_of_the_log_is_a_tracker(recorded: Path) -> None:
    """The recorded call of that id is where a test begins; ids that nobody recorded are refused."""
    [first, *_] = sorted((recorded / "recordings").glob("*.json"))
    request_id = json.loads(first.read_text(encoding="utf-8"))["request_id"]

    with ActionClient(recorded) as client:
        result = client.call_sync("action_guests", tracker=request_id)
        with pytest.raises(SettingsError, match=r"no call in .* was recorded under that request id"):
            client.call_sync("action_guests", tracker=request_id[:-1])

    assert request_id
    result.sets(guests=3).says("That makes 3.")


@pytest.mark.parametrize("content", [None, "no JSON", "[]"], ids=["no folder", "no JSON", "no call"])
def test_what_is_no_recording_is_said_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    """With the file's name, and exit code 2."""
    if content is not None:
        project(folder, {"recordings/one.json": content})

    assert main(["replay", "recordings"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_tools_call_is_recorded_and_replayed(folder: Path) -> None:
    """Of any MCP client: its arguments as slots, the answer of the action; a change of the code is seen."""
    project(folder, {"actions.py": FACE, "endpoints.yml": "action_server: {mcp: {actions: [action_guests]}}"})
    called = {"name": "action_guests", "arguments": {"guests": 2}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}
    with server(folder, "--record", "recordings") as running:
        head = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        sent = urllib.request.Request(f"{running.url}/mcp", json.dumps(request).encode(), head)  # noqa: S310 - of this host
        with urllib.request.urlopen(sent, timeout=PATIENCE) as reply:  # noqa: S310
            assert reply.status == 200
    [file] = folder.glob("recordings/*.json")
    recorded = json.loads(file.read_text(encoding="utf-8"))
    same = run(folder, ["replay", "recordings"])
    change(folder)
    changed = run(folder, ["replay", "recordings"])

    assert (recorded["face"], recorded["status"]) == ("mcp", 200)
    assert recorded["request"]["tracker"]["slots"]["guests"] == 2
    assert recorded["reply"]["events"][0]["value"] == 3
    assert (same.returncode, changed.returncode) == (0, 1), same.stdout
