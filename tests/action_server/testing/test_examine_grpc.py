"""A server is examined over gRPC: ours keeps what is required there, rasa-sdk shows what it is known for."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import grpc
import pytest

from action_server.cli.command_line import main
from tests.processes import PATIENCE, environment, server
from tests.projects import project

DOMAIN = """
    actions: [action_greet, action_wrong, action_fail]
    slots: {guests: {type: float, mappings: [{type: custom}]}}
"""
ACTIONS = """
    from rasa_sdk import Action, ActionExecutionRejection
    from rasa_sdk.events import SlotSet

    class ActionGreet(Action):
        def name(self):
            return "action_greet"

        def run(self, dispatcher, tracker, domain):
            if tracker.get_slot("guests"):
                raise ActionExecutionRejection("action_greet", "full")
            return [SlotSet("guests", 3)]

    class ActionWrong(Action):
        def name(self):
            return "action_wrong"

        def run(self, dispatcher, tracker, domain):
            return [SlotSet("gusts", 3)]

    class ActionFail(Action):
        def name(self):
            return "action_fail"

        def run(self, dispatcher, tracker, domain):
            raise KeyError("hunter2")
"""
# What means nothing over gRPC.
OF_HTTP = {"strict-json", "content-type", "malformed", "not-found", "health", "listed", "compression", "concurrency"}


@contextmanager
def ours(folder: Path, port: int) -> Iterator[None]:
    """Run our server over gRPC within the block."""
    with server(folder, "--grpc", "--port", str(port)):
        yield


@contextmanager
def rasa_sdk(folder: Path, port: int) -> Iterator[None]:
    """Run rasa-sdk's own server over gRPC within the block."""
    arguments = [sys.executable, "-m", "rasa_sdk", "--actions", "actions", "--grpc", "-p", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(arguments, cwd=folder, env=environment(), stdout=quiet, stderr=quiet)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(PATIENCE)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.mark.parametrize("serving", [ours, rasa_sdk])
def test_a_server_is_examined_over_grpc(
    folder: Path, capsys: pytest.CaptureFixture[str], serving: Callable[[Path, int], AbstractContextManager[None]]
) -> None:
    """Faults of its actions are found; a rejection is none; what is about HTTP is not checked."""
    project(folder, {"actions.py": ACTIONS, "domain.yml": DOMAIN, "endpoints.yml": "{}"})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = f"grpc://127.0.0.1:{port}"
    with serving(folder, port):
        code = main(["contract", target, "--json"])
        report = json.loads(capsys.readouterr().out)
        main(["contract", target, "guests=4", "--only", "action_greet", "--json"])
        fine = json.loads(capsys.readouterr().out)

    found = {(one["id"], problem["action"]) for one in report["requirements"] for problem in one["problems"]}
    assert code == 1
    assert report["called"] == ["action_greet", "action_wrong", "action_fail"]
    assert {("answers", "action_fail"), ("slots-known", "action_wrong")} <= found
    assert {one["id"] for one in report["requirements"] if one["result"] == "not checked"} >= OF_HTTP
    assert ("unknown-action", "") not in found
    assert not any(action == "action_greet" for _, action in found)
    assert (("two-domains", "") in found) == (serving is rasa_sdk)
    # A call without an action is answered with nothing by both, which is a whole message there.
    results = {one["id"]: one["result"] for one in fine["requirements"]}
    assert results["no-action"] == "kept"
    assert {name for name, result in results.items() if result == "broken"} <= {"two-domains"}


@pytest.mark.parametrize(
    ("target", "code"), [("grpc://127.0.0.1:1", 1), ("grpc://nowhere", 2), ("grpc://a:1/x", 2), ("grpcs://a", 2)]
)
def test_no_server_is_said_in_a_line(capsys: pytest.CaptureFixture[str], target: str, code: int) -> None:
    """With the address, as of every verb."""
    assert main(["contract", target]) == code
    [line] = capsys.readouterr().err.splitlines()
    assert target in line
