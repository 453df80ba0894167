"""A YAML file of the user is read, or refused in one line that quotes nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.errors import SettingsError
from action_server.yaml_file import read_yaml
from tests.hostile_files import BOMBS, IRREGULAR

SECRET = "sEcReT"


def test_what_a_file_holds_is_returned_as_yaml_1_2_has_it(tmp_path: Path) -> None:
    """`on` is a word, as in Rasa's files, and an empty file holds nothing."""
    file = tmp_path / "a.yml"
    file.write_text("switch: on\ncount: 3\nwhen: yes\n", encoding="utf-8")
    empty = tmp_path / "empty.yml"
    empty.write_text("", encoding="utf-8")

    assert read_yaml(file, "--file") == {"switch": "on", "count": 3, "when": "yes"}
    assert read_yaml(empty, "--file") is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f"a: [{SECRET}\nb: 1".encode(), "cannot be read as YAML (line 2, column 2)"),
        (b"a: \xff", "cannot be read as UTF-8 text (at byte 3)"),
        (f"a: !!int {SECRET}".encode(), "cannot be read as YAML"),
    ],
    ids=["not YAML", "not UTF-8", "a tag with a wrong value"],
)
def test_a_file_that_cannot_be_read_is_named_with_what_named_it(tmp_path: Path, content: bytes, problem: str) -> None:
    """The flag, the file, and the place in it where there is one."""
    file = tmp_path / "a.yml"
    file.write_bytes(content)

    with pytest.raises(SettingsError) as refused:
        read_yaml(file, "--file")

    assert str(refused.value) == f"--file: {file} {problem}"


def test_a_file_that_names_itself_is_named_once(tmp_path: Path) -> None:
    """Where nothing else names it, as for endpoints.yml."""
    file = tmp_path / "missing.yml"

    with pytest.raises(SettingsError) as refused:
        read_yaml(file, str(file))

    assert str(refused.value) == f"{file}: cannot be read: No such file or directory"


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_would_keep_us_busy_is_refused(name: str, tmp_path: Path) -> None:
    """In one line, after a bounded number of values; nothing of it is quoted."""
    file = tmp_path / "a.yml"
    file.write_text(BOMBS[name], encoding="utf-8")

    with pytest.raises(SettingsError, match=r"holds more than 400000 values|nested deeper than 100|holds an alias of"):
        read_yaml(file, "--file")


@pytest.mark.parametrize("kind", IRREGULAR)
def test_a_file_that_has_no_end_is_not_opened(kind: str, tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for; a device would be read until the memory is full."""
    file = tmp_path / "a.yml"
    IRREGULAR[kind](file)

    with pytest.raises(SettingsError, match=r"cannot be read: it (is no regular file|has more than 4000000 bytes)"):
        read_yaml(file, "--file")


def test_aliases_within_the_budget_are_read(tmp_path: Path) -> None:
    """They are how people share parts of a domain; a name may be used twice."""
    file = tmp_path / "a.yml"
    file.write_text("a: &a [1]\nb: *a\nc: &a {d: 2}\ne: {<<: *a, f: 3}\n", encoding="utf-8")

    assert read_yaml(file, "--file") == {"a": [1], "b": [1], "c": {"d": 2}, "e": {"d": 2, "f": 3}}
