"""Small projects with actions, written into a test's own folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

# Waits at a barrier until as many calls are inside of it at once: only possible if none blocks another.
MEETING = """
    import threading
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet

    class ActionMeet(Action):
        def __init__(self):
            # A lock cannot be pickled: rasa-sdk 3.20 and later do not start with such an action.
            self._lock = threading.Lock()
            self._barrier = threading.Barrier(16)

        def name(self):
            return "action_meet"

        def run(self, dispatcher, tracker, domain):
            with self._lock:
                pass
            self._barrier.wait(timeout=30)
            return [SlotSet("met", True)]
"""

GREET = """
    import logging
    import os
    from rasa_sdk import Action

    class ActionGreet(Action):
        def name(self):
            return "action_greet"

        def run(self, dispatcher, tracker, domain):
            logging.getLogger("my.bot").info("greeting")
            dispatcher.utter_message(text=f"hello from {os.getpid()}")
            return []
"""

# Tells the test that it is running, by connecting, and goes on when the test says so.
WAITING = """
    import socket
    from rasa_sdk import Action

    class ActionWait(Action):
        def name(self):
            return "action_wait"

        def run(self, dispatcher, tracker, domain):
            with socket.create_connection(("127.0.0.1", int(tracker.get_slot("port")))) as gate:
                gate.recv(1)
            dispatcher.utter_message(text="done")
            return []
"""


def project(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a project: names of files and their text, which may be indented."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return folder
