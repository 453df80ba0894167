"""Where one cause has many consequences, the cause is found and the consequences are not told."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.flows.check.checking import Request, check
from tests.projects import project

RASA_2 = """
version: "2.0"
slots:
  city: {type: text, auto_fill: true}
  note: {type: unfeaturized}
forms:
  first_form: {required_slots: [city]}
  booking_form:
    required_slots:
      city: [{type: from_entity, entity: nobody}]
responses: {utter_x: [{text: "x"}]}
"""
RASA_2_RULES = "rules: [{rule: r, steps: [{intent: nobody}, {action: utter_nobody}]}]\n"
UNUSED = """
from rasa_sdk import Action

class ActionUnused(Action):
    def name(self):
        return "action_unused"

    async def run(self, dispatcher, tracker, domain):
        import time
        time.sleep(1)
        tracker.get_slot("nobody")
        dispatcher.utter_message(response="utter_nobody")
        return [{"event": "slot", "name": "nobody_else", "value": 1}]

class ActionUsed(Action):
    def name(self):
        return "action_used"

    def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(response="utter_missing")
        return []
"""
DOMAIN = """
slots: {word: {type: text}}
responses: {utter_hi: [{text: Hi.}]}
actions: [action_used]
"""
FLOWS = "flows: {main: {description: d, steps: [{action: utter_hi}, {action: action_used}]}}\n"


def found(folder: Path, files: dict[str, str], actions: str) -> list[str]:
    report = check(Request(project(folder, files), actions))
    return [f"{f.rule.id} {Path(f.place.file).name}:{f.place.line}" for f in report.findings]


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "domain",
    [RASA_2, "forms:\n  booking_form:\n    city: [{type: from_text}]\nslots: {city: {type: unfeaturized}}\n"],
    ids=["of 2.6", "before 2.6"],
)
def test_a_project_of_rasa_2_is_told_to_be_one(tmp_path: Path, domain: str) -> None:
    """At its first form with mappings; all else would be told of a project that nothing loads."""
    files = {"domain.yml": domain, "data/rules.yml": RASA_2_RULES}

    assert [line.split()[0] for line in found(tmp_path, files, "none_of_rasa_2")] == ["forms-with-mappings"]


def test_a_form_that_lists_slots_is_one_of_today(tmp_path: Path) -> None:
    """The rules hold for it."""
    domain = RASA_2.partition("  booking_form")[0].replace("unfeaturized", "text")

    assert "form-slot-without-mapping" in " ".join(found(tmp_path, {"domain.yml": domain}, "none_of_today"))


def test_an_unused_class_is_one_finding(tmp_path: Path) -> None:
    """What it reads, sets, says and waits for does not matter; that of others does."""
    files = {"domain.yml": DOMAIN, "data/flows.yml": FLOWS, "acts_one_finding.py": UNUSED}

    assert found(tmp_path, files, "acts_one_finding") == [
        "unused-action acts_one_finding.py:4",
        "unknown-response acts_one_finding.py:20",
    ]
