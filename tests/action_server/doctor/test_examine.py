"""The whole examination, and how the verb ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action_server.cli import command_line
from tests.action_server.doctor.bots import OPEN, examine_bot
from tests.processes import run
from tests.projects import GREET, project

ROOT = Path(__file__).parents[3]


def test_nothing_is_found_where_nothing_is_wrong(bot: Path) -> None:
    """A local url, a server for this machine only."""
    assert examine_bot(bot, {"action_endpoint": OPEN}) == []


# Of databases, where the tests run in a container themselves.
OF_CONTAINERS = {"sqlite-container", "jobs-sqlite"}


def test_of_this_repository_only_the_open_door_is_found_where_somebody_opens_it() -> None:
    """Its endpoints.yml has no credentials, as everybody starts; with default settings that is no finding."""

    def found(*flags: str) -> list[tuple[str, str]]:
        ended = run(ROOT, ["doctor", "--json", *flags])
        assert ended.returncode == 0
        every = json.loads(ended.stdout)["findings"]
        return [(f["rule"], f["where"]) for f in every if f["rule"] not in OF_CONTAINERS]

    assert found() == []
    assert found("--host", "0.0.0.0") == [("public-without-auth", "setting host")]  # noqa: S104 - the fault


CODES: list[tuple[str, str, list[str], int]] = [
    ("nothing wrong", "action_endpoint: {url: 'http://localhost:5055/webhook'}", ["--host", "127.0.0.1"], 0),
    ("a warning", "action_endpoint: {url: 'http://localhost:5055/webhook'}", ["--host", "0.0.0.0"], 0),  # noqa: S104 - the fault
    ("an error", "action_endpoint: {}", [], 1),
    ("broken YAML", "action_endpoint: {", [], 2),
    ("a setting that does not exist", "action_server: {colour: red}", [], 2),
    ("a file that does not exist", "", ["--endpoints", "no.yml"], 2),
    ("a certificate that cannot be read", "", ["--ssl-certificate", "no.pem"], 2),
]


@pytest.mark.parametrize(("text", "flags", "code"), [c[1:] for c in CODES], ids=[c[0] for c in CODES])
def test_the_exit_code_is_of(folder: Path, text: str, flags: list[str], code: int) -> None:
    """0 without errors, 1 with, 2 where the server itself would not start for its settings."""
    project(folder, {"actions.py": GREET, "endpoints.yml": text})

    assert command_line.main(["doctor", *flags]) == code


def test_without_an_endpoints_file_the_endpoint_is_missing(folder: Path) -> None:
    """The default one may not be there."""
    project(folder, {"actions.py": GREET})

    assert command_line.main(["doctor"]) == 1
