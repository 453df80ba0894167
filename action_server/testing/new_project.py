"""The files of a new project: an action, its domain, a flow that uses it, tests, and what surrounds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from action_server import __version__

_WHEEL = f"wheels/action_server-{__version__}-py3-none-any.whl"
FILES: Mapping[str, str] = {
    "actions.py": '''\
"""The actions of the assistant."""

from rasa_sdk import Action
from rasa_sdk.events import SlotSet


class ActionCountGuests(Action):
    """Adds the user to the guests."""

    def name(self):
        return "action_count_guests"

    def run(self, dispatcher, tracker, domain):
        guests = int(tracker.get_slot("guests") or 0) + 1
        dispatcher.utter_message(text=f"That makes {guests}.")
        return [SlotSet("guests", guests)]
''',
    "domain.yml": """\
version: "3.1"

actions:
  - action_count_guests

slots:
  guests:
    type: float
    mappings:
      - type: from_llm

responses:
  utter_ask_guests:
    - text: "How many guests do you expect?"
""",
    "data/flows.yml": """\
flows:
  count_guests:
    name: count guests
    description: count the guests of a party
    steps:
      - collect: guests
        description: how many guests are expected
      - action: action_count_guests
""",
    "endpoints.yml": """\
action_endpoint:
  url: "http://localhost:5055/webhook"
action_server:
  actions: actions
""",
    "config.yml": """\
recipe: default.v1
language: en
pipeline:
  - name: CompactLLMCommandGenerator
policies:
  - name: FlowPolicy
""",
    "tests/test_actions.py": '''\
"""Tests of the actions; `action_client` comes with action-server."""


def test_a_guest_more_is_counted(action_client):
    result = action_client.call_sync("action_count_guests", slots={"guests": 2})

    result.sets(guests=3).says("That makes 3.").keeps_contract()
''',
    "tests/e2e_test_cases.yml": """\
test_cases:
  - test_case: a party of three
    steps:
      - user: "count guests"
      - utter: utter_ask_guests
      - user: "2"
      - bot: "That makes 3."
""",
    "pyproject.toml": """\
[tool.pytest.ini_options]
testpaths = ["tests"]
""",
    "requirements.txt": f"""\
# Nothing is published: in a clone of action-server, `pip wheel --no-deps --wheel-dir FOLDER .` makes
# this file; put it into wheels/.
./{_WHEEL}[flows]
pytest
""",
    "Dockerfile": """\
FROM python:3.11-slim
WORKDIR /app
COPY wheels wheels
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt && useradd --create-home app
COPY actions.py endpoints.yml ./
USER app
EXPOSE 5055
CMD ["action-server", "run"]
""",
    ".github/workflows/check.yml": """\
name: check
on: [push, pull_request]
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.11"}
      - run: pip install -r requirements.txt
      - run: action-server check
      - run: action-server flows test tests/e2e_test_cases.yml
      - run: pytest
""",
    ".pre-commit-config.yaml": """\
repos:
  - repo: local
    hooks:
      - id: action-server-check
        name: code, domain and flows agree
        entry: action-server check
        language: system
        pass_filenames: false
""",
    ".gitignore": "__pycache__/\n.pytest_cache/\nrecordings/\n",
}
# What goes beside a project that has its own actions, domain and flows.
_ADOPTED = ("Dockerfile", ".github/workflows/check.yml", ".pre-commit-config.yaml", "requirements.txt")
_HOW_TO_MAKE_THE_WHEEL = """\
# Nothing is published: in a clone of action-server, `pip wheel --no-deps --wheel-dir FOLDER .` makes
# the wheel that is installed here; put it into wheels/.
"""
_ADOPTED_TEST = '''\
"""Tests of the actions; `action_client` comes with action-server."""

import pytest

ACTIONS = {names}


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_is_there(action_client, name):
    assert name in action_client.actions
'''


def new_files() -> dict[str, str]:
    """Return the files of a project that begins."""
    return dict(FILES)


def files_beside(actions: list[str]) -> dict[str, str]:
    """Return what a project that has actions of these names may lack: a test of them, CI, a container."""
    names = "[\n" + "".join(f'    "{name}",\n' for name in sorted(actions)) + "]" if actions else "[]"
    test = {"tests/test_actions_are_there.py": _ADOPTED_TEST.format(names=names)} if actions else {}
    adopted = {name: FILES[name] for name in _ADOPTED}
    # What its server needs, and nothing that was this example's.
    adopted["Dockerfile"] = adopted["Dockerfile"].replace("COPY actions.py endpoints.yml ./", "COPY . .")
    # A requirements.txt that exists says nothing of this server.
    for name in ("Dockerfile", ".github/workflows/check.yml"):
        adopted[name] = adopted[name].replace("-r requirements.txt", f"'./{_WHEEL}[flows]' pytest -r requirements.txt")
        adopted[name] = _HOW_TO_MAKE_THE_WHEEL + adopted[name]
    lines = adopted[".github/workflows/check.yml"].splitlines(keepends=True)
    adopted[".github/workflows/check.yml"] = "".join(line for line in lines if "flows test" not in line)
    return {**test, **adopted}


def missing_files(folder: Path, files: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the files that are not there, and the names of those that are."""
    missing = {name: text for name, text in files.items() if not (folder / name).exists()}
    return missing, [name for name in files if name not in missing]
