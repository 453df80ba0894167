"""The verbs about flows, as the command line has them: with the packages they need, without, and behind `run --dev`."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from action_server.cli import command_line
from tests.action_server.flows.check.sample_projects import CALM_DOMAIN, CALM_FLOWS
from tests.processes import server
from tests.projects import GREET, project

VERBS = [["chat"], ["flows", "test"], ["flows", "graph"], ["check"]]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_verb_says_what_it_does(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Its help has its flags."""
    with pytest.raises(SystemExit) as ended:
        command_line.main([*verb, "--help"])

    assert ended.value.code == 0
    assert "--project DIR" in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_without_the_packages_a_verb_says_how_to_install_them(
    verb: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2; all other verbs work."""

    def missing(name: str, package: str | None = None) -> ModuleType:
        raise ModuleNotFoundError("No module named 'pypred'", name="pypred")

    monkeypatch.setattr(importlib, "import_module", missing)

    assert command_line.main(verb) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"error: {' '.join(verb)}: needs packages" in error
    assert 'pip install "action-server[flows]"' in error
    with pytest.raises(SystemExit) as ended:
        command_line.main(["--help"])
    assert ended.value.code == 0


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
