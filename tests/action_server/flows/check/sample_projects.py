"""A small project that agrees in all its parts, and copies of it with a fault."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from action_server.flows.check.checking import Report, Request, check

_numbers = itertools.count()

CALM_DOMAIN = """\
version: "3.1"
slots:
  kind:
    type: categorical
    values: [big, small]
  amount:
    type: float
  sent:
    type: bool
    mappings:
      - type: controlled
responses:
  utter_ask_kind:
    - text: Which kind?
      buttons:
        - title: Big
          payload: /SetSlots(kind=big)
  utter_too_much:
    - text: Too much.
  utter_done:
    - text: Done.
      condition: slots.kind == 'big'
    - text: It is done.
actions:
  - action_send
  - action_ask_amount
  - validate_amount
"""
CALM_FLOWS = """\
flows:
  send:
    description: Send something.
    persisted_slots:
      - kind
    steps:
      - collect: kind
        next:
          - if: slots.kind == 'small'
            then: amount
          - else:
              - set_slots:
                  - amount: 1
                next: send
      - id: amount
        collect: amount
        rejections:
          - if: slots.amount > 100
            utter: utter_too_much
      - id: send
        action: action_send
      - link: other
  other:
    description: Something else.
    steps:
      - action: utter_done
"""
CALM_ACTIONS = """\
from rasa_sdk import Action
from rasa_sdk.events import FollowupAction, SlotSet


class ActionSend(Action):
    def name(self):
        return "action_send"

    async def run(self, dispatcher, tracker, domain):
        if tracker.get_slot("kind") == "big":
            dispatcher.utter_message(response="utter_done")
        return [SlotSet("sent", tracker.slots["amount"] is not None)]


class ActionAskAmount(Action):
    def name(self):
        return "action_ask_amount"

    def run(self, dispatcher, tracker, domain):
        return []


class ValidateAmount(Action):
    def name(self):
        return "validate_amount"

    def run(self, dispatcher, tracker, domain):
        return []
"""
CLASSIC_DOMAIN = """\
version: "3.1"
intents:
  - greet
  - inform
  - faq
slots:
  size:
    type: categorical
    values: [big, small]
    mappings:
      - type: from_intent
        intent: inform
        value: big
        conditions:
          - active_loop: order_form
            requested_slot: size
forms:
  order_form:
    ignored_intents:
      - greet
    required_slots:
      - size
responses:
  utter_ask_size:
    - text: Which size?
      buttons:
        - title: Big
          payload: '/inform{{"size": "big"}}'
  utter_faq/prices:
    - text: Cheap.
actions:
  - action_order
  - validate_order_form
"""
CLASSIC_RULES = """\
version: "3.1"
rules:
  - rule: order
    condition:
      - slot_was_set:
          - size: big
    steps:
      - intent: inform
      - action: order_form
      - active_loop: order_form
  - rule: ordered
    steps:
      - action: order_form
      - active_loop: null
      - slot_was_set:
          - requested_slot: null
      - action: action_order
  - rule: faq
    steps:
      - or:
          - intent: faq
          - intent: faq/prices
      - action: utter_faq
stories:
  - story: hello
    steps:
      - intent: greet
      - action: action_restart
"""
CLASSIC_ACTIONS = """\
from rasa_sdk import Action, FormValidationAction


class ActionOrder(Action):
    def name(self):
        return "action_order"

    def run(self, dispatcher, tracker, domain):
        return []


class ValidateOrderForm(FormValidationAction):
    def name(self):
        return "validate_order_form"

    def validate_size(self, slot_value, dispatcher, tracker, domain):
        return {"size": slot_value}
"""
CALM = {"domain.yml": CALM_DOMAIN, "data/flows.yml": CALM_FLOWS, "ACTS/__init__.py": "", "ACTS/send.py": CALM_ACTIONS}
CLASSIC = {
    "domain.yml": CLASSIC_DOMAIN,
    "data/rules.yml": CLASSIC_RULES,
    "ACTS/__init__.py": "",
    "ACTS/order.py": CLASSIC_ACTIONS,
}
DOMAIN, FLOWS, CODE = "domain.yml", "data/flows.yml", "ACTS/send.py"
RULES_FILE, FORM = "data/rules.yml", "ACTS/order.py"
# The first line of a coroutine of the CALM project, to put others before it.
BODY = '        if tracker.get_slot("kind") == "big":'
CALM_AND_MORE = {**CALM, "ACTS/own.py": "SlotSet = print\n"}


def edit(files: Mapping[str, str], file: str, old: str, new: str) -> dict[str, str]:
    """Replace a text that stands once in a file; without ``old``, append."""
    if not old:
        return {**files, file: files.get(file, "") + dedent(new)}
    assert files[file].count(old) == 1, f"{old!r} stands {files[file].count(old)} times in {file}"
    return {**files, file: files[file].replace(old, new)}


@contextmanager
def write_files(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    """Write a project; ACTS becomes the name of a package that nobody imported before."""
    package = f"acts_{next(_numbers)}"
    for name, text in files.items():
        path = folder / name.replace("ACTS", package)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("ACTS", package), encoding="utf-8")
    before = set(sys.modules)
    try:
        yield package
    finally:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == package:
                del sys.modules[name]


def check_files(folder: Path, files: Mapping[str, str]) -> Report:
    """Write a project and check it. The working directory has to be the folder."""
    with write_files(folder, files) as package:
        return check(Request(Path("."), package))


def lines_of(report: Report) -> list[str]:
    """Return the findings as `rule file:line`, with the package's name as ACTS."""
    return [f"{f.rule.id} {f.place.file.replace(report.code.package, 'ACTS')}:{f.place.line}" for f in report.findings]


FAULTY = edit(CALM, FLOWS, "link: other", "link: otter")
BLOCKING_CALL = edit(
    edit(CALM, CODE, "from rasa_sdk import Action\n", "import time\nfrom rasa_sdk import Action\n"),
    CODE,
    '        if tracker.get_slot("kind")',
    '        time.sleep(0.1)\n        if tracker.get_slot("kind")',
)
