"""Ways that lead back without asking are told, where they are certain; those that end by a condition are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.flows.check.checking import Request, check
from tests.projects import project

DOMAIN = """
version: "3.1"
slots:
  size: {type: text, mappings: [{type: from_llm}]}
  done: {type: bool, mappings: [{type: controlled}]}
responses:
  utter_ask_size: [{text: Which size?}]
  utter_again: [{text: Once more.}]
"""
SAY, ASK = "{id: say, action: utter_again}", "{collect: size}"
# Steps of the flows `one` and `two`; the flow and the number of the step that closes the way.
ENDLESS = {
    "a link to itself": (f"[{SAY}, {{link: one}}]", f"[{SAY}]", ["one"]),
    "a link that is all there is": ("[{link: one}]", f"[{SAY}]", ["one"]),
    "a call of itself": (f"[{SAY}, {{call: one}}]", f"[{SAY}]", ["one"]),
    "two flows that link to each other": (f"[{SAY}, {{link: two}}]", f"[{SAY}, {{link: one}}]", ["two"]),
    "a step that leads back": (f"[{SAY}, {{id: b, set_slots: [{{done: true}}], next: say}}]", f"[{SAY}]", ["one"]),
    "a condition that nothing changes": (
        "[{id: a, noop: true, next: [{if: slots.size, then: END}, {else: b}]}, {id: b, link: one}]",
        f"[{SAY}]",
        ["one"],
    ),
    "two of them": (f"[{SAY}, {{link: one}}]", f"[{SAY}, {{link: two}}]", ["one", "two"]),
}
ENDING = {
    "a way that asks": (f"[{ASK}, {{link: one}}]", f"[{SAY}]"),
    "a flow that asks in between": (f"[{SAY}, {{link: two}}]", f"[{ASK}, {{link: one}}]"),
    "a called flow that asks": ("[{id: a, call: two, next: a}]", f"[{ASK}]"),
    "an action that waits": ("[{action: action_listen}, {link: one}]", f"[{SAY}]"),
    "a condition on what an action sets": (
        "[{id: a, action: utter_again, next: [{if: slots.done, then: END}, {else: a}]}]",
        f"[{SAY}]",
    ),
    "a chain": (f"[{SAY}, {{link: two}}]", f"[{SAY}]"),
    "two ways to one step": (
        "[{noop: true, next: [{if: slots.size, then: say}, {else: say}]}, {id: say, action: utter_again}]",
        "[{link: one}]",
    ),
}


def findings_of(folder: Path, one: str, two: str) -> list[tuple[str, str]]:
    flows = f"flows:\n  one: {{description: d, steps: {one}}}\n  two: {{description: d, steps: {two}}}\n"
    project(folder, {"domain.yml": DOMAIN, "data/flows.yml": flows, "own_actions.py": ""})
    report = check(Request(Path(), "own_actions", load=False))
    # That two flows have one description is none of what is looked for here.
    findings = [finding for finding in report.findings if finding.rule.id != "engine-refuses"]
    return [(finding.rule.id, f"data/flows.yml:{finding.place.line}") for finding in findings]


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ENDLESS)
def test_a_way_that_leads_back_without_asking_is_found(name: str, tmp_path: Path) -> None:
    """Once, at the step that closes it."""
    one, two, closed_in = ENDLESS[name]
    lines = {"one": 2, "two": 3}

    assert findings_of(tmp_path, one, two) == [("endless-flow", f"data/flows.yml:{lines[flow]}") for flow in closed_in]


@pytest.mark.parametrize("name", ENDING)
def test_a_way_that_asks_or_may_end_is_left_alone(name: str, tmp_path: Path) -> None:
    """Trying again until an action says that it worked is a common flow."""
    assert findings_of(tmp_path, *ENDING[name]) == []
