"""Typed functions answer alike under rasa-sdk's own server, in the engine's process and under ours."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from action_server.testing import webhook_request
from tests.processes import PATIENCE, QUICK, ROOT, environment, server
from tests.projects import project

ACTIONS = {
    "typed_actions/__init__.py": "",
    "typed_actions/booking.py": """
        from __future__ import annotations

        from dataclasses import dataclass
        from datetime import date
        from typing import Any

        from rasa_sdk import Action, Tracker
        from rasa_sdk.events import EventType, FollowupAction
        from rasa_sdk.executor import CollectingDispatcher
        from rasa_sdk.types import DomainDict

        from action_server import action


        @dataclass
        class Booked:
            reference: str
            day: date


        @action
        async def create_appointment(day: date, dispatcher: CollectingDispatcher, size: int = 1) -> Booked:
            dispatcher.utter_message(text=f"for {size}")
            return Booked(f"{day:%d}-{size}", day)


        @action
        def who_asks(tracker: Tracker, domain: DomainDict) -> tuple[dict[str, Any], list[EventType]]:
            return {"who": tracker.sender_id, "intents": domain["intents"]}, [FollowupAction("action_listen")]


        class ActionPlain(Action):
            def name(self):
                return "action_plain"

            def run(self, dispatcher, tracker, domain):
                return []
    """,
}


@contextmanager
def rasa_sdk_server(folder: Path) -> Iterator[str]:
    """Run `python -m rasa_sdk` in a folder within the block; yield the webhook's URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "rasa_sdk", "--actions", "typed_actions", "-p", str(port)]
    variables = environment() | {"PYTHONPATH": str(ROOT)}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=folder, env=variables, stdout=quiet, stderr=quiet, start_new_session=True
    ) as process:
        try:
            _wait_until_open(port, process)
            yield f"http://127.0.0.1:{port}/webhook"
        finally:
            # Its worker outlives it.
            os.killpg(process.pid, signal.SIGKILL)


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when somebody listens; rasa-sdk says that it does before it does."""
    until = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, "rasa-sdk ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < until, "rasa-sdk does not listen"
            time.sleep(0.05)
        else:
            return


def call(url: str, action: str, slots: dict[str, Any]) -> tuple[int, Any]:
    """Call an action as an engine does; return the status, the events as names and values, and the texts."""
    body = json.dumps(body_of(action, slots)).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:  # noqa: S310
            answer = json.load(reply)
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, None
    return 200, outcome(answer["events"], answer["responses"])


def body_of(action: str, slots: dict[str, Any]) -> dict[str, Any]:
    """Return what an engine sends, or gives to the executor in its own process."""
    return webhook_request(action, slots, sender="c", domain={"intents": ["a"]})


def outcome(events: list[dict[str, Any]], responses: list[dict[str, Any]]) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Return events as names and values, and the texts."""
    told = [(e["event"], e["name"], e.get("value")) for e in events]
    return told, [response["text"] for response in responses]


BOOKED = [("slot", "reference", "01-2"), ("slot", "day", "2026-12-01")]
WHO = [("slot", "who", "c"), ("slot", "intents", ["a"]), ("followup", "action_listen", None)]
CALLS: list[tuple[str, dict[str, Any], tuple[int, Any]]] = [
    ("action_create_appointment", {"day": "2026-12-01", "size": 2}, (200, (BOOKED, ["for 2"]))),
    ("action_create_appointment", {"day": "soon"}, (500, None)),
    ("action_who_asks", {}, (200, (WHO, []))),
    ("action_plain", {}, (200, ([], []))),
]


@pytest.mark.parametrize("kind", ["rasa_sdk", "action_server"])
def test_typed_functions_run_under_both_servers(kind: str, tmp_path: Path) -> None:
    """The same slots give the same events and texts; a slot that does not fit is a failed action for both."""
    folder = project(tmp_path, ACTIONS)
    if kind == "rasa_sdk":
        with rasa_sdk_server(folder) as url:
            found = [call(url, action, slots) for action, slots, _ in CALLS]
    else:
        with server(folder, "--actions", "typed_actions", *QUICK) as running:
            found = [call(f"{running.url}/webhook", action, slots) for action, slots, _ in CALLS]

    assert found == [expected for _, _, expected in CALLS]


# What an engine does with `actions_module` (rasa-pro 3.21.0, read): rasa-sdk's executor in
# its own process; when it reloads, the modules leave `sys.modules` and a fresh executor registers them again.
IN_PROCESS = """
import asyncio, json, sys
from rasa_sdk.executor import ActionExecutor


def registered():
    executor = ActionExecutor()
    executor.register_package("typed_actions")
    return executor


def call(executor, body):
    try:
        found = asyncio.run(executor.run(body))
    except Exception:
        return None
    result = found.model_dump() if hasattr(found, "model_dump") else found
    return result["events"], result["responses"]


bodies = json.load(sys.stdin)
first = registered()
answers = [call(first, body) for body in bodies]
for name in [name for name in sys.modules if name.partition(".")[0] == "typed_actions"]:
    del sys.modules[name]
again = registered()
print(json.dumps([answers, [call(again, body) for body in bodies], sorted(first.actions)], default=str))
"""


def test_typed_functions_run_in_the_engine_s_process(tmp_path: Path) -> None:
    """As `actions_module`, before and after the engine has loaded them anew: what they answer as a server's actions."""
    folder = project(tmp_path, ACTIONS)
    bodies = [body_of(action, slots) for action, slots, _ in CALLS]

    done = subprocess.run(
        [sys.executable, "-c", IN_PROCESS],
        input=json.dumps(bodies),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment() | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    answers, again, names = json.loads(done.stdout.splitlines()[-1])
    expected = [answer for _, _, (_, answer) in CALLS]
    assert [outcome(*answer) if answer is not None else None for answer in answers] == expected
    assert [outcome(*answer) if answer is not None else None for answer in again] == expected
    assert {"action_create_appointment", "action_plain", "action_who_asks"} <= set(names)
