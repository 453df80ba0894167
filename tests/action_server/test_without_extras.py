"""Without the packages of the extras: what needs none of them works, and the rest says in one line what it misses."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.extras import PACKAGES
from tests.processes import run, server
from tests.projects import GREET, project

# Python imports it at its start, wherever it finds it first: as if the packages were not installed.
NOTHING_OF = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
EVERYTHING = sorted({name for names in PACKAGES.values() for name in names})
ONCE = GREET.replace(
    "from rasa_sdk import Action", "from rasa_sdk import Action\n    from action_server import idempotent"
)
ONCE = ONCE.replace("    class ActionGreet", "    @idempotent\n    class ActionGreet")
ENDPOINTS = """
    action_endpoint:
      url: http://localhost:5055/webhook
      token: a-token-that-is-long
    action_server:
      auth: {tokens: a-token-that-is-long}
"""


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """Variables under which none of the packages is there."""
    project(tmp_path, {"none/sitecustomize.py": NOTHING_OF.format(names=EVERYTHING), "actions.py": GREET})
    return {"PYTHONPATH": str(tmp_path / "none")}


def test_a_bot_without_a_store_is_served_called_and_listed(tmp_path: Path, bare: dict[str, str]) -> None:
    """Run, list, call, tools, types of answers, and a static token: nothing of an extra is imported."""
    project(tmp_path, {"endpoints.yml": ENDPOINTS})

    with server(tmp_path, variables=bare) as running:
        assert running.url
    for arguments in (["list"], ["call", "action_greet"], ["doctor"], ["idempotency", "--help"], ["--help"]):
        ended = run(tmp_path, arguments, **bare)
        assert ended.returncode == 0, (arguments, ended.stderr)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["call", "action_greet", "--url", "http://127.0.0.1:9/webhook"],
            'call: needs the package aiohttp, {}".[client]"',
        ),
        (
            ["doctor", "--online", "--url", "http://127.0.0.1:9/webhook"],
            'doctor: needs the package aiohttp, {}".[client]"',
        ),
        (["contract", "http://127.0.0.1:9"], 'contract: needs the package aiohttp, {}".[client]"'),
        (["check"], 'check: needs the package pypred, {}".[flows]"'),
        (["doctor", "--from-rasa-sdk"], '--from-rasa-sdk: needs the package packaging, {}".[flows]"'),
        (["idempotency", "list"], 'idempotency: needs the package sqlalchemy, {}".[store]"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_verb_that_needs_more_says_what_in_one_line(
    tmp_path: Path, bare: dict[str, str], arguments: list[str], said: str
) -> None:
    """The package, and how it is installed; exit code 2."""
    ended = run(tmp_path, arguments, **bare)

    line = said.format("which is not installed; in a clone of this project: pip install ")
    assert (ended.returncode, ended.stderr) == (2, f"error: {line}\n")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"actions.py": ONCE}, 'error: database: needs the package sqlalchemy, {}".[store]"'),
        (
            {"endpoints.yml": f"action_server: {{auth: {{jwt: {{secret: {'s' * 40}, algorithms: [HS256]}}}}}}"},
            'error: auth.jwt: needs the package jwt, {}".[jwt]"',
        ),
    ],
    ids=["once", "jwt"],
)
def test_a_server_that_needs_more_does_not_start(
    tmp_path: Path, bare: dict[str, str], files: dict[str, str], said: str
) -> None:
    """Not at the first call, and not with every token refused: at the start, with the setting that needs it."""
    project(tmp_path, files)

    ended = run(tmp_path, ["run", "--host", "127.0.0.1", "--port", "0"], **bare)

    assert ended.returncode == 2
    assert said.format("which is not installed; in a clone of this project: pip install ") in ended.stderr
