"""The parts of a conversation with a small project, without a player."""

from __future__ import annotations

from pathlib import Path

from action_server.flows.player.dialogue import Dialogue
from action_server.project.project_reader import read_project
from tests.action_server.flows.bots import NOON
from tests.projects import project

DOMAIN = """
    slots:
      day: {type: text}
      vip: {type: bool, initial_value: false}
    responses:
      utter_ask_day: [{text: "Which day, {name}?"}]
      utter_greeting:
        - {text: "Hello, guest of honour.", condition: "slots.vip"}
        - {text: Hello.}
      utter_vips: [{text: For you alone., condition: "slots.vip"}]
"""
FLOWS = """
    flows:
      book:
        name: book a table
        description: Books a table.
        if: slots.vip
        steps: [{collect: day}]
"""


def dialogue_of(folder: Path) -> Dialogue:
    """Return a new conversation; its clock stands still."""
    found = read_project(project(folder, {"domain.yml": DOMAIN, "data/flows.yml": FLOWS}))
    return Dialogue(found, sender_id="s", channel="cmdline", seed=0, clock=lambda: NOON)
