"""From a classic project to flows: what comes first, drafts that can be read, and what becomes of the code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from action_server.errors import SettingsError
from action_server.flows.check.checking import Request, check
from action_server.flows.migration.conversations import read_traffic
from action_server.flows.migration.plan import Plan, plan
from action_server.project.flows import ActionStep, CollectStep, LinkStep, NoopStep
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from tests.action_server.flows.check.checked import written

ROOT = Path(__file__).parents[4]

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


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def planned(folder: Path, files: Mapping[str, str] = PROJECT, conversations: Path | None = None) -> Plan:
    with written(folder, files) as package:
        return plan(Request(Path("."), package), conversations)


def drafted(found: Plan, folder: Path) -> Project:
    found.write(folder)
    return read_project(folder)


def test_candidates_come_by_stories_and_rules_then_examples(tmp_path: Path) -> None:
    """A form counts where it starts and where it ends, what follows an intent counts as the intent's."""
    found = planned(tmp_path)

    assert [(c.name, c.form, c.rules, c.stories, c.examples, c.seen) for c in found.candidates] == [
        ("order_form", "order_form", 3, 0, 2, None),
        ("hello", "", 1, 1, 1, None),
        ("address_form", "address_form", 1, 0, 0, None),
        ("cancel", "", 0, 1, 0, None),
    ]
    assert list(found.candidates[0].intents) == ["order"]
    assert list(found.candidates[1].intents) == ["hello", "thanks"]


TURN = {"event": "user", "text": "secret words", "parse_data": {"intent": {"name": "cancel"}}}
LOOP = {"event": "active_loop", "name": "address_form"}
DUMPS: dict[str, str] = {
    "a tracker per line": "\n".join(
        json.dumps({"sender_id": sender, "events": [TURN, {"event": "action", "name": "action_listen"}, TURN, LOOP]})
        for sender in ("a", "b")
    ),
    "an event per line": "\n".join(
        json.dumps({**event, "sender_id": sender}) for sender in ("a", "b") for event in (TURN, LOOP, TURN)
    ),
    "one list of trackers": json.dumps([{"sender_id": sender, "events": [TURN, TURN, LOOP]} for sender in ("a", "b")]),
}


@pytest.mark.parametrize("text", DUMPS.values(), ids=list(DUMPS))
def test_real_conversations_count_more_than_stories(tmp_path: Path, text: str) -> None:
    """What users did comes first; lines that are no JSON are counted, and no word of a user is kept."""
    (tmp_path / "dump.jsonl").write_text(text, encoding="utf-8")
    found = planned(tmp_path, conversations=tmp_path / "dump.jsonl")

    assert [(c.name, c.seen) for c in found.candidates] == [
        ("cancel", 4),
        ("address_form", 2),
        ("order_form", 0),
        ("hello", 0),
    ]
    assert found.traffic is not None
    assert found.traffic.conversations == 2
    assert "secret words" not in found.as_text() + json.dumps(found.as_json())


def test_lines_that_are_no_json_are_counted(tmp_path: Path) -> None:
    """A dump that was cut off is still worth something."""
    (tmp_path / "dump.jsonl").write_text(f"{json.dumps(TURN)}\n{json.dumps(LOOP)[:20]}\n7\n", encoding="utf-8")
    traffic = read_traffic(tmp_path / "dump.jsonl")

    assert (traffic.events, traffic.unread) == (1, 2)


@pytest.mark.parametrize("content", [b"", b"[]", b"no json\n", b"\xff\xfe", b'{"a": 1}'])
def test_a_file_without_conversations_is_wrong_usage(tmp_path: Path, content: bytes) -> None:
    """The error names the file's flag."""
    (tmp_path / "dump").write_bytes(content)

    with pytest.raises(SettingsError, match="--conversations"):
        read_traffic(tmp_path / "dump")


def test_drafts_are_read_without_a_problem(tmp_path: Path) -> None:
    """A flow for each form, with the domain it needs."""
    project = drafted(planned(tmp_path), tmp_path / "drafts")

    assert [str(problem) for problem in project.problems] == []
    assert list(project.flows) == ["order", "address"]
    assert {name for name, slot in project.domain.slots.items() if not slot.is_default} == {
        "size",
        "address",
        "order_number",
    }


