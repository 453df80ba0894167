"""A classic project with two forms, its plan, and what its drafts are read as."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from action_server.flows.check.checking import Request
from action_server.flows.migration.plan import Plan, plan
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from tests.action_server.flows.check.sample_projects import write_files

DOMAIN = """\
version: "3.1"
intents: [order, cancel, inform, hello, thanks]
entities: [size]
slots:
  size:
    type: categorical
    values: [big, small]
    initial_value: small
    mappings:
      - type: from_entity
        entity: size
        conditions:
          - active_loop: order_form
            requested_slot: size
  address:
    type: text
    mappings:
      - type: from_text
  order_number:
    type: text
    mappings:
      - type: custom
forms:
  order_form:
    required_slots: [size, address]
  address_form:
    required_slots: [address]
responses:
  utter_ask_size:
    - text: Which size?
      buttons:
        - title: Big
          payload: '/inform{{"size": "big"}}'
        - title: Neither
          payload: /cancel
  utter_ask_order_form_address:
    - text: Where to?
  utter_ask_address:
    - text: Your address?
  utter_hello:
    - text: Hello.
  utter_small:
    - text: A small one.
actions:
  - action_order
  - action_look
  - validate_order_form
  - action_ask_address_form_address
"""


DATA = """\
version: "3.1"
nlu:
  - intent: order
    examples: |
      - I want a [big](size) one
      - send me something
  - intent: hello
    examples: |
      - hi
rules:
  - rule: order
    steps:
      - intent: order
      - action: order_form
      - active_loop: order_form
  - rule: big
    condition:
      - active_loop: order_form
      - slot_was_set:
          - size: big
    steps:
      - action: order_form
      - active_loop: null
      - action: action_order
  - rule: small
    condition:
      - active_loop: order_form
      - slot_was_set:
          - size: small
    steps:
      - action: order_form
      - active_loop: null
      - action: utter_small
      - action: address_form
  - rule: hello
    steps:
      - or:
          - intent: hello
          - intent: thanks
      - action: utter_hello
stories:
  - story: look
    steps:
      - intent: hello
      - action: utter_hello
      - intent: cancel
      - action: action_look
"""


ACTIONS = """\
from rasa_sdk import Action, FormValidationAction
from rasa_sdk.events import SlotSet


class ActionOrder(Action):
    def name(self):
        return "action_order"

    def run(self, dispatcher, tracker, domain):
        return [SlotSet("order_number", "1")]


class ActionLook(Action):
    def name(self):
        return "action_look"

    def run(self, dispatcher, tracker, domain):
        size = next(tracker.get_latest_entity_values("size"), None)
        return [SlotSet("size", size)]


class ValidateOrderForm(FormValidationAction):
    def name(self):
        return "validate_order_form"

    def validate_size(self, slot_value, dispatcher, tracker, domain):
        return {"size": slot_value}

    async def required_slots(self, domain_slots, dispatcher, tracker, domain):
        return domain_slots


class AskAddress(Action):
    def name(self):
        return "action_ask_address_form_address"

    def run(self, dispatcher, tracker, domain):
        return []
"""


PROJECT = {"domain.yml": DOMAIN, "data/all.yml": DATA, "ACTS/__init__.py": ACTIONS}


TURN = {"event": "user", "text": "secret words", "parse_data": {"intent": {"name": "cancel"}}}


LOOP = {"event": "active_loop", "name": "address_form"}


def plan_for(folder: Path, files: Mapping[str, str] = PROJECT, conversations: Path | None = None) -> Plan:
    with write_files(folder, files) as package:
        return plan(Request(Path("."), package), conversations)


def read_drafts(found: Plan, folder: Path) -> Project:
    found.write(folder)
    return read_project(folder)
