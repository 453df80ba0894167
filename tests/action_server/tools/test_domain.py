"""A domain is read as an engine has it, and its slots become shapes."""

from __future__ import annotations

import json
import marshal
from pathlib import Path
from typing import Any

import pytest

from action_server.errors import SettingsError
from action_server.tools.domain import read_domain, slots_of
from action_server.tools.shapes import Shape


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_yml", ".yml").replace("_yaml", ".yaml")).write_text(text, encoding="utf-8")
    return folder


def test_the_files_of_a_folder_are_one_domain(tmp_path: Path) -> None:
    """Of two entries with one name the first file's counts, as for `check`; lists have each item once."""
    folder = write(
        tmp_path,
        a_yml="slots: {city: {type: text}}\nintents: [greet, book]\nsession_config: {a: 1}\n",
        b_yaml="slots: {city: {type: bool}, day: {type: text}}\nintents: [book, bye]\nsession_config: {a: 2}\n",
        c_txt="slots: {never: {type: text}}",
        d_yml="- no domain\n",
    )

    assert read_domain(folder, "domain") == {
        "version": "3.1",
        "slots": {"city": {"type": "text"}, "day": {"type": "text"}},
        "intents": ["greet", "book", "bye"],
        "session_config": {"a": 1},
    }


def test_what_yaml_has_and_json_has_not_is_written_as_json(tmp_path: Path) -> None:
    """Dates, numbers that are none, names that are numbers: an engine sends JSON, and each call gets a copy."""
    text = "slots: {1: {type: text, initial_value: 2026-12-01}, x: {type: float, min_value: .nan}}\n"
    text += "responses: {utter_x: [{custom: {at: 2026-12-01 10:00:00}}]}\n"

    found = read_domain(write(tmp_path, domain_yml=text), "domain")

    assert found["slots"] == {
        "1": {"type": "text", "initial_value": "2026-12-01"},
        "x": {"type": "float", "min_value": None},
    }
    assert found["responses"] == {"utter_x": [{"custom": {"at": "2026-12-01T10:00:00"}}]}
    assert json.loads(json.dumps(found)) == marshal.loads(marshal.dumps(found)) == found  # noqa: S302 - ours


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("no.yml", "", "no file"), ("domain.yml", "pipeline: []\n", "not a domain"), ("domain.yml", "- a\n", "not a")],
)
def test_what_is_no_domain_is_told_with_the_setting(tmp_path: Path, name: str, text: str, said: str) -> None:
    """One that is not there as well."""
    write(tmp_path, domain_yml=text)

    with pytest.raises(SettingsError, match=rf"^domain.*{said}"):
        read_domain(tmp_path / name, "domain")


SLOTS: list[tuple[Any, Shape]] = [
    ({"type": "text"}, Shape("text")),
    ({"type": "bool"}, Shape("bool")),
    ({"type": "float", "min_value": 1, "max_value": 8.5}, Shape("number", minimum=1, maximum=8.5)),
    ({"type": "float", "min_value": True, "max_value": "8"}, Shape("number")),
    ({"type": "list"}, Shape("list")),
    ({"type": "any"}, Shape()),
    ({"type": "my.own.Slot"}, Shape()),
    ({}, Shape()),
    (None, Shape()),
    ({"type": "categorical", "values": ["a", None, True, 1, 1.0, ["b"]]}, Shape("categorical", ("a", True, 1, 1.0))),
    ({"type": "strict_categorical", "values": ["a"]}, Shape("categorical", ("a",))),
    ({"type": "categorical", "values": []}, Shape("text")),
    ({"type": "categorical", "values": [None]}, Shape("text")),
    ({"type": "categorical"}, Shape()),
]


@pytest.mark.parametrize(("written", "shape"), SLOTS)
def test_a_slot_becomes_a_shape(written: Any, shape: Shape) -> None:
    """Whatever is malformed is any: `check` says what is wrong."""
    assert slots_of({"slots": {"wish": written}})["wish"].shape == shape


def test_a_slot_has_words_and_a_value_at_the_start() -> None:
    """A description that is no text is none; a domain without slots has none."""
    written = {"a": {"description": "Which", "initial_value": 3}, "b": {"description": ["x"]}}

    found = slots_of({"slots": written})

    assert [(slot.description, slot.initial_value) for slot in found.values()] == [("Which", 3), ("", None)]
    assert slots_of({}) == slots_of({"slots": ["a"]}) == {}
