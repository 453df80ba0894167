"""A bot whose flows ask, call, link, fail and reset, and turns with it, whatever somebody means by its messages."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from action_server.flows.commands.command import SetSlot, StartFlow
from action_server.flows.player.player import Player
from action_server.flows.player.trace import Turn
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from tests.action_server.flows.bots import webhook
from tests.projects import project

DOMAIN = """
intents: [hello, place, bye, vip]
entities: [place]
slots:
  word: {type: text}
  kept: {type: text}
  late: {type: text}
  amount: {type: float}
  vip: {type: bool, mappings: [{type: controlled}]}
  start: {type: float, initial_value: 5}
  given: {type: text, initial_value: a}
  noted: {type: text, mappings: [{type: from_text, conditions: [{active_flow: notes}]}]}
  told: {type: text, mappings: [{type: from_entity, entity: place, not_intent: [hello]}]}
  where: {type: text, mappings: [{type: from_entity, entity: place, conditions: [{active_flow: places}]}]}
  checked: {type: text, validation: {rejections: [{if: slots.checked is "bad", utter: utter_no}]}}
  both: {type: text}
  route_session_to_calm: {type: bool}
responses:
  utter_restart: [{text: Anew.}]
  utter_ask_where: [{text: Where?}]
  utter_ask_told: [{text: Told?}]
  utter_ask_both: [{text: Both?}]
  utter_ask_noted: [{text: Note?}]
  utter_ask_checked: [{text: Checked?}]
  utter_ask_word: [{text: Word?}]
  utter_ask_kept: [{text: Kept?}]
  utter_ask_late: [{text: Late?}]
  utter_ask_amount: [{text: Amount?}]
  utter_ask_start: [{text: Start?}]
  utter_no: [{text: No.}]
  utter_hi: [{text: Hi.}]
forms: {a_form: {required_slots: [word]}}
actions: [action_fail, action_ask_both]
"""
FLOWS = """
flows:
  asks: {description: Asks., steps: [{collect: word}, {collect: amount}]}
  other: {description: Another., steps: [{collect: late, ask_before_filling: true}]}
  keeps: {description: Keeps., persisted_slots: [kept], steps: [{collect: kept}, {collect: word}]}
  hi: {description: Says hi., steps: [{action: utter_hi}]}
  calls: {description: Calls., steps: [{call: asks}, {action: utter_hi}]}
  links: {description: Links., steps: [{action: utter_hi}, {link: asks}]}
  triggers: {description: Triggers., steps: [{action: flow_hi}]}
  fails: {description: Fails., steps: [{action: action_fail}, {action: utter_hi}]}
  leads: {description: Leads., steps: [{link: fails}]}
  cleans: {description: Cleans., steps: [{action: action_clean_stack}, {action: utter_hi}]}
  vips: {description: For some., if: slots.vip, steps: [{action: utter_hi}]}
  rejects: {description: Rejects., steps: [{collect: start, rejections: [{if: slots.start > 1, utter: utter_no}]}]}
  orders: {description: Orders., steps: [{call: asks}, {collect: kept}]}
  gives: {description: Gives., steps: [{collect: given}, {action: utter_hi}]}
  notes: {description: Notes., steps: [{collect: noted}]}
  lists: {description: Lists., steps: [{collect: noted}]}
  checks: {description: Checks., steps: [{collect: checked}, {collect: word}]}
  pays: {description: Pays., steps: [{collect: amount}, {collect: word}]}
  quiet: {description: Quiet., steps: [{collect: kept, silence_timeout: 5}]}
  back: {description: Back., steps: [{collect: word}, {collect: amount}, {collect: kept}]}
  twice: {description: Twice., steps: [{collect: both}]}
  counts: {description: Counts., steps: [{set_slots: [{amount: 1}]}, {collect: amount}]}
  resets: {description: Resets., steps: [{action: action_reset_routing}, {action: utter_hi}]}
  begins: {description: Begins., steps: [{action: action_session_start}, {action: utter_hi}]}
  restarts: {description: Restarts., steps: [{action: action_restart}, {action: utter_hi}]}
  leaves: {description: Leaves., steps: [{action: action_deactivate_loop}]}
  guarded: {description: Guarded., if: slots.vip, nlu_trigger: [{intent: vip}], steps: [{collect: word}]}
  rendered: {description: Rendered., if: "{{ '1 = 1' }}", steps: [{action: utter_hi}]}
  places: {description: Places., nlu_trigger: [{intent: place}], steps: [{collect: where}, {collect: told}]}
  chains: {description: Chains., steps: [{link: hi}]}
  named: {description: Named., steps: [{action: "utter_{{ slots.word }}"}]}
  thrifty:
    description: Silent.
    steps: [{collect: word, silence_timeout: 5}, {set_slots: [{amount: 1}]}, {collect: late}]
"""
CONFIG = (
    "recipe: default.v1\nlanguage: en\npipeline: [{name: CompactLLMCommandGenerator}]\npolicies: [{name: FlowPolicy}]\n"
)
NOT_ASKED = "utter_ask_rephrase"
MORE, ON = "utter_ask_continue_conversation", "utter_ask_continue_interrupted_flow_confirmation"
ASKS, OTHER, HI, PAYS = StartFlow("asks"), StartFlow("other"), StartFlow("hi"), StartFlow("pays")
RESETS = [StartFlow("resets")]
CHECKS, THRIFTY, ORDERS = StartFlow("checks"), StartFlow("thrifty"), StartFlow("orders")
TEA = SetSlot("word", "tea")

FILES = {"domain.yml": DOMAIN, "data/flows.yml": FLOWS, "config.yml": CONFIG}


@cache
def bot() -> Project:
    """Return the bot, which is read once."""
    with tempfile.TemporaryDirectory() as folder:
        return read_project(project(Path(folder), FILES))


async def play(turns: list[list[Any]], found: Project | None = None) -> Turn:
    """Play turns; one that is a text is a message, without commands. Returns the last one."""
    player = Player(found or bot(), webhook())
    return [await (player.turn(c[0]) if isinstance(c[0], str) else player.turn("x", c)) for c in turns][-1]
