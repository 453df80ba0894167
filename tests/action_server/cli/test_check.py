"""What `check` prints, how it ends, and how findings are silenced."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from action_server.cli import check
from action_server.errors import SettingsError
from action_server.flows.check.catalogue import RULES
from tests.action_server.flows.check.checked import CALM, CLASSIC, changed, checked, told, written

ROOT = Path(__file__).parents[3]
DOMAIN, FLOWS, CODE = "domain.yml", "data/flows.yml", "ACTS/send.py"
FAULTY = changed(CALM, FLOWS, "link: other", "link: otter")
BLOCKING = changed(
    changed(CALM, CODE, "from rasa_sdk import Action\n", "import time\nfrom rasa_sdk import Action\n"),
    CODE,
    '        if tracker.get_slot("kind")',
    '        time.sleep(0.1)\n        if tracker.get_slot("kind")',
)


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(folder: Path, files: dict[str, str], *flags: str) -> int:
    """Run the verb as the command line does."""
    parser = argparse.ArgumentParser()
    check.add_flags(parser)
    with written(folder, files) as package:
        return check.run(parser.parse_args([*flags, "--actions", package]), {})


def test_a_finding_is_a_line_and_its_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Editors jump to `path:line:column`; a pipe gets no colour."""
    assert run(tmp_path, FAULTY) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "data/flows.yml:22:9: error unknown-flow: the step links to 'otter', which is no flow; did you mean 'other'?"
    )
    assert lines[1] == "    write the flow, or correct the name"
    assert re.fullmatch(r"1 error \(2 flows, \d+ slots, 3 actions\)", lines[2])
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("files", "flags", "code"),
    [
        (CALM, [], 0),
        (CALM, ["--strict"], 0),
        (FAULTY, [], 1),
        (BLOCKING, [], 0),
        (BLOCKING, ["--strict"], 1),
        (FAULTY, ["--json"], 1),
        (FAULTY, ["--sarif"], 1),
    ],
    ids=["clean", "clean, strict", "error", "warning", "warning, strict", "json", "sarif"],
)
def test_the_exit_code_tells(tmp_path: Path, files: dict[str, str], flags: list[str], code: int) -> None:
    """0 for none or warnings, 1 for errors; with --strict a warning is enough."""
    assert run(tmp_path, files, *flags) == code


def test_json_has_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts."""
    run(tmp_path, FAULTY, "--json")

    assert json.loads(capsys.readouterr().out) == {
        "errors": 1,
        "warnings": 0,
        "findings": [
            {
                "rule": "unknown-flow",
                "severity": "error",
                "file": "data/flows.yml",
                "line": 22,
                "column": 9,
                "message": "the step links to 'otter', which is no flow; did you mean 'other'?",
                "fix": "write the flow, or correct the name",
            }
        ],
    }


def test_sarif_has_the_shape_of_its_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Required properties, known levels, indexes that fit, URIs, and lines from 1 on (SARIF 2.1.0, 3.13 to 3.30)."""
    files = changed(BLOCKING, FLOWS, "link: other", "link: otter")
    files["a part/domain.yml"] = "x"
    run(tmp_path, files, "--sarif")
    log: dict[str, Any] = json.loads(capsys.readouterr().out)

    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (sarif_run,) = log["runs"]
    rules = sarif_run["tool"]["driver"]["rules"]
    assert sarif_run["tool"]["driver"]["name"]
    assert [rule["id"] for rule in rules] == list(RULES)
    assert all(rule["shortDescription"]["text"] and rule["fullDescription"]["text"] for rule in rules)
    assert {rule["defaultConfiguration"]["level"] for rule in rules} == {"error", "warning"}
    assert {result["level"] for result in sarif_run["results"]} == {"error", "warning"}
    for result in sarif_run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert re.fullmatch(r"[\w./%-]+", place["artifactLocation"]["uri"])
        assert place["region"]["startLine"] >= 1
        assert place["region"]["startColumn"] >= 1


def test_a_comment_silences_its_line(tmp_path: Path) -> None:
    """In YAML and in Python, several rules in one comment."""
    files = changed(FAULTY, FLOWS, "link: otter", "link: otter  # action-server: ignore[unknown-flow]")
    assert told(checked(tmp_path, files)) == []

    files = changed(BLOCKING, CODE, "time.sleep(0.1)", "time.sleep(0.1)  # action-server: ignore[blocking-call]")
    assert told(checked(tmp_path, files)) == []

    both = "link: slots  # why not; action-server: ignore"
    assert told(checked(tmp_path, changed(CALM, FLOWS, "link: other", both))) == ["unknown-flow data/flows.yml:22"]


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
    (finding,) = checked(tmp_path, changed(CALM, file, line, f"{line}  {comment}")).findings

    assert finding.rule == "unused-silencing"
    assert message in finding.message


def test_a_text_that_looks_like_a_comment_is_none(tmp_path: Path) -> None:
    """In Python a string is no comment."""
    files = changed(
        CALM,
        CODE,
        "class ActionAskAmount(Action):",
        "TEXT = '# action-server: ignore[unknown-slot]'\n\n\nclass ActionAskAmount(Action):",
    )

    assert told(checked(tmp_path, files)) == []


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

    assert told(checked(tmp_path, files)) == expected


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
        checked(tmp_path, {**CALM, "pyproject.toml": text})


def test_the_reference_lists_each_rule() -> None:
    """docs/reference/check-rules.md is made of the catalogue: id, severity, what is found, what happens otherwise."""
    text = (ROOT / "docs/reference/check-rules.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|warning) \| (.+) \| (.+) \|$", text, re.MULTILINE)

    assert rows == [(r.id, r.severity, r.what, r.why) for r in RULES.values()]


def test_the_plan_of_a_migration_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As text with the drafts, as JSON, and into files."""
    assert run(tmp_path, CLASSIC, "--migration", "--drafts", "calm") == 0
    text = capsys.readouterr().out
    assert "What to migrate first, by stories and rules" in text
    assert (tmp_path / "calm/data/flows.yml").read_text(encoding="utf-8") in text

    assert run(tmp_path, CLASSIC, "--migration", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [draft["form"] for draft in found["drafts"]] == ["order_form"]
    assert found["candidates"][0]["rules"] == 2


def test_the_command_runs_as_a_process(tmp_path: Path) -> None:
    """What the actions print when they are imported does not get into the report."""
    import subprocess

    with written(tmp_path, changed(FAULTY, CODE, "", "\n\nprint('imported')\n")) as package:
        done = subprocess.run(
            [sys.executable, "-m", "action_server", "check", "--json", "--actions", package],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"] == 1
    assert done.stderr.strip() == "imported"
