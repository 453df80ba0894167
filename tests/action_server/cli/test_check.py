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
from action_server.project.tree_cache import FOLDER
from tests.action_server.flows.check.sample_projects import (
    BLOCKING_CALL,
    CALM,
    CLASSIC,
    CODE,
    FAULTY,
    FLOWS,
    edit,
    write_files,
)
from tests.counting import Entered

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(folder: Path, files: dict[str, str], *flags: str) -> int:
    """Run the verb as the command line does."""
    parser = argparse.ArgumentParser()
    check.add_flags(parser)
    with write_files(folder, files) as package:
        return check.run(parser.parse_args([*flags, "--actions", package]), {})


def test_a_finding_is_a_line_and_its_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Editors jump to `path:line:column`; a pipe gets no colour."""
    assert run(tmp_path, FAULTY) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "data/flows.yml:22:9: error unknown-flow: the step links to 'otter', which is no flow; did you mean 'other'?"
    )
    assert lines[1] == "    write the flow, or correct the name"
    assert lines[2] == "1 error (2 flows, 3 slots, 3 actions)"
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("files", "flags", "code"),
    [
        (CALM, [], 0),
        (CALM, ["--strict"], 0),
        (FAULTY, [], 1),
        (BLOCKING_CALL, [], 0),
        (BLOCKING_CALL, ["--strict"], 1),
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
        "notes": 0,
        "findings": [
            {
                "rule": "unknown-flow",
                "severity": "error",
                "where": "data/flows.yml:22:9",
                "file": "data/flows.yml",
                "line": 22,
                "column": 9,
                "key": "",
                "message": "the step links to 'otter', which is no flow; did you mean 'other'?",
                "fix": "write the flow, or correct the name",
            }
        ],
    }


def test_sarif_has_the_shape_of_its_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Required properties, known levels, indexes that fit, URIs, and lines from 1 on (SARIF 2.1.0, 3.13 to 3.30)."""
    files = edit(BLOCKING_CALL, FLOWS, "link: other", "link: otter")
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

    with write_files(tmp_path, edit(FAULTY, CODE, "", "\n\nprint('imported')\n")) as package:
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


def test_tools_of_other_servers_come_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A step that calls what is not among them is a fault; a file that holds none is wrong usage."""
    step = "call: rain\n        mcp_server: weather\n        mapping: {output: [{slot: amount, value: result.isError}]}"
    files = edit(CALM, FLOWS, "link: other", step)
    files |= {"endpoints.yml": "mcp_servers: [{name: weather, url: 'http://w/mcp', type: http}]\n"}
    files |= {"tools.json": '{"tools": [{"name": "sun", "inputSchema": {"type": "object"}}]}'}

    assert run(tmp_path, files) == 0
    assert run(tmp_path, files, "--tools", "tools.json") == 1
    assert "unknown-tool" in capsys.readouterr().out
    with pytest.raises(SettingsError, match="--tools"):
        run(tmp_path, files, "--tools", "weather=domain.yml")


def test_what_has_not_changed_is_not_parsed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second run says the same, and parses what was edited; with --no-cache nothing is kept and all is parsed."""
    said, parsed = [], []
    edited = {**FAULTY, "data/flows.yml": FAULTY["data/flows.yml"].replace("otter", "othir")}
    for files, flags in ((FAULTY, ["--no-cache"]), (FAULTY, []), (FAULTY, []), (edited, []), (FAULTY, ["--no-cache"])):
        with Entered() as entered:
            run(tmp_path, files, *flags)
        said.append(capsys.readouterr().out)
        parsed.append(entered.by_name["compose"])
        if len(said) == 1:
            assert not (tmp_path / FOLDER).exists()

    assert said[0] == said[1] == said[2] == said[4] == said[3].replace("othir", "otter")
    assert parsed[0] == parsed[1] == parsed[4] > 2
    assert parsed[2:4] == [0, 1]
