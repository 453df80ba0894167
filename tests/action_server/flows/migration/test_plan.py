"""The plan as a whole: written once, and what the clinic's would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from action_server.errors import SettingsError
from action_server.flows.check.checking import Request, check
from action_server.flows.migration.plan import plan
from tests.action_server.flows.migration.sample_project import plan_for

ROOT = Path(__file__).parents[4]


def test_existing_files_are_not_overwritten(tmp_path: Path) -> None:
    """Neither by a second run nor over a project."""
    found = plan_for(tmp_path)
    before = (tmp_path / "domain.yml").read_text(encoding="utf-8")

    with pytest.raises(SettingsError, match="exists already"):
        found.write(tmp_path)
    assert (tmp_path / "domain.yml").read_text(encoding="utf-8") == before
    assert not (tmp_path / "data" / "flows.yml").exists()


def test_a_project_without_forms_has_candidates_and_no_drafts(tmp_path: Path) -> None:
    """Nothing is drafted out of small talk."""
    data = "version: '3.1'\nrules: [{rule: hello, steps: [{intent: hello}, {action: utter_hello}]}]\n"
    files: dict[str, Any] = {"domain.yml": "version: '3.1'\nintents: [hello]\n", "data/all.yml": data, "ACTS.py": ""}
    found = plan_for(tmp_path, files)

    assert "hello" in [c.name for c in found.candidates]
    assert found.flows == ""
    with pytest.raises(SettingsError, match="no forms"):
        found.write(tmp_path / "drafts")


def test_the_clinic_s_forms_become_flows_that_agree_with_its_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drafts of the classic twin are read, and the check finds nothing in them: the same code serves both."""
    monkeypatch.chdir(ROOT)
    found = plan(Request(Path("assistant/classic"), "actions"))
    found.write(tmp_path / "drafts")
    report = check(Request(tmp_path / "drafts", "actions"))

    assert len(found.drafts) == len(report.project.flows) >= 3
    assert [f"{f.place.exact} {f.rule.id} {f.message}" for f in report.findings] == []
    assert {a.verdict for a in found.actions if a.name.startswith("action_")} == {"unchanged"}
