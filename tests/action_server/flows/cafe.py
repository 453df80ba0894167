"""A café's assistant in a folder of its own, and what runs the verbs against it."""

from __future__ import annotations

import argparse
import io
import itertools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from action_server.cli import chat, flows_graph, flows_test
from tests.projects import project

FLOWS = """
flows:
  order_drink:
    name: order a drink
    description: Order a drink.
    steps:
      - id: ask_drink
        collect: drink
        description: which drink
      - id: serve
        action: action_serve
        next:
          - if: slots.served
            then: thank
          - else: END
      - id: thank
        action: utter_enjoy
  pay_bill:
    name: pay the bill
    description: Pay the bill.
    steps:
      - id: pay
        action: action_pay
      - action: utter_enjoy
  look_up:
    name: search
    description: Search the menu.
    steps:
      - action: action_back
"""
DOMAIN = """
version: "3.1"
slots:
  drink: {type: categorical, values: [tea, coffee], mappings: [{type: from_llm}]}
  served: {type: bool, mappings: [{type: controlled}]}
  guest: {type: text, mappings: [{type: controlled}]}
actions: [action_serve, action_pay]
responses:
  utter_ask_drink:
    - text: What would you like?
      buttons:
        - {title: Tea, payload: "/SetSlots(drink=tea)"}
        - {title: Coffee, payload: "/SetSlots(drink=coffee)"}
  utter_enjoy: [{text: Enjoy!}]
"""
# `visits` counts the calls on the services that a conversation has.
ACTIONS = """
import logging
from contextlib import asynccontextmanager
from pathlib import Path
from rasa_sdk import Action
from rasa_sdk.events import SlotSet
from action_server import services

class Book:
    def __init__(self, path):
        self.path = Path(path)

    def add(self):
        lines = self.path.read_text() if self.path.exists() else ""
        self.path.write_text(lines + "x")
        return len(lines) + 1

@asynccontextmanager
async def lifespan(registry, config):
    registry.register_value(Book, Book(config["book"]["file"]))
    yield

class ActionServe(Action):
    def name(self):
        return "action_serve"

    def run(self, dispatcher, tracker, domain):
        print("a print of the action")
        logging.getLogger("cafe").info("serving")
        number = services.get(Book).add()
        who = tracker.get_slot("guest") or (tracker.latest_message["metadata"] or {}).get("guest") or "you"
        dispatcher.utter_message(text=f"{tracker.get_slot('drink')} number {number} for {who}")
        return [SlotSet("served", True)]

class ActionPay(Action):
    def name(self):
        return "action_pay"

    def run(self, dispatcher, tracker, domain):
        raise ValueError("the till is stuck")
"""
TEST_SETTINGS = """
action_server:
  services:
    book: {file: "{tmp}/book"}
"""
_numbers = itertools.count()


@dataclass(frozen=True)
class Cafe:
    """The project's folder, and the module of its actions, which no other test has imported."""

    folder: Path
    actions: str
    monkeypatch: pytest.MonkeyPatch
    environment: Mapping[str, str]

    def write(self, name: str, text: str) -> Path:
        project(self.folder, {name: text})
        return self.folder / name

    def chat(self, said: str, *flags: str) -> int:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        return self._run(chat, "--fresh", *flags)

    def test(self, *flags: str) -> int:
        return self._run(flows_test, *flags)

    def graph(self, *flags: str) -> int:
        return self._run(flows_graph, *flags)

    def _run(self, module: Any, *flags: str) -> int:
        parser = argparse.ArgumentParser()
        module.add_flags(parser)
        args = parser.parse_args([*flags, "--project", str(self.folder), "--actions", self.actions])
        run: Callable[..., int] = module.run
        return run(args, self.environment)


def open_cafe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    name = f"cafe_actions_{next(_numbers)}"
    files = {"data/flows.yml": FLOWS, "domain.yml": DOMAIN, f"{name}.py": ACTIONS}
    project(folder, {**files, "tests/action_server.yml": TEST_SETTINGS})
    monkeypatch.chdir(folder)
    # As the command line does it; what is added to it goes away with the test.
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return Cafe(folder, name, monkeypatch, {"CAFE_KEY": "sk-secret"})
