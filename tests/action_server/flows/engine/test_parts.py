"""A domain in parts: which files are read, and what becomes of a name that stands in two of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from action_server.project.project_reader import read_project
from tests.action_server.flows.engine.projects import RESPONSES, SLOTS, flow, refusals
from tests.action_server.flows.engine.rows import Row, each
from tests.projects import project

FIRST = SLOTS + RESPONSES
# Files of a domain beside the one above; whether an engine takes them.
PARTS = [
    Row("other slots", ["slots: {n: {type: text}}"], True),
    Row("a slot once more", ["slots: {word: {type: bool}}"], False),
    Row("the very same slot once more", ["slots: {word: {type: text}}"], False),
    Row("a slot in the second and the third part", ["slots: {n: {type: text}}", "slots: {n: {type: text}}"], False),
    Row("a response once more", ["responses: {utter_hi: [{text: Hello.}]}"], False),
    Row("the very same response once more", ["responses: {utter_hi: [{text: Hi.}]}"], False),
    Row("other responses", ["responses: {utter_ho: [{text: Ho.}]}"], True),
    Row("a response of the engine's own", ["responses: {utter_ask_rephrase: [{text: What?}]}"], True),
    Row("an action once more", ["actions: [action_ask_asked]"], True),
    Row("an action twice in one part", ["actions: [action_ask_n, action_ask_n]\nslots: {n: {type: text}}"], True),
    Row("an intent in two parts", ["intents: [hi]", "intents: [hi]"], True),
    Row("an intent twice in one part", ["intents: [hi, hi]"], True),
    Row("an entity in two parts", ["entities: [city]", "entities: [city]"], True),
    Row("an entity twice in one part", ["entities: [city, city]"], True),
    Row("a form in two parts", ["forms: {a: {required_slots: [word]}}", "forms: {a: {required_slots: [ok]}}"], True),
    Row("two sessions", [f"session_config: {{session_expiration_time: {n}}}" for n in (1, 2)], True),
    Row(
        "a slot for a response of another part", ["slots: {n: {type: text}}", "responses: {utter_n: [{text: a}]}"], True
    ),
    Row("a part with another key", ["colour: red\nslots: {n: {type: text}}"], True),
    Row("a part without a version", ["slots: {n: {type: text}}"], True),
    Row("a part of a version to come", ['version: "9.0"\nslots: {n: {type: text}}'], True),
    Row("a file that is no part", ["colour: red"], True),
    Row("a file with tests", ["test_cases: []"], True),
    Row("a part that is no YAML", ["slots: {n: ["], False),
    Row("an empty file", ["# nothing"], True),
]
# A domain in one file; whether an engine takes it.
WHOLE = [
    Row("an action twice", FIRST.replace("[action_ask_asked]", "[action_ask_asked, action_ask_asked]"), False),
    Row("an intent twice", FIRST + "intents: [hi, hi]\n", False),
    Row("an entity twice", FIRST + "entities: [city, city]\n", False),
    Row("a slot twice", FIRST.replace("  word: ", "  word: {type: text}\n  word: "), False),
    Row("a version to come", 'version: "9.0"\n' + FIRST, False),
    Row("the version of today", 'version: "3.1"\n' + FIRST, True),
    Row("the version of Rasa 2", 'version: "2.0"\n' + FIRST, True),
]
# Files of a domain; what is read of it.
MERGED: list[Row] = [
    Row(
        "slots of all parts",
        {"domain/a.yml": "slots: {a: {type: text}}", "domain/b/c.yml": "slots: {b: {type: text}}"},
        ("slots", ["a", "b"]),
    ),
    Row(
        "yaml and yml",
        {"domain/a.yaml": "slots: {a: {type: text}}", "domain/b.yml": "slots: {b: {type: text}}"},
        ("slots", ["a", "b"]),
    ),
    Row(
        "the file, not the folder beside it",
        {"domain.yml": "slots: {a: {type: text}}", "domain/b.yml": "slots: {b: {type: text}}"},
        ("slots", ["a"]),
    ),
    Row(
        "a file without a key of domains is passed over",
        {"domain/a.yml": "slots: {a: {type: text}}", "domain/b.yml": "flows: {b: {}}"},
        ("slots", ["a"]),
    ),
    Row(
        "names that are listed twice, once",
        {"domain/a.yml": "intents: [a, b]", "domain/b.yml": "intents: [b, c]"},
        ("intents", ["a", "b", "c"]),
    ),
    Row(
        "a session that is not the default's",
        {
            "domain/a.yml": "session_config: {session_expiration_time: 60, carry_over_slots_to_new_session: true}",
            "domain/b.yml": "session_config: {session_expiration_time: 5}",
        },
        ("session_config", {"session_expiration_time": 5, "carry_over_slots_to_new_session": True}),
    ),
    Row(
        "the first of two sessions",
        {f"domain/{n}.yml": f"session_config: {{session_expiration_time: {n}}}" for n in (1, 2)},
        ("session_config", {"session_expiration_time": 1, "carry_over_slots_to_new_session": True}),
    ),
]


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@each(PARTS)
def test_domains_in_parts_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """A slot or a response stands in one file; lists are merged."""
    assert (refusals(tmp_path, [flow("{collect: kind}")], *row.given) == []) is row.engine


@each(WHOLE)
def test_domains_in_one_file_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """What would be merged away in two files is a fault in one."""
    text = row.given if row.given.startswith("version") else 'version: "3.1"\n' + row.given
    found = refusals(tmp_path, [flow("{collect: kind}")], extra={"domain/domain.yml": text})

    assert (found == []) is row.engine


@each(MERGED)
def test_parts_are_merged_as_the_engine_merges_them(row: Row, tmp_path: Path) -> None:
    """In the order of their names here; in an engine in that in which the folder lists them."""
    key, expected = row.engine
    domain = read_project(project(tmp_path, row.given)).domain
    found: Any = json.loads(json.dumps(domain.raw[key]))
    own = (
        [name for name in found if key != "slots" or not domain.slots[name].is_default]
        if key != "session_config"
        else found
    )

    assert own == expected
