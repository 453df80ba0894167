"""Stubs are put into files of tests so that every reader of YAML gets what was recorded, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from action_server.errors import SettingsError
from action_server.flows.e2e.cases import Stub
from action_server.testing import webhook_request
from action_server.testing.recordings import RecordedCall
from action_server.testing.stub_file import find_stubs, put_stubs, write_stubs
from action_server.testing.stubs import make_stubs, stub_as_json

FILE = Path("tests.yml")
OTHERS = """\
# Ours.
test_cases:
  - test_case: one
    steps: [{user: hello}]  # said by all

stub_custom_actions:
  # Never called.
  action_pay:
    events: []
    responses: [{text: paid}]

  action_book:  # made once
    events:
      - event: slot
        name: old
        value: 1
  "one::action_book": {events: [], responses: []}

# What follows.
metadata: []
"""
BOOKED = Stub([{"event": "slot", "name": "guests", "value": 3}], [{"text": "yes"}])

BOOKED_AS_TEXT = """\
  action_book:
    events:
      - event: slot
        name: guests
        value: 3
    responses:
      - text: "yes"
"""
NEW_AS_TEXT = """\
  action_new:
    events: []
    responses: []
"""


def recorded(action: str, status: int, reply: Any, number: int = 0) -> RecordedCall:
    return RecordedCall(Path(f"{number}-{action}.json"), webhook_request(action), status, reply, 1.0, {})


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_what_stubs_have_no_word_for_is_left_out_and_named(tmp_path: Path) -> None:
    """For one other key an engine refuses the whole file (e2e_test_schema.yml of rasa-pro 3.21); so does our reader."""
    reminder = {"event": "reminder", "name": "due", "kill_on_user_msg": False, "date_time": "2026-12-01T10:00:00"}
    button = {"title": "yes", "payload": "/yes", "type": "postback"}
    responses = [
        {"response": "utter_lent", "template": "utter_lent", "due": "2026-12-13"},
        {"text": "And?", "buttons": [button]},
    ]
    reply = {"events": [reminder, {"event": "form", "name": "loan"}], "responses": responses}

    made, _ = make_stubs([recorded("action_lend", 200, reply)])
    write_stubs(tmp_path / "tests.yml", {"action_lend": made["action_lend"].stub})

    assert list(find_stubs(tmp_path)[tmp_path / "tests.yml"]) == ["action_lend"]
    assert made["action_lend"].lost == [
        "the event 'form'",
        "'kill_on_user_msg' of the event 'reminder'",
        "'due' of the response 'utter_lent'",
        "'type' of a button",
    ]


def test_the_last_answer_of_an_action_is_its_stub() -> None:
    """Without times and what is empty; rejections and failures make none, and it is said why."""
    slot = {"event": "slot", "timestamp": None, "name": "guests", "value": 2}
    calls = [
        recorded("action_book", 200, {"events": [], "responses": []}),
        recorded("action_book", 200, {"events": [slot], "responses": [{"text": "ok", "buttons": [], "image": None}]}),
        recorded("action_book", 500, {"error": "x"}),
        recorded("action_reject", 400, {"error": "no"}),
        recorded("action_odd", 200, ["no answer"]),
    ]

    made, left_out = make_stubs(calls)

    assert list(made) == ["action_book"]
    assert made["action_book"].answers == 2
    assert stub_as_json(made["action_book"].stub) == {
        "events": [{"event": "slot", "name": "guests", "value": 2}],
        "responses": [{"text": "ok"}],
    }
    assert sorted(left_out) == ["action_odd", "action_reject"]
    assert "400" in left_out["action_reject"]


def test_a_slot_that_is_emptied_stays_so() -> None:
    """Null is its value, not something left out."""
    emptied = {"event": "slot", "name": "guests", "value": None}

    assert stub_as_json(Stub([{**emptied, "timestamp": 12.5}]))["events"] == [emptied]


def test_what_else_is_in_a_file_stays() -> None:
    """Comments, cases, stubs of other actions and of single tests, line by line."""
    text = put_stubs(OTHERS, {"action_book": BOOKED, "action_new": Stub()}, FILE)

    before, rest = OTHERS.split("  action_book:  # made once\n")
    changed, after = text.split('  "one::action_book":')
    assert changed == before + BOOKED_AS_TEXT
    assert after.replace(NEW_AS_TEXT, "") == rest.split('  "one::action_book":')[1]
    stubs = read(text)["stub_custom_actions"]
    assert list(stubs) == ["action_pay", "action_book", "one::action_book", "action_new"]
    assert stubs["action_book"] == {"events": list(BOOKED.events), "responses": list(BOOKED.responses)}
    assert text.index("action_new") < text.index("# What follows.")
    assert put_stubs(text, {"action_book": BOOKED, "action_new": Stub()}, FILE) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "# nothing yet\n", "test_cases: []", "stub_custom_actions:\ntest_cases: []\n"),
        *("stub_custom_actions: {a: {events: [], responses: []}}\ntest_cases: []\n",),
        "test_cases: []\nstub_custom_actions:\n    a:\n        events: []\n    b: {}",
        "test_cases:\r\n- test_case: one\r\n",
    ],
    ids=["nothing", "a comment", "no stubs", "empty stubs", "in one line", "other columns", "of Windows"],
)
def test_stubs_go_into_whatever_is_there(text: str) -> None:
    """It holds what it held, and the new stub."""
    before = read(text) or {}

    after = read(put_stubs(text, {"action_book": BOOKED}, FILE))

    wanted = {**(before.get("stub_custom_actions") or {}), "action_book": stub_as_json(BOOKED)}
    assert after == {**before, "stub_custom_actions": wanted}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "is not YAML"),
        ("- one", "it has to be a mapping"),
        ("{test_cases: []}", "is not YAML"),
        ("stub_custom_actions: {a: {events: &e []}}\nmetadata: *e\n", "is not YAML"),
        ("a: 1\na: 2", "stands here twice"),
    ],
    ids=["no YAML", "a list", "all in one line", "an anchor", "a key twice"],
)
def test_a_file_that_nothing_can_be_put_into_stays_as_it_is(tmp_path: Path, text: str, problem: str) -> None:
    """It is said in a line with the file's name."""
    file = tmp_path / "tests.yml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=problem):
        write_stubs(file, {"action_book": BOOKED})

    assert file.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [file]


TEXTS = st.text() | st.sampled_from(["yes", "1e5", "0o17", "2026-12-24", "${HOME}", "a: b", "- x", "# y", "\u2028\x85"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS.filter(lambda k: k != "<<"), inner, max_size=3),
    max_leaves=8,
)


@given(name=TEXTS, value=VALUES)
def test_every_value_comes_back_as_it_was(name: str, value: Any) -> None:
    """Also what looks like a number, a date, a truth, a variable or a line break to a reader of YAML."""
    stub = Stub([{"event": "slot", "name": name, "value": value}])

    found = read(put_stubs("", {"action_book": stub}, FILE))["stub_custom_actions"]["action_book"]

    assert found == stub_as_json(stub)


def test_stubs_of_a_folder_are_found(tmp_path: Path) -> None:
    """In files that have some; where there are none it is said."""
    (tmp_path / "one.yml").write_text(OTHERS, encoding="utf-8")
    (tmp_path / "domain.yml").write_text("slots: {}", encoding="utf-8")

    assert {file.name: list(stubs) for file, stubs in find_stubs(tmp_path).items()} == {
        "one.yml": ["action_pay", "action_book", "one::action_book"]
    }
    with pytest.raises(SettingsError, match="has no stubs"):
        find_stubs(tmp_path / "domain.yml")
