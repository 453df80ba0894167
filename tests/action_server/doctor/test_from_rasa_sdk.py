"""A bot that runs under rasa-sdk's server is read, and what changes for it is said: each rule has its planted fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action_server.doctor.from_rasa_sdk import rules
from action_server.doctor.from_rasa_sdk.survey import survey
from tests.processes import run
from tests.projects import project

ACTION = """
    import asyncio, time
    from rasa_sdk import Action
    CACHE = None

    class ActionHello(Action):
        def name(self):
            return "action_hello"

        def run(self, dispatcher, tracker, domain):
            return []
"""


def in_run(*lines: str) -> str:
    return ACTION.replace("            return []", "\n".join(f"            {line}" for line in (*lines, "return []")))


FAULTS: list[tuple[str, str, str, str]] = [
    ("requirements.txt", "# bot\nrasa-sdk==3.6.2\n", "requirement-conflict", "requirements.txt:2"),
    ("requirements/base.txt", "Sanic >=21,<22  # rasa_sdk\n", "requirement-conflict", ""),
    ("requirements-prod.txt", "rasa_sdk\nwebsockets==16.0\n", "requirement-conflict", "requirements-prod.txt:2"),
    ("pyproject.toml", '[project]\nname = "bot"\ndependencies = ["rasa-sdk==3.1"]\n', "requirement-conflict", ""),
    ("pyproject.toml", '[tool.poetry.dependencies]\nrasa-sdk = "^2.8"\n', "requirement-conflict", "pyproject.toml:2"),
    ("requirements.txt", "\ufeffsanic==21.6.0\n", "requirement-conflict", "requirements.txt:1"),
    ("constraints.txt", "sanic==21.6.0 --hash=sha256:ab\n", "requirement-conflict", "constraints.txt:1"),
    ("pyproject.toml", '[tool.poetry.group.dev.dependencies]\nsanic = "21.6"\n', "requirement-conflict", ""),
    ("pyproject.toml", '[dependency-groups]\nbot = ["sanic<22", {include-group = "x"}]\n', "requirement-conflict", ""),
    ("Pipfile", '[packages]\nrasa-sdk = "==3.6.2"\nrequests = "*"\n', "requirement-conflict", "Pipfile:2"),
    ("Pipfile", '[requires]\npython_version = "3.8"\n', "python-too-old", "Pipfile:2"),
    ("environment.yml", "dependencies:\n  - python=3.9\n", "python-too-old", "environment.yml:2"),
    (".python-version", "3.8.10\n", "python-too-old", ".python-version:1"),
    ("setup.cfg", "[options]\ninstall_requires =\n    sanic<22\n", "requirement-conflict", "setup.cfg:3"),
    ("setup.py", "setup(\n  install_requires=['sanic<22', x],\n)\n", "requirement-conflict", "setup.py:2"),
    (
        "environment.yml",
        "dependencies:\n  - pip:\n    - sanic==21.6  # old\n",
        "requirement-conflict",
        "environment.yml:3",
    ),
    (
        "environment.yml",
        "dependencies:\n  - pydantic=1.10\n  - python=3.11\n",
        "requirement-conflict",
        "environment.yml:2",
    ),
    (
        "Dockerfile",
        "FROM python:3.11\nRUN pip install -r x.txt 'sanic<22' && true\n",
        "requirement-conflict",
        "Dockerfile:2",
    ),
    ("requirements.txt", "rasa-sdk\nrasa==3.6.20\n", "rasa-beside", "requirements.txt:2"),
    ("runtime.txt", "python-3.8.12\n", "python-too-old", "runtime.txt:1"),
    (
        "pyproject.toml",
        '[project]\nname = "bot"\nrequires-python = ">=3.7,<3.10"\n',
        "python-too-old",
        "pyproject.toml:3",
    ),
    ("Dockerfile", "FROM python:3.7-slim\n", "python-too-old", "Dockerfile:1"),
    ("Dockerfile", "# bot\nFROM docker.io/rasa/rasa-sdk:3.6.2 AS bot\n", "base-image", "Dockerfile:2"),
    ("docker-compose.yml", "services:\n  a:\n    image: rasa/rasa-sdk:latest\n", "base-image", "docker-compose.yml:3"),
    ("Procfile", "actions: python -m rasa_sdk -p 5056\n", "start-command", "Procfile:1"),
    ("start.sh", "rasa run actions \\\n  --debug &\n", "start-command", "start.sh:1"),
    ("Dockerfile", 'CMD ["python", "-m", "rasa_sdk", "--actions", "bot"]\n', "start-command", "Dockerfile:1"),
    ("Makefile", "run:\n\tpython -m rasa_sdk --autoreload\n", "start-flag", "Makefile:2"),
    ("actions.py", "from rasa_sdk.endpoint import create_app\n", "server-of-its-own", "actions.py:1"),
    ("actions.py", in_run("global CACHE", "CACHE = 1"), "shared-state", ""),
    ("actions.py", in_run("self.last = tracker"), "shared-state", "actions.py:11"),
    ("actions.py", in_run("ActionHello.count += 1"), "shared-state", "actions.py:11"),
    ("actions.py", in_run("loop = asyncio.get_event_loop()"), "loop-of-the-thread", ""),
    ("actions.py", in_run("time.sleep(60)"), "long-wait", ""),
    ("k8s.yaml", "env:\n  - name: ACTION_SERVER_SANIC_WORKERS\n", "variable-kept", "k8s.yaml:2"),
    ("endpoints.yml", "action_endpoint:\n  url: http://localhost:5055/webhook\n", "endpoint-kept", "endpoints.yml:1"),
]


@pytest.mark.parametrize(("name", "text", "rule", "place"), FAULTS)
def test_what_changes_is_found(tmp_path: Path, name: str, text: str, rule: str, place: str) -> None:
    """One thing that changes, in one file of a bot: one finding, where it stands."""
    project(tmp_path, {"bot.py": "import rasa_sdk\n", name: text})

    (found,) = survey(tmp_path)

    assert found.rule.id == rule
    assert place in str(found.place)


def test_every_rule_has_a_bot() -> None:
    """No rule without a planted fault."""
    assert {fault[2] for fault in FAULTS} == set(rules.RULES)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("actions.py", ACTION),
        ("requirements.txt", "rasa-sdk>=3.6\nrequests==2.32.0\n-r other.txt\ngit+https://example.com/a.git\n"),
        ("requirements.txt", "rasa_sdk~=3.21\npydantic>=2\n"),
        ("pyproject.toml", '[project]\nname = "bot"\nrequires-python = ">=3.9"\ndependencies = ["rasa-sdk"]\n'),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.9"\nrasa-sdk = "*"\n'),
        ("Dockerfile", "FROM python:3.12-slim\nRUN pip install rasa-sdk\n"),
        ("README.md", "Start it with python -m rasa_sdk.\n"),
        ("start.sh", "# python -m rasa_sdk\naction-server run\n"),
        ("actions.py", "from rasa_sdk.executor import CollectingDispatcher\nfrom rasa_sdk import Action, Tracker\n"),
        ("actions.py", in_run("time.sleep(1)")),
        ("actions.py", in_run("other = self.other", "other.last = tracker")),
        ("actions.py", ACTION + "\nclass Client:\n    def set(self, value):\n        self.value = value\n"),
        ("start.sh", "pip install -c constraints.txt --index-url https://x/sanic==1 requests\n"),
        ("environment.yml", "dependencies: [sanic=1]\n"),
        ("setup.cfg", "[options\n"),
        ("setup.py", "setup(install_requires=read())\n"),
        ("Pipfile", "packages = 1\n"),
        ("Pipfile", '[packages]\nnumpy = "==1.3"\n[requires]\npython_version = "3.11"\n'),
        ("venv/requirements.txt", "sanic==1\n"),
        ("broken.py", "import rasa_sdk\ndef (\n"),
        ("pyproject.toml", "[broken"),
        ("pyproject.toml", 'project = "bot"\ntool = 1\n'),
        ("pyproject.toml", '[project]\ndependencies = 5\nrequires-python = 3.9\n[tool]\npoetry = "x"\n'),
        ("pyproject.toml", '[tool.poetry]\ndependencies = ["sanic==21"]\n'),
        ("pyproject.toml", '[tool.poetry.dependencies]\nrasa-sdk = "^three"\npython = 3.9\n'),
    ],
)
def test_what_stays_is_not_named(tmp_path: Path, name: str, text: str) -> None:
    """Versions that fit, files of others, and what cannot be read: no finding."""
    project(tmp_path, {"bot.py": "import rasa_sdk\n", name: text})

    assert survey(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("python3 -m rasa_sdk", "action-server run"),
        (
            "python -m rasa_sdk --actions bot.actions -p $PORT && echo",
            "action-server run --actions bot.actions -p $PORT",
        ),
        (
            "exec rasa run actions --debug --ssl-keyfile 'my key.pem'",
            "action-server run --debug --ssl-keyfile my key.pem",
        ),
        ('command: ["rasa", "run", "actions", "-v"]', "action-server run -v"),
        ("ExecStart=/srv/venv/bin/python -m rasa_sdk --port 5055; true", "action-server run --port 5055"),
    ],
)
def test_the_new_command_keeps_the_flags(tmp_path: Path, line: str, command: str) -> None:
    """Whatever form it is written in, up to the end of the command."""
    project(tmp_path, {"bot.py": "import rasa_sdk\n", "start": f"{line}\n"})

    (found,) = survey(tmp_path)

    assert found.fix == f"write `{command}`"


def test_the_verb_shows_it_and_says_whether_it_starts(tmp_path: Path) -> None:
    """Exit code 1 with an error, 0 without; machines get JSON and SARIF."""
    project(tmp_path, {"actions.py": ACTION, "requirements.txt": "rasa-sdk==3.6.2\n"})

    shown = run(tmp_path, ["doctor", "--from-rasa-sdk"])
    as_json = json.loads(run(tmp_path, ["doctor", "--from-rasa-sdk", ".", "--json"]).stdout)
    as_sarif = json.loads(run(tmp_path, ["doctor", "--from-rasa-sdk", ".", "--sarif"]).stdout)
    (tmp_path / "requirements.txt").unlink()
    fine = run(tmp_path, ["doctor", "--from-rasa-sdk"])

    assert shown.returncode == 1
    assert "requirements.txt:1: error requirement-conflict: rasa-sdk==3.6.2 leaves out rasa-sdk" in shown.stdout
    assert [finding["rule"] for finding in as_json["findings"]] == ["requirement-conflict"]
    assert [result["ruleId"] for result in as_sarif["runs"][0]["results"]] == ["requirement-conflict"]
    assert (fine.returncode, fine.stdout) == (0, "nothing found (what changes for .)\n")


@pytest.mark.parametrize(
    ("folder", "said"), [("nowhere", "there is no folder nowhere"), (".", "nothing in . uses rasa-sdk")]
)
def test_a_folder_without_a_bot_is_said(tmp_path: Path, folder: str, said: str) -> None:
    """A wrong folder is wrong usage, exit code 2."""
    ended = run(tmp_path, ["doctor", "--from-rasa-sdk", folder])

    assert ended.returncode == 2
    assert said in ended.stderr
