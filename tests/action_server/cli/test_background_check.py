"""The check behind `run --dev`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from action_server.cli.background_check import check_project
from action_server.config.settings import Settings
from tests.action_server.flows.check.sample_projects import CALM_DOMAIN, CALM_FLOWS
from tests.processes import server
from tests.projects import GREET, project


def test_run_dev_warns_of_what_check_finds_at_the_start_and_after_an_edit(tmp_path: Path) -> None:
    """The server runs all the same."""
    project(tmp_path, {"domain.yml": CALM_DOMAIN, "data/flows.yml": CALM_FLOWS, "actions.py": GREET})

    with server(tmp_path, "--dev") as running:
        found = running.wait_for("check.found")
        with (tmp_path / "actions.py").open("a") as code:
            code.write("\n# edited\n")
        running.wait_for("reload.done")
        again = running.wait_for("check.found")

    assert (found["level"], found["rule"]) == ("warning", "unused-action")
    assert {"place", "problem", "fix"} <= set(found)
    assert again["rule"] == found["rule"]


def test_the_check_behind_run_dev_finds_the_project_as_the_verbs_do(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the working directory before assistant/, and nothing is logged where neither has a project."""
    project(folder, {"assistant/.keep": "", "actions.py": GREET})
    check_project(Settings())
    assert caplog.records == []

    project(folder, {"assistant/domain.yml": CALM_DOMAIN, "assistant/data/flows.yml": CALM_FLOWS})
    check_project(Settings())
    assert [r for r in caplog.records if str(vars(r)["place"]).startswith("assistant/")]

    caplog.clear()
    project(folder, {"domain.yml": CALM_DOMAIN, "data/flows.yml": CALM_FLOWS})
    check_project(Settings())
    assert caplog.records
    assert not [r for r in caplog.records if str(vars(r)["place"]).startswith("assistant/")]


def test_without_the_extra_the_server_runs_unchecked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`run --dev` does not need it."""
    project(folder, {"domain.yml": CALM_DOMAIN, "data/flows.yml": CALM_FLOWS, "actions.py": GREET})
    monkeypatch.setitem(sys.modules, "action_server.flows.check", None)

    check_project(Settings())

    assert caplog.records == []


def test_a_wrong_table_in_pyproject_is_one_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The thread does not die of it."""
    project(folder, {"domain.yml": CALM_DOMAIN, "data/flows.yml": CALM_FLOWS, "actions.py": GREET})
    project(folder, {"pyproject.toml": "[tool.action-server.check]\nignore = ['unknown-flwo']\n"})

    check_project(Settings())

    [record] = caplog.records
    assert record.getMessage() == "check.failed"
    assert "did you mean 'unknown-flow'" in vars(record)["problem"]
