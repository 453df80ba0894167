"""The pytest plugin, in pytest processes of projects of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from action_server.testing.recordings import read_recordings
from tests.action_server.testing.guest_project import guest_project
from tests.processes import PATIENCE, environment
from tests.projects import project

TEST = """
    def test_a_guest_more(action_client):
        action_client.call_sync("action_count_guests", slots={"guests": 2}).sets(guests=3).says("That makes 3.")
"""
ASYNC_TEST = """
    import asyncio

    def test_a_guest_more(action_client):
        async def call():
            return await action_client.call("action_count_guests", slots={"guests": 2})

        assert asyncio.run(call()).slots == {"guests": 3}
"""
FAILING = """
    def test_an_action_that_fails(action_client):
        action_client.call_sync("action_fail")

    async def test_a_slot_that_is_none(action_client):
        await action_client.call("action_count_guests", slots={"gests": 2})
"""
SNAPSHOT = """
    from inline_snapshot import snapshot

    def test_a_guest_more(action_client):
        result = action_client.call_sync("action_count_guests", slots={"guests": 2})

        assert result == snapshot()
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, without what this run of it was told."""
    # inline-snapshot writes nothing where it sees these.
    kept = {k: v for k, v in environment(PYTEST_ADDOPTS="").items() if not k.startswith(("PYTEST_XDIST", "CI"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("test", [TEST, ASYNC_TEST], ids=["sync", "async"])
def test_a_test_of_a_project_imports_nothing(tmp_path: Path, test: str) -> None:
    """The fixture is there, finds actions, domain and settings, also from a folder of tests below."""
    guest_project(tmp_path)
    project(tmp_path, {"tests/test_guests.py": test, "pyproject.toml": "[tool.pytest.ini_options]"})

    ended = run_pytest(tmp_path, "tests")

    assert ended.returncode == 0, ended.stdout


def test_a_setting_of_pytest_names_the_project_and_failures_are_told_by_the_authors_lines(tmp_path: Path) -> None:
    """Where the tests lie beside it. Of a failure the test's own line is shown, and the action's."""
    guest_project(tmp_path / "bot")
    setting = '[tool.pytest.ini_options]\naction_server_project = "bot"\nasyncio_mode = "auto"'
    project(tmp_path, {"tests/test_guests.py": TEST, "tests/test_more.py": FAILING, "pyproject.toml": setting})

    ended = run_pytest(tmp_path, "--show-capture=no")

    assert "2 failed, 1 passed" in ended.stdout
    places = re.findall(r"^(\S+):\d+: (\w*)", ended.stdout, re.MULTILINE)
    test = "tests/test_more.py"
    assert places == [(test, ""), ("bot/actions.py", "KeyError"), (test, "SettingsError")]
    assert "SettingsError: slot 'gests': is not in the domain; did you mean 'guests'?" in ended.stdout


def test_a_snapshot_is_written_and_holds(tmp_path: Path) -> None:
    """inline-snapshot writes what was answered into the test; the next run compares with it."""
    guest_project(tmp_path)
    project(tmp_path, {"test_guests.py": SNAPSHOT, "pyproject.toml": "[tool.pytest.ini_options]"})

    created = run_pytest(tmp_path, "--inline-snapshot=create")
    text = (tmp_path / "test_guests.py").read_text(encoding="utf-8")
    compared = run_pytest(tmp_path)

    assert "That makes 3." in text, created.stdout
    assert "duration" not in text
    assert compared.returncode == 0, compared.stdout


def test_calls_of_tests_are_recorded_if_pytest_is_told(tmp_path: Path) -> None:
    """In the form of `run --record`, in a folder that is named from where pytest was started."""
    guest_project(tmp_path)
    project(tmp_path, {"tests/test_guests.py": TEST, "pyproject.toml": "[tool.pytest.ini_options]"})

    ended = run_pytest(tmp_path, "tests", "--record-actions", "recordings")

    assert ended.returncode == 0, ended.stdout
    [call] = read_recordings(tmp_path / "recordings")
    assert (call.action, call.status, call.reply["responses"][0]["text"]) == (
        *("action_count_guests", 200),
        "That makes 3.",
    )


def test_the_plugin_imports_next_to_nothing_when_pytest_starts() -> None:
    """What is not imported takes no time: the kit and the server come with the first test that asks for the fixture."""
    code = (
        "import sys, pytest\n"
        "from typing import TYPE_CHECKING\n"
        "before = set(sys.modules)\n"
        "import action_server.testing.plugin\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)

    assert ended.stdout.split() == ["action_server", "action_server.testing", "action_server.testing.plugin"]
