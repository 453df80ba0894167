"""Typed functions answer alike under rasa-sdk's own server and under ours."""

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
    tracker = {"sender_id": "c", "slots": slots, "events": [], "latest_message": {}}
    body = {"next_action": action, "sender_id": "c", "tracker": tracker, "domain": {"intents": ["a"]}}
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:  # noqa: S310
            answer = json.load(reply)
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, None
    events = [(e["event"], e["name"], e.get("value")) for e in answer["events"]]
    return 200, (events, [response["text"] for response in answer["responses"]])


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
