"""A bot whose calls are looked at, and a browser without a window: what the tests of the inspector ask with."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.engine_calls import call_body
from tests.processes import PATIENCE, ServerProcess, server

ACTIONS = '''
import logging

from rasa_sdk import Action
from rasa_sdk.events import SlotSet

logger = logging.getLogger(__name__)


class Weather(Action):
    def name(self):
        return "action_weather"

    def run(self, dispatcher, tracker, domain):
        logger.info("looking for %s", tracker.get_slot("city"))
        if tracker.get_slot("city") == "Atlantis":
            raise ValueError("Atlantis is under water")
        buttons = [{"title": "More", "payload": "/more"}]
        dispatcher.utter_message(text=f"Sun in {tracker.get_slot('city')}", buttons=buttons, image="https://a.example/1")
        return [SlotSet("forecast", "sun")]


class Echo(Action):
    """Says what it was told."""

    def name(self):
        return "action_echo"

    async def run(self, dispatcher, tracker, domain):
        text = tracker.get_slot("text")
        logger.warning("echo %s", text)
        dispatcher.utter_message(text=text)
        return [SlotSet("echoed", text)]


class Loaded(Action):
    """Says what of the inspector this process has, and whether anybody watches this call."""

    def name(self):
        return "action_loaded"

    def run(self, dispatcher, tracker, domain):
        import sys, threading
        from action_server.telemetry.call_notes import noted_call
        found = [name for name in sys.modules if name.startswith(("action_server.inspector", "jinja2"))]
        found += [thread.name for thread in threading.enumerate() if thread.name == "inspector"]
        found += ["a watched call"] if noted_call.get() is not None else []
        dispatcher.utter_message(text=", ".join(found) or "nothing")
        return []
'''
DOMAIN = """
version: "3.1"
slots:
  city:
    type: categorical
    values: [Bern, Oslo, Atlantis]
  days:
    type: float
  exact:
    type: bool
  text:
    type: text
  echoed:
    type: text
  forecast:
    type: text
actions: [action_weather, action_echo]
"""
FLOWS = """
flows:
  ask_weather:
    description: say what the weather will be
    steps:
      - collect: city
      - id: look
        action: action_weather
        next:
          - if: slots.forecast
            then: END
          - else:
              - id: again
                action: action_echo
                next: END
"""


def make_bot(folder: Path) -> Path:
    """Write a bot into a folder."""
    (folder / "actions").mkdir()
    (folder / "actions" / "__init__.py").write_text(ACTIONS, encoding="utf-8")
    (folder / "domain.yml").write_text(DOMAIN, encoding="utf-8")
    (folder / "config.yml").write_text("recipe: default.v1\nlanguage: en\n", encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "data" / "flows.yml").write_text(FLOWS, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def shown(self) -> str:
        """The text of a page, without its tags."""
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.text)))


@dataclass(frozen=True)
class Inspected:
    """A server whose calls are looked at."""

    running: ServerProcess

    def ask(
        self, path: str, body: str | bytes | None = None, *, method: str = "", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for a path; with a body it is a POST."""
        connection = http.client.HTTPConnection(urlsplit(self.running.url).netloc, timeout=PATIENCE)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read().decode())
        finally:
            connection.close()

    def post(self, path: str, **fields: str) -> Answer:
        """Send a form as a page of the server does."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        headers["Origin"] = self.running.url
        return self.ask(path, urlencode(fields), headers=headers)

    def call(self, action: str, sender: str = "ann", **slots: Any) -> Answer:
        """Call an action as an engine does."""
        body = call_body(action, slots, sender=sender, said="hi")
        return self.ask("/webhook", body, headers={"Content-Type": "application/json"})

    def rows(self, **query: str) -> Answer:
        """Return the rows of the list."""
        return self.ask(f"/inspector/rows?{urlencode(query)}")

    def newest(self, sender: str, **query: str) -> int:
        """Return the number of the newest call of a conversation, once it is in the list."""
        for _ in self.news():
            found = re.search(r'href="/inspector/calls/(\d+)"', self.rows(q=sender, **query).text)
            if found is not None:
                return int(found[1])
        raise AssertionError(f"no call of {sender} in the list")

    def news(self) -> Iterator[str]:
        """Give the lines of the stream that tells of new calls."""
        connection = http.client.HTTPConnection(urlsplit(self.running.url).netloc, timeout=PATIENCE)
        try:
            connection.request("GET", "/inspector/live")
            response = connection.getresponse()
            while text := response.readline():
                if text.strip():
                    yield text.decode().strip()
        finally:
            connection.close()


@contextmanager
def inspected(folder: Path, *flags: str, **variables: str) -> Iterator[Inspected]:
    """Serve a bot of a folder; what is kept between two servers lies beside it."""
    cache = folder.parent / f"{folder.name}-cache"
    with server(folder, *flags, variables={"XDG_CACHE_HOME": str(cache), **variables}) as running:
        yield Inspected(running)
