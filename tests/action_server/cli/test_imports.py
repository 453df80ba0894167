"""What each verb imports, and what it does not: the tools start quickly because they load little. No clock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.action_server.cli.bots import BOT
from tests.processes import PATIENCE
from tests.projects import project

# Packages that take long to import, each with what needs it.
HEAVY = {
    "pydantic": "settings, for the flags of a verb",
    "rasa_sdk": "actions",
    "sanic": "rasa_sdk, whoever imports it",
    "rich": "tables",
    "rich.progress": "a bar, on a terminal",
    "xml.etree": "a file of JUnit's",
    "svcs": "services, of a package that has some; it imports aiohttp's server",
    "aiohttp": "calls over HTTP",
    "sqlalchemy": "databases",
    "opentelemetry": "traces",
    "prometheus_client": "metrics",
    "grpc": "gRPC",
    "stamina": "repeated deliveries",
    "action_server.flows": "flows",
    "action_server.doctor": "doctor",
    "action_server.serving": "serving",
}
SETTINGS = {"pydantic"}
ACTIONS = {*SETTINGS, "rasa_sdk", "sanic"}
# What a verb may import of these. Add to a line only what the verb cannot do without.
TABLE: dict[str, tuple[list[str], set[str]]] = {
    "--help": (["--help"], set()),
    "--version": (["--version"], set()),
    "list --help": (["list", "--help"], SETTINGS),
    "call --help": (["call", "--help"], SETTINGS),
    "list": (["list"], {*ACTIONS, "rich"}),
    "list --json": (["list", "--json"], ACTIONS),
    "call": (["call", "action_quiet"], {*ACTIONS, "rich"}),
    # Without aiohttp: nothing is asked over a network.
    "flows test": (["flows", "test"], {*ACTIONS, "rich", "action_server.flows"}),
    "call --json": (["call", "action_quiet", "--json"], ACTIONS),
}
# What `flows test` plays.
PROJECT = {
    "domain.yml": "actions: [action_quiet]\nslots: {}\n",
    "data/flows.yml": "flows:\n  be_quiet:\n    description: be quiet\n    steps: [{action: action_quiet}]\n",
    "tests/e2e.yml": "test_cases:\n  - test_case: quiet\n    steps:\n      - user: /be_quiet\n        assertions:\n"
    "          - action_executed: action_quiet\n",
}
SCRIPT = """
import json, sys
HEAVY = {names}
from action_server.cli.command_line import main
try:
    code = main(sys.argv[1:])
except SystemExit as exc:
    code = exc.code
print(json.dumps([code, sorted(HEAVY & set(sys.modules))]), file=sys.stderr)
"""


@pytest.mark.parametrize(("arguments", "expected"), TABLE.values(), ids=list(TABLE))
def test_a_verb_imports_what_it_uses(arguments: list[str], expected: set[str], tmp_path: Path) -> None:
    """The table holds it to the package; also the other way round, so that a line says no more than is true."""
    project(tmp_path, {"actions.py": dedent(BOT), **(PROJECT if arguments[0] == "flows" else {})})
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("{names}", repr(set(HEAVY))), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    code, found = json.loads(ended.stderr.splitlines()[-1])

    assert code in (0, None), ended.stderr
    assert set(found) == expected


def test_a_supervisor_imports_nothing_of_what_its_workers_do() -> None:
    """It starts before them and stays beside them: its share of the start and of the memory is for nothing else."""
    script = f"import json, sys, action_server.cli.run, action_server.serving.server; names = {set(HEAVY)!r}\n"
    script += "print(json.dumps(sorted(names & set(sys.modules))))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=True)

    assert json.loads(ended.stdout) == ["action_server.serving", "pydantic"]


def test_a_public_name_is_loaded_when_it_is_asked_for() -> None:
    """`import action_server` alone loads nothing of it; `dir()` and a name that is none are as in any module."""
    script = "import sys, action_server as a; print([m for m in sys.modules if m.startswith('action_server.')])\n"
    script += "print(all(getattr(a, name) is not None and name in dir(a) for name in a.__all__), hasattr(a, 'nothing'))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=True)

    assert ended.stdout == "[]\nTrue False\n"
