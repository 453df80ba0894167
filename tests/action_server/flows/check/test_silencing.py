"""Findings are silenced by a comment on the line or by pyproject.toml, and only what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.errors import SettingsError
from tests.action_server.flows.check.sample_projects import (
    BLOCKING_CALL,
    CALM,
    CODE,
    FAULTY,
    FLOWS,
    check_files,
    edit,
    lines_of,
)


def test_a_comment_silences_its_line(tmp_path: Path) -> None:
    """In YAML and in Python, several rules in one comment."""
    files = edit(FAULTY, FLOWS, "link: otter", "link: otter  # action-server: ignore[unknown-flow]")
    assert lines_of(check_files(tmp_path, files)) == []

    files = edit(BLOCKING_CALL, CODE, "time.sleep(0.1)", "time.sleep(0.1)  # action-server: ignore[blocking-call]")
    assert lines_of(check_files(tmp_path, files)) == []

    both = "link: slots  # why not; action-server: ignore"
    assert lines_of(check_files(tmp_path, edit(CALM, FLOWS, "link: other", both))) == ["unknown-flow data/flows.yml:22"]


UNUSED = {
    "nothing to ignore": ("# action-server: ignore[unknown-slot]", "there is no unknown-slot to ignore on this line"),
    "no such rule": ("# action-server: ignore[unknown-slto]", "names 'unknown-slto', which is no rule; did you mean"),
    "no rule at all": ("# action-server: ignore", "the comment names no rule"),
}


@pytest.mark.parametrize(("comment", "message"), UNUSED.values(), ids=list(UNUSED))
@pytest.mark.parametrize(("file", "line"), [(FLOWS, "collect: amount"), (CODE, "class ActionAskAmount(Action):")])
def test_a_comment_that_silences_nothing_is_found(
    tmp_path: Path, file: str, line: str, comment: str, message: str
) -> None:
    """It would hide the next fault."""
    (finding,) = check_files(tmp_path, edit(CALM, file, line, f"{line}  {comment}")).findings

    assert finding.rule.id == "unused-silencing"
    assert message in finding.message


def test_a_text_that_looks_like_a_comment_is_none(tmp_path: Path) -> None:
    """In Python a string is no comment."""
    files = edit(
        CALM,
        CODE,
        "class ActionAskAmount(Action):",
        "TEXT = '# action-server: ignore[unknown-slot]'\n\n\nclass ActionAskAmount(Action):",
    )

    assert lines_of(check_files(tmp_path, files)) == []


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('ignore = ["unknown-flow"]', []),
        ('per-file-ignores = {"data/*.yml" = ["unknown-flow"]}', []),
        ('per-file-ignores = {"other/*.yml" = ["unknown-flow"]}', ["unknown-flow data/flows.yml:22"]),
        ('ignore = ["unknown-slot"]', ["unknown-flow data/flows.yml:22"]),
    ],
    ids=["everywhere", "in files", "in other files", "another rule"],
)
def test_pyproject_silences(tmp_path: Path, table: str, expected: list[str]) -> None:
    """Everywhere, or in the files of a pattern."""
    files = {**FAULTY, "pyproject.toml": f"[tool.action-server.check]\n{table}\n"}

    assert lines_of(check_files(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[tool.action-server.check]\nignore = ['unknown-flwo']", "did you mean 'unknown-flow'"),
        ("[tool.action-server.check]\nignores = []", "did you mean 'ignore'"),
        ("[tool.action-server.check]\nignore = 'all'", "is not a list of rules"),
        ("[tool.action-server.check]\nper-file-ignores = []", "is not a table"),
        ("[tool.action-server]\ncheck = 1", "is not a table"),
        ("[tool", "cannot be read"),
    ],
    ids=["rule", "key", "list", "patterns", "table", "toml"],
)
def test_a_wrong_table_is_said(tmp_path: Path, text: str, problem: str) -> None:
    """A misspelled rule must not silence nothing in silence."""
    with pytest.raises(SettingsError, match=problem):
        check_files(tmp_path, {**CALM, "pyproject.toml": text})