def test_a_draft_asks_as_the_form_did_and_ends_as_its_rules(tmp_path: Path) -> None:
    """Collect steps in the form's order, its own questions, and a branch for what the rules' conditions tell."""
    flow = drafted(planned(tmp_path), tmp_path / "drafts").flows["order"]

    size, address, branch, order, small, link = flow.steps
    assert isinstance(size, CollectStep)
    assert (size.collect, size.ask_before_filling, size.utter) == ("size", True, "")
    assert isinstance(address, CollectStep)
    assert (address.collect, address.ask_before_filling, address.utter) == (
        "address",
        False,
        "utter_ask_order_form_address",
    )
    assert isinstance(branch, NoopStep)
    assert [b.condition.text if b.condition else "" for b in branch.next] == [
        "slots.size == 'big'",
        "slots.size == 'small'",
        "",
    ]
    assert isinstance(order, ActionStep)
    assert isinstance(small, ActionStep)
    assert (order.action, small.action) == ("action_order", "utter_small")
    assert isinstance(link, LinkStep)
    assert link.link == "address"
    assert "send me something" in flow.description


def test_slots_keep_their_kind_and_are_filled_by_the_model(tmp_path: Path) -> None:
    """Those that only code sets stay out of the model's hands; buttons set slots where that is the same."""
    domain = drafted(planned(tmp_path), tmp_path / "drafts").domain

    assert (domain.slots["size"].type, domain.slots["size"].initial_value) == ("categorical", "small")
    assert [m.type for m in domain.slots["size"].mappings] == ["from_llm"]
    assert domain.slots["order_number"].is_controlled
    buttons = domain.responses["utter_ask_size"].variations[0].buttons
    assert [button["payload"] for button in buttons] == ["/SetSlots(size=big)", "/cancel"]


def test_it_is_said_what_becomes_of_each_action(tmp_path: Path) -> None:
    """And why, where it does not stay as it is."""
    found = planned(tmp_path)

    assert {(a.name, a.verdict) for a in found.actions} == {
        ("action_order", "unchanged"),
        ("action_look", "look"),
        ("validate_order_form", "split"),
        ("action_ask_address_form_address", "renamed"),
    }
    why = {action.name: action.why for action in found.actions}
    assert why["action_look"] == "messages have entities only if the pipeline has an extractor of them"
    assert why["validate_order_form"] == (
        "validate_size becomes the action validate_size; required_slots becomes branches of the flow"
    )
    assert why["action_ask_address_form_address"] == "name it action_ask_address"


def test_existing_files_are_not_overwritten(tmp_path: Path) -> None:
    """Neither by a second run nor over a project."""
    found = planned(tmp_path)
    before = (tmp_path / "domain.yml").read_text(encoding="utf-8")

    with pytest.raises(SettingsError, match="exists already"):
        found.write(tmp_path)
    assert (tmp_path / "domain.yml").read_text(encoding="utf-8") == before
    assert not (tmp_path / "data" / "flows.yml").exists()


def test_a_project_without_forms_has_candidates_and_no_drafts(tmp_path: Path) -> None:
    """Nothing is drafted out of nothing."""
    files: dict[str, Any] = {"domain.yml": "version: '3.1'\nintents: [hello]\n", "data/all.yml": DATA, "ACTS.py": ""}
    found = planned(tmp_path, files)

    assert "cancel" in [c.name for c in found.candidates]
    assert found.flows == ""
    with pytest.raises(SettingsError, match="no forms"):
        found.write(tmp_path / "drafts")


def test_the_clinic_s_forms_become_flows_that_agree_with_its_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drafts of the classic twin are read, and the check finds nothing in them: the same code serves both."""
    monkeypatch.chdir(ROOT)
    found = plan(Request(Path("assistant/classic"), "actions"))
    found.write(tmp_path / "drafts")
    report = check(Request(tmp_path / "drafts", "actions"))

    assert len(found.drafts) == len(report.project.flows) >= 3
    assert [f"{f.where} {f.rule} {f.message}" for f in report.findings] == []
    assert {a.verdict for a in found.actions if a.name.startswith("action_")} == {"unchanged"}
