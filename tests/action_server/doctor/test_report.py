"""What the verb prints: text, JSON, SARIF."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action_server.cli import command_line
from action_server.doctor.rules import RULES
from action_server.findings.rule import SEVERITIES
from tests.processes import run
from tests.projects import GREET, project


def test_json_has_the_number_of_errors_and_the_findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `check` has them, with the names of before beside them; what modules print does not get in between."""
    project(
        folder, {"actions.py": "print('hello')", "endpoints.yml": "action_endpoint: {url: 'http://localhost:5055'}"}
    )

    code = command_line.main(["doctor", "--json", "--host", "0.0.0.0"])  # noqa: S104 - a finding

    printed = json.loads(capsys.readouterr().out)
    assert code == 1
    assert printed["errors"] == 1
    assert [f["rule"] for f in printed["findings"]] == ["url-path", "public-without-auth"]
    for finding in printed["findings"]:
        assert {"rule", "severity", "where", "message", "fix"} <= set(finding)
        assert (finding["problem"], finding["remedy"]) == (finding["message"], finding["fix"])
        assert finding["severity"] in SEVERITIES
        assert all(finding[name] for name in ("rule", "where", "message", "fix"))


def test_through_a_pipe_the_text_has_every_finding(folder: Path) -> None:
    """In a process of its own, whose output is no terminal: errors first, no colour, no cut word."""
    project(folder, {"actions.py": GREET, "endpoints.yml": "action_endpoint: {url: 'http://localhost:5055/[b]'}"})

    ended = run(folder, ["doctor", "--host", "0.0.0.0"])  # noqa: S104 - a finding

    assert ended.returncode == 1
    assert ended.stdout.index("url-path") < ended.stdout.index("public-without-auth")
    assert RULES["url-path"].summary in ended.stdout
    assert ended.stdout.splitlines()[-1] == "1 error, 1 warning"
    assert "\x1b" not in ended.stdout


def test_where_nothing_is_found_it_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Silence could be a crash."""
    project(folder, {"actions.py": GREET, "endpoints.yml": "action_endpoint: {url: 'http://localhost:5055/webhook'}"})

    assert command_line.main(["doctor", "--host", "127.0.0.1"]) == 0
    assert capsys.readouterr().out.strip() == "nothing found"


def test_sarif_has_every_rule_and_each_result_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A setting of no file stands in the endpoints file: code hosts refuse a log with results in none."""
    project(folder, {"actions.py": GREET, "endpoints.yml": "action_endpoint: {url: 'http://localhost:5055'}"})

    code = command_line.main(["doctor", "--sarif", "--host", "0.0.0.0"])  # noqa: S104 - a finding

    (log,) = json.loads(capsys.readouterr().out)["runs"]
    assert code == 1
    assert [rule["id"] for rule in log["tool"]["driver"]["rules"]] == list(RULES)
    assert [(r["ruleId"], r["level"]) for r in log["results"]] == [
        ("url-path", "error"),
        ("public-without-auth", "warning"),
    ]
    assert [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in log["results"]] == [
        "endpoints.yml",
        "endpoints.yml",
    ]
    assert [r["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] for r in log["results"]] == [
        "action_endpoint.url",
        "setting host",
    ]


DESCRIBED = """
    from contextlib import asynccontextmanager

    class Book:
        def describe(self): return ["Mon 23 Nov: 8 free, 2 taken", "Tue 24 Nov: 10 closed"]

    class Broken:
        def describe(self): raise RuntimeError("S3CR3T")

    @asynccontextmanager
    async def lifespan(registry, config):
        registry.register_value(Book, Book(), ping=lambda book: None)
        registry.register_value(Broken, Broken(), ping=lambda broken: None)
        yield
"""


def test_what_services_understood_is_shown(folder: Path) -> None:
    """In lines below the findings, and for scripts; of one that fails nothing but the class of its error."""
    project(folder, {"actions.py": DESCRIBED, "endpoints.yml": "action_endpoint: {actions_module: actions}"})

    said, read = run(folder, ["doctor", "--online"]), run(folder, ["doctor", "--online", "--json"])

    lines = said.stdout.splitlines()
    week = ["Mon 23 Nov: 8 free, 2 taken", "Tue 24 Nov: 10 closed"]
    assert lines[lines.index("1 note") :] == [
        *("1 note", "", "actions.Book", *(f"  {line}" for line in week)),
        *("", "actions.Broken", "  cannot say it: RuntimeError"),
    ]
    assert json.loads(read.stdout)["services"] == [
        {"name": "actions.Book", "description": week},
        {"name": "actions.Broken", "description": ["cannot say it: RuntimeError"]},
    ]


def test_without_online_no_service_says_anything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """None is opened."""
    project(folder, {"actions.py": DESCRIBED, "endpoints.yml": "action_endpoint: {actions_module: actions}"})

    assert command_line.main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["services"] == []
