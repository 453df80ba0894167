"""A new project passes its own checks at once; one that exists is adopted and not changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from action_server.cli.command_line import main
from tests.processes import PATIENCE, environment, run
from tests.projects import project

ROOT = Path(__file__).parents[3]


def run_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env=environment(PYTEST_ADDOPTS=""),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_new_project_passes_everything_at_once(tmp_path: Path) -> None:
    """`check`, `flows test` and `pytest`, and its action can be called."""
    made = run(tmp_path, ["new", "party"])
    assert made.returncode == 0
    assert made.stdout.splitlines()[-1].startswith("next: cd party, then pytest, action-server check")
    party = tmp_path / "party"

    checked = run(party, ["check", "--strict"])
    played = run(party, ["flows", "test", "tests/e2e_test_cases.yml"])
    tested = run_pytest(party)
    called = run(party, ["call", "action_count_guests", "guests=2"])

    assert [ended.returncode for ended in (checked, played, tested, called)] == [0, 0, 0, 0], tested.stdout
    assert "1 passed" in tested.stdout
    assert "That makes 3." in called.stdout
    names = {str(path.relative_to(party)) for path in party.rglob("*") if path.is_file()}
    assert {"Dockerfile", ".pre-commit-config.yaml", ".github/workflows/check.yml", "endpoints.yml"} <= names


def test_a_project_that_exists_is_adopted_and_not_changed(tmp_path: Path) -> None:
    """Its files are as they were; what it gets works; the second time nothing is left to do."""
    files = {
        "domain.yml": "actions: [action_hello]",
        "requirements.txt": "requests",
        "endpoints.yml": "{}",
        "actions/__init__.py": """
            from rasa_sdk import Action

            class ActionHello(Action):
                def name(self):
                    return "action_hello"

                def run(self, dispatcher, tracker, domain):
                    return []
        """,
    }
    project(tmp_path, files)
    before = {name: (tmp_path / name).read_bytes() for name in files}

    first = run(tmp_path, ["new", "--from", "."])
    again = run(tmp_path, ["new", "--from", "."])
    tested = run_pytest(tmp_path)

    assert {name: (tmp_path / name).read_bytes() for name in files} == before
    assert "left  requirements.txt" in first.stdout
    for name in ("Dockerfile", ".github/workflows/check.yml"):
        # What is there says nothing of the server, which the image and CI need all the same.
        assert "'./wheels/action_server-" in (tmp_path / name).read_text(encoding="utf-8"), name
    assert "wrote" not in again.stdout
    assert (tested.returncode, "1 passed" in tested.stdout) == (0, True), tested.stdout


def test_our_own_assistant_can_be_adopted(tmp_path: Path) -> None:
    """A real project: every action its domain lists is in the test, once their code is there, too."""
    test = tmp_path / "bot" / "tests" / "test_actions_are_there.py"
    shutil.copytree(ROOT / "assistant", tmp_path / "bot")

    assert main(["new", "--from", str(tmp_path / "bot")]) == 0
    was_there_without_code = test.exists()
    project(tmp_path, {"bot/endpoints.yml": "action_server: {actions: clinic.code}", "bot/clinic/code.py": ""})
    assert main(["new", "--from", str(tmp_path / "bot")]) == 0

    assert not was_there_without_code
    assert '"action_create_appointment"' in test.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new"], "needs the folder"),
        (["new", "party", "--from", "."], "needs the folder"),
        (["new", "full"], "is not empty"),
        (["new", "--from", "full"], "there is no Rasa project"),
    ],
    ids=["neither", "both", "a folder with something in it", "no project"],
)
def test_what_cannot_be_made_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """In a line, and nothing is written."""
    project(folder, {"full/note.txt": "mine"})

    assert main(arguments) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["note.txt"]


@pytest.mark.parametrize("arguments", [["new", "file/party"], ["types", "--write", "file/slots.py"]])
def test_what_cannot_be_written_is_said_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Below a file there is no folder."""
    project(folder, {"file": "", "domain.yml": "slots: {guests: {type: float, mappings: [{type: custom}]}}"})

    assert main(arguments) == 2
    assert "cannot be written" in capsys.readouterr().err
